//! Posts a card to a Microsoft Teams channel through an Office 365 connector (contract 5.17).
//!
//! Format: <https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference>. Microsoft retires these connectors;
//! `teams-workflows` is what follows. *Recipient* is a name in `recipientUrls`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use echion_model::{
    Budget, Channel, Field, FieldShape, Length, Limits, Message, Notification, OptionsError, Receipt, Secret,
    SendError, ServiceKind,
};
use serde_json::{Map, Value, json};

use crate::answer::PAUSE;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, field, fit, put, section};
use crate::vendor::{self, Opening, Vendor};

/// Longest body in bytes.
const LONGEST: usize = 28 * 1024;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "teams",
    aliases: &[],
    summary: "Posts a card to a Microsoft Teams channel through an Office 365 connector.",
    recipient: "a name in `recipientUrls`",
    limits: Limits {
        body: Some(Length::Bytes(LONGEST)),
        budget: Some(Budget { count: 4, window: std::time::Duration::from_secs(1) }),
    },
    example: "recipientUrls:\n  channel: $teams-channel-url\n",
    options: Options::TABLE,
    open: vendor::open::<Teams>,
    section: section!("teams", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[
    field("template", FieldShape::Json, "the whole card; the other fields are not used then"),
    field("title", FieldShape::Text, "the card's title"),
    field("summary", FieldShape::Text, "what is shown in the list of activities"),
    field("text", FieldShape::Text, "the card's text; the `message` unless set"),
    field("themeColor", FieldShape::Text, "the card's colour, such as `#000080`"),
    field("facts", FieldShape::Json, "a list of `{name, value}`"),
    field("sections", FieldShape::Json, "a list of sections"),
    field("potentialAction", FieldShape::Json, "a list of actions"),
];

options! {
    struct Options {
        /// The connectors' addresses by recipient.
        "recipientUrls" recipient_urls: BTreeMap<String, Secret>,
    }
}

#[derive(Debug)]
struct Teams {
    urls: BTreeMap<String, Secret>,
    http: Http,
}

#[async_trait]
impl Vendor for Teams {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        Ok(Self { urls: options.recipient_urls, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let url = vendor::of_recipient(&self.urls, "recipientUrls", message.recipient)?;
        let request = Request::post(address(url, message.recipient)?).json(&payload(message.notification)?);
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, name: &str, recipient: &str) -> Channel {
        vendor::by_address(&KIND, name, recipient, self.urls.get(recipient))
    }
}

/// The address that an option holds for a recipient.
pub(crate) fn address(url: &Secret, recipient: &str) -> Result<Address, SendError> {
    Address::parse(url.expose()).map_err(|error| {
        SendError::attention(
            format!("the address of `{recipient}` {error}"),
            "correct it in the options of the service",
        )
    })
}

fn payload(notification: &Notification) -> Result<Value, SendError> {
    let section = Rendered::of(notification, "teams").unwrap_or_default();
    if let Some(card) = section.json("template")? {
        return Ok(card);
    }
    let mut body = Map::new();
    for (key, value) in [
        ("@type", "MessageCard"),
        ("context", "https://schema.org/extensions"),
        ("title", section.text("title")),
        ("summary", section.text("summary")),
        ("text", section.some("text").unwrap_or(&notification.message)),
    ] {
        body.insert(key.to_owned(), value.into());
    }
    put(&mut body, "themeColor", section.text("themeColor"));
    if let Some(actions) = section.list("potentialAction")? {
        body.insert("potentialAction".to_owned(), actions.into());
    }
    let mut sections = section.list("sections")?.unwrap_or_default();
    if let Some(facts) = section.list("facts")? {
        sections.push(json!({ "facts": facts }));
    }
    if !sections.is_empty() {
        body.insert("sections".to_owned(), sections.into());
    }
    let mut body = Value::Object(body);
    fit(&mut body, "/text", LONGEST);
    Ok(body)
}

/// A connector says `1`; what went wrong behind it comes as a sentence under HTTP 200.
fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    answer.by_status()?;
    if answer.body.trim() == "1" {
        return Ok(Receipt { answer: format!("HTTP {} 1", answer.status) });
    }
    let behind = answer.body.split_once("HTTP error ").and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    match behind {
        Some(429) => Err(SendError::rate_limited(answer.said(), answer.retry_after.unwrap_or(PAUSE))),
        Some(400 | 413 | 422) => Err(SendError::rejected(answer.said(), "correct the card in the template")),
        Some(400..=499) => Err(SendError::attention(answer.said(), "check that the connector still exists")),
        _ => Err(answer.unknown("Teams")),
    }
}
