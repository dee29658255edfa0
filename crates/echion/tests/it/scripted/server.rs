//! An API server that does what a real one will not do on demand. It knows lists in pages, streaming lists, watches, merge patches of
//! metadata, and single objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep};

/// What goes wrong, once.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// This status, with these headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The answer comes so much later.
    Slow(Duration),
}

/// How open watches end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// As they do every few minutes.
    End,
    /// In the middle of a line.
    Cut,
    /// With the message that their history is gone.
    Gone,
}

#[derive(Default)]
struct World {
    version: u64,
    /// By plural and name.
    objects: BTreeMap<(String, String), Value>,
    /// Version, plural, type and object.
    history: Vec<(u64, String, &'static str, Value)>,
    /// Watches from before this version are refused.
    compacted: u64,
    /// Refused with the status 410 rather than in the stream.
    refuse: bool,
    /// Request and plural, such as `page applications`.
    faults: Vec<(String, Fault)>,
    /// Plurals that are answered with 500.
    down: BTreeSet<String>,
    /// Names of Applications whose patches are answered with 422.
    refused: BTreeSet<String>,
    /// Every answer of the API server comes so much later.
    delay: Duration,
    /// The minor version that it claims to be.
    minor: u32,
    /// The status that the webhook answers with, and then it is fine again.
    hook_faults: Vec<u16>,
    requests: Vec<String>,
    hooks: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Server {
    world: Arc<Mutex<World>>,
    news: watch::Sender<u64>,
    breaks: broadcast::Sender<(&'static str, Break)>,
    pub(super) address: String,
}

/// Objects of a page, where a list has a limit: the client asks for more of them than a test has objects.
const PAGE: usize = 2;

/// The first minor version with streaming lists.
const STREAMING_LISTS: u32 = 32;

impl Server {
    /// A server of Kubernetes 1.20.
    pub(super) async fn start() -> Self {
        Self::of_version(20).await
    }

    /// A server that claims to be of a minor version.
    pub(super) async fn of_version(minor: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server =
            Self { world: Arc::default(), news: watch::channel(0).0, breaks: broadcast::channel(16).0, address };
        server.world().minor = minor;
        let router = Router::new().fallback(serve).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Creates or replaces an object.
    pub(super) fn put(&self, plural: &str, name: &str, mut object: Value) {
        let mut world = self.world();
        world.version += 1;
        let (version, key) = (world.version, (plural.to_owned(), name.to_owned()));
        let old = world.objects.get(&key);
        let uid = old.map_or_else(|| json!(format!("uid-{version}")), |old| old["metadata"]["uid"].clone());
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(name);
        metadata["namespace"] = json!("argocd");
        metadata["uid"] = uid;
        metadata["resourceVersion"] = json!(version.to_string());
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        world.history.push((version, plural.to_owned(), kind, object.clone()));
        world.objects.insert(key, object);
        drop(world);
        self.news.send_replace(version);
    }

    pub(super) fn delete(&self, plural: &str, name: &str) {
        let mut world = self.world();
        world.version += 1;
        let version = world.version;
        let mut object = world.objects.remove(&(plural.to_owned(), name.to_owned())).unwrap();
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        world.history.push((version, plural.to_owned(), "DELETED", object));
        drop(world);
        self.news.send_replace(version);
    }

    /// An Application that is done with a revision.
    pub(super) fn app(&self, name: &str, revision: &str) {
        let annotations = self.world().objects.get(&("applications".to_owned(), name.to_owned())).map_or_else(
            || json!({ "notifications.argoproj.io/subscribe.on-done.hook": "" }),
            |old| old["metadata"]["annotations"].clone(),
        );
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": { "annotations": annotations },
            "spec": { "project": "default" }, "status": { "phase": "done", "revision": revision },
        });
        self.put("applications", name, object);
    }

    /// What goes wrong with the next request of a kind, such as `page applications`.
    pub(super) fn fault(&self, request: &str, fault: Fault) {
        self.world().faults.push((request.to_owned(), fault));
    }

    /// Whether a plural can be asked for.
    pub(super) fn down(&self, plural: &str, down: bool) {
        let plural = plural.to_owned();
        let mut world = self.world();
        let _ = if down { world.down.insert(plural) } else { world.down.remove(&plural) };
    }

    /// Patches of this Application are refused as invalid.
    pub(super) fn refuse(&self, name: &str) {
        self.world().refused.insert(name.to_owned());
    }

    /// Every answer but those of the webhook comes so much later from now on.
    pub(super) fn delay(&self, time: Duration) {
        self.world().delay = time;
    }

    /// The webhook answers so, one request after the other, before it is fine again.
    pub(super) fn hook_faults(&self, statuses: Vec<u16>) {
        self.world().hook_faults = statuses;
    }

    /// An annotation of an object.
    pub(super) fn annotation(&self, plural: &str, name: &str, key: &str) -> Option<String> {
        let world = self.world();
        let object = world.objects.get(&(plural.to_owned(), name.to_owned()))?;
        object["metadata"]["annotations"][key].as_str().map(str::to_owned)
    }

    /// Forgets the history so far; `refuse` says so with a status.
    pub(super) fn compact(&self, refuse: bool) {
        let mut world = self.world();
        world.compacted = world.version;
        world.refuse = refuse;
    }

    /// Tells open watches the current version, and nothing else.
    pub(super) fn bookmark(&self) -> u64 {
        let mut world = self.world();
        world.version += 1;
        let version = world.version;
        let object = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null } });
        world.history.push((version, "applications".to_owned(), "BOOKMARK", object));
        drop(world);
        self.news.send_replace(version);
        version
    }

    /// Ends the open watches of a plural.
    pub(super) fn cut(&self, plural: &'static str, how: Break) {
        self.breaks.send((plural, how)).unwrap();
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.world().requests.clone()
    }

    /// Waits until such a request has come more than so many times.
    pub(super) async fn asked(&self, request: &str, more_than: usize) {
        self.until(request, |server| server.times(request) > more_than).await;
    }

    pub(super) fn times(&self, request: &str) -> usize {
        self.requests().iter().filter(|r| r.starts_with(request)).count()
    }

    /// What the webhook received.
    pub(super) fn notified(&self) -> Vec<String> {
        let mut notified = self.world().hooks.clone();
        notified.sort();
        notified
    }

    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            let seen = (self.notified(), self.requests());
            assert!(start.elapsed() < Duration::from_secs(100), "never {what}: {seen:#?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut answer = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.header("content-type", "application/json").body(body).unwrap()
}

fn refusal(code: u16) -> Value {
    let reason = match code {
        404 => "NotFound",
        410 => "Expired",
        _ => "Scripted",
    };
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "as the script says",
        "reason": reason, "code": code })
}

async fn serve(
    State(server): State<Server>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path: Vec<&str> = parts.uri.path().split('/').filter(|part| !part.is_empty()).collect();
    if path == ["hook"] {
        let mut world = server.world();
        let fault = (!world.hook_faults.is_empty()).then(|| world.hook_faults.remove(0));
        let text = String::from_utf8(body.to_vec()).unwrap();
        return match fault {
            Some(status) => answer(status, &[], Body::empty()),
            None => {
                world.hooks.push(text);
                answer(200, &[], Body::empty())
            }
        };
    }
    let (delay, minor) = {
        let world = server.world();
        (world.delay, world.minor)
    };
    sleep(delay).await;
    if path == ["version"] {
        let version = json!({ "major": "1", "minor": minor.to_string() });
        return answer(200, &[], Body::from(version.to_string()));
    }
    let Some(at) = path.iter().position(|part| *part == "namespaces") else {
        return answer(404, &[], Body::from(refusal(404).to_string()));
    };
    // The group tells kinds of one plural apart.
    let plural = match path[1] {
        group @ "app.k8s.io" => format!("{}.{group}", path[at + 2]),
        _ => path[at + 2].to_owned(),
    };
    let name = path.get(at + 3).copied();
    let get = |key: &str| query.get(key).cloned().unwrap_or_default();
    let version = get("resourceVersion");
    let kind = match (&parts.method, name) {
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "replace",
        (&Method::PATCH, _) => "patch",
        (_, Some(_)) => "get",
        _ if get("watch") == "true" && get("sendInitialEvents") == "true" => "stream",
        _ if get("watch") == "true" => "watch",
        _ if get("continue").is_empty() => "list",
        _ => "page",
    };
    let line = format!("{kind} {plural}");
    let (fault, down) = {
        let mut world = server.world();
        let detail = name.map_or(version.clone(), str::to_owned);
        world.requests.push(format!("{line} {detail}"));
        let at = world.faults.iter().position(|(request, _)| *request == line);
        (at.map(|at| world.faults.remove(at).1), world.down.contains(&plural))
    };
    match fault {
        Some(Fault::Status(code, headers)) => return answer(code, headers, Body::from(refusal(code).to_string())),
        Some(Fault::Slow(time)) => sleep(time).await,
        None if down => return answer(500, &[], Body::from(refusal(500).to_string())),
        None => {}
    }
    let wanted = get("fieldSelector").strip_prefix("metadata.name=").map(str::to_owned);
    match (kind, name) {
        ("create" | "replace", name) => write(&server, &plural, name, &body),
        ("patch", Some(name)) => patch(&server, &plural, name, &body),
        ("get", Some(name)) => match server.world().objects.get(&(plural, name.to_owned())) {
            Some(object) => answer(200, &[], Body::from(object.to_string())),
            None => answer(404, &[], Body::from(refusal(404).to_string())),
        },
        ("watch", _) => follow(&server, plural, &version, wanted),
        ("stream", _) if minor >= STREAMING_LISTS => stream(&server, plural, wanted),
        ("stream", _) => answer(422, &[], Body::from(refusal(422).to_string())),
        _ => list(&server, &plural, &get("continue"), !get("limit").is_empty(), wanted),
    }
}

/// Creates an object, or replaces one as it was when it was read. Events are only acknowledged.
fn write(server: &Server, plural: &str, name: Option<&str>, body: &Bytes) -> Response<Body> {
    if plural == "events" {
        return answer(201, &[], Body::from(body.clone()));
    }
    let object: Value = serde_json::from_slice(body).unwrap();
    let metadata = &object["metadata"];
    let name = name.or(metadata["name"].as_str()).unwrap().to_owned();
    let key = (plural.to_owned(), name.clone());
    let known = server.world().objects.get(&key).map(|old| old["metadata"]["resourceVersion"].clone());
    let conflict = match &known {
        Some(version) => *version != metadata["resourceVersion"],
        None => false,
    };
    if conflict {
        return answer(409, &[], Body::from(refusal(409).to_string()));
    }
    server.put(plural, &name, object);
    let written = server.world().objects[&key].clone();
    answer(if known.is_some() { 200 } else { 201 }, &[], Body::from(written.to_string()))
}

fn patch(server: &Server, plural: &str, name: &str, body: &Bytes) -> Response<Body> {
    let patch: Value = serde_json::from_slice(body).unwrap();
    let (found, refused) = {
        let world = server.world();
        (world.objects.get(&(plural.to_owned(), name.to_owned())).cloned(), world.refused.contains(name))
    };
    if refused {
        return answer(422, &[], Body::from(refusal(422).to_string()));
    }
    let Some(mut object) = found else { return answer(404, &[], Body::from(refusal(404).to_string())) };
    if patch["metadata"].get("uid").is_some_and(|uid| *uid != object["metadata"]["uid"]) {
        return answer(409, &[], Body::from(refusal(409).to_string()));
    }
    for (key, value) in patch["metadata"]["annotations"].as_object().unwrap() {
        object["metadata"]["annotations"][key] = value.clone();
    }
    object["metadata"]["annotations"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    server.put(plural, name, object.clone());
    answer(200, &[], Body::from(object.to_string()))
}

/// One page, or everything where there is no limit. The version is that of the first page; objects are as they are now.
fn list(server: &Server, plural: &str, from: &str, limited: bool, wanted: Option<String>) -> Response<Body> {
    let size = if limited { PAGE } else { usize::MAX };
    let world = server.world();
    let (version, after) = match from.split_once(' ') {
        Some((version, after)) => (version.to_owned(), Some(after.to_owned())),
        None => (world.version.to_string(), None),
    };
    let rest: Vec<(&String, &Value)> = world
        .objects
        .iter()
        .filter(|((p, name), _)| p == plural && wanted.as_ref().is_none_or(|w| w == name))
        .filter(|((_, name), _)| after.as_ref().is_none_or(|after| name > after))
        .map(|((_, name), object)| (name, object))
        .collect();
    let page: Vec<&Value> = rest.iter().take(size).map(|(_, object)| *object).collect();
    let token = if rest.len() > size { format!("{version} {}", rest[size - 1].0) } else { String::new() };
    let list = json!({ "kind": "List", "apiVersion": "v1", "items": page,
        "metadata": { "resourceVersion": version, "continue": token } });
    answer(200, &[], Body::from(list.to_string()))
}

/// A watch that begins with everything there is.
fn stream(server: &Server, plural: String, wanted: Option<String>) -> Response<Body> {
    let (version, first) = {
        let world = server.world();
        let objects =
            world.objects.iter().filter(|((p, name), _)| *p == plural && wanted.as_ref().is_none_or(|w| w == name));
        let mut lines: Vec<String> =
            objects.map(|(_, object)| format!("{}\n", json!({ "type": "ADDED", "object": object }))).collect();
        let end = json!({ "kind": "Bookmark", "apiVersion": "v1", "metadata": {
            "resourceVersion": world.version.to_string(), "annotations": { "k8s.io/initial-events-end": "true" } } });
        lines.push(format!("{}\n", json!({ "type": "BOOKMARK", "object": end })));
        (world.version, lines)
    };
    events(server, plural, version, first, wanted)
}

fn follow(server: &Server, plural: String, version: &str, wanted: Option<String>) -> Response<Body> {
    let (compacted, refuse) = {
        let world = server.world();
        (world.compacted, world.refuse)
    };
    let seen: u64 = version.parse().unwrap_or(0);
    if seen < compacted {
        let status = refusal(410);
        let line = format!("{}\n", json!({ "type": "ERROR", "object": status }));
        return if refuse {
            answer(410, &[], Body::from(status.to_string()))
        } else {
            answer(200, &[], Body::from(line))
        };
    }
    events(server, plural, seen, Vec::new(), wanted)
}

/// These lines, and then what happens after a version.
fn events(
    server: &Server,
    plural: String,
    mut seen: u64,
    first: Vec<String>,
    wanted: Option<String>,
) -> Response<Body> {
    let (sender, receiver) = mpsc::channel::<Bytes>(64);
    let (world, mut news, mut breaks) = (Arc::clone(&server.world), server.news.subscribe(), server.breaks.subscribe());
    tokio::spawn(async move {
        for line in first {
            if sender.send(line.into()).await.is_err() {
                return;
            }
        }
        loop {
            let lines: Vec<(u64, String)> = world
                .lock()
                .unwrap()
                .history
                .iter()
                .filter(|(v, p, _, object)| {
                    *v > seen && *p == plural && wanted.as_ref().is_none_or(|w| object["metadata"]["name"] == **w)
                })
                .map(|(v, _, kind, object)| (*v, format!("{}\n", json!({ "type": kind, "object": object }))))
                .collect();
            for (version, line) in lines {
                seen = version;
                if sender.send(line.into()).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                biased;
                Ok((of, how)) = breaks.recv() => if of == plural {
                    let last = match how {
                        Break::End => return,
                        Break::Cut => r#"{"type":"MODIFIED","object":{"metadata":{"na"#.to_owned(),
                        Break::Gone => format!("{}\n", json!({ "type": "ERROR", "object": refusal(410) })),
                    };
                    let _ = sender.send(last.into()).await;
                    return;
                },
                () = sender.closed() => return,
                _ = news.changed() => {}
            }
        }
    });
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|bytes| (Ok::<_, Infallible>(bytes), receiver))
    });
    answer(200, &[], Body::from_stream(stream))
}
