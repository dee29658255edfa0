//! Posts a card to a Microsoft Teams channel through an Office 365 connector (contract 5.17).
//!
//! Format: <https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference>. Microsoft retires these connectors;
//! `teams-workflows` is what follows. *Recipient* is a name in `recipientUrls`.

use echion_model::{Budget, Field, FieldShape, Length, Limits, Message, Receipt, SendError, ServiceKind};
use serde_json::{Map, Value, json};

use crate::answer::PAUSE;
use crate::hooks::{Hook, Hooks, RecipientUrls};
use crate::http::{Address, Answer};
use crate::section::{self, Rendered, field, fit, put, section};
use crate::teams_workflows::is_workflow;
use crate::vendor;

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
    options: RecipientUrls::TABLE,
    open: vendor::open::<Hooks<Teams>>,
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

/// The service.
#[derive(Debug)]
pub(crate) enum Teams {}

impl Hook for Teams {
    const KIND: &'static ServiceKind = &KIND;
    type Options = RecipientUrls;

    fn request(url: Address, section: &Rendered, message: &Message<'_>) -> Result<(Address, Value), SendError> {
        Ok((url, payload(section, &message.notification.message)?))
    }

    /// A connector says `1`; what went wrong behind it comes as a sentence under HTTP 200. A workflow has posted the card when it accepts it.
    fn classify(answer: &Answer, url: &Address) -> Result<Receipt, SendError> {
        let receipt = answer.by_status().map_err(|error| match answer.status {
            404 | 410 => SendError::attention(error.reason, GONE),
            _ => error,
        })?;
        if answer.body.trim() == "1" {
            return Ok(Receipt { answer: format!("HTTP {} 1", answer.status) });
        }
        if answer.status == 202 && is_workflow(url) {
            return Ok(receipt);
        }
        let behind = answer.body.split_once("HTTP error ").and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
        match behind {
            Some(429) => Err(SendError::rate_limited(answer.said(), answer.retry_after.unwrap_or(PAUSE))),
            Some(400 | 413 | 422) => Err(SendError::rejected(answer.said(), "correct the card in the template")),
            Some(400..=499) => Err(SendError::attention(answer.said(), GONE)),
            _ => Err(answer.unknown("Teams")),
        }
    }
}

const GONE: &str =
    "the connector or its channel is gone: make a workflow in Teams, and use its address with `teams-workflows`";

fn payload(section: &Rendered, message: &str) -> Result<Value, SendError> {
    if let Some(card) = section.json("template")? {
        return Ok(card);
    }
    let mut body = Map::new();
    for (key, value) in [
        ("@type", "MessageCard"),
        ("context", "https://schema.org/extensions"),
        ("title", section.text("title")),
        ("summary", section.text("summary")),
        ("text", section.some("text").unwrap_or(message)),
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
