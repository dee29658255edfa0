//! Creates a record in ServiceNow, such as an incident.
//!
//! API: <https://www.servicenow.com/docs/bundle/latest/page/integrate/inbound-rest/concept/c_TableAPI.html>. *Recipient* is the table; `incident` unless given.

use async_trait::async_trait;
use echion_model::{Field, FieldShape, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use serde_json::{Value, json};

use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, headline, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "servicenow",
    aliases: &[],
    summary: "Creates a record in ServiceNow, such as an incident.",
    recipient: "the table; `incident` unless given",
    limits: Limits { body: None, budget: None },
    example: "url: https://example.service-now.com\noauth2:\n  tokenURL: https://example.service-now.com/oauth_token.do\n  clientID: echion\n  clientSecret: $servicenow-secret\n",
    options: Options::TABLE,
    open: vendor::open::<ServiceNow>,
    section: section!("servicenow", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[
    field("shortDescription", FieldShape::Text, "one line; the beginning of the `message` unless set"),
    field("description", FieldShape::Text, "the whole; the `message` unless set"),
    field("urgency", FieldShape::Text, "1 to 3"),
    field("impact", FieldShape::Text, "1 to 3"),
    field("category", FieldShape::Text, "the category"),
    field("assignmentGroup", FieldShape::Text, "the group that it goes to"),
    field("fields", FieldShape::Json, "further columns"),
];

options! {
    struct Options {
        /// The instance. The option `oauth2` of all services logs in.
        "url" url: String,
        /// A user, where there is no OAuth2.
        "username" username: String,
        /// The user's password.
        "password" password: Secret,
    }
}

#[derive(Debug)]
struct ServiceNow {
    url: Address,
    username: String,
    password: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for ServiceNow {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("url", &options.url)?;
        Ok(Self { url, username: options.username, password: options.password, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let table = if message.recipient.is_empty() { "incident" } else { message.recipient };
        let url = self.url.segments(["api", "now", "table", table]);
        let mut request = Request::post(url).json(&payload(&message)?).header("Accept", "application/json");
        if !self.username.is_empty() {
            request = request.basic(&self.username, &self.password);
        }
        self.http.deliver(request, message.now, classify).await
    }
}

fn payload(message: &Message<'_>) -> Result<Value, SendError> {
    let section = Rendered::of(message.notification, "servicenow").unwrap_or_default();
    let text = section.some("description").unwrap_or(&message.notification.message);
    let short = section.some("shortDescription").unwrap_or(text);
    let mut body = json!({
        "short_description": headline(short, 160),
        "description": cut(text, 4000),
        // By this a business rule or a person finds a repeated attempt.
        "correlation_id": message.id.0,
        "correlation_display": "Echion",
    });
    let named = [
        ("urgency", "urgency"),
        ("impact", "impact"),
        ("category", "category"),
        ("assignmentGroup", "assignment_group"),
    ];
    for (name, key) in named {
        if let Some(text) = section.some(name) {
            body[key] = text.into();
        }
    }
    if let (Some(Value::Object(more)), Some(body)) = (section.json("fields")?, body.as_object_mut()) {
        body.extend(more);
    }
    Ok(body)
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("ServiceNow")?;
    match body.pointer("/result/number").or_else(|| body.pointer("/result/sys_id")).and_then(Value::as_str) {
        Some(number) => Ok(Receipt { answer: answer.quote(number) }),
        None => Err(answer.unknown("ServiceNow")),
    }
}
