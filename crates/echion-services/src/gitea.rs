//! Reports to Gitea or Forgejo: commit status, comment on the pull request.
//!
//! API: <https://docs.gitea.com/api/next/>. *Recipient* is not used: the template names the repository.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::before_delivery;
use crate::forge::{self, COMMENT, PLACE, Place};
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{Rendered, cut, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "gitea",
    aliases: &[],
    summary: "Reports to Gitea or Forgejo: commit status, comment on the pull request.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: None, budget: None },
    example: "apiURL: https://gitea.example.com/api/v1\ntoken: $gitea-token\n",
    options: Options::TABLE,
    open: vendor::open::<Gitea>,
    section: section!("gitea", FIELDS, forge::merge),
};

static FIELDS: &[Field] = &[
    PLACE[0],
    PLACE[1],
    PLACE[2],
    field("pullRequestComment", FieldShape::Fields(COMMENT), "a comment on every open pull request with the commit"),
];

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
impl Vendor for Gitea {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("token", options.token.is_empty())?;
        let base = opening.address("apiURL", &options.api_url)?;
        Ok(Self { base, token: options.token, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let section = vendor::needed(&message, "gitea")?;
        let place = Place::of(&section, "gitea")?;
        let mut said = Vec::new();
        if let Some(status) = section.inner("status") {
            self.status(&place, &status, &message).await?;
            said.push("status");
        }
        if let Some(comment) = section.inner("pullRequestComment") {
            self.comment(&place, &comment, message.now).await?;
            said.push("comment");
        }
        if said.is_empty() {
            let hint = "give the section `gitea` of the template `status` or `pullRequestComment`";
            return Err(SendError::rejected("the `gitea` section has no action", hint));
        }
        Ok(Receipt { answer: said.join(", ") })
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.base, self.token.expose())
    }
}

impl Gitea {
    fn url(&self, place: &Place, more: &[&str]) -> Address {
        let path = place.path.split('/').take(2);
        self.base.segments(["repos"].into_iter().chain(path).chain(more.iter().copied()))
    }

    async fn call(&self, method: &str, url: Address, body: Option<&Value>, now: i64) -> Result<Answer, SendError> {
        let mut request = Request::new(method, url).header("Authorization", format!("token {}", self.token.expose()));
        if let Some(body) = body {
            request = request.json(body);
        }
        forge::call(&self.http, request, now).await
    }

    async fn status(&self, place: &Place, fields: &Rendered, message: &Message<'_>) -> Result<(), SendError> {
        let mut body = json!({
            "state": fields.text("state"),
            "context": fields.text("label"),
            "description": cut(&message.notification.message, 255),
        });
        if let Some(url) = fields.some("targetURL") {
            body["target_url"] = url.into();
        }
        self.call("POST", self.url(place, &["statuses", &place.revision]), Some(&body), message.now).await.map(drop)
    }

    async fn comment(&self, place: &Place, fields: &Rendered, now: i64) -> Result<(), SendError> {
        let (text, tag) = forge::comment(fields);
        let body = json!({ "body": text });
        let request = Request::get(self.url(place, &["commits", &place.revision, "pull"]))
            .header("Authorization", format!("token {}", self.token.expose()));
        let answer = self.http.ask(request, now).await?;
        if answer.status == 404 {
            // No pull request has the commit.
            return Ok(());
        }
        let found = answer.json_of("Gitea").map_err(before_delivery)?;
        let number =
            found.get("number").map(ToString::to_string).ok_or_else(|| before_delivery(answer.unknown("Gitea")))?;
        let comments = self.url(place, &["issues", &number, "comments"]);
        let listed = match &tag {
            Some(_) => {
                let answer = self.call("GET", comments.clone(), None, now).await?;
                answer
                    .json()
                    .and_then(|body| body.as_array().cloned())
                    .ok_or_else(|| before_delivery(answer.unknown("Gitea")))?
            }
            None => Vec::new(),
        };
        match forge::tagged(&listed, "/body", tag.as_deref()) {
            Some(id) => self.call("PATCH", self.url(place, &["issues", "comments", &id]), Some(&body), now).await?,
            None => self.call("POST", comments, Some(&body), now).await?,
        };
        Ok(())
    }
}
