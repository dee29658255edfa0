//! Posts to a Discord channel through a webhook.
//!
//! API: <https://discord.com/developers/docs/resources/webhook#execute-webhook>. *Recipient* is a name in `webhooks`.

use std::time::Duration;

use echion_model::{Budget, Field, FieldShape, Length, Limits, Message, Receipt, SendError, ServiceKind};
use serde_json::{Value, json};

use crate::answer::PAUSE;
use crate::hooks::{Hook, Hooks, Webhooks};
use crate::http::{Address, Answer};
use crate::section::{self, Rendered, cut, field, section};
use crate::vendor;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "discord",
    aliases: &[],
    summary: "Posts to a Discord channel through a webhook.",
    recipient: "a name in `webhooks`",
    limits: Limits {
        body: Some(Length::Characters(LONGEST)),
        budget: Some(Budget { count: 5, window: Duration::from_secs(2) }),
    },
    example: "webhooks:\n  alerts: $discord-url\n",
    options: Webhooks::TABLE,
    open: vendor::open::<Hooks<Discord>>,
    section: section!("discord", FIELDS, section::whole),
};

/// Longest text in characters.
const LONGEST: usize = 2000;

static FIELDS: &[Field] = &[
    field("content", FieldShape::Text, "the text; the `message` unless set"),
    field("username", FieldShape::Text, "the name that the message appears under"),
    field("avatarURL", FieldShape::Text, "the image next to it"),
    field("embeds", FieldShape::Json, "up to ten embeds"),
    field("threadName", FieldShape::Text, "begins a thread of this name, in a forum"),
    field("threadID", FieldShape::Text, "posts into this thread"),
];

/// The service.
#[derive(Debug)]
pub(crate) enum Discord {}

impl Hook for Discord {
    const KIND: &'static ServiceKind = &KIND;
    // The rate is a webhook's, which the path of the address names.
    const CONCURRENCY: u32 = 1;
    type Options = Webhooks;

    fn request(url: Address, section: &Rendered, message: &Message<'_>) -> Result<(Address, Value), SendError> {
        // Without `wait` Discord accepts before it has checked the message.
        let mut url = url.with_query(&[("wait", "true")]);
        if let Some(thread) = section.some("threadID") {
            url = url.with_query(&[("thread_id", thread)]);
        }
        Ok((url, payload(section, message)?))
    }

    fn classify(answer: &Answer, _: &Address) -> Result<Receipt, SendError> {
        let body = answer.json().unwrap_or_default();
        if answer.status == 429 {
            let seconds = body.get("retry_after").and_then(Value::as_f64).filter(|s| (0.0..86_400.0).contains(s));
            let pause = answer.retry_after.or(seconds.map(Duration::from_secs_f64)).unwrap_or(PAUSE);
            return Err(SendError::rate_limited(format!("HTTP 429: {}", answer.said()), pause));
        }
        answer.by_status().map_err(|error| explain(error, answer.status, &body))?;
        match body.get("id").and_then(Value::as_str) {
            Some(id) => Ok(Receipt { answer: format!("message {}", answer.quote(id)) }),
            None => Err(answer.unknown("Discord")),
        }
    }
}

fn payload(section: &Rendered, message: &Message<'_>) -> Result<Value, SendError> {
    let text = section.some("content").unwrap_or(&message.notification.message);
    // The text of a commit message mentions no one.
    let mut body = json!({ "content": cut(text, LONGEST), "allowed_mentions": { "parse": ["users", "roles"] } });
    for (name, key) in [("username", "username"), ("avatarURL", "avatar_url"), ("threadName", "thread_name")] {
        if let Some(text) = section.some(name) {
            body[key] = text.into();
        }
    }
    if let Some(embeds) = section.list("embeds")? {
        body["embeds"] = embeds.into();
    }
    Ok(body)
}

/// Discord's own codes say what the status does not.
fn explain(error: SendError, status: u16, body: &Value) -> SendError {
    match (body.get("code").and_then(Value::as_u64), status) {
        (Some(220_001), _) => SendError::attention(
            error.reason,
            "the webhook leads to a forum: set `threadName` or `threadID` in the template",
        ),
        (Some(10_003 | 10_015), _) | (None, 404) => SendError::attention(
            error.reason,
            "the webhook or its thread is gone: correct `webhooks` of the service, or `threadID`",
        ),
        (Some(50_027), _) => SendError::attention(error.reason, "the webhook's address is wrong: copy it again"),
        _ => error,
    }
}
