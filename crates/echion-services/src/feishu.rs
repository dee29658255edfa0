//! Sends to a Feishu (Lark) group through a custom bot, signed.
//!
//! API: <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>. *Recipient* is whom to mention: open ids, or `all`, separated
//! by commas; usually empty.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, Notification, OptionsError, Receipt, Secret, SendError,
    ServiceKind,
};
use serde_json::{Map, Value, json};

use crate::http::{Address, Http, Request};
use crate::options::options;
use crate::robots::{self, FEISHU_BUDGET, Robot};
use crate::section::{Rendered, field, fit, section};
use crate::vendor::{self, Opening, Vendor};

/// Longest body in bytes.
const LONGEST: usize = 20 * 1024;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "feishu",
    aliases: &["lark"],
    summary: "Sends to a Feishu (Lark) group through a custom bot, signed.",
    recipient: "whom to mention: open ids, or `all`, separated by commas; usually empty",
    limits: Limits { body: Some(Length::Bytes(LONGEST)), budget: Some(FEISHU_BUDGET) },
    example: "token: $feishu-token\nsecret: $feishu-secret\n",
    options: Options::TABLE,
    open: vendor::open::<Feishu>,
    section: section!("feishu", FIELDS, merge),
};

static FIELDS: &[Field] = &[
    field("text", FieldShape::Text, "a plain text"),
    field("markdown", FieldShape::Fields(MARKDOWN), "a card with a title and a text in Markdown"),
    field("post", FieldShape::Json, "a rich text by language: `zh_cn` or `en_us` with `title` and `content`"),
    field("card", FieldShape::Json, "a whole card, as Feishu's card builder gives it"),
    field("image", FieldShape::Text, "the key of an uploaded image"),
    field("shareChat", FieldShape::Text, "the id of a group to be shared"),
];

static MARKDOWN: &[Field] = &[
    field("title", FieldShape::Text, "the card's title"),
    field("text", FieldShape::Text, "its text"),
    field("color", FieldShape::Text, "the title's colour: `red`, `orange`, `green`, `blue`, …"),
    field("button", FieldShape::Text, "what a button says"),
    field("url", FieldShape::Text, "where the button leads"),
];

options! {
    struct Options {
        /// The token at the end of the bot's address.
        "token" token: Secret,
        /// The bot's whole address, instead of `token`.
        "webhook" webhook: Secret,
        /// Where the API is; `https://open.larksuite.com` for Lark.
        "apiURL" api_url: String = "https://open.feishu.cn".to_owned(), "https://open.feishu.cn",
        /// The bot's signing secret; requests are signed when it is set.
        "secret" secret: Secret,
        /// The bot's keywords; a text without any of them gets the first one appended.
        "keywords" keywords: Vec<String>,
    }
}

#[derive(Debug)]
struct Feishu {
    url: Address,
    secret: Secret,
    keywords: Vec<String>,
    http: Http,
}

#[async_trait]
impl Vendor for Feishu {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = match (options.webhook.is_empty(), options.token.is_empty()) {
            (false, true) => opening.address("webhook", options.webhook.expose())?,
            (true, false) => opening.address("apiURL", &options.api_url)?.segments([
                "open-apis",
                "bot",
                "v2",
                "hook",
                options.token.expose().trim(),
            ]),
            _ => return Err(opening.refuse("token", "expected one of `token` and `webhook`".to_owned())),
        };
        let secret = Secret::new(options.secret.expose().trim());
        let keywords = options.keywords.into_iter().filter(|keyword| !keyword.is_empty()).collect();
        Ok(Self { url, secret, keywords, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let mut body = payload(message.notification, message.recipient, &self.keywords)?;
        if !self.secret.is_empty() {
            let seconds = message.now / 1000;
            body["timestamp"] = seconds.to_string().into();
            body["sign"] = robots::sign_feishu(self.secret.expose(), seconds)?.into();
        }
        let unsigned = self.secret.is_empty().then_some("set `secret` to the bot's signing secret");
        let request = Request::post(self.url.clone()).json(&body);
        self.http.deliver(request, message.now, |answer| Robot::Feishu.judge(answer, message.now, unsigned)).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        Robot::Feishu.channel(&self.url)
    }
}

fn payload(notification: &Notification, recipient: &str, keywords: &[String]) -> Result<Value, SendError> {
    let section = Rendered::of(notification, "feishu").unwrap_or_default();
    let names: Vec<&str> = recipient.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let (mut body, place) = if let Some(card) = section.json("card")? {
        (json!({ "msg_type": "interactive", "card": mentioned(card, &names) }), "")
    } else if let Some(markdown) = section.inner("markdown") {
        let card = mentioned(card(&markdown, &notification.message), &names);
        (json!({ "msg_type": "interactive", "card": card }), "/card/elements/0/content")
    } else if let Some(post) = section.json("post")? {
        (json!({ "msg_type": "post", "content": { "post": post } }), "")
    } else if let Some(key) = section.some("image") {
        (json!({ "msg_type": "image", "content": { "image_key": key } }), "")
    } else if let Some(chat) = section.some("shareChat") {
        (json!({ "msg_type": "share_chat", "content": { "share_chat_id": chat } }), "")
    } else {
        let text = section.some("text").unwrap_or(&notification.message);
        if text.is_empty() {
            let hint = "give the template a `message` or a `feishu` section";
            return Err(SendError::rejected("the message is empty", hint));
        }
        let mentions: String = names
            .iter()
            .map(|name| match *name {
                "all" => " <at user_id=\"all\">所有人</at>".to_owned(),
                name => format!(" <at user_id=\"{name}\"></at>"),
            })
            .collect();
        (json!({ "msg_type": "text", "content": { "text": format!("{text}{mentions}") } }), "/content/text")
    };
    let whole = body.to_string();
    if let Some(keyword) = keywords.first().filter(|_| !keywords.iter().any(|keyword| whole.contains(keyword.as_str())))
        && let Some(Value::String(text)) = body.pointer_mut(place).filter(|_| !place.is_empty())
    {
        text.push_str(&format!("\n{keyword}"));
    }
    // Timestamp and signature want their place as well.
    fit(&mut body, place, LONGEST - 128);
    Ok(body)
}

fn card(markdown: &Rendered, message: &str) -> Value {
    let text = markdown.some("text").unwrap_or(message);
    let mut elements = vec![json!({ "tag": "markdown", "content": text })];
    if let (Some(label), Some(url)) = (markdown.some("button"), markdown.some("url")) {
        let label = json!({ "tag": "plain_text", "content": label });
        elements.push(
            json!({ "tag": "action", "actions": [{ "tag": "button", "text": label, "url": url, "type": "primary" }] }),
        );
    }
    let mut card = json!({ "elements": elements });
    if let Some(title) = markdown.some("title") {
        let mut header = json!({ "title": { "tag": "plain_text", "content": title } });
        if let Some(color) = markdown.some("color") {
            header["template"] = color.into();
        }
        card["header"] = header;
    }
    card
}

/// The card with a line that mentions people; cards of both versions.
fn mentioned(mut card: Value, names: &[&str]) -> Value {
    if names.is_empty() {
        return card;
    }
    let content = names.iter().map(|name| format!("<at id={name}></at>")).collect::<Vec<_>>().join(" ");
    let line = json!({ "tag": "markdown", "content": content });
    let place = if card.get("schema").is_some() { "/body/elements" } else { "/elements" };
    if let Some(elements) = card.pointer_mut(place).and_then(Value::as_array_mut) {
        elements.push(line);
    }
    card
}

/// A later template's message replaces an earlier one's, of whatever type.
fn merge(earlier: &mut Value, later: Value) {
    if later.as_object().is_some_and(|fields: &Map<String, Value>| !fields.is_empty()) {
        *earlier = later;
    }
}
