//! Reports to Bitbucket Cloud: build status, comment on the pull request.
//!
//! API: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/>. *Recipient* is not used: the template names the repository.

use async_trait::async_trait;
use echion_model::{Channel, Field, Limits, Message, OptionsError, Secret, SendError, ServiceKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::forge::{self, COMMENT, Forge, Host, PLACE, Place};
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, section};
use crate::vendor::{self, Opening};

/// Longest key of a build status in characters.
const LONGEST_KEY: usize = 40;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "bitbucket",
    aliases: &[],
    summary: "Reports to Bitbucket Cloud: build status, comment on the pull request.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: None, budget: None },
    example: "token: $bitbucket-token\n",
    options: Options::TABLE,
    open: vendor::open::<Forge<Bitbucket>>,
    section: section!("bitbucket", FIELDS, section::present, true),
};

static FIELDS: &[Field] = &[PLACE[0], PLACE[1], PLACE[2], COMMENT];

options! {
    struct Options {
        /// An access token of the repository, project or workspace; or somebody's API token, with `username`.
        "token" token: Secret,
        /// Whose API token it is: the e-mail address of the Atlassian account.
        "username" username: String,
        /// Where the API is.
        "apiURL" api_url: String = "https://api.bitbucket.org/2.0".to_owned(), "https://api.bitbucket.org/2.0",
    }
}

#[derive(Debug)]
struct Bitbucket {
    base: Address,
    token: Secret,
    username: String,
    http: Http,
}

#[async_trait]
impl Host for Bitbucket {
    const KIND: &'static ServiceKind = &KIND;
    const WHO: &'static str = "Bitbucket";
    const ITEMS: &'static str = "/values";
    const NUMBER: &'static str = "id";
    const LONG_PAGE: &'static [(&'static str, &'static str)] = &[("pagelen", "100")];
    const TEXT: &'static str = "/content/raw";
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("token", options.token.is_empty())?;
        let base = opening.address("apiURL", &options.api_url)?;
        Ok(Self { base, token: options.token, username: options.username, http: opening.http()? })
    }

    fn channel(&self) -> Channel {
        vendor::by_token(&KIND, &self.base, self.token.expose())
    }

    async fn call(&self, request: Request, now: i64) -> Result<Answer, SendError> {
        let request = match self.username.as_str() {
            "" => request.bearer(&self.token),
            user => request.basic(user, &self.token),
        };
        forge::call(&self.http, request, now).await
    }

    async fn part(&self, _: &str, fields: &Rendered, place: &Place, message: &Message<'_>) -> Result<(), SendError> {
        let state = match fields.text("state") {
            "success" => "SUCCESSFUL",
            "failure" | "error" => "FAILED",
            "pending" => "INPROGRESS",
            state => state,
        };
        let label = forge::label(fields);
        let body = json!({
            "key": key(label),
            "name": label,
            "state": state,
            "description": cut(&message.notification.message, 255),
            "url": fields.some("targetURL").unwrap_or("https://argo-cd.readthedocs.io"),
        });
        let url = self.url(place, &["commit", &place.revision, "statuses", "build"]);
        self.call(Request::post(url).json(&body), message.now).await.map(drop)
    }

    fn pulls(&self, place: &Place) -> Address {
        self.url(place, &["commit", &place.revision, "pullrequests"])
    }

    fn comments(&self, place: &Place, number: &str) -> Address {
        self.url(place, &["pullrequests", number, "comments"])
    }

    fn body(text: &str) -> Value {
        json!({ "content": { "raw": text } })
    }

    /// Bitbucket shows HTML comments; a link without a text is not shown.
    fn mark(tag: &str) -> String {
        format!("\n\n[](#echion-{tag})")
    }
}

impl Bitbucket {
    fn url(&self, place: &Place, more: &[&str]) -> Address {
        self.base.segments(["repositories"].into_iter().chain(place.repository()).chain(more.iter().copied()))
    }
}

/// The key of a build status. Longer ones are refused, and two that only differ behind their 40th character must not be one.
fn key(label: &str) -> String {
    const DIGITS: usize = 8;
    if label.chars().count() <= LONGEST_KEY {
        return label.to_owned();
    }
    let hash = hex::encode(Sha256::digest(label));
    let beginning: String = label.chars().take(LONGEST_KEY - DIGITS - 1).collect();
    format!("{beginning}-{}", &hash[..DIGITS])
}
