//! Reports to Gitea or Forgejo: commit status, comment on the pull request.
//!
//! API: <https://docs.gitea.com/api/next/>. *Recipient* is not used: the template names the repository.

use async_trait::async_trait;
use echion_model::{Channel, Field, Limits, Message, OptionsError, Secret, SendError, ServiceKind};
use serde_json::{Value, json};

use crate::answer::before_delivery;
use crate::forge::{self, COMMENT, Forge, Host, PLACE, Place};
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, section};
use crate::vendor::{self, Opening};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "gitea",
    aliases: &[],
    summary: "Reports to Gitea or Forgejo: commit status, comment on the pull request.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: None, budget: None },
    example: "apiURL: https://gitea.example.com/api/v1\ntoken: $gitea-token\n",
    options: Options::TABLE,
    open: vendor::open::<Forge<Gitea>>,
    section: section!("gitea", FIELDS, section::present, true),
};

static FIELDS: &[Field] = &[PLACE[0], PLACE[1], PLACE[2], COMMENT];

options! {
    struct Options {
        /// An access token that may write to repositories and issues.
        "token" token: Secret,
        /// Where the API is, such as `https://gitea.example.com/api/v1`.
        "apiURL" api_url: String,
    }
}

#[derive(Debug)]
struct Gitea {
    base: Address,
    token: Secret,
    http: Http,
}

#[async_trait]
impl Host for Gitea {
    const KIND: &'static ServiceKind = &KIND;
    const WHO: &'static str = "Gitea";
    const LONG_PAGE: &'static [(&'static str, &'static str)] = &[];
    const EDIT: &'static str = "PATCH";
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
        forge::call(&self.http, request.header("Authorization", format!("token {}", self.token.expose())), now).await
    }

    async fn part(&self, _: &str, fields: &Rendered, place: &Place, message: &Message<'_>) -> Result<(), SendError> {
        let mut body = json!({
            "state": fields.text("state"),
            "context": forge::label(fields),
            "description": cut(&message.notification.message, 255),
        });
        if let Some(url) = fields.some("targetURL") {
            body["target_url"] = url.into();
        }
        let url = self.url(place, &["statuses", &place.revision]);
        self.call(Request::post(url).json(&body), message.now).await.map(drop)
    }

    fn pulls(&self, place: &Place) -> Address {
        self.url(place, &["commits", &place.revision, "pull"])
    }

    fn comments(&self, place: &Place, number: &str) -> Address {
        self.url(place, &["issues", number, "comments"])
    }

    fn comment(&self, place: &Place, _: &str, id: &str) -> Address {
        self.url(place, &["issues", "comments", id])
    }

    async fn found(&self, place: &Place, now: i64) -> Result<Vec<Value>, SendError> {
        let answer = match self.call(Request::get(self.pulls(place)), now).await {
            // No pull request has the commit, or nobody sees the commit: the response is the same.
            Err(error) if error.reason.starts_with("HTTP 404") => {
                let commit = self.url(place, &["git", "commits", &place.revision]);
                return self.call(Request::get(commit), now).await.map(|_| Vec::new());
            }
            answer => answer?,
        };
        match answer.json() {
            Some(pull) if pull.get(Self::NUMBER).is_some() => Ok(vec![pull]),
            _ => Err(before_delivery(answer.unknown(Self::WHO))),
        }
    }
}

impl Gitea {
    fn url(&self, place: &Place, more: &[&str]) -> Address {
        self.base.segments(["repos"].into_iter().chain(place.repository()).chain(more.iter().copied()))
    }
}
