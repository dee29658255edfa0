//! Creates an alert in Opsgenie (contract 5.11).
//!
//! API: <https://docs.opsgenie.com/docs/alert-api>. *Recipient* is a team ID listed in `apiKeys`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Map, Value, json};

use crate::answer::advised;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{Rendered, cut, field, present, put, section};
use crate::vendor::{self, Opening, Vendor};

/// Longest message and description in characters.
const LONGEST: (usize, usize) = (130, 15_000);

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "opsgenie",
    aliases: &[],
    summary: "Creates an alert in Opsgenie.",
    recipient: "a team ID listed in `apiKeys`",
    limits: Limits { body: Some(Length::Characters(LONGEST.1)), budget: None },
    example: "apiUrl: api.opsgenie.com\napiKeys:\n  <team-id>: $opsgenie-key\n",
    options: Options::TABLE,
    open: vendor::open::<Opsgenie>,
    section: section!("opsgenie", FIELDS, merge),
};

static FIELDS: &[Field] = &[
    field("description", FieldShape::Text, "what the alert says below its message"),
    field("priority", FieldShape::Text, "`P1` to `P5`"),
    field("alias", FieldShape::Text, "alerts with the same alias are one; the delivery's id unless set"),
    field("note", FieldShape::Text, "a note"),
    field("entity", FieldShape::Text, "what the alert is about"),
    field("user", FieldShape::Text, "who creates it"),
    field("actions", FieldShape::Texts, "names of actions"),
    field("tags", FieldShape::Texts, "tags"),
    field("details", FieldShape::Map, "further properties"),
    field("visibleTo", FieldShape::List(VISIBLE), "who sees it"),
];

static VISIBLE: &[Field] = &[
    field("type", FieldShape::Text, "`team` or `user`"),
    field("id", FieldShape::Text, "its id"),
    field("name", FieldShape::Text, "a team's name"),
    field("username", FieldShape::Text, "a user's name"),
];

options! {
    struct Options {
        /// The API's host; `api.eu.opsgenie.com` in Europe.
        "apiUrl" api_url: String = "api.opsgenie.com".to_owned(), "api.opsgenie.com",
        /// Keys of the teams' API integrations, by team.
        "apiKeys" api_keys: BTreeMap<String, Secret>,
    }
}

#[derive(Debug)]
struct Opsgenie {
    url: Address,
    keys: BTreeMap<String, Secret>,
    http: Http,
}

#[async_trait]
impl Vendor for Opsgenie {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let host = if options.api_url.is_empty() { "api.opsgenie.com" } else { &options.api_url };
        let host = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
        let url = opening.address("apiUrl", &host)?.join("v2/alerts");
        Ok(Self { url, keys: options.api_keys, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let key = vendor::of_recipient(&self.keys, "apiKeys", message.recipient)?;
        if key.expose().trim().is_empty() {
            let reason = format!("the key of `{}` is empty", message.recipient);
            return Err(SendError::attention(reason, "set it in `apiKeys` of the service"));
        }
        let request = Request::post(self.url.clone())
            .json(&payload(&message)?)
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Authorization", format!("GenieKey {}", key.expose().trim()));
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, name: &str, recipient: &str) -> Channel {
        let channel = vendor::by_key(&KIND, name, recipient, &self.url, self.keys.get(recipient));
        // An alert with the same alias is counted and makes no second one.
        Channel { idempotent: true, ..channel }
    }
}

fn payload(message: &Message<'_>) -> Result<Value, SendError> {
    let text = &message.notification.message;
    if text.is_empty() {
        let hint = "give the template a `message`";
        return Err(SendError::rejected("an alert needs a message", hint));
    }
    let section = Rendered::of(message.notification, "opsgenie").unwrap_or_default();
    let mut body = Map::new();
    body.insert("message".to_owned(), cut(text, LONGEST.0).into());
    let responder = json!([{ "type": "team", "id": message.recipient, "username": "" }]);
    body.insert("responders".to_owned(), responder);
    body.insert("source".to_owned(), "Argo CD".into());
    // A repeated attempt with the same alias is counted and makes no second alert.
    put(&mut body, "alias", section.some("alias").unwrap_or(&message.id.0));
    put(&mut body, "description", &cut(section.text("description"), LONGEST.1));
    for name in ["entity", "priority", "user", "note"] {
        put(&mut body, name, section.text(name));
    }
    for name in ["visibleTo", "actions", "tags", "details"] {
        if let Some(value) = section.value(name).filter(|value| **value != json!([]) && **value != json!({})) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    Ok(Value::Object(body))
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    const ADVICE: &[(u16, &str)] = &[
        (401, "correct the key in `apiKeys`, and set `apiUrl` to the region of the account"),
        (
            403,
            "let the integration of the key in `apiKeys` create alerts, and set `apiUrl` to the region of the account",
        ),
    ];
    let receipt = advised(answer, ADVICE)?;
    match answer.json() {
        Some(Value::Object(_)) => Ok(receipt),
        _ => Err(answer.unknown("Opsgenie")),
    }
}

/// Texts are always overwritten; lists and `details` only by a section that has them (contract 4.3).
fn merge(earlier: &mut Value, later: Value) {
    if let Some(fields) = earlier.as_object_mut() {
        fields.retain(|name, _| ["details", "visibleTo", "actions", "tags"].contains(&name.as_str()));
    }
    present(earlier, later);
}
