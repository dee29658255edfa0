//! What services of code hosts share: a repository and a commit in it, a status, and comments on the pull requests that have the commit.

use std::fmt;

use async_trait::async_trait;
use echion_model::{Channel, Field, FieldShape, Message, OptionsError, Receipt, SendError, ServiceKind};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use crate::answer::before_delivery;
use crate::done::Done;
use crate::http::{Address, Answer, Http, Request};
use crate::newrelic::REVISION;
use crate::section::{Rendered, field};
use crate::vendor::{self, Opening, Vendor};

/// The repository of the first source.
pub(crate) const REPOSITORY: &str =
    "{{with .app.spec.source}}{{.repoURL}}{{else}}{{with .app.spec.sources}}{{(index . 0).repoURL}}{{end}}{{end}}";

/// `repoURLPath`, `revisionPath` and `status`.
pub(crate) const PLACE: [Field; 3] = [
    field(
        "repoURLPath",
        FieldShape::TextOr(REPOSITORY),
        "a template that gives the repository's address; the source's unless set",
    ),
    field("revisionPath", FieldShape::TextOr(REVISION), "a template that gives the commit; the synced one unless set"),
    field("status", FieldShape::Fields(STATUS), "a commit status"),
];

static STATUS: &[Field] = &[
    field("state", FieldShape::Text, "`success`, `failure`, `error`, `pending`, or the vendor's own word"),
    field("label", FieldShape::Text, "its name, which distinguishes statuses"),
    field("targetURL", FieldShape::Text, "a link to more"),
];

/// `pullRequestComment`.
pub(crate) const COMMENT: Field = field(
    "pullRequestComment",
    FieldShape::Fields(COMMENT_FIELDS),
    "a comment on every pull request that has the commit, open or not",
);

/// The fields of a comment.
pub(crate) static COMMENT_FIELDS: &[Field] = &[
    field("content", FieldShape::Text, "the comment"),
    field("commentTag", FieldShape::Plain, "a comment with the same tag is updated instead of a second one"),
];

/// The parts of a section that has no more than a status and a comment.
pub(crate) const PARTS: &[&str] = &["status", COMMENT.name];

/// The name of a status without a label; vendors have the same.
const UNNAMED: &str = "default";

/// A repository and a commit in it.
pub(crate) struct Place {
    /// `owner/name`, or deeper.
    pub(crate) path: String,
    /// The commit; it may be empty.
    pub(crate) revision: String,
}

impl Place {
    fn of(section: &Rendered, key: &str) -> Result<Self, SendError> {
        let url = section.text("repoURLPath");
        let path = repository_path(url).unwrap_or_default();
        let path = path.trim_matches('/').trim_end_matches(".git").to_owned();
        if path.split('/').filter(|part| !part.is_empty()).count() < 2 {
            let hint = format!("set `repoURLPath` in the section `{key}` of the template");
            return Err(SendError::rejected(format!("`{url}` is not the address of a repository"), hint));
        }
        Ok(Self { path, revision: section.text("revisionPath").to_owned() })
    }

    /// Owner and name: all that hosts without nested groups have.
    pub(crate) fn repository(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|part| !part.is_empty()).take(2)
    }
}

/// `owner/name` of `https://host/owner/name`, `ssh://git@host/owner/name` or `git@host:owner/name`.
fn repository_path(url: &str) -> Option<String> {
    if let Ok(parsed) = Url::parse(url)
        && parsed.has_host()
    {
        return Some(parsed.path().to_owned());
    }
    let (host, path) = url.split_once(':')?;
    (host.contains('@') && !host.contains(char::is_whitespace)).then(|| path.to_owned())
}

/// What distinguishes the APIs of code hosts.
#[async_trait]
pub(crate) trait Host: fmt::Debug + Send + Sync + Sized + 'static {
    /// The type.
    const KIND: &'static ServiceKind;

    /// Who answers.
    const WHO: &'static str;

    /// The parts of the section that are sent, in their order; the one whose name ends with `Comment` is sent here.
    const PARTS: &'static [&'static str] = PARTS;

    /// Where a listing has its items.
    const ITEMS: &'static str = "";

    /// What a pull request is called.
    const REQUEST: &'static str = "pull request";

    /// The field of a pull request that has its number.
    const NUMBER: &'static str = "number";

    /// What makes a page of comments long.
    const LONG_PAGE: &'static [(&'static str, &'static str)] = &[("per_page", "100")];

    /// Where a comment has its text.
    const TEXT: &'static str = "/body";

    /// The method that changes a comment.
    const EDIT: &'static str = "PUT";

    /// Longest comment in characters.
    const LONGEST: usize = usize::MAX;

    /// The options, declared with `options!`.
    type Options: DeserializeOwned;

    /// An instance, without network.
    fn open(options: Self::Options, opening: &Opening<'_>) -> Result<Self, OptionsError>;

    /// Where the vendor counts.
    fn channel(&self) -> Channel;

    /// Makes one call, which succeeds.
    async fn call(&self, request: Request, now: i64) -> Result<Answer, SendError>;

    /// Sends a part of the section that is no comment.
    async fn part(&self, name: &str, fields: &Rendered, place: &Place, message: &Message<'_>) -> Result<(), SendError>;

    /// Where the pull requests that have the commit are listed.
    fn pulls(&self, place: &Place) -> Address;

    /// The comments on a pull request.
    fn comments(&self, place: &Place, number: &str) -> Address;

    /// One of them.
    fn comment(&self, place: &Place, number: &str, id: &str) -> Address {
        self.comments(place, number).segments([id])
    }

    /// A comment as its body.
    fn body(text: &str) -> Value {
        json!({ "body": text })
    }

    /// What is appended to a comment, by which it is found again; nobody sees it.
    fn mark(tag: &str) -> String {
        format!("\n\n<!-- echion {tag} -->")
    }

    /// The items of a listing.
    async fn list(&self, url: Address, now: i64) -> Result<Vec<Value>, SendError> {
        let answer = self.call(Request::get(url), now).await?;
        let items = answer.json().and_then(|found| found.pointer(Self::ITEMS)?.as_array().cloned());
        items.ok_or_else(|| before_delivery(answer.unknown(Self::WHO)))
    }

    /// The pull requests that have the commit.
    async fn found(&self, place: &Place, now: i64) -> Result<Vec<Value>, SendError> {
        self.list(self.pulls(place), now).await
    }
}

/// A code host as a service.
#[derive(Debug)]
pub(crate) struct Forge<H> {
    name: String,
    host: H,
}

#[async_trait]
impl<H: Host> Vendor for Forge<H> {
    const KIND: &'static ServiceKind = H::KIND;
    type Options = H::Options;

    fn open(options: H::Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        Ok(Self { name: opening.name.to_owned(), host: H::open(options, opening)? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let key = H::KIND.name;
        let section = vendor::needed(&message, key)?;
        let place = Place::of(&section, key)?;
        let mut done = Done::of(&message, &format!("{key}/{}", self.name)).await;
        let mut said = Vec::new();
        for part in H::PARTS {
            let Some(fields) = section.inner(part) else { continue };
            // An event is one of the repository.
            if place.revision.is_empty() && *part != "repositoryDispatch" {
                let hint = format!("set `revisionPath` in the section `{key}` of the template");
                return Err(SendError::rejected("the commit is not known", hint));
            }
            if part.ends_with("Comment") {
                said.push(self.comment(&fields, &place, &message, &mut done).await?);
                continue;
            }
            if !done.has(part) {
                self.host.part(part, &fields, &place, &message).await?;
                done.note(&[part], &message).await;
            }
            said.push((*part).to_owned());
        }
        if said.is_empty() {
            let parts = H::PARTS.iter().map(|part| format!("`{part}`")).collect::<Vec<_>>().join(", ");
            let hint = format!("give the section `{key}` of the template one of {parts}");
            return Err(SendError::rejected(format!("the `{key}` section has no action"), hint));
        }
        Ok(Receipt { answer: said.join(", ") })
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        self.host.channel()
    }
}

impl<H: Host> Forge<H> {
    /// Comments on every pull request that has the commit.
    async fn comment(
        &self,
        fields: &Rendered,
        place: &Place,
        message: &Message<'_>,
        done: &mut Done,
    ) -> Result<String, SendError> {
        let (host, now) = (&self.host, message.now);
        let mut text: String = fields.text("content").chars().take(H::LONGEST).collect();
        let mark = fields.some("commentTag").map(H::mark);
        text.extend(mark.as_deref());
        let body = H::body(&text);
        let pulls = host.found(place, now).await?;
        let numbers = pulls.iter().filter_map(|pull| pull.get(H::NUMBER)).map(ToString::to_string);
        let mut count = 0;
        for number in numbers {
            let step = format!("comment-{number}");
            count += 1;
            if done.has(&step) {
                continue;
            }
            let comments = host.comments(place, &number);
            let same = match &mark {
                Some(mark) => {
                    let listed = match H::LONG_PAGE {
                        [] => comments.clone(),
                        pairs => comments.with_query(pairs),
                    };
                    let has = |comment: &&Value| {
                        let text = comment.pointer(H::TEXT).and_then(Value::as_str);
                        text.is_some_and(|text| text.contains(mark.trim_start()))
                    };
                    let listed = host.list(listed, now).await?;
                    listed.iter().find(has).and_then(|comment| comment.get("id")).map(ToString::to_string)
                }
                None => None,
            };
            let request = match same {
                Some(id) => Request::new(H::EDIT, host.comment(place, &number, &id)),
                None => Request::post(comments),
            };
            host.call(request.json(&body), now).await?;
            done.note(&[&step], message).await;
        }
        Ok(match count {
            0 => format!("no comment: no {} has the commit", H::REQUEST),
            1 => "1 comment".to_owned(),
            count => format!("{count} comments"),
        })
    }
}

/// The name of a status.
pub(crate) fn label(fields: &Rendered) -> &str {
    fields.some("label").unwrap_or(UNNAMED)
}

/// Makes one call. What only reads delivers nothing, so its outcome is never unknown.
pub(crate) async fn call(http: &Http, request: Request, now: i64) -> Result<Answer, SendError> {
    let reads = request.method == "GET";
    let outcome = match http.send(request, now).await {
        Ok(answer) => answer.by_status().map(|_| answer),
        Err(error) => Err(error),
    };
    outcome.map_err(|error| match error {
        error if error.reason.starts_with("HTTP 404") => SendError::attention(error.reason, UNSEEN),
        error if reads => before_delivery(error),
        error => error,
    })
}

/// What a host says that shows nothing to strangers.
const UNSEEN: &str = "check `repoURLPath`, `revisionPath` and `apiURL`, and that the token may see the repository";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_found_in_addresses_of_all_kinds() {
        for url in
            ["https://github.com/a/b.git", "git@github.com:a/b.git", "ssh://git@github.com/a/b", "https://x@h/a/b/"]
        {
            let path = repository_path(url).unwrap();
            assert!(path.trim_matches('/').starts_with("a/b"), "{url}: {path}");
        }
        assert_eq!(repository_path("<no value>"), None);
        assert_eq!(repository_path(""), None);
    }
}
