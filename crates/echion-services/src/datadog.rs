//! Posts an event to Datadog.
//!
//! API: <https://docs.datadoghq.com/api/latest/events/#post-an-event>. *Recipient* is the event's tags, separated by `|`.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, headline, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "datadog",
    aliases: &[],
    summary: "Posts an event to Datadog.",
    recipient: "the event's tags, separated by `|`",
    limits: Limits { body: Some(Length::Characters(LONGEST)), budget: None },
    example: "apiKey: $datadog-key\n",
    options: Options::TABLE,
    open: vendor::open::<Datadog>,
    section: section!("datadog", FIELDS, section::non_empty),
};

/// Longest text in characters.
const LONGEST: usize = 4000;

static FIELDS: &[Field] = &[
    field("title", FieldShape::Text, "the title; the beginning of the `message` unless set"),
    field("text", FieldShape::Text, "the text; the `message` unless set"),
    field("alertType", FieldShape::Text, "`error`, `warning`, `info` or `success`"),
    field("priority", FieldShape::Text, "`normal` or `low`"),
    field("aggregationKey", FieldShape::Text, "events with the same key are shown as one"),
    field("tags", FieldShape::Texts, "further tags"),
];

options! {
    struct Options {
        /// An API key.
        "apiKey" api_key: Secret,
        /// Where the API is; `https://api.datadoghq.eu` in Europe.
        "apiURL" api_url: String = "https://api.datadoghq.com".to_owned(), "https://api.datadoghq.com",
    }
}

#[derive(Debug)]
struct Datadog {
    url: Address,
    key: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Datadog {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?.join("api/v1/events");
        Ok(Self { url, key: options.api_key, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let request = Request::post(self.url.clone()).header("DD-API-KEY", self.key.expose()).json(&payload(&message));
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, self.key.expose())
    }
}

fn payload(message: &Message<'_>) -> Value {
    let section = Rendered::of(message.notification, "datadog").unwrap_or_default();
    let text = section.some("text").unwrap_or(&message.notification.message);
    let title = section.some("title").unwrap_or(text);
    let mut tags: Vec<Value> = message.recipient.split('|').filter(|tag| !tag.is_empty()).map(Value::from).collect();
    tags.extend(section.value("tags").and_then(Value::as_array).cloned().unwrap_or_default());
    let mut body = json!({
        "title": headline(title, 100),
        "text": cut(text, LONGEST),
        "date_happened": message.now / 1000,
        "source_type_name": "argocd",
        "tags": tags,
    });
    for (name, key) in [("alertType", "alert_type"), ("priority", "priority"), ("aggregationKey", "aggregation_key")] {
        if let Some(text) = section.some(name) {
            body[key] = text.into();
        }
    }
    body
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("Datadog")?;
    match body.get("status").and_then(Value::as_str) {
        Some("ok") => Ok(Receipt { answer: format!("HTTP {} ok", answer.status) }),
        _ => Err(answer.unknown("Datadog")),
    }
}
