//! The calls that the parts of the section make.

use echion_model::{Message, Receipt, SendError};
use serde_json::{Map, Value, json};

use super::{GitHub, time};
use crate::answer::PAUSE;
use crate::forge::{Host as _, Place};
use crate::http::{Address, Answer, Request};
use crate::section::{Rendered, put};

impl GitHub {
    pub(super) fn url(&self, place: &Place, segments: &[&str]) -> Address {
        self.base.segments(["repos"].into_iter().chain(place.repository()).chain(segments.iter().copied()))
    }

    async fn post(&self, place: &Place, segments: &[&str], body: &Value, now: i64) -> Result<Answer, SendError> {
        self.call(Request::post(self.url(place, segments)).json(body), now).await
    }

    pub(super) async fn status(
        &self,
        fields: &Rendered,
        place: &Place,
        message: &Message<'_>,
    ) -> Result<(), SendError> {
        let mut body = Map::new();
        body.insert("state".to_owned(), fields.text("state").into());
        body.insert("description".to_owned(), short(&message.notification.message).into());
        body.insert("context".to_owned(), fields.text("label").into());
        put(&mut body, "target_url", fields.text("targetURL"));
        self.post(place, &["statuses", &place.revision], &Value::Object(body), message.now).await.map(drop)
    }

    pub(super) async fn deployment(
        &self,
        fields: &Rendered,
        place: &Place,
        message: &Message<'_>,
    ) -> Result<(), SendError> {
        let environment = fields.text("environment");
        let mut query = vec![("ref", place.revision.as_str())];
        query.extend(fields.some("environment").map(|environment| ("environment", environment)));
        let found = self.list(self.url(place, &["deployments"]).with_query(&query), message.now).await?;
        let id = match found.first().and_then(|deployment| deployment.get("id")) {
            Some(id) => id.to_string(),
            None => {
                let body = json!({
                    "ref": fields.some("reference").unwrap_or(&place.revision),
                    "environment": environment,
                    "required_contexts": fields.value("requiredContexts"),
                    "auto_merge": fields.flag("autoMerge").unwrap_or(true),
                    "transient_environment": fields.flag("transientEnvironment").unwrap_or(false),
                });
                let answer = self.post(place, &["deployments"], &body, message.now).await?;
                let id = answer.json().and_then(|body| body.get("id").map(ToString::to_string));
                // Without an id it was merged first, or waits for checks: GitHub says so under 202.
                id.ok_or_else(|| SendError::retryable(format!("no deployment yet: {}", answer.said())))?
            }
        };
        let mut body = Map::new();
        body.insert("state".to_owned(), fields.text("state").into());
        body.insert("description".to_owned(), short(&message.notification.message).into());
        put(&mut body, "environment", environment);
        put(&mut body, "log_url", fields.text("logURL"));
        put(&mut body, "environment_url", fields.text("environmentURL"));
        self.post(place, &["deployments", &id, "statuses"], &Value::Object(body), message.now).await.map(drop)
    }

    pub(super) async fn check_run(&self, fields: &Rendered, place: &Place, now: i64) -> Result<(), SendError> {
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
        put(&mut body, "head_sha", &place.revision);
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
        self.post(place, &["check-runs"], &Value::Object(body), now).await.map(drop)
    }

    pub(super) async fn dispatch(&self, fields: &Rendered, place: &Place, now: i64) -> Result<(), SendError> {
        let mut body = json!({ "event_type": fields.text("event_type") });
        if let Some(payload) = fields.json("client_payload")? {
            body["client_payload"] = payload;
        }
        self.post(place, &["dispatches"], &body, now).await.map(drop)
    }
}

/// A description in the 140 characters that a status has.
fn short(text: &str) -> String {
    if text.chars().count() <= 140 { text.to_owned() } else { text.chars().take(137).chain("...".chars()).collect() }
}

/// A limit on requests comes as 403 as well.
pub(super) fn classify(answer: &Answer) -> Result<Receipt, SendError> {
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
