//! What conditions and templates may query about repositories. An evaluation never waits: what is not known yet is fetched next to the main
//! loop, and the resource is evaluated again when it is there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use echion_engine::variables::{AppDetail, CommitMetadata, Repository};
use echion_model::ResourceId;
use echion_value::{List, Value};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use crate::cache::{Cache, Response};
use crate::reporter::Reporter;

/// Cache queries about repositories: Argo CD's repo-server.
#[async_trait]
pub trait RepositoryServer: Send + Sync {
    /// The metadata of a commit.
    ///
    /// # Errors
    /// Why it cannot be read.
    async fn commit(&self, url: &str, project: &str, revision: &str) -> Result<CommitMetadata, String>;

    /// Details of an application; `source` is its source as JSON.
    ///
    /// # Errors
    /// Why they cannot be read.
    async fn details(&self, source: &str, project: &str, app: &str) -> Result<AppDetail, String>;
}

/// A commit never changes. What a branch points to does.
const COMMIT_VALIDITY: Duration = Duration::from_secs(24 * 60 * 60);
const BRANCH_VALIDITY: Duration = Duration::from_secs(180);

/// A failure is believed until a little before resources are re-evaluated.
const FAILURE_VALIDITY: Duration = Duration::from_secs(50);

/// How many queries are on their way at once.
const CONCURRENCY: usize = 16;

/// How long one query may take in all, reading credentials and repeated attempts included.
const QUERY_TIMEOUT: Duration = Duration::from_secs(45);

/// Responses of the repo-server, and the queries on their way to it.
pub(crate) struct RepositoryCache {
    server: Option<Arc<dyn RepositoryServer>>,
    reporter: Arc<dyn Reporter>,
    responses: Mutex<Cache>,
    /// Which resources wait for which response.
    waiting: Mutex<HashMap<String, HashSet<ResourceId>>>,
    permits: Semaphore,
    wake: mpsc::UnboundedSender<ResourceId>,
}

/// A query to the repo-server.
#[derive(Clone, Debug)]
enum Query {
    Commit { url: String, project: String, revision: String },
    Details { source: String, url: String, revision: String, project: String, app: String },
}

impl Query {
    /// Distinguishes it from others. Projects have their own credentials, so one never sees a response to another.
    fn key(&self) -> String {
        match self {
            Query::Commit { url, project, revision } => format!("commit\n{project}\n{url}\n{revision}"),
            Query::Details { source, project, app, .. } => format!("details\n{project}\n{app}\n{source}"),
        }
    }

    /// What is read, for people.
    fn describe(&self) -> String {
        match self {
            Query::Commit { url, revision, .. } => format!("commit `{revision}` of {}", without_user(url)),
            Query::Details { url, revision, app, .. } => {
                format!("the source of `{app}` at {}, revision `{revision}`,", without_user(url))
            }
        }
    }

    fn lasts(&self) -> Duration {
        match self {
            Query::Commit { revision, .. } if is_hash(revision) => COMMIT_VALIDITY,
            _ => BRANCH_VALIDITY,
        }
    }
}

impl RepositoryCache {
    /// Nothing is known yet. Resources whose queries have a response go to `wake`.
    pub(crate) fn new(
        server: Option<Arc<dyn RepositoryServer>>,
        reporter: Arc<dyn Reporter>,
        wake: mpsc::UnboundedSender<ResourceId>,
    ) -> Arc<Self> {
        Arc::new(Self {
            server,
            reporter,
            responses: Mutex::default(),
            waiting: Mutex::default(),
            permits: Semaphore::new(CONCURRENCY),
            wake,
        })
    }

    /// For the queries of one evaluation.
    pub(crate) fn begin(self: &Arc<Self>) -> Arc<RepositoryQuery> {
        Arc::new(RepositoryQuery {
            repositories: Arc::clone(self),
            missing: Mutex::default(),
            refused: Mutex::default(),
        })
    }

    fn answer(&self, key: &str) -> Option<Result<Response, String>> {
        self.responses.lock().unwrap_or_else(PoisonError::into_inner).get(key, Instant::now())
    }

    /// Starts a query, unless it is on its way already.
    fn fetch(self: &Arc<Self>, query: Query, who: &ResourceId) {
        let key = query.key();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !waiting.contains_key(&key);
        waiting.entry(key.clone()).or_default().insert(who.clone());
        drop(waiting);
        if first {
            let this = Arc::clone(self);
            tokio::spawn(async move { this.fetched(key, query).await });
        }
    }

    async fn fetched(&self, key: String, query: Query) {
        let answer = match self.permits.acquire().await {
            Ok(_permit) => match timeout(QUERY_TIMEOUT, self.ask(&query)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", QUERY_TIMEOUT.as_secs())),
            },
            Err(_) => return,
        };
        let lasts = if answer.is_ok() { query.lasts() } else { FAILURE_VALIDITY };
        let answer = answer.map_err(|reason| {
            self.reporter.repository_failed();
            format!("{} cannot be read: {reason}", query.describe())
        });
        let now = Instant::now();
        self.responses.lock().unwrap_or_else(PoisonError::into_inner).put(key.clone(), answer, now, now + lasts);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        for id in waiting.into_iter().flatten() {
            // Nobody waits for it any more when the driver has ended.
            let _ = self.wake.send(id);
        }
    }

    async fn ask(&self, query: &Query) -> Result<Response, String> {
        let Some(server) = &self.server else { return Err(NO_SERVER.to_owned()) };
        match query {
            Query::Commit { url, project, revision } => {
                server.commit(url, project, revision).await.map(Response::Commit)
            }
            Query::Details { source, project, app, .. } => {
                server.details(source, project, app).await.map(|details| Response::Details(Box::new(details)))
            }
        }
    }
}

/// Outside a cluster there is no repo-server.
const NO_SERVER: &str = "no repo-server is configured";

/// The queries of one evaluation.
pub(crate) struct RepositoryQuery {
    repositories: Arc<RepositoryCache>,
    missing: Mutex<Vec<Query>>,
    refused: Mutex<bool>,
}

impl RepositoryQuery {
    /// Starts the queries without a response; gives whether there are any. `who` is woken when they have one.
    pub(crate) fn start_missing(&self, who: &ResourceId) -> bool {
        let missing = std::mem::take(&mut *self.missing.lock().unwrap_or_else(PoisonError::into_inner));
        let pending = !missing.is_empty();
        for query in missing {
            self.repositories.fetch(query, who);
        }
        pending
    }

    /// Whether the repo-server failed to answer a query.
    pub(crate) fn was_refused(&self) -> bool {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, query: Query) -> Result<Response, String> {
        if self.repositories.server.is_none() {
            return Err(NO_SERVER.to_owned());
        }
        match self.repositories.answer(&query.key()) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(reason)) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = true;
                Err(reason)
            }
            None => {
                let reason = format!("{} is being read", query.describe());
                self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(query);
                Err(reason)
            }
        }
    }
}

impl Repository for RepositoryQuery {
    fn commit_metadata(&self, app: &Value, sha: &str) -> Result<CommitMetadata, String> {
        let url = source_of(app, sha).and_then(|source| text(&source, &["repoURL"]));
        let url = url.ok_or("failed to get application source repo URL")?;
        let project = text(app, &["spec", "project"]).ok_or("failed to get application project")?;
        match self.ask(Query::Commit { url, project, revision: sha.to_owned() })? {
            Response::Commit(commit) => Ok(commit),
            Response::Details(_) => Err("the response is of another kind".to_owned()),
        }
    }

    fn app_details(&self, app: &Value) -> Result<AppDetail, String> {
        let source = sources(app).into_iter().next().ok_or("failed to get application source")?;
        let json = echion_value::json::marshal(&source).map_err(|error| error.to_string())?;
        let query = Query::Details {
            url: text(&source, &["repoURL"]).unwrap_or_default(),
            revision: text(&source, &["targetRevision"]).filter(|r| !r.is_empty()).unwrap_or_else(|| "HEAD".to_owned()),
            source: String::from_utf8_lossy(&json).into_owned(),
            project: text(app, &["spec", "project"]).unwrap_or_default(),
            app: text(app, &["metadata", "name"]).unwrap_or_default(),
        };
        match self.ask(query)? {
            Response::Details(details) => Ok(*details),
            Response::Commit(_) => Err("the response is of another kind".to_owned()),
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
    fn addresses_are_shown_without_passwords() {
        assert_eq!(without_user("https://me:marked@git.example.com/a@b"), "https://git.example.com/a@b");
        assert_eq!(without_user("git@git.example.com:a/b"), "git@git.example.com:a/b");
    }
}
