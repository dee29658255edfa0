//! Triggers an event in PagerDuty (contract 5.13).
//!
//! API: <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>. *Recipient* is a name in `serviceKeys`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Map, Value, json};

use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, put, section};
use crate::vendor::{self, Opening, Vendor};

/// Longest summary in characters.
const LONGEST: usize = 1024;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "pagerdutyv2",
    aliases: &[],
    summary: "Triggers an event in PagerDuty.",
    recipient: "a name in `serviceKeys`",
    limits: Limits { body: Some(Length::Characters(LONGEST)), budget: None },
    example: "serviceKeys:\n  my-service: $pagerduty-key\n",
    options: Options::TABLE,
    open: vendor::open::<PagerDuty>,
    section: section!("pagerdutyv2", FIELDS, section::whole, true),
};

static FIELDS: &[Field] = &[
    field("summary", FieldShape::Text, "what happened; the `message` unless set"),
    field("severity", FieldShape::Text, "`critical`, `error`, `warning` or `info`"),
    field("source", FieldShape::Text, "where it happened"),
    field("component", FieldShape::Text, "the component"),
    field("group", FieldShape::Text, "the group of components"),
    field("class", FieldShape::Text, "the kind of event"),
    field("url", FieldShape::Text, "a link to more"),
    field("dedupKey", FieldShape::Text, "events with the same key are one incident; the delivery's id unless set"),
];

options! {
    struct Options {
        /// Integration keys (Events API v2), by recipient.
        "serviceKeys" service_keys: BTreeMap<String, Secret>,
        /// Where events go; `https://events.eu.pagerduty.com` in Europe.
        "apiURL" api_url: String = "https://events.pagerduty.com".to_owned(), "https://events.pagerduty.com",
    }
}

#[derive(Debug)]
struct PagerDuty {
    url: Address,
    keys: BTreeMap<String, Secret>,
    http: Http,
}

#[async_trait]
impl Vendor for PagerDuty {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?.join("v2/enqueue");
        Ok(Self { url, keys: options.service_keys, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let key = vendor::of_recipient(&self.keys, "serviceKeys", message.recipient)?;
        let body = payload(&vendor::needed(&message, "pagerdutyv2")?, &message, key);
        self.http.deliver(Request::post(self.url.clone()).json(&body), message.now, classify).await
    }

    fn channel(&self, name: &str, recipient: &str) -> Channel {
        let channel = vendor::by_key(&KIND, name, recipient, &self.url, self.keys.get(recipient));
        // An event with the same key is no second incident.
        Channel { idempotent: true, ..channel }
    }
}

fn payload(section: &Rendered, message: &Message<'_>, key: &Secret) -> Value {
    let summary = section.some("summary").unwrap_or(&message.notification.message);
    let mut event = Map::new();
    event.insert("summary".to_owned(), cut(summary, LONGEST).into());
    for name in ["source", "severity"] {
        event.insert(name.to_owned(), section.text(name).into());
    }
    for name in ["component", "group", "class"] {
        put(&mut event, name, section.text(name));
    }
    let mut body = json!({
        "routing_key": key.expose().trim(),
        "event_action": "trigger",
        // A repeated attempt with the same key is no second incident.
        "dedup_key": section.some("dedupKey").unwrap_or(&message.id.0),
        "client": "ArgoCD",
        "payload": event,
    });
    if let Some(url) = section.some("url") {
        body["client_url"] = url.into();
    }
    body
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let receipt =
        answer.by_status().map_err(|error| match answer.status == 400 && answer.body.contains("routing_key") {
            true => SendError::attention(error.reason, "check the key in `serviceKeys`"),
            false => error,
        })?;
    match (answer.status, answer.json()) {
        (202, Some(Value::Object(_))) => Ok(receipt),
        _ => Err(answer.unknown("PagerDuty")),
    }
}
