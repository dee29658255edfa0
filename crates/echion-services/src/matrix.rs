//! Sends to a Matrix room.
//!
//! API: <https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>. *Recipient* is a name in `rooms`, or the id of a room.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::PAUSE;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut_bytes, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "matrix",
    aliases: &[],
    summary: "Sends to a Matrix room.",
    recipient: "a name in `rooms`, or the id of a room",
    limits: Limits { body: Some(Length::Bytes(LONGEST)), budget: None },
    example: "homeserver: https://matrix.example.com\naccessToken: $matrix-token\nrooms:\n  alerts: '!abc:example.com'\n",
    options: Options::TABLE,
    open: vendor::open::<Matrix>,
    section: section!("matrix", FIELDS, section::non_empty),
};

/// Longest text in bytes: an event takes 64 KiB, and holds the text twice.
const LONGEST: usize = 24 * 1024;

static FIELDS: &[Field] = &[
    field("body", FieldShape::Text, "the text; the `message` unless set"),
    field("formattedBody", FieldShape::Text, "the same in HTML"),
    field("messageType", FieldShape::Plain, "`m.notice` (as bots speak) or `m.text`"),
];

options! {
    struct Options {
        /// The homeserver.
        "homeserver" homeserver: String,
        /// The access token of the bot's user.
        "accessToken" access_token: Secret,
        /// Ids of rooms by names: an id holds a colon, which a recipient in `subscriptions` cannot.
        "rooms" rooms: BTreeMap<String, String>,
    }
}

#[derive(Debug)]
struct Matrix {
    url: Address,
    token: Secret,
    rooms: BTreeMap<String, String>,
    http: Http,
}

#[async_trait]
impl Vendor for Matrix {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("homeserver", &options.homeserver)?;
        Ok(Self { url, token: options.access_token, rooms: options.rooms, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let room = match self.rooms.get(message.recipient) {
            Some(room) => room.as_str(),
            None if message.recipient.starts_with('!') => message.recipient,
            None => {
                return Err(vendor::of_recipient(&self.rooms, "rooms", message.recipient)
                    .err()
                    .unwrap_or_else(|| SendError::attention("no such room", "correct the recipient")));
            }
        };
        // The transaction's id makes a repeated attempt no second message.
        let path = ["_matrix", "client", "v3", "rooms", room, "send", "m.room.message", message.id.0.as_str()];
        let request = Request::new("PUT", self.url.segments(path)).bearer(&self.token).json(&payload(&message));
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        // The transaction's id makes a repeated attempt no second message.
        Channel { idempotent: true, ..vendor::by_token(&KIND, &self.url, self.token.expose()) }
    }
}

fn payload(message: &Message<'_>) -> Value {
    let section = Rendered::of(message.notification, "matrix").unwrap_or_default();
    let text = section.some("body").unwrap_or(&message.notification.message);
    let kind = section.some("messageType").unwrap_or("m.notice");
    let mut body = json!({ "msgtype": kind, "body": cut_bytes(text, LONGEST) });
    // HTML is not cut: half a tag would be worse than none.
    if let Some(html) = section.some("formattedBody").filter(|html| html.len() <= LONGEST) {
        body["format"] = "org.matrix.custom.html".into();
        body["formatted_body"] = html.into();
    }
    body
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json().unwrap_or_default();
    let code = body.get("errcode").and_then(Value::as_str).unwrap_or_default();
    if answer.status == 429 {
        let millis = body.get("retry_after_ms").and_then(Value::as_u64).map(Duration::from_millis);
        let pause = answer.retry_after.or(millis).unwrap_or(PAUSE);
        return Err(SendError::rate_limited(format!("HTTP 429: {}", answer.said()), pause));
    }
    answer.by_status().map_err(|error| {
        let hint = match code {
            "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" => "set `accessToken` to a token that is valid",
            "M_FORBIDDEN" => "invite the bot's user to the room and let it join and write",
            "M_NOT_FOUND" => "correct the room's id",
            _ => return error,
        };
        SendError::attention(error.reason, hint)
    })?;
    match body.get("event_id").and_then(Value::as_str) {
        Some(id) => Ok(Receipt { answer: format!("event {}", answer.quote(id)) }),
        None => Err(answer.unknown("a homeserver")),
    }
}
