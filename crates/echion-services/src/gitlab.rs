//! Reports to GitLab: commit status, comment on the merge request.
//!
//! API: <https://docs.gitlab.com/api/commits/#set-commit-pipeline-status>. *Recipient* is not used: the template names the repository.

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
    name: "gitlab",
    aliases: &[],
    summary: "Reports to GitLab: commit status, comment on the merge request.",
    recipient: "not used: the template names the repository",
    limits: Limits { body: None, budget: None },
    example: "token: $gitlab-token\n",
    options: Options::TABLE,
    open: vendor::open::<GitLab>,
    section: section!("gitlab", FIELDS, forge::merge),
};

static FIELDS: &[Field] = &[
    PLACE[0],
    PLACE[1],
    PLACE[2],
    field("mergeRequestComment", FieldShape::Fields(COMMENT), "a comment on every open merge request with the commit"),
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
impl Vendor for GitLab {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("token", options.token.is_empty())?;
        let base = opening.address("apiURL", &options.api_url)?;
        Ok(Self { base, token: options.token, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let section = vendor::needed(&message, "gitlab")?;
        let place = Place::of(&section, "gitlab")?;
        let mut said = Vec::new();
        if let Some(status) = section.inner("status") {
            self.status(&place, &status, &message).await?;
            said.push("status");
        }
        if let Some(comment) = section.inner("mergeRequestComment") {
            self.comment(&place, &comment, message.now).await?;
            said.push("comment");
        }
        if said.is_empty() {
            let hint = "give the section `gitlab` of the template `status` or `mergeRequestComment`";
            return Err(SendError::rejected("the `gitlab` section has no action", hint));
        }
        Ok(Receipt { answer: said.join(", ") })
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.base, self.token.expose())
    }
}

impl GitLab {
    async fn call(&self, method: &str, url: Address, body: Option<&Value>, now: i64) -> Result<Answer, SendError> {
        let mut request = Request::new(method, url).header("PRIVATE-TOKEN", self.token.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        forge::call(&self.http, request, now).await
    }

    async fn list(&self, url: Address, now: i64) -> Result<Vec<Value>, SendError> {
        let answer = self.call("GET", url, None, now).await?;
        answer.json().and_then(|body| body.as_array().cloned()).ok_or_else(|| before_delivery(answer.unknown("GitLab")))
    }

    async fn status(&self, place: &Place, fields: &Rendered, message: &Message<'_>) -> Result<(), SendError> {
        let state = match fields.text("state") {
            "failure" | "error" => "failed",
            state => state,
        };
        let mut body = json!({
            "state": state,
            "name": fields.text("label"),
            "description": cut(&message.notification.message, 255),
        });
        if let Some(url) = fields.some("targetURL") {
            body["target_url"] = url.into();
        }
        let url = self.base.segments(["projects", place.path.as_str(), "statuses", place.revision.as_str()]);
        match self.call("POST", url, Some(&body), message.now).await {
            // The same status once more is refused; it is there already.
            Err(error) if error.reason.contains("Cannot transition status") => Ok(()),
            other => other.map(drop),
        }
    }

    async fn comment(&self, place: &Place, fields: &Rendered, now: i64) -> Result<(), SendError> {
        let (text, tag) = forge::comment(fields);
        let project = self.base.segments(["projects", place.path.as_str()]);
        let body = json!({ "body": text });
        let requests = self
            .list(project.segments(["repository", "commits", place.revision.as_str(), "merge_requests"]), now)
            .await?;
        for request in requests.iter().filter(|request| request.get("state").is_none_or(|state| state == "opened")) {
            let Some(iid) = request.get("iid").map(ToString::to_string) else { continue };
            let notes = project.segments(["merge_requests", iid.as_str(), "notes"]);
            let listed = match &tag {
                Some(_) => self.list(notes.with_query(&[("per_page", "100")]), now).await?,
                None => Vec::new(),
            };
            match forge::tagged(&listed, "/body", tag.as_deref()) {
                Some(id) => self.call("PUT", notes.segments([id.as_str()]), Some(&body), now).await?,
                None => self.call("POST", notes, Some(&body), now).await?,
            };
        }
        Ok(())
    }
}
