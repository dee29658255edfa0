//! Publishes to a topic of ntfy.
//!
//! API: <https://docs.ntfy.sh/publish/>. *Recipient* is the topic.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut_bytes, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "ntfy",
    aliases: &[],
    summary: "Publishes to a topic of ntfy.",
    recipient: "the topic",
    limits: Limits { body: Some(Length::Bytes(LONGEST)), budget: None },
    example: "token: $ntfy-token\n",
    options: Options::TABLE,
    open: vendor::open::<Ntfy>,
    section: section!("ntfy", FIELDS, section::non_empty),
};

/// Longest message in bytes; a longer one would become an attachment.
const LONGEST: usize = 4096;

static FIELDS: &[Field] = &[
    field("title", FieldShape::Text, "the title"),
    field("message", FieldShape::Text, "the text; the template's `message` unless set"),
    field("priority", FieldShape::Text, "1 (lowest) to 5 (highest)"),
    field("tags", FieldShape::Texts, "tags, of which some show as emoji"),
    field("click", FieldShape::Text, "what a tap opens"),
    field("actions", FieldShape::Json, "a list of buttons"),
    field("markdown", FieldShape::Flag, "the text is Markdown"),
];

options! {
    struct Options {
        /// Where ntfy is.
        "apiURL" api_url: String = "https://ntfy.sh".to_owned(), "https://ntfy.sh",
        /// An access token.
        "token" token: Secret,
        /// A user, instead of a token.
        "username" username: String,
        /// The user's password.
        "password" password: Secret,
    }
}

#[derive(Debug)]
struct Ntfy {
    url: Address,
    token: Secret,
    username: String,
    password: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Ntfy {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?;
        let Options { token, username, password, .. } = options;
        Ok(Self { url, token, username, password, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let mut request = Request::post(self.url.clone()).json(&payload(&message)?);
        if !self.token.is_empty() {
            request = request.bearer(&self.token);
        } else if !self.username.is_empty() {
            request = request.basic(&self.username, &self.password);
        }
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, if self.token.is_empty() { &self.username } else { self.token.expose() })
    }
}

fn payload(message: &Message<'_>) -> Result<Value, SendError> {
    let section = Rendered::of(message.notification, "ntfy").unwrap_or_default();
    let text = section.some("message").unwrap_or(&message.notification.message);
    let mut body = json!({ "topic": message.recipient, "message": cut_bytes(text, LONGEST) });
    for name in ["title", "click"] {
        if let Some(text) = section.some(name) {
            body[name] = text.into();
        }
    }
    if let Some(priority) = section.some("priority") {
        let number = priority.trim().parse::<u8>().ok().filter(|number| (1..=5).contains(number));
        let hint = "write `priority` as a number from 1 to 5";
        let wrong = || SendError::rejected(format!("`priority` is `{priority}`"), hint);
        body["priority"] = number.ok_or_else(wrong)?.into();
    }
    if let Some(tags) = section.value("tags") {
        body["tags"] = tags.clone();
    }
    if let Some(actions) = section.list("actions")? {
        body["actions"] = actions.into();
    }
    if section.flag("markdown") == Some(true) {
        body["markdown"] = true.into();
    }
    Ok(body)
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("ntfy")?;
    match body.get("id").and_then(Value::as_str) {
        Some(id) => Ok(Receipt { answer: format!("message {}", answer.quote(id)) }),
        None => Err(answer.unknown("ntfy")),
    }
}
