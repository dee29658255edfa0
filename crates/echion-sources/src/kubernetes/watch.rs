//! Lists in pages, then watches, and recovers by itself: from ended and broken watches where they ended, from a history that is
//! gone (410) by listing again.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use kube::runtime::watcher as start;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Client};
use tokio::time::sleep;

use super::kind::ResourceKind;
use super::object::Object;
use super::reason;

/// Objects of a page of a list: what is held at once while listing.
const PAGE: u32 = 100;

/// How long a server is left alone at least that has too much to do.
const BUSY: Duration = Duration::from_secs(1);

/// Where resources are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In one namespace.
    Namespace(String),
    /// In the whole cluster.
    Cluster,
}

impl Scope {
    pub(crate) fn api<K>(&self, client: &Client, dynamic: &K::DynamicType) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::DynamicResourceScope>,
    {
        match self {
            Scope::Namespace(namespace) => Api::namespaced_with(client.clone(), namespace, dynamic),
            Scope::Cluster => Api::all_with(client.clone(), dynamic),
        }
    }
}

/// What is learned by watching.
#[derive(Debug)]
pub enum Observation {
    /// A list begins: what is not [seen](Observation::Seen) until it is [complete](Observation::Complete) is gone.
    Listing,
    /// An object as it is now, listed or changed.
    Seen(Object),
    /// The list is complete.
    Complete,
    /// An object is gone.
    Gone(Object),
    /// The API server could not be asked. It is asked again by itself.
    Trouble {
        /// Why.
        text: String,
        /// It was understood and refused: there is no such right, or no such kind.
        refused: bool,
    },
}

/// Watches a kind of resource. The stream does not end.
pub fn watch(
    client: &Client,
    kind: &ResourceKind,
    scope: &Scope,
    labels: &str,
) -> impl Stream<Item = Observation> + Send + use<> {
    let mut config = Config::default().page_size(PAGE);
    if !labels.is_empty() {
        config = config.labels(labels);
    }
    let api: Api<Object> = scope.api(client, &kind.api());
    lasting(api, config).map(|event| match event {
        Ok(Event::Init) => Observation::Listing,
        Ok(Event::InitApply(object) | Event::Apply(object)) => Observation::Seen(object),
        Ok(Event::InitDone) => Observation::Complete,
        Ok(Event::Delete(object)) => Observation::Gone(object),
        Err(error) => Observation::Trouble { refused: refused(&error), text: trouble(&error) },
    })
}

/// Events that do not end: failures are followed by pauses, and a watch that is refused because its history is gone, which would be tried
/// from there for ever, begins again.
pub(crate) fn lasting<K>(api: Api<K>, config: Config) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let begin = move || Box::pin(start(api.clone(), config.clone()));
    let first = (begin(), begin, 0, Duration::ZERO);
    stream::unfold(first, async |(mut events, begin, mut failures, wait)| {
        sleep(wait).await;
        let event = events.next().await?;
        let mut wait = Duration::ZERO;
        match &event {
            // That a list is tried again says nothing about its success.
            Ok(Event::Init) => {}
            Ok(_) => failures = 0,
            Err(_) => {
                wait = pause(failures);
                failures += 1;
            }
        }
        match code(&event) {
            Some(410) => events = begin(),
            Some(429) => wait = wait.max(BUSY),
            _ => {}
        }
        Some((event, (events, begin, failures, wait)))
    })
}

/// Waits longer after each failure, up to five seconds: a restarted API server is found again quickly, and not flooded meanwhile.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(100_u64 << failures.min(6)).min(Duration::from_secs(5))
}

/// What the API server answered, where it refused.
fn code<T>(event: &watcher::Result<T>) -> Option<u16> {
    match event {
        Err(
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status)),
        ) => Some(status.code),
        _ => None,
    }
}

/// Reads one object; `None` when it is not there.
///
/// # Errors
/// What the API server said.
pub async fn get(
    client: &Client,
    kind: &ResourceKind,
    namespace: &str,
    name: &str,
) -> Result<Option<Object>, kube::Error> {
    let api: Api<Object> = Api::namespaced_with(client.clone(), namespace, &kind.api());
    api.get_opt(name).await
}

pub(crate) fn trouble(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(cause) => format!("cannot list: {}", reason(cause)),
        watcher::Error::WatchStartFailed(cause) | watcher::Error::WatchFailed(cause) => {
            format!("cannot watch: {}", reason(cause))
        }
        watcher::Error::WatchError(status) => format!("the watch ended: {} {}", status.code, status.message),
        other => other.to_string(),
    }
}

fn refused(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause)) = error else {
        return false;
    };
    matches!(cause, kube::Error::Api(status) if matches!(status.code, 403 | 404))
}
