//! Reports to GitHub: commit status, deployment, comment on the pull request, check run, dispatch (contract 5.5).
//!
//! API: <https://docs.github.com/en/rest>. It speaks as a GitHub App. *Recipient* is not used: the template names the repository.

mod app;
mod calls;

use async_trait::async_trait;
use echion_model::{Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Secret, SendError, ServiceKind};

use crate::answer::before_delivery;
use crate::forge::{COMMENT, Forge, Host, PLACE, Place};
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, field, section};
use crate::vendor::{self, Opening};

use app::App;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "github",
    aliases: &[],
    summary: "Reports to GitHub: commit status, deployment, comment on the pull request, check run, dispatch.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: Some(Length::Characters(LONGEST_COMMENT)), budget: None },
    example: "appID: 123456\ninstallationID: 12345678\nprivateKey: $github-private-key\n",
    options: Options::TABLE,
    open: vendor::open::<Forge<GitHub>>,
    section: section!("github", FIELDS, section::present, true),
};

/// Longest comment in characters.
const LONGEST_COMMENT: usize = 65_536;

static FIELDS: &[Field] = &[
    PLACE[0],
    PLACE[1],
    PLACE[2],
    field("deployment", FieldShape::Fields(DEPLOYMENT), "a deployment and its status"),
    COMMENT,
    field("checkRun", FieldShape::Fields(CHECK_RUN), "a check run"),
    field("repositoryDispatch", FieldShape::Fields(DISPATCH), "an event that starts workflows"),
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
    app: App,
    base: Address,
    http: Http,
}

#[async_trait]
impl Host for GitHub {
    const KIND: &'static ServiceKind = &KIND;
    const WHO: &'static str = "GitHub";
    const PARTS: &'static [&'static str] =
        &["status", "deployment", "pullRequestComment", "checkRun", "repositoryDispatch"];
    const EDIT: &'static str = "PATCH";
    const LONGEST: usize = LONGEST_COMMENT;
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
        Ok(Self { app, base, http: opening.http()? })
    }

    fn channel(&self) -> Channel {
        vendor::by_token(&KIND, &self.base, &self.app.identity())
    }

    async fn call(&self, request: Request, now: i64) -> Result<Answer, SendError> {
        let token = self.app.token(&self.http, &self.base, now).await?;
        let reads = request.method == "GET";
        let request = request
            .header("Authorization", format!("token {}", token.value.expose()))
            .header("Accept", "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28");
        let mut kept = None;
        let sent = self.http.deliver(request, now, |answer| {
            let verdict = calls::classify(answer);
            if verdict.is_ok() {
                kept = Some(answer.copy());
            }
            verdict
        });
        match (sent.await, kept) {
            (Ok(_), Some(answer)) => Ok(answer),
            (Ok(_), None) => Err(SendError::unknown("GitHub's response was not kept")),
            (Err(error), _) if error.reason.starts_with("HTTP 401") => Err(self.app.refused(&token, error).await),
            // What only reads delivers nothing.
            (Err(error), _) if reads => Err(before_delivery(error)),
            (Err(error), _) => Err(error),
        }
    }

    async fn part(&self, name: &str, fields: &Rendered, place: &Place, message: &Message<'_>) -> Result<(), SendError> {
        match name {
            "status" => self.status(fields, place, message).await,
            "deployment" => self.deployment(fields, place, message).await,
            "checkRun" => self.check_run(fields, place, message.now).await,
            _ => self.dispatch(fields, place, message.now).await,
        }
    }

    fn pulls(&self, place: &Place) -> Address {
        self.url(place, &["commits", &place.revision, "pulls"])
    }

    fn comments(&self, place: &Place, number: &str) -> Address {
        self.url(place, &["issues", number, "comments"])
    }

    fn comment(&self, place: &Place, _: &str, id: &str) -> Address {
        self.url(place, &["issues", "comments", id])
    }

    fn mark(tag: &str) -> String {
        format!("\n<!-- argocd-notifications {tag} -->")
    }
}

/// An Enterprise Server's API lies under `/api/v3`.
fn enterprise(base: Address) -> Address {
    let host = base.host();
    let complete = base.url().path().trim_end_matches('/').ends_with("/api/v3");
    if complete || host.starts_with("api.") || host.contains(".api.") { base } else { base.join("api/v3") }
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
