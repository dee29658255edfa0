//! Lists, then watches, and recovers by itself: from ended and broken watches where they ended, from a history that is gone (410) by
//! listing again.
//!
//! Nothing is read ahead: a request is sent, and the next bytes of an answer are received, when the next observation is asked for.

use std::sync::Arc;
use std::time::Duration;

use echion_model::{Observation, SourceError};
use echion_value::Value;
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use url::form_urlencoded::Serializer;

use super::backoff::{BUSY, pause};
use super::http::{self, RequestError};
use super::kind::ResourceKind;
use super::kinds::Kinds;
use super::object::Object;
use super::source::Memory;
use super::split::{LARGEST, LineReader, ListReader};

/// Objects of a page of a list, where the server pages at all.
const PAGE: &str = "500";

/// When the server ends a watch, in seconds. Proxies that cut long requests often do it after five minutes.
const WATCH_SECONDS: u64 = 290;

/// A watch that the server should have ended long ago is given up.
const WATCH_TIMEOUT: Duration = Duration::from_secs(WATCH_SECONDS + 30);

/// How long a list may pause in the middle.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// A watch that ends earlier than this and without an event is not started again at once.
const SHORT: Duration = Duration::from_secs(1);

/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The annotation of the bookmark that ends a streaming list.
const LIST_END: &str = "k8s.io/initial-events-end";

/// What is observed.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) path: String,
    pub(crate) labels: String,
    pub(crate) kind: ResourceKind,
    pub(crate) kinds: Kinds,
    pub(crate) memory: Arc<Memory>,
}

impl Target {
    /// Starts a watch from a version; without one it begins with a list.
    async fn watch(&self, version: Option<&str>) -> Result<Events, RequestError> {
        let seconds = WATCH_SECONDS.to_string();
        let mut query = vec![("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", seconds.as_str())];
        match version {
            None => query.extend([("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]),
            Some(version) => query.push(("resourceVersion", version)),
        }
        let body = self.get(&query).await?;
        Ok(Events { body, lines: LineReader::default(), started: Instant::now(), idle: true })
    }

    async fn get(&self, query: &[(&str, &str)]) -> Result<Body, RequestError> {
        http::get(&self.client, &self.url(query)).await
    }

    fn url(&self, query: &[(&str, &str)]) -> String {
        let mut url = Serializer::new(format!("{}?", self.path));
        url.extend_pairs(query);
        if !self.labels.is_empty() {
            url.append_pair("labelSelector", &self.labels);
        }
        url.finish()
    }
}

/// How a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// As the first events of a watch.
    Streaming,
    /// From the memory of the API server, in one answer.
    Cached,
    /// From etcd, page by page: it is slow, but each answer is short and nothing needs to be in the server's memory.
    Paged,
}

enum State {
    /// A list is to be asked for.
    Begin,
    /// A page of a list is being received.
    Page(Body, ListReader),
    /// The page behind this token is to be asked for.
    Next(String),
    /// The first events of a watch, which are a list, are being received.
    Initial(Events),
    /// A watch is to be started.
    Watch,
    /// Events are being received.
    Watching(Events),
}

/// The events of a watch.
struct Events {
    body: Body,
    lines: LineReader,
    started: Instant,
    idle: bool,
}

/// One event of a watch.
enum Event {
    Observed(Observation),
    /// All events of a streaming list have been received.
    ListEnd,
    Error(RequestError),
    /// It cannot be decoded.
    Unreadable(String),
    Nothing,
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    object: Object,
}

/// What failed.
struct WatchError {
    what: &'static str,
    error: RequestError,
    /// Listing has to begin again.
    restart: bool,
}

type Step = Result<Option<Observation>, WatchError>;

/// Makes observations, one after the other.
pub(crate) struct Observer {
    target: Target,
    mode: Mode,
    state: State,
    /// From where a watch continues.
    version: String,
    /// The kind of objects that do not name it themselves; empty until it is known.
    name: String,
    failures: u32,
    wait: Duration,
}

impl Observer {
    pub(crate) fn new(target: Target) -> Self {
        let name = target.kinds.name_of(&target.kind).unwrap_or_default();
        Self {
            target,
            mode: Mode::Streaming,
            state: State::Begin,
            version: String::new(),
            name,
            failures: 0,
            wait: Duration::ZERO,
        }
    }

    /// The next observation.
    pub(crate) async fn next(&mut self) -> Observation {
        loop {
            if !self.wait.is_zero() {
                sleep(self.wait).await;
                self.wait = Duration::ZERO;
            }
            let observed = match self.step().await {
                Ok(observed) => observed,
                Err(failure) => self.fail(failure),
            };
            if let Some(observation) = observed {
                return observation;
            }
        }
    }

    async fn step(&mut self) -> Step {
        match &mut self.state {
            State::Begin => self.list().await,
            State::Page(..) => self.page().await.map_err(|error| self.list_failed(error)),
            State::Next(token) => {
                let token = std::mem::take(token);
                let query = [("limit", PAGE), ("continue", token.as_str())];
                let body = self.target.get(&query).await.map_err(list_failed)?;
                self.state = State::Page(body, ListReader::new(LARGEST));
                Ok(None)
            }
            State::Initial(_) => self.initial().await,
            State::Watch => {
                let events = self.target.watch(Some(&self.version)).await.map_err(watch_failed)?;
                self.state = State::Watching(events);
                Ok(None)
            }
            State::Watching(_) => self.watching().await,
        }
    }

    /// Asks for a list.
    async fn list(&mut self) -> Step {
        let memory = &self.target.memory;
        if self.mode == Mode::Streaming && !memory.streams(&self.target.client).await.map_err(list_failed)? {
            self.mode = Mode::Cached;
        }
        match self.mode {
            Mode::Streaming => match self.target.watch(None).await {
                Ok(events) => self.state = State::Initial(events),
                Err(error) if matches!(error.code, Some(400 | 422)) => {
                    tracing::debug!(kind = self.target.kind.plural, "no streaming lists: {}", error.text);
                    self.target.memory.refuse_streams();
                    self.mode = Mode::Cached;
                    return Ok(None);
                }
                Err(error) => return Err(list_failed(error)),
            },
            Mode::Cached => {
                // With a limit, versions other than 0 are not answered from memory.
                let answer = match self.target.memory.newest() {
                    None => self.target.get(&[("resourceVersion", "0"), ("limit", PAGE)]).await,
                    Some(newest) => self.target.get(&[("resourceVersion", &newest)]).await,
                };
                match answer {
                    Ok(body) => self.state = State::Page(body, ListReader::new(LARGEST)),
                    // It cannot answer from memory: its versions are others since etcd was restored, or it is not that far yet.
                    Err(error) if matches!(error.code, Some(400 | 410 | 504)) => {
                        tracing::debug!(kind = self.target.kind.plural, "cannot list from memory: {}", error.text);
                        self.mode = Mode::Paged;
                        return Ok(None);
                    }
                    Err(error) => return Err(list_failed(error)),
                }
            }
            Mode::Paged => {
                let body = self.target.get(&[("limit", PAGE)]).await.map_err(list_failed)?;
                self.state = State::Page(body, ListReader::new(LARGEST));
            }
        }
        Ok(Some(Observation::Listing))
    }

    /// Reads a page on.
    async fn page(&mut self) -> Result<Option<Observation>, RequestError> {
        let State::Page(body, reader) = &mut self.state else { return Ok(None) };
        loop {
            let item = reader.next().map_err(RequestError::new)?;
            if let Some(object) = item.map(serde_json::from_slice::<Object>) {
                // The kind of the list may come after its items; that of an earlier object is remembered.
                let of_list = reader.head().kind.strip_suffix("List").unwrap_or_default();
                let name = if self.name.is_empty() { of_list } else { &self.name }.to_owned();
                return Ok(Some(match object {
                    Ok(object) => self.seen(object, &name),
                    Err(error) => unreadable("an object of the list", &error),
                }));
            }
            match http::chunk(body, LIST_TIMEOUT).await? {
                Some(chunk) => reader.push(&chunk),
                None => break,
            }
        }
        let State::Page(_, reader) = std::mem::replace(&mut self.state, State::Begin) else { return Ok(None) };
        let head = reader.finish().map_err(RequestError::new)?;
        if head.next.is_empty() {
            self.target.memory.observed(&head.version);
            self.version = head.version;
            self.state = State::Watch;
            Ok(Some(Observation::Complete))
        } else {
            self.state = State::Next(head.next);
            Ok(None)
        }
    }

    /// Reads a streaming list on.
    async fn initial(&mut self) -> Step {
        let event = match self.event().await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(self.list_failed(RequestError::new("the list ended in the middle"))),
            Err(error) => return Err(self.list_failed(error)),
        };
        match event {
            Event::Observed(observation) => Ok(Some(observation)),
            Event::ListEnd => {
                let State::Initial(events) = std::mem::replace(&mut self.state, State::Watch) else { return Ok(None) };
                self.state = State::Watching(events);
                self.target.memory.observed(&self.version);
                self.failures = 0;
                Ok(Some(Observation::Complete))
            }
            Event::Unreadable(text) => Ok(Some(failed(text))),
            Event::Error(error) => Err(self.list_failed(error)),
            Event::Nothing => Ok(None),
        }
    }

    /// Reads a watch on.
    async fn watching(&mut self) -> Step {
        let event = match self.event().await {
            Ok(Some(event)) => event,
            ended => {
                if let Err(error) = ended {
                    // Starting it again shows whether the server can be reached.
                    tracing::debug!(kind = self.target.kind.plural, "the watch broke: {}", error.text);
                }
                let State::Watching(events) = std::mem::replace(&mut self.state, State::Watch) else { return Ok(None) };
                if events.idle && events.started.elapsed() < SHORT {
                    self.rest(Duration::ZERO);
                } else {
                    self.failures = 0;
                }
                return Ok(None);
            }
        };
        match event {
            Event::Observed(observation) => {
                self.failures = 0;
                self.target.memory.observed(&self.version);
                Ok(Some(observation))
            }
            Event::ListEnd | Event::Nothing => {
                self.failures = 0;
                Ok(None)
            }
            Event::Unreadable(text) => Ok(Some(failed(text))),
            Event::Error(error) => {
                self.state = State::Watch;
                Err(watch_failed(error))
            }
        }
    }

    /// The next event of a watch; `None` at its end.
    async fn event(&mut self) -> Result<Option<Event>, RequestError> {
        let (State::Initial(events) | State::Watching(events)) = &mut self.state else { return Ok(None) };
        let line: Line = loop {
            match events.lines.next(LARGEST) {
                Ok(Some(line)) => match serde_json::from_slice(line) {
                    Ok(line) => break line,
                    Err(error) => return Ok(Some(Event::Unreadable(format!("cannot read an event: {error}")))),
                },
                Ok(None) => {}
                Err(error) => return Ok(Some(Event::Error(RequestError::new(error)))),
            }
            match http::chunk(&mut events.body, WATCH_TIMEOUT).await? {
                Some(chunk) => events.lines.push(&chunk),
                None => return Ok(None),
            }
        };
        if line.r#type == "ERROR" {
            return Ok(Some(Event::Error(RequestError::of_status(status(&line.object)))));
        }
        events.idle = false;
        if let Some(version) = line.object.version() {
            version.clone_into(&mut self.version);
        }
        let name = self.name.clone();
        Ok(Some(match line.r#type.as_str() {
            "ADDED" | "MODIFIED" => Event::Observed(self.seen(line.object, &name)),
            "DELETED" => match self.seen(line.object, &name) {
                Observation::Seen(resource) => Event::Observed(Observation::Gone(resource.id)),
                other => Event::Observed(other),
            },
            "BOOKMARK" => match line.object.value.at(&["metadata", "annotations", LIST_END]) {
                Some(end) if end.as_str() == Some("true") => Event::ListEnd,
                _ => {
                    self.target.memory.observed(&self.version);
                    Event::Nothing
                }
            },
            _ => Event::Nothing,
        }))
    }

    /// An object as it is now. `name` is its kind, if it does not name it itself.
    fn seen(&mut self, object: Object, name: &str) -> Observation {
        let kind = &self.target.kind;
        let name = if name.is_empty() { &kind.plural } else { name };
        let Some(resource) = object.into_resource(kind, name) else {
            return failed("cannot read an object without a name".to_owned());
        };
        if resource.id.kind != self.name {
            self.target.kinds.learn(kind, &resource.id.kind);
            resource.id.kind.clone_into(&mut self.name);
        }
        Observation::Seen(resource)
    }

    /// A list that broke in the middle took too long for somebody on the way, perhaps: shorter answers come next.
    fn list_failed(&mut self, error: RequestError) -> WatchError {
        if error.code != Some(410) {
            self.mode = if self.mode == Mode::Streaming { Mode::Cached } else { Mode::Paged };
        }
        list_failed(error)
    }

    fn fail(&mut self, failure: WatchError) -> Option<Observation> {
        let WatchError { what, error, restart } = failure;
        if restart {
            self.state = State::Begin;
        }
        let first = self.failures == 0;
        let asked = match error.code {
            Some(429) => error.retry_after.unwrap_or_default().max(BUSY),
            _ => error.retry_after.unwrap_or_default(),
        };
        self.rest(asked.min(LONGEST_PAUSE));
        // That a history is gone is ordinary; that it is gone again at once is not.
        if error.code == Some(410) && first {
            tracing::debug!(kind = self.target.kind.plural, "listing again: {}", error.text);
            return None;
        }
        let refused = matches!(error.code, Some(403 | 404));
        Some(Observation::Failed(SourceError { text: format!("cannot {what}: {}", error.text), refused }))
    }

    fn rest(&mut self, at_least: Duration) {
        self.wait = pause(self.failures).max(at_least);
        self.failures = self.failures.saturating_add(1);
    }
}

fn list_failed(error: RequestError) -> WatchError {
    WatchError { what: "list", error, restart: true }
}

/// A watch that is refused is started again where it was, unless that place, or the kind itself, is gone. A missing right is no reason to list
/// again and again.
fn watch_failed(error: RequestError) -> WatchError {
    let restart = error.code.is_some_and(|code| (400..500).contains(&code) && !matches!(code, 401 | 403 | 408 | 429));
    WatchError { what: "watch", error, restart }
}

fn failed(text: String) -> Observation {
    Observation::Failed(SourceError { text, refused: false })
}

fn unreadable(what: &str, error: &serde_json::Error) -> Observation {
    failed(format!("cannot read {what}: {error}"))
}

/// The status that an error event carries.
fn status(object: &Object) -> Status {
    let text = |name: &str| object.value.at(&[name]).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let code = match object.value.at(&["code"]) {
        Some(Value::Int64(code)) => u16::try_from(code).ok(),
        Some(Value::Float(code)) => format!("{code}").parse().ok(),
        _ => None,
    };
    Status { code: code.unwrap_or(500), message: text("message"), reason: text("reason"), ..Status::default() }
}
