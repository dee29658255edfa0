//! Reports to GitHub: commit status, deployment, comment on the pull request, check run, dispatch (contract 5.5).
//!
//! API: <https://docs.github.com/en/rest>. It speaks as a GitHub App. *Recipient* is not used: the template names the repository.

mod app;
mod calls;

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::Value;

use crate::http::{Address, Http};
use crate::newrelic::REVISION;
use crate::options::options;
use crate::section::{Rendered, field, section};
use crate::vendor::{self, Opening, Vendor};

pub(crate) use calls::repository_path;

use app::App;
use calls::{Calls, Place};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "github",
    aliases: &[],
    summary: "Reports to GitHub: commit status, deployment, comment on the pull request, check run, dispatch.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: Some(Length::Characters(calls::LONGEST_COMMENT)), budget: None },
    example: "appID: 123456\ninstallationID: 12345678\nprivateKey: $github-private-key\n",
    options: Options::TABLE,
    open: vendor::open::<GitHub>,
    section: section!("github", FIELDS, merge),
};

/// The repository of the first source.
const REPOSITORY: &str =
    "{{with .app.spec.source}}{{.repoURL}}{{else}}{{with .app.spec.sources}}{{(index . 0).repoURL}}{{end}}{{end}}";

static FIELDS: &[Field] = &[
    field(
        "repoURLPath",
        FieldShape::TextOr(REPOSITORY),
        "a template that gives the repository's address; the source's unless set",
    ),
    field("revisionPath", FieldShape::TextOr(REVISION), "a template that gives the commit; the synced one unless set"),
    field("status", FieldShape::Fields(STATUS), "a commit status"),
    field("deployment", FieldShape::Fields(DEPLOYMENT), "a deployment and its status"),
    field("pullRequestComment", FieldShape::Fields(COMMENT), "a comment on every pull request with the commit"),
    field("checkRun", FieldShape::Fields(CHECK_RUN), "a check run"),
    field("repositoryDispatch", FieldShape::Fields(DISPATCH), "an event that starts workflows"),
];

static STATUS: &[Field] = &[
    field("state", FieldShape::Text, "`error`, `failure`, `pending` or `success`"),
    field("label", FieldShape::Text, "its context, which distinguishes statuses"),
    field("targetURL", FieldShape::Text, "a link to more"),
];

static DEPLOYMENT: &[Field] = &[
    field("state", FieldShape::Text, "`success`, `failure`, `error`, `in_progress`, `queued`, `pending`, `inactive`"),
    field("environment", FieldShape::Text, "the environment's name"),
    field("environmentURL", FieldShape::Text, "where it can be seen"),
    field("logURL", FieldShape::Text, "where its log can be seen"),
    field("requiredContexts", FieldShape::Plains, "statuses that must have succeeded; all of them unless set"),
    field("autoMerge", FieldShape::Flag, "merge the default branch first; `true` unless set"),
    field("transientEnvironment", FieldShape::Flag, "the environment goes away again"),
    field("reference", FieldShape::Text, "the ref of the deployment; the commit unless set"),
];

static COMMENT: &[Field] = &[
    field("content", FieldShape::Text, "the comment"),
    field("commentTag", FieldShape::Plain, "a comment with the same tag is updated instead of a second one"),
];

static CHECK_RUN: &[Field] = &[
    field("name", FieldShape::Text, "its name"),
    field("details_url", FieldShape::Text, "a link to more"),
    field("status", FieldShape::Text, "`queued`, `in_progress` or `completed`"),
    field("conclusion", FieldShape::Text, "`success`, `failure`, `neutral`, …; it makes the status `completed`"),
    field("started_at", FieldShape::Text, "when it began (RFC 3339)"),
    field("completed_at", FieldShape::Text, "when it ended (RFC 3339)"),
    field("output", FieldShape::Fields(OUTPUT), "what it says"),
];

static OUTPUT: &[Field] = &[
    field("title", FieldShape::Text, "its title"),
    field("summary", FieldShape::Text, "its summary, in Markdown"),
    field("text", FieldShape::Text, "its details, in Markdown"),
];

static DISPATCH: &[Field] = &[
    field("event_type", FieldShape::Text, "the event's name"),
    field("client_payload", FieldShape::Json, "what workflows find in `github.event.client_payload`"),
];

options! {
    struct Options {
        /// The App's id.
        "appID" app_id: String,
        /// The id of the App's installation, which is part of the address of its settings.
        "installationID" installation_id: String,
        /// The App's private key (PEM).
        "privateKey" private_key: Secret,
        /// The API of a GitHub Enterprise Server, such as `https://github.example.com/api/v3`.
        "enterpriseBaseURL" enterprise_base_url: String = String::new(), "https://api.github.com",
    }
}

#[derive(Debug)]
struct GitHub {
    name: String,
    app: App,
    base: Address,
    http: Http,
}

#[async_trait]
impl Vendor for GitHub {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let number = |key: &str, text: &str| match text.trim() {
            "" => Ok(0),
            text => text.parse::<i64>().map_err(|_| opening.refuse(key, format!("`{key}` is not a number"))),
        };
        let (id, installation) =
            (number("appID", &options.app_id)?, number("installationID", &options.installation_id)?);
        let app = App::parse(id, installation, options.private_key.expose())
            .map_err(|error| opening.refuse("privateKey", format!("`privateKey` {error}")))?;
        let base = match options.enterprise_base_url.as_str() {
            "" => opening.address("enterpriseBaseURL", "https://api.github.com")?,
            url => enterprise(opening.address("enterpriseBaseURL", url)?),
        };
        Ok(Self { name: opening.name.to_owned(), app, base, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let section = vendor::needed(&message, "github")?;
        let place = Place::of(&section)?;
        let calls = Calls { http: &self.http, app: &self.app, base: &self.base, place: &place, now: message.now };
        // What an earlier attempt has done is not done again: a comment without a tag would come twice.
        let key = format!("github/{}/{}", self.name, message.id);
        let mut done = message.memory.recall(&key, message.now).await.ok().flatten().unwrap_or_default();
        let mut said = Vec::new();
        for step in ["status", "deployment", "pullRequestComment", "checkRun", "repositoryDispatch"] {
            let Some(fields) = section.inner(step) else { continue };
            if !done.split(' ').any(|before| before == step) {
                calls.make(step, &fields, message.notification.message.as_str()).await?;
                done = format!("{done} {step}");
                let day = std::time::Duration::from_secs(2 * 86_400);
                drop(message.memory.remember(&key, &done, message.now, day).await);
            }
            said.push(step);
        }
        if said.is_empty() {
            let hint = "give the section `github` of the template `status`, `deployment` or another part";
            return Err(SendError::rejected("the `github` section has no action", hint));
        }
        Ok(Receipt { answer: said.join(", ") })
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.base, &self.app.identity())
    }
}

/// An Enterprise Server's API lies under `/api/v3`.
fn enterprise(base: Address) -> Address {
    let host = base.host();
    let complete = base.url().path().trim_end_matches('/').ends_with("/api/v3");
    if complete || host.starts_with("api.") || host.contains(".api.") { base } else { base.join("api/v3") }
}

/// Repository and commit are always the later template's; each part is replaced field by field (contract 4.3).
fn merge(earlier: &mut Value, later: Value) {
    let (Some(earlier), Value::Object(later)) = (earlier.as_object_mut(), later) else { return };
    for (name, part) in later {
        match (earlier.get_mut(&name).and_then(Value::as_object_mut), part) {
            (Some(before), Value::Object(fields)) => before.extend(fields),
            (_, part) => drop(earlier.insert(name, part)),
        }
    }
}

/// The time of a check run, in RFC 3339.
fn time(section: &Rendered, name: &str) -> Result<Option<String>, SendError> {
    let Some(text) = section.some(name) else { return Ok(None) };
    let parsed = echion_value::time::parse("2006-01-02T15:04:05Z07:00", text);
    parsed.map(|_| Some(text.to_owned())).map_err(|_| {
        let hint = format!("write `{name}` as `2006-01-02T15:04:05Z`");
        SendError::rejected(format!("`{name}` is not a time: `{text}`"), hint)
    })
}
