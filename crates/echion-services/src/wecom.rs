//! Sends to a WeCom (企业微信) group through a robot.
//!
//! API: <https://developer.work.weixin.qq.com/document/path/91770>. *Recipient* is whom to mention: user ids, mobile numbers or `all`,
//! separated by commas; usually empty.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, Notification, OptionsError, Receipt, Secret, SendError,
    ServiceKind,
};
use serde_json::{Value, json};

use crate::http::{Address, Http, Request};
use crate::options::options;
use crate::robots::{self, Mention, Robot, WECOM_BUDGET};
use crate::section::{Rendered, cut_bytes, field, section};
use crate::vendor::{self, Opening, Vendor};

/// Longest text and Markdown in bytes.
const LONGEST: (usize, usize) = (2048, 4096);

/// Most articles of one message.
const ARTICLES: usize = 8;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "wecom",
    aliases: &["wechat-work"],
    summary: "Sends to a WeCom (企业微信) group through a robot.",
    recipient: "whom to mention: user ids, mobile numbers or `all`, separated by commas; `user:` before an id that looks like a number; usually empty",
    limits: Limits { body: Some(Length::Bytes(LONGEST.1)), budget: Some(WECOM_BUDGET) },
    example: "key: $wecom-key\n",
    options: Options::TABLE,
    open: vendor::open::<WeCom>,
    section: section!("wecom", FIELDS, merge),
};

static FIELDS: &[Field] = &[
    field("text", FieldShape::Text, "a plain text, up to 2048 bytes"),
    field("markdown", FieldShape::Text, "Markdown with colours (`<font color=\"warning\">`), up to 4096 bytes"),
    field("markdownV2", FieldShape::Text, "Markdown with tables and without colours, up to 4096 bytes"),
    field("news", FieldShape::Json, "one to eight articles: `title`, `description`, `url`, `picurl`"),
    field("templateCard", FieldShape::Json, "a template card, as WeCom describes it (`card_type: text_notice`, …)"),
    field("image", FieldShape::Json, "`base64` and `md5` of an image"),
    field("file", FieldShape::Text, "the media id of an uploaded file"),
    field("voice", FieldShape::Text, "the media id of an uploaded voice message"),
];

options! {
    struct Options {
        /// The key at the end of the robot's address.
        "key" key: Secret,
        /// The robot's whole address, instead of `key`.
        "webhook" webhook: Secret,
        /// Where the API is.
        "apiURL" api_url: String = "https://qyapi.weixin.qq.com".to_owned(), "https://qyapi.weixin.qq.com",
    }
}

#[derive(Debug)]
struct WeCom {
    url: Address,
    http: Http,
}

#[async_trait]
impl Vendor for WeCom {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = match (options.webhook.is_empty(), options.key.is_empty()) {
            (false, true) => opening.address("webhook", options.webhook.expose())?,
            (true, false) => opening
                .address("apiURL", &options.api_url)?
                .join("cgi-bin/webhook/send")
                .with_query(&[("key", options.key.expose().trim())]),
            _ => return Err(opening.refuse("key", "expected one of `key` and `webhook`".to_owned())),
        };
        Ok(Self { url, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let body = payload(message.notification, message.recipient)?;
        let request = Request::post(self.url.clone()).json(&body);
        self.http.deliver(request, message.now, |answer| Robot::WeCom.judge(answer, message.now, None)).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        Robot::WeCom.channel(&self.url)
    }
}

fn payload(notification: &Notification, recipient: &str) -> Result<Value, SendError> {
    let section = Rendered::of(notification, "wecom").unwrap_or_default();
    if let Some(text) = section.some("markdown") {
        // Markdown mentions user ids in its text, and knows neither mobile numbers nor everybody.
        let mentions = robots::mentions(recipient).filter_map(|mention| match mention {
            Mention::User(id) => Some(format!("<@{id}>")),
            _ => None,
        });
        let missing: String = mentions.filter(|mention| !text.contains(mention.as_str())).collect();
        let room = LONGEST.1 - missing.len().min(1024) - 1;
        let text = cut_bytes(text, room);
        let content = if missing.is_empty() { text } else { format!("{text}\n{missing}") };
        return Ok(json!({ "msgtype": "markdown", "markdown": { "content": content } }));
    }
    if let Some(text) = section.some("markdownV2") {
        let content = cut_bytes(text, LONGEST.1);
        return Ok(json!({ "msgtype": "markdown_v2", "markdown_v2": { "content": content } }));
    }
    if let Some(articles) = section.list("news")? {
        if articles.is_empty() || articles.len() > ARTICLES {
            let hint = "give `news` one to eight articles";
            return Err(SendError::rejected(format!("`news` has {} articles", articles.len()), hint));
        }
        return Ok(json!({ "msgtype": "news", "news": { "articles": articles } }));
    }
    for (name, kind) in [("templateCard", "template_card"), ("image", "image")] {
        if let Some(content) = section.json(name)? {
            return Ok(json!({ "msgtype": kind, kind: content }));
        }
    }
    for kind in ["file", "voice"] {
        if let Some(id) = section.some(kind) {
            return Ok(json!({ "msgtype": kind, kind: { "media_id": id } }));
        }
    }
    let text = section.some("text").unwrap_or(&notification.message);
    if text.is_empty() {
        return Err(SendError::rejected("the message is empty", "give the template a `message` or a `wecom` section"));
    }
    let mut content = json!({ "content": cut_bytes(text, LONGEST.0) });
    let (mut users, mut mobiles) = (Vec::new(), Vec::new());
    for mention in robots::mentions(recipient) {
        match mention {
            Mention::All => users.push("@all"),
            Mention::User(id) => users.push(id),
            Mention::Mobile(number) => mobiles.push(number),
        }
    }
    for (key, names) in [("mentioned_list", users), ("mentioned_mobile_list", mobiles)] {
        if !names.is_empty() {
            content[key] = names.into();
        }
    }
    Ok(json!({ "msgtype": "text", "text": content }))
}

/// A later template's message replaces an earlier one's, of whatever type.
fn merge(earlier: &mut Value, later: Value) {
    if later.as_object().is_some_and(|fields| !fields.is_empty()) {
        *earlier = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_in_bytes_and_between_characters() {
        let long = "字".repeat(3000);
        for (name, key, limit) in
            [("text", "text", 2048), ("markdown", "markdown", 4096), ("markdownV2", "markdown_v2", 4096)]
        {
            let sections = [("wecom".to_owned(), json!({ name: long }))].into();
            let notification = Notification { message: String::new(), sections };
            let body = payload(&notification, "lee").unwrap();
            let content = body[key]["content"].as_str().unwrap();
            assert!(content.len() <= limit && content.len() > limit - 16, "{name}: {}", content.len());
            assert!(content.contains('…'));
        }
    }
}
