//! The calls that the parts of the section make.

use echion_model::{Receipt, SendError};
use serde_json::{Map, Value, json};
use url::Url;

use super::app::App;
use super::time;
use crate::answer::{PAUSE, before_delivery};
use crate::http::{Address, Answer, Http, Request};
use crate::section::{Rendered, put};

/// Longest comment in characters.
pub(super) const LONGEST_COMMENT: usize = 65_536;

/// A repository and a commit in it.
#[derive(Debug)]
pub(super) struct Place {
    owner: String,
    name: String,
    revision: String,
}

impl Place {
    pub(super) fn of(section: &Rendered) -> Result<Self, SendError> {
        let url = section.text("repoURLPath");
        let hint = "set `repoURLPath` in the section `github` of the template";
        let wrong = || SendError::rejected(format!("`{url}` is not the address of a repository"), hint);
        let path = repository_path(url).ok_or_else(wrong)?;
        let mut parts = path.trim_matches('/').split('/').filter(|part| !part.is_empty());
        let (owner, name) = (parts.next().ok_or_else(wrong)?, parts.next().ok_or_else(wrong)?);
        let name = name.strip_suffix(".git").unwrap_or(name);
        Ok(Self { owner: owner.to_owned(), name: name.to_owned(), revision: section.text("revisionPath").to_owned() })
    }
}

/// `owner/name` of `https://host/owner/name`, `ssh://git@host/owner/name` or `git@host:owner/name`.
pub(crate) fn repository_path(url: &str) -> Option<String> {
    if let Ok(parsed) = Url::parse(url)
        && parsed.has_host()
    {
        return Some(parsed.path().to_owned());
    }
    let (host, path) = url.split_once(':')?;
    (host.contains('@') && !host.contains(char::is_whitespace)).then(|| path.to_owned())
}

/// What every call needs.
pub(super) struct Calls<'a> {
    pub(super) http: &'a Http,
    pub(super) app: &'a App,
    pub(super) base: &'a Address,
    pub(super) place: &'a Place,
    pub(super) now: i64,
}

impl Calls<'_> {
    pub(super) async fn make(&self, step: &str, fields: &Rendered, message: &str) -> Result<(), SendError> {
        if self.place.revision.is_empty() && step != "repositoryDispatch" {
            let hint = "set `revisionPath` in the section `github` of the template";
            return Err(SendError::rejected("the commit is not known", hint));
        }
        match step {
            "status" => self.status(fields, message).await,
            "deployment" => self.deployment(fields, message).await,
            "pullRequestComment" => self.comment(fields).await,
            "checkRun" => self.check_run(fields).await,
            _ => self.dispatch(fields).await,
        }
    }

    fn url(&self, segments: &[&str]) -> Address {
        let place = ["repos", &self.place.owner, &self.place.name];
        self.base.segments(place.into_iter().chain(segments.iter().copied()))
    }

    async fn call(&self, method: &str, url: Address, body: Option<&Value>) -> Result<Answer, SendError> {
        let token = self.app.token(self.http, self.base, self.now).await?;
        let mut request = Request::new(method, url)
            .header("Authorization", format!("token {}", token.value.expose()))
            .header("Accept", "application/vnd.github+json");
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut kept = None;
        let sent = self.http.deliver(request, self.now, |answer| {
            let verdict = classify(answer);
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
            (Err(error), _) if method == "GET" => Err(before_delivery(error)),
            (Err(error), _) => Err(error),
        }
    }

    async fn get(&self, url: Address) -> Result<Vec<Value>, SendError> {
        let answer = self.call("GET", url, None).await?;
        match answer.json() {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(before_delivery(answer.unknown("GitHub"))),
        }
    }

    async fn status(&self, fields: &Rendered, message: &str) -> Result<(), SendError> {
        let mut body = Map::new();
        body.insert("state".to_owned(), fields.text("state").into());
        body.insert("description".to_owned(), short(message).into());
        body.insert("context".to_owned(), fields.text("label").into());
        put(&mut body, "target_url", fields.text("targetURL"));
        self.call("POST", self.url(&["statuses", &self.place.revision]), Some(&Value::Object(body))).await.map(drop)
    }

    async fn deployment(&self, fields: &Rendered, message: &str) -> Result<(), SendError> {
        let environment = fields.text("environment");
        let query = [("ref", self.place.revision.as_str()), ("environment", environment)];
        let found = self.get(self.url(&["deployments"]).with_query(&query)).await?;
        let id = match found.first().and_then(|deployment| deployment.get("id")) {
            Some(id) => id.to_string(),
            None => {
                let body = json!({
                    "ref": fields.some("reference").unwrap_or(&self.place.revision),
                    "environment": environment,
                    "required_contexts": fields.value("requiredContexts"),
                    "auto_merge": fields.flag("autoMerge").unwrap_or(true),
                    "transient_environment": fields.flag("transientEnvironment").unwrap_or(false),
                });
                let answer = self.call("POST", self.url(&["deployments"]), Some(&body)).await?;
                let id = answer.json().and_then(|body| body.get("id").map(ToString::to_string));
                // Without an id it was merged first, or waits for checks: GitHub says so under 202.
                id.ok_or_else(|| SendError::retryable(format!("no deployment yet: {}", answer.said())))?
            }
        };
        let mut body = Map::new();
        body.insert("state".to_owned(), fields.text("state").into());
        body.insert("description".to_owned(), short(message).into());
        put(&mut body, "environment", environment);
        put(&mut body, "log_url", fields.text("logURL"));
        put(&mut body, "environment_url", fields.text("environmentURL"));
        self.call("POST", self.url(&["deployments", &id, "statuses"]), Some(&Value::Object(body))).await.map(drop)
    }

    async fn comment(&self, fields: &Rendered) -> Result<(), SendError> {
        let mut text: String = fields.text("content").chars().take(LONGEST_COMMENT).collect();
        let tag = fields.some("commentTag").map(|tag| format!("<!-- argocd-notifications {tag} -->"));
        if let Some(tag) = &tag {
            text = format!("{text}\n{tag}");
        }
        let body = json!({ "body": text });
        for request in self.get(self.url(&["commits", &self.place.revision, "pulls"])).await? {
            let Some(number) = request.get("number").map(ToString::to_string) else { continue };
            let url = self.url(&["issues", &number, "comments"]);
            let same = match &tag {
                Some(tag) => {
                    let listed = self.get(url.with_query(&[("per_page", "100")])).await?;
                    let tagged = |comment: &&Value| {
                        comment.get("body").and_then(Value::as_str).is_some_and(|body| body.contains(tag.as_str()))
                    };
                    listed.iter().find(tagged).and_then(|comment| comment.get("id")).map(ToString::to_string)
                }
                None => None,
            };
            match same {
                Some(id) => self.call("PATCH", self.url(&["issues", "comments", &id]), Some(&body)).await?,
                None => self.call("POST", url, Some(&body)).await?,
            };
        }
        Ok(())
    }

    async fn check_run(&self, fields: &Rendered) -> Result<(), SendError> {
        let (started, completed) = (time(fields, "started_at")?, time(fields, "completed_at")?);
        let conclusion = fields.text("conclusion");
        let status = match fields.text("status") {
            "" if !conclusion.is_empty() => "completed",
            status => status,
        };
        if conclusion.is_empty() && (status == "completed" || completed.is_some()) {
            let hint = "set `conclusion` of `checkRun` in the template";
            return Err(SendError::rejected("a completed check run needs a conclusion", hint));
        }
        let mut body = Map::new();
        put(&mut body, "name", fields.text("name"));
        put(&mut body, "head_sha", &self.place.revision);
        put(&mut body, "external_id", "argocd-notifications");
        put(&mut body, "details_url", fields.text("details_url"));
        put(&mut body, "status", status);
        put(&mut body, "conclusion", conclusion);
        put(&mut body, "started_at", &started.unwrap_or_default());
        put(&mut body, "completed_at", &completed.unwrap_or_default());
        if let Some(output) = fields.inner("output") {
            let mut said = Map::new();
            for name in ["title", "summary", "text"] {
                put(&mut said, name, output.text(name));
            }
            body.insert("output".to_owned(), said.into());
        }
        self.call("POST", self.url(&["check-runs"]), Some(&Value::Object(body))).await.map(drop)
    }

    async fn dispatch(&self, fields: &Rendered) -> Result<(), SendError> {
        let mut body = json!({ "event_type": fields.text("event_type") });
        if let Some(payload) = fields.json("client_payload")? {
            body["client_payload"] = payload;
        }
        self.call("POST", self.url(&["dispatches"]), Some(&body)).await.map(drop)
    }
}

/// A description in the 140 characters that a status has.
fn short(text: &str) -> String {
    if text.chars().count() <= 140 { text.to_owned() } else { text.chars().take(137).chain("...".chars()).collect() }
}

/// A limit on requests comes as 403 as well.
fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    if answer.status == 403 && (answer.retry_after.is_some() || answer.body.contains("rate limit")) {
        let reason = format!("HTTP 403: {}", answer.said());
        return Err(SendError::rate_limited(reason, answer.retry_after.unwrap_or(PAUSE)));
    }
    answer.by_status().map_err(|error| {
        let hint = match answer.status {
            422 if answer.body.contains("No commit found") => {
                "the commit is not in that repository: check `repoURLPath` and `revisionPath`"
            }
            422 if answer.body.contains("maximum number of statuses") => {
                "the commit has a thousand statuses of this label: change `label`"
            }
            403 => "give the App the permission: commit statuses, deployments, pull requests, checks, or contents",
            404 => "install the App on the repository, and give it the permission",
            _ => return error,
        };
        SendError { hint: hint.to_owned(), ..error }
    })
}

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
