//! Posts to a Discord channel through a webhook.
//!
//! API: <https://discord.com/developers/docs/resources/webhook#execute-webhook>. *Recipient* is a name in `webhooks`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Budget, Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::PAUSE;
use crate::http::{Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, section};
use crate::teams::address;
use crate::vendor::{self, Opening, Vendor};

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
    options: Options::TABLE,
    open: vendor::open::<Discord>,
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

options! {
    struct Options {
        /// The webhooks' addresses by recipient.
        "webhooks" webhooks: BTreeMap<String, Secret>,
    }
}

#[derive(Debug)]
struct Discord {
    urls: BTreeMap<String, Secret>,
    http: Http,
}

#[async_trait]
impl Vendor for Discord {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        Ok(Self { urls: options.webhooks, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let url = address(vendor::of_recipient(&self.urls, "webhooks", message.recipient)?, message.recipient)?;
        let section = Rendered::of(message.notification, "discord").unwrap_or_default();
        // Without `wait` Discord accepts before it has checked the message.
        let mut url = url.with_query(&[("wait", "true")]);
        if let Some(thread) = section.some("threadID") {
            url = url.with_query(&[("thread_id", thread)]);
        }
        let body = payload(&section, &message)?;
        self.http.deliver(Request::post(url).json(&body), message.now, classify).await
    }

    fn channel(&self, name: &str, recipient: &str) -> Channel {
        // The rate is a webhook's, which the path of the address names.
        Channel { concurrency: 1, ..vendor::by_address(&KIND, name, recipient, self.urls.get(recipient)) }
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

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json().unwrap_or_default();
    if answer.status == 429 {
        let seconds = body.get("retry_after").and_then(Value::as_f64).filter(|s| (0.0..86_400.0).contains(s));
        let pause = answer.retry_after.or(seconds.map(Duration::from_secs_f64)).unwrap_or(PAUSE);
        return Err(SendError::rate_limited(format!("HTTP 429: {}", answer.said()), pause));
    }
    answer.by_status()?;
    match body.get("id").and_then(Value::as_str) {
        Some(id) => Ok(Receipt { answer: format!("message {}", answer.quote(id)) }),
        None => Err(answer.unknown("Discord")),
    }
}
