//! Opens an incident in PagerDuty through its REST API (contract 5.12).
//!
//! API: <https://developer.pagerduty.com/api-reference/a7d81b0e9200f-create-an-incident>. *Recipient* is the id of a service.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::advised;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "pagerduty",
    aliases: &[],
    summary: "Opens an incident in PagerDuty through its REST API.",
    recipient: "the id of a PagerDuty service",
    limits: Limits { body: None, budget: None },
    example: "token: $pagerduty-token\nfrom: oncall@example.com\n",
    options: Options::TABLE,
    open: vendor::open::<PagerDuty>,
    section: section!("pagerduty", FIELDS, section::whole, true),
};

static FIELDS: &[Field] = &[
    field("title", FieldShape::Text, "the incident's title; the `message` unless set"),
    field("body", FieldShape::Text, "its details"),
    field("urgency", FieldShape::Text, "`high` or `low`"),
    field("priorityId", FieldShape::Text, "the id of a priority"),
];

options! {
    struct Options {
        /// A REST API key that may write.
        "token" token: Secret,
        /// The e-mail address of a user, who opens the incident.
        "from" from: String,
        /// Accepted for compatibility; the recipient names the service.
        "serviceId" service_id: String,
        /// Where the API is; `https://api.eu.pagerduty.com` in Europe.
        "apiURL" api_url: String = "https://api.pagerduty.com".to_owned(), "https://api.pagerduty.com",
    }
}

#[derive(Debug)]
struct PagerDuty {
    url: Address,
    token: Secret,
    from: String,
    http: Http,
}

#[async_trait]
impl Vendor for PagerDuty {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?.join("incidents");
        Ok(Self { url, token: options.token, from: options.from, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let request = Request::post(self.url.clone())
            .json(&payload(&vendor::needed(&message, "pagerduty")?, &message))
            .header("Authorization", format!("Token token={}", self.token.expose()))
            .header("From", self.from.clone())
            .header("Accept", "application/vnd.pagerduty+json;version=2");
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        // A second incident with the same key is not opened while the first is open.
        Channel { idempotent: true, ..vendor::by_token(&KIND, &self.url, self.token.expose()) }
    }
}

fn payload(section: &Rendered, message: &Message<'_>) -> Value {
    let title = section.some("title").unwrap_or(&message.notification.message);
    let mut incident = json!({
        "type": "incident",
        "title": cut(title, 1024),
        "service": { "id": message.recipient, "type": "service_reference" },
        // A second incident with the same key is refused while the first is open.
        "incident_key": message.id.0,
    });
    if let Some(details) = section.some("body") {
        incident["body"] = json!({ "type": "incident_body", "details": details });
    }
    if let Some(urgency) = section.some("urgency") {
        incident["urgency"] = urgency.into();
    }
    if let Some(id) = section.some("priorityId") {
        incident["priority"] = json!({ "id": id, "type": "priority_reference" });
    }
    json!({ "incident": incident })
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    // An earlier attempt whose answer was lost had made it.
    if answer.status == 400 && answer.body.contains("matching dedup key already exists") {
        return Ok(Receipt { answer: "the incident is open already".to_owned() });
    }
    const ADVICE: &[(u16, &str)] = &[
        (401, "set `token` to a REST API key, and `apiURL` to the region of the account"),
        (403, "let the key in `token` write incidents"),
        (404, "correct the recipient: the id of a service of this account"),
    ];
    advised(answer, ADVICE).map_err(|error| match answer.status == 400 && answer.body.contains("Not Found") {
        true => {
            SendError::attention(error.reason, "check `from`, the recipient and `priorityId`: one of them is unknown")
        }
        false => error,
    })
}
