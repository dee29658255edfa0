//! Creates an issue in Jira, or comments on one.
//!
//! API: <https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/>. *Recipient* is the key of a project, or of an issue to comment on.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, headline, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "jira",
    aliases: &[],
    summary: "Creates an issue in Jira, or comments on one.",
    recipient: "the key of a project, or of an issue to comment on",
    limits: Limits { body: Some(Length::Characters(LONGEST)), budget: None },
    example: "url: https://example.atlassian.net\nemail: bot@example.com\ntoken: $jira-token\n",
    options: Options::TABLE,
    open: vendor::open::<Jira>,
    section: section!("jira", FIELDS, section::non_empty),
};

/// Longest text in characters.
const LONGEST: usize = 32_767;

static FIELDS: &[Field] = &[
    field("summary", FieldShape::Text, "one line; the beginning of the `message` unless set"),
    field("description", FieldShape::Text, "the whole, or the comment; the `message` unless set"),
    field("issueType", FieldShape::Text, "the type; `Task` unless set"),
    field("priority", FieldShape::Text, "the priority's name"),
    field("labels", FieldShape::Texts, "labels"),
    field("fields", FieldShape::Json, "further fields, such as `customfield_10010`"),
];

options! {
    struct Options {
        /// Where Jira is.
        "url" url: String,
        /// Whose token it is; without it the token is a personal access token of Data Center.
        "email" email: String,
        /// The API token.
        "token" token: Secret,
    }
}

#[derive(Debug)]
struct Jira {
    url: Address,
    email: String,
    token: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Jira {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("url", &options.url)?.join("rest/api/2/issue");
        Ok(Self { url, email: options.email, token: options.token, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let section = Rendered::of(message.notification, "jira").unwrap_or_default();
        let text = cut(section.some("description").unwrap_or(&message.notification.message), LONGEST);
        let (url, body) = if is_issue(message.recipient) {
            (self.url.segments([message.recipient, "comment"]), json!({ "body": text }))
        } else {
            (self.url.clone(), payload(&section, &text, message.recipient)?)
        };
        let request = Request::post(url).json(&body);
        let request = match self.email.as_str() {
            "" => request.bearer(&self.token),
            email => request.basic(email, &self.token),
        };
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, &format!("{}\n{}", self.email, self.token.expose()))
    }
}

/// `PROJ-12`, where a project is `PROJ`.
fn is_issue(recipient: &str) -> bool {
    let number = recipient.rsplit_once('-').map(|(_, number)| number).unwrap_or_default();
    !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
}

fn payload(section: &Rendered, text: &str, project: &str) -> Result<Value, SendError> {
    if project.is_empty() {
        return Err(SendError::rejected("no project is named", "name the project's key as recipient"));
    }
    let summary = section.some("summary").unwrap_or(text);
    let mut fields = json!({
        "project": { "key": project },
        "issuetype": { "name": section.some("issueType").unwrap_or("Task") },
        "summary": headline(summary, 255),
        "description": text,
    });
    if let Some(priority) = section.some("priority") {
        fields["priority"] = json!({ "name": priority });
    }
    if let Some(labels) = section.value("labels") {
        fields["labels"] = labels.clone();
    }
    if let (Some(Value::Object(more)), Some(fields)) = (section.json("fields")?, fields.as_object_mut()) {
        fields.extend(more);
    }
    Ok(json!({ "fields": fields }))
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("Jira").map_err(|error| {
        let project =
            answer.status == 400 && answer.json().is_some_and(|body| body.pointer("/errors/project").is_some());
        if project { SendError::attention(error.reason, "correct the recipient: the key of a project") } else { error }
    })?;
    match body.get("key").or_else(|| body.get("id")).and_then(Value::as_str) {
        Some(key) => Ok(Receipt { answer: answer.quote(key) }),
        None => Err(answer.unknown("Jira")),
    }
}
