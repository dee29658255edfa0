//! Reports to GitLab: commit status, comment on the merge request.
//!
//! API: <https://docs.gitlab.com/api/commits/#set-commit-pipeline-status>. *Recipient* is not used: the template names the repository.

use async_trait::async_trait;
use echion_model::{Channel, Field, FieldShape, Limits, Message, OptionsError, Secret, SendError, ServiceKind};
use serde_json::json;

use crate::forge::{self, COMMENT_FIELDS, Forge, Host, PLACE, Place};
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, section};
use crate::vendor::{self, Opening};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "gitlab",
    aliases: &[],
    summary: "Reports to GitLab: commit status, comment on the merge request.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: None, budget: None },
    example: "token: $gitlab-token\n",
    options: Options::TABLE,
    open: vendor::open::<Forge<GitLab>>,
    section: section!("gitlab", FIELDS, section::present, true),
};

static FIELDS: &[Field] = &[
    PLACE[0],
    PLACE[1],
    PLACE[2],
    field(
        "mergeRequestComment",
        FieldShape::Fields(COMMENT_FIELDS),
        "a comment on every merge request that has the commit, open or not",
    ),
];

options! {
    struct Options {
        /// An access token with the scope `api`.
        "token" token: Secret,
        /// Where GitLab's API is.
        "apiURL" api_url: String = "https://gitlab.com/api/v4".to_owned(), "https://gitlab.com/api/v4",
    }
}

#[derive(Debug)]
struct GitLab {
    base: Address,
    token: Secret,
    http: Http,
}

#[async_trait]
impl Host for GitLab {
    const KIND: &'static ServiceKind = &KIND;
    const WHO: &'static str = "GitLab";
    const PARTS: &'static [&'static str] = &["status", "mergeRequestComment"];
    const REQUEST: &'static str = "merge request";
    const NUMBER: &'static str = "iid";
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("token", options.token.is_empty())?;
        let base = opening.address("apiURL", &options.api_url)?;
        Ok(Self { base, token: options.token, http: opening.http()? })
    }

    fn channel(&self) -> Channel {
        vendor::by_token(&KIND, &self.base, self.token.expose())
    }

    async fn call(&self, request: Request, now: i64) -> Result<Answer, SendError> {
        forge::call(&self.http, request.header("PRIVATE-TOKEN", self.token.expose()), now).await
    }

    async fn part(&self, _: &str, fields: &Rendered, place: &Place, message: &Message<'_>) -> Result<(), SendError> {
        let state = match fields.text("state") {
            "failure" | "error" => "failed",
            state => state,
        };
        let mut body = json!({
            "state": state,
            "name": forge::label(fields),
            "description": cut(&message.notification.message, 255),
        });
        if let Some(url) = fields.some("targetURL") {
            body["target_url"] = url.into();
        }
        let url = self.project(place).segments(["statuses", place.revision.as_str()]);
        match self.call(Request::post(url).json(&body), message.now).await {
            // The same status once more is refused; it is there already.
            Err(error) if error.reason.contains("Cannot transition status") => Ok(()),
            other => other.map(drop),
        }
    }

    fn pulls(&self, place: &Place) -> Address {
        self.project(place).segments(["repository", "commits", place.revision.as_str(), "merge_requests"])
    }

    fn comments(&self, place: &Place, number: &str) -> Address {
        self.project(place).segments(["merge_requests", number, "notes"])
    }
}

impl GitLab {
    fn project(&self, place: &Place) -> Address {
        self.base.segments(["projects", place.path.as_str()])
    }
}
