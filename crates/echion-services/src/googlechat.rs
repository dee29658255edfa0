//! Posts to a Google Chat space through a webhook (contract 5.6).
//!
//! API: <https://developers.google.com/workspace/chat/quickstart/webhooks>. *Recipient* is a name in `webhooks`.

use std::time::Duration;

use echion_model::{Budget, Field, FieldShape, Length, Limits, Message, Receipt, SendError, ServiceKind};
use serde_json::{Value, json};

use crate::answer::PAUSE;
use crate::hooks::{Hook, Hooks, Webhooks};
use crate::http::{Address, Answer};
use crate::section::{self, Rendered, cut_bytes, field, section};
use crate::vendor;

/// Longest message in bytes.
const LONGEST: usize = 32_000;

const GONE: &str =
    "the space or its webhook is gone, or the address is wrong: copy it again into `webhooks` of the service";

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "googlechat",
    aliases: &[],
    summary: "Posts to a Google Chat space through a webhook.",
    recipient: "a name in `webhooks`",
    limits: Limits {
        body: Some(Length::Bytes(LONGEST)),
        budget: Some(Budget { count: 1, window: Duration::from_secs(1) }),
    },
    example: "webhooks:\n  space: $googlechat-url\n",
    options: Webhooks::TABLE,
    open: vendor::open::<Hooks<GoogleChat>>,
    section: section!("googlechat", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[
    field("cardsV2", FieldShape::Json, "a list of cards (JSON or YAML); the text is empty then"),
    field("cards", FieldShape::Json, "a list of cards of the old format"),
    field("threadKey", FieldShape::Text, "messages with the same key belong to one thread"),
];

/// The service.
#[derive(Debug)]
pub(crate) enum GoogleChat {}

impl Hook for GoogleChat {
    const KIND: &'static ServiceKind = &KIND;
    // The rate is a space's, which the path of the address names.
    const CONCURRENCY: u32 = 1;
    type Options = Webhooks;

    fn request(url: Address, section: &Rendered, message: &Message<'_>) -> Result<(Address, Value), SendError> {
        let url = section.some("threadKey").map_or(url.clone(), |key| threaded(&url, key));
        Ok((url, payload(section, message)?))
    }

    fn classify(answer: &Answer, _: &Address) -> Result<Receipt, SendError> {
        classify(answer)
    }
}

/// The address of a thread; Argo CD Notifications sorts the query.
fn threaded(url: &Address, key: &str) -> Address {
    let option = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";
    url.with_sorted_query(&[("threadKey", key), ("messageReplyOption", option)])
}

fn payload(section: &Rendered, message: &Message<'_>) -> Result<Value, SendError> {
    let (old, new) = (section.list("cards")?, section.list("cardsV2")?);
    let text = &message.notification.message;
    let cards = old.is_some() || new.is_some();
    let mut body = json!({ "text": if cards { String::new() } else { cut_bytes(text, LONGEST) } });
    if let Some(cards) = old {
        body["cards"] = cards.into();
    }
    if let Some(cards) = new {
        let wrap = |(index, card): (usize, Value)| match card.get("card") {
            Some(_) => card,
            None => json!({ "cardId": format!("{}-{index}", message.id), "card": card }),
        };
        body["cardsV2"] = cards.into_iter().enumerate().map(wrap).collect();
    }
    Ok(body)
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("Google Chat").map_err(|error| match answer.status {
        401 | 403 | 404 => SendError::attention(error.reason, GONE),
        _ => error,
    })?;
    match body.get("error") {
        None if body.is_object() => Ok(Receipt { answer: format!("HTTP {}", answer.status) }),
        None => Err(answer.unknown("Google Chat")),
        Some(error) => {
            let said = error.get("message").and_then(Value::as_str).unwrap_or_default();
            let reason = format!("{}: {}", error.get("code").unwrap_or(&Value::Null), answer.quote(said));
            Err(match error.get("code").and_then(Value::as_u64) {
                Some(401 | 403 | 404) => SendError::attention(reason, GONE),
                Some(429) => SendError::rate_limited(reason, answer.retry_after.unwrap_or(PAUSE)),
                Some(500..=599) => SendError::retryable(reason),
                _ => SendError::rejected(reason, "correct the card in the template"),
            })
        }
    }
}
