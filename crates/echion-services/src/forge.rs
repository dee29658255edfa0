//! What services of code hosts share: a repository, a commit in it, a status and a comment.

use echion_model::{Field, FieldShape, SendError};
use serde_json::Value;

use crate::answer::before_delivery;
use crate::github::repository_path;
use crate::http::{Answer, Http, Request};
use crate::newrelic::REVISION;
use crate::section::{Rendered, field};

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
    field("state", FieldShape::Text, "`success`, `failure`, `pending`, or the vendor's own word"),
    field("label", FieldShape::Text, "its name, which distinguishes statuses"),
    field("targetURL", FieldShape::Text, "a link to more"),
];

/// The fields of a comment.
pub(crate) static COMMENT: &[Field] = &[
    field("content", FieldShape::Text, "the comment"),
    field("commentTag", FieldShape::Plain, "a comment with the same tag is updated instead of a second one"),
];

/// A repository and a commit in it.
pub(crate) struct Place {
    /// `owner/name`, or deeper.
    pub(crate) path: String,
    pub(crate) revision: String,
}

impl Place {
    pub(crate) fn of(section: &Rendered, key: &str) -> Result<Self, SendError> {
        let (url, revision) = (section.text("repoURLPath"), section.text("revisionPath"));
        let path = repository_path(url).unwrap_or_default();
        let path = path.trim_matches('/').trim_end_matches(".git").to_owned();
        if path.split('/').filter(|part| !part.is_empty()).count() < 2 {
            let hint = format!("set `repoURLPath` in the section `{key}` of the template");
            return Err(SendError::rejected(format!("`{url}` is not the address of a repository"), hint));
        }
        if revision.is_empty() {
            let hint = format!("set `revisionPath` in the section `{key}` of the template");
            return Err(SendError::rejected("the commit is not known", hint));
        }
        Ok(Self { path, revision: revision.to_owned() })
    }
}

/// Makes one call. What only reads delivers nothing, so its outcome is never unknown.
pub(crate) async fn call(http: &Http, request: Request, now: i64) -> Result<Answer, SendError> {
    let reads = request.method == "GET";
    let outcome = match http.send(request, now).await {
        Ok(answer) => answer.by_status().map(|_| answer),
        Err(error) => Err(error),
    };
    outcome.map_err(|error| if reads { before_delivery(error) } else { error })
}

/// A comment's text with its hidden tag, and the tag.
pub(crate) fn comment(fields: &Rendered) -> (String, Option<String>) {
    let tag = fields.some("commentTag").map(|tag| format!("<!-- echion {tag} -->"));
    let text = fields.text("content");
    (tag.as_ref().map_or_else(|| text.to_owned(), |tag| format!("{text}\n\n{tag}")), tag)
}

/// The id of the comment that has the tag; `text` is where a comment has its text.
pub(crate) fn tagged(comments: &[Value], text: &str, tag: Option<&str>) -> Option<String> {
    let has = |comment: &&Value| {
        tag.is_some_and(|tag| comment.pointer(text).and_then(Value::as_str).is_some_and(|text| text.contains(tag)))
    };
    comments.iter().find(has).and_then(|comment| comment.get("id")).map(ToString::to_string)
}

/// Repository and commit are the later template's; each part is replaced field by field.
pub(crate) fn merge(earlier: &mut Value, later: Value) {
    let (Some(earlier), Value::Object(later)) = (earlier.as_object_mut(), later) else { return };
    for (name, part) in later {
        match (earlier.get_mut(&name).and_then(Value::as_object_mut), part) {
            (Some(before), Value::Object(fields)) => before.extend(fields),
            (_, part) => drop(earlier.insert(name, part)),
        }
    }
}
