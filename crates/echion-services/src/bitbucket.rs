//! Reports to Bitbucket Cloud: build status, comment on the pull request.
//!
//! API: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/>. *Recipient* is not used: the template names the repository.

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
    name: "bitbucket",
    aliases: &[],
    summary: "Reports to Bitbucket Cloud: build status, comment on the pull request.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: None, budget: None },
    example: "token: $bitbucket-token\n",
    options: Options::TABLE,
    open: vendor::open::<Bitbucket>,
    section: section!("bitbucket", FIELDS, forge::merge),
};

static FIELDS: &[Field] = &[
    PLACE[0],
    PLACE[1],
    PLACE[2],
    field("pullRequestComment", FieldShape::Fields(COMMENT), "a comment on every open pull request with the commit"),
];

options! {
    struct Options {
        /// An access token of the repository or workspace, or an app password with `username`.
        "token" token: Secret,
        /// Whose app password it is.
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
impl Vendor for Bitbucket {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("token", options.token.is_empty())?;
        let base = opening.address("apiURL", &options.api_url)?;
        Ok(Self { base, token: options.token, username: options.username, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let section = vendor::needed(&message, "bitbucket")?;
        let place = Place::of(&section, "bitbucket")?;
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
            let hint = "give the section `bitbucket` of the template `status` or `pullRequestComment`";
            return Err(SendError::rejected("the `bitbucket` section has no action", hint));
        }
        Ok(Receipt { answer: said.join(", ") })
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.base, self.token.expose())
    }
}

impl Bitbucket {
    fn url(&self, place: &Place, more: &[&str]) -> Address {
        let path = place.path.split('/').take(2);
        self.base.segments(["repositories"].into_iter().chain(path).chain(more.iter().copied()))
    }

    async fn call(&self, method: &str, url: Address, body: Option<&Value>, now: i64) -> Result<Answer, SendError> {
        let mut request = Request::new(method, url);
        request = match self.username.as_str() {
            "" => request.bearer(&self.token),
            user => request.basic(user, &self.token),
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        forge::call(&self.http, request, now).await
    }

    /// The values of a page.
    async fn list(&self, url: Address, now: i64) -> Result<Vec<Value>, SendError> {
        let answer = self.call("GET", url, None, now).await?;
        let values = answer.json().and_then(|body| body.get("values")?.as_array().cloned());
        values.ok_or_else(|| before_delivery(answer.unknown("Bitbucket")))
    }

    async fn status(&self, place: &Place, fields: &Rendered, message: &Message<'_>) -> Result<(), SendError> {
        let state = match fields.text("state") {
            "success" => "SUCCESSFUL",
            "failure" | "error" => "FAILED",
            "pending" => "INPROGRESS",
            state => state,
        };
        let label = fields.text("label");
        let body = json!({
            // Longer keys are refused.
            "key": label.chars().take(40).collect::<String>(),
            "name": label,
            "state": state,
            "description": cut(&message.notification.message, 255),
            "url": fields.some("targetURL").unwrap_or("https://argo-cd.readthedocs.io"),
        });
        let url = self.url(place, &["commit", &place.revision, "statuses", "build"]);
        self.call("POST", url, Some(&body), message.now).await.map(drop)
    }

    async fn comment(&self, place: &Place, fields: &Rendered, now: i64) -> Result<(), SendError> {
        let (mut text, mut tag) = forge::comment(fields);
        if let Some(written) = fields.some("commentTag") {
            // Bitbucket shows HTML comments; a link without a text is not shown.
            text = format!("{}\n\n[](#echion-{written})", fields.text("content"));
            tag = Some(format!("(#echion-{written})"));
        }
        let body = json!({ "content": { "raw": text } });
        for request in self.list(self.url(place, &["commit", &place.revision, "pullrequests"]), now).await? {
            let Some(number) = request.get("id").map(ToString::to_string) else { continue };
            let comments = self.url(place, &["pullrequests", &number, "comments"]);
            let listed = match &tag {
                Some(_) => self.list(comments.with_query(&[("pagelen", "100")]), now).await?,
                None => Vec::new(),
            };
            match forge::tagged(&listed, "/content/raw", tag.as_deref()) {
                Some(id) => self.call("PUT", comments.segments([id.as_str()]), Some(&body), now).await?,
                None => self.call("POST", comments, Some(&body), now).await?,
            };
        }
        Ok(())
    }
}
