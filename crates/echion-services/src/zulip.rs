//! Sends to a Zulip channel or to people.
//!
//! API: <https://zulip.com/api/send-message>. *Recipient* is `channel|topic`, or e-mail addresses separated by commas.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "zulip",
    aliases: &[],
    summary: "Sends to a Zulip channel or to people.",
    recipient: "`channel|topic`, or e-mail addresses separated by commas",
    limits: Limits { body: Some(Length::Characters(LONGEST)), budget: None },
    example: "apiURL: https://zulip.example.com\nemail: bot@zulip.example.com\napiKey: $zulip-key\n",
    options: Options::TABLE,
    open: vendor::open::<Zulip>,
    section: section!("zulip", FIELDS, section::non_empty),
};

/// Longest text in characters.
const LONGEST: usize = 10_000;

/// Longest topic in characters.
const TOPIC: usize = 60;

static FIELDS: &[Field] = &[
    field("content", FieldShape::Text, "the text, in Markdown; the `message` unless set"),
    field("topic", FieldShape::Text, "the topic, over the recipient's"),
];

options! {
    struct Options {
        /// Where Zulip is.
        "apiURL" api_url: String,
        /// The bot's e-mail address.
        "email" email: String,
        /// The bot's key.
        "apiKey" api_key: Secret,
        /// The topic of messages that name none.
        "topic" topic: String = "Argo CD".to_owned(), "Argo CD",
    }
}

#[derive(Debug)]
struct Zulip {
    url: Address,
    email: String,
    key: Secret,
    topic: String,
    http: Http,
}

#[async_trait]
impl Vendor for Zulip {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?.join("api/v1/messages");
        Ok(Self { url, email: options.email, key: options.api_key, topic: options.topic, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let form = self.payload(&message);
        let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = Request::post(self.url.clone()).basic(&self.email, &self.key).form(&pairs);
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, &self.email)
    }
}

impl Zulip {
    fn payload(&self, message: &Message<'_>) -> Vec<(&'static str, String)> {
        let section = Rendered::of(message.notification, "zulip").unwrap_or_default();
        let text = cut(section.some("content").unwrap_or(&message.notification.message), LONGEST);
        let (to, topic) = message.recipient.split_once('|').unwrap_or((message.recipient, &self.topic));
        if to.contains('@') {
            let people: Vec<&str> = to.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            return vec![("type", "direct".to_owned()), ("to", json!(people).to_string()), ("content", text)];
        }
        let topic = cut(section.some("topic").unwrap_or(topic), TOPIC);
        vec![("type", "stream".to_owned()), ("to", to.to_owned()), ("topic", topic), ("content", text)]
    }
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("Zulip").map_err(|error| match answer.body.contains("STREAM_DOES_NOT_EXIST") {
        true => {
            SendError::attention(error.reason, "correct the recipient, or create the channel and subscribe the bot")
        }
        false => error,
    })?;
    match body.get("result").and_then(Value::as_str) {
        Some("success") => Ok(Receipt { answer: format!("message {}", body.get("id").unwrap_or(&Value::Null)) }),
        _ => Err(answer.unknown("Zulip")),
    }
}
