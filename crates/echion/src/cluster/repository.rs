//! What conditions and templates may ask about repositories. A look never waits: what is not known yet is fetched beside the main loop, and
//! the resource is looked at again when it is there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use echion_console::Metrics;
use echion_engine::variables::{AppDetail, CommitMetadata, FileParameter, Helm, Parameter, Repository};
use echion_model::ResourceId;
use echion_sources::reposerver::{AppDetails, HelmParameter, RepoServer, RevisionMetadata, Source};
use echion_value::time::Time;
use echion_value::{List, Value};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::answers::{Answer, Answers};

/// A commit never changes. What a branch points to does.
const COMMIT: Duration = Duration::from_secs(24 * 60 * 60);
const MOVING: Duration = Duration::from_secs(180);

/// A refusal is believed until a little before resources are looked at again.
const REFUSAL: Duration = Duration::from_secs(50);

/// How many questions are asked at once.
const AT_ONCE: usize = 16;

/// How long one question may take in all, reading credentials and repeated attempts included.
const LONGEST: Duration = Duration::from_secs(45);

/// What the repo-server has answered, and what it is being asked.
pub(super) struct Repositories {
    server: Arc<RepoServer>,
    metrics: Arc<Metrics>,
    answers: Mutex<Answers>,
    /// Who waits for which answer.
    waiting: Mutex<HashMap<String, HashSet<ResourceId>>>,
    permits: Semaphore,
    wake: mpsc::UnboundedSender<ResourceId>,
}

/// A question to the repo-server.
#[derive(Clone, Debug)]
enum Question {
    Commit { url: String, project: String, revision: String },
    Details { source: Box<Source>, text: String, project: String, app: String },
}

impl Question {
    /// What tells it from others. Projects have their own keys to repositories, so one never sees what another was answered.
    fn key(&self) -> String {
        match self {
            Question::Commit { url, project, revision } => format!("commit\n{project}\n{url}\n{revision}"),
            Question::Details { text, project, app, .. } => format!("details\n{project}\n{app}\n{text}"),
        }
    }

    /// What cannot be read, for people.
    fn describe(&self) -> String {
        match self {
            Question::Commit { url, revision, .. } => format!("commit `{revision}` of {}", without_user(url)),
            Question::Details { source, app, .. } => {
                format!(
                    "the source of `{app}` at {}, revision `{}`,",
                    without_user(&source.repo_url),
                    source.revision()
                )
            }
        }
    }

    fn lasts(&self) -> Duration {
        match self {
            Question::Commit { revision, .. } if is_hash(revision) => COMMIT,
            _ => MOVING,
        }
    }
}

impl Repositories {
    /// Nothing is asked yet. Resources whose questions are answered go to `wake`.
    pub(super) fn new(
        server: Arc<RepoServer>,
        metrics: Arc<Metrics>,
        wake: mpsc::UnboundedSender<ResourceId>,
    ) -> Arc<Self> {
        Arc::new(Self {
            server,
            metrics,
            answers: Mutex::default(),
            waiting: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
            wake,
        })
    }

    /// What one look may ask.
    pub(super) fn asking(self: &Arc<Self>) -> Arc<Asking> {
        Arc::new(Asking { repositories: Arc::clone(self), missing: Mutex::default(), refused: Mutex::default() })
    }

    fn answer(&self, key: &str) -> Option<Result<Answer, String>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(key, Instant::now())
    }

    /// Asks, unless it is being asked already.
    fn fetch(self: &Arc<Self>, question: Question, who: &ResourceId) {
        let key = question.key();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !waiting.contains_key(&key);
        waiting.entry(key.clone()).or_default().insert(who.clone());
        drop(waiting);
        if first {
            let this = Arc::clone(self);
            tokio::spawn(async move { this.fetched(key, question).await });
        }
    }

    async fn fetched(&self, key: String, question: Question) {
        let answer = match self.permits.acquire().await {
            Ok(_permit) => match timeout(LONGEST, self.ask(&question)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", LONGEST.as_secs())),
            },
            Err(_) => return,
        };
        let lasts = if answer.is_ok() { question.lasts() } else { REFUSAL };
        let answer = answer.map_err(|reason| {
            self.metrics.api_error("repo-server");
            format!("{} cannot be read: {reason}", question.describe())
        });
        let now = Instant::now();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).put(key.clone(), answer, now, now + lasts);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        for id in waiting.into_iter().flatten() {
            // Nobody listens any more when the term is over.
            let _ = self.wake.send(id);
        }
    }

    async fn ask(&self, question: &Question) -> Result<Answer, String> {
        match question {
            Question::Commit { url, project, revision } => {
                let commit = self.server.revision_metadata(url, project, revision).await;
                commit.map(|commit| Answer::Commit(commit_metadata(commit))).map_err(|error| error.reason)
            }
            Question::Details { source, project, app, .. } => {
                let details = self.server.app_details(source, project, app).await;
                let details = details.map(|details| app_detail(details, source.helm_parameters()));
                details.map(|details| Answer::Details(Box::new(details))).map_err(|error| error.reason)
            }
        }
    }
}

/// The questions of one look.
pub(super) struct Asking {
    repositories: Arc<Repositories>,
    missing: Mutex<Vec<Question>>,
    refused: Mutex<bool>,
}

impl Asking {
    /// Whether something was asked that is not known yet. It is being fetched then, and `who` will be woken.
    pub(super) fn is_pending(&self, who: &ResourceId) -> bool {
        let missing = std::mem::take(&mut *self.missing.lock().unwrap_or_else(PoisonError::into_inner));
        let pending = !missing.is_empty();
        for question in missing {
            self.repositories.fetch(question, who);
        }
        pending
    }

    /// Whether something was asked that the repo-server did not answer.
    pub(super) fn was_refused(&self) -> bool {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, question: Question) -> Result<Answer, String> {
        match self.repositories.answer(&question.key()) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(reason)) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = true;
                Err(reason)
            }
            None => {
                let reason = format!("{} is being read", question.describe());
                self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(question);
                Err(reason)
            }
        }
    }
}

impl Repository for Asking {
    fn commit_metadata(&self, app: &Value, sha: &str) -> Result<CommitMetadata, String> {
        let url = source_of(app, sha).and_then(|source| text(&source, &["repoURL"]));
        let url = url.ok_or("failed to get application source repo URL")?;
        let project = text(app, &["spec", "project"]).ok_or("failed to get application project")?;
        match self.put(Question::Commit { url, project, revision: sha.to_owned() })? {
            Answer::Commit(commit) => Ok(commit),
            Answer::Details(_) => Err("the answer is of another kind".to_owned()),
        }
    }

    fn app_details(&self, app: &Value) -> Result<AppDetail, String> {
        let source = sources(app).into_iter().next().ok_or("failed to get application source")?;
        let text_of = echion_value::json::marshal(&source).map_err(|error| error.to_string())?;
        let source: Source = serde_json::from_slice(&text_of)
            .map_err(|error| format!("the source of the application cannot be used: {error}"))?;
        let question = Question::Details {
            source: Box::new(source),
            text: String::from_utf8_lossy(&text_of).into_owned(),
            project: text(app, &["spec", "project"]).unwrap_or_default(),
            app: text(app, &["metadata", "name"]).unwrap_or_default(),
        };
        match self.put(question)? {
            Answer::Details(details) => Ok(*details),
            Answer::Commit(_) => Err("the answer is of another kind".to_owned()),
        }
    }
}

fn text(value: &Value, path: &[&str]) -> Option<String> {
    value.at(path).and_then(|v| v.as_str().map(str::to_owned))
}

fn items(value: Option<Value>) -> Vec<Value> {
    value.as_ref().and_then(Value::as_list).map(|list: &List| list.items().to_vec()).unwrap_or_default()
}

/// The sources of an Application, as Argo CD counts them: what a hydrator writes, one of many, or the one.
fn sources(app: &Value) -> Vec<Value> {
    if let Some(url) = text(app, &["spec", "sourceHydrator", "drySource", "repoURL"]) {
        let field = |name: &str| text(app, &["spec", "sourceHydrator", "syncSource", name]).unwrap_or_default();
        let entries = [("repoURL", url), ("path", field("path")), ("targetRevision", field("targetBranch"))];
        let entries = entries.into_iter().map(|(key, value)| (key.into(), Value::from(value)));
        return vec![Value::Map(echion_value::Map::of_any(entries.collect()))];
    }
    let many = items(app.at(&["spec", "sources"]));
    if many.is_empty() { app.at(&["spec", "source"]).into_iter().collect() } else { many }
}

/// The source that a revision belongs to: the one that was synced to it, or else the first that is no chart.
fn source_of(app: &Value, revision: &str) -> Option<Value> {
    let sources = sources(app);
    let synced: [&[&str]; 2] =
        [&["status", "sync", "revisions"], &["status", "operationState", "syncResult", "revisions"]];
    let place =
        synced.iter().find_map(|path| items(app.at(path)).iter().position(|known| known.as_str() == Some(revision)));
    if let Some(source) = place.and_then(|place| sources.get(place)) {
        return Some(source.clone());
    }
    let is_chart = |source: &&Value| text(source, &["chart"]).is_some_and(|chart| !chart.is_empty());
    sources.iter().find(|source| !is_chart(source)).or_else(|| sources.first()).cloned()
}

/// Whether a revision is the hash of a commit rather than a name that moves.
fn is_hash(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// An address without the user and password that may be in it.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}{path}")
}

fn commit_metadata(commit: RevisionMetadata) -> CommitMetadata {
    let date = commit.date.map(|date| Time::from_unix(date.seconds, i64::from(date.nanos)));
    CommitMetadata { message: commit.message, author: commit.author, date: date.unwrap_or_default(), tags: commit.tags }
}

fn app_detail(details: AppDetails, overrides: &[HelmParameter]) -> AppDetail {
    let parameter = |p: HelmParameter| Parameter { name: p.name, value: p.value, force_string: p.force_string };
    let helm = details.helm.map(|helm| Helm {
        name: helm.name,
        value_files: helm.value_files,
        parameters: helm.parameters.into_iter().map(parameter).collect(),
        values: helm.values,
        file_parameters: helm
            .file_parameters
            .into_iter()
            .map(|file| FileParameter { name: file.name, path: file.path })
            .collect(),
        overrides: overrides.iter().cloned().map(parameter).collect(),
    });
    AppDetail {
        source_type: details.source_type,
        helm,
        kustomize: details.kustomize.map(|kustomize| kustomize.images),
        directory: details.directory.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(spec: &str) -> Value {
        echion_model::yaml::parse(spec).unwrap().to_value()
    }

    fn url_for(app: &Value, revision: &str) -> Option<String> {
        source_of(app, revision).and_then(|source| text(&source, &["repoURL"]))
    }

    #[test]
    fn a_commit_is_looked_for_in_the_source_that_was_synced_to_it() {
        let many = app("spec: {sources: [{repoURL: a, chart: c}, {repoURL: b}, {repoURL: d}]}\n\
                        status: {sync: {revisions: [1.0.0, bbb, ddd]}, \
                        operationState: {syncResult: {revisions: [0.9.0, old, older]}}}\n");
        assert_eq!(url_for(&many, "ddd").as_deref(), Some("d"));
        assert_eq!(url_for(&many, "1.0.0").as_deref(), Some("a"));
        assert_eq!(url_for(&many, "older").as_deref(), Some("d"));
        assert_eq!(url_for(&many, "unknown").as_deref(), Some("b"));
        let one = app("spec: {source: {repoURL: a}}");
        assert_eq!(url_for(&one, "x").as_deref(), Some("a"));
        let hydrated =
            app("spec: {sourceHydrator: {drySource: {repoURL: h}, syncSource: {targetBranch: env, path: p}}}");
        assert_eq!(url_for(&hydrated, "x").as_deref(), Some("h"));
        assert_eq!(url_for(&app("spec: {}"), "x"), None);
    }

    #[test]
    fn a_chart_without_options_overrides_nothing() {
        let source: Source = serde_json::from_str(r#"{"repoURL": "https://g/a", "chart": "c"}"#).unwrap();
        let helm = echion_sources::reposerver::HelmDetails { name: "c".to_owned(), ..Default::default() };
        let details = AppDetails { source_type: "Helm".to_owned(), helm: Some(helm), ..AppDetails::default() };
        let helm = app_detail(details, source.helm_parameters()).helm.unwrap();
        assert_eq!((helm.name.as_str(), helm.overrides.len()), ("c", 0));
    }

    #[test]
    fn addresses_are_shown_without_passwords() {
        assert_eq!(without_user("https://me:marked@git.example.com/a@b"), "https://git.example.com/a@b");
        assert_eq!(without_user("git@git.example.com:a/b"), "git@git.example.com:a/b");
    }
}
