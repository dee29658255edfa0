//! Lists in pages, then watches, and recovers by itself: from ended and broken watches where they ended, from a history that is
//! gone (410) by listing again.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{WatchStreamExt as _, watcher as start};
use kube::{Api, Client};

use super::kind::ResourceKind;
use super::object::Object;
use super::reason;

/// Objects of a page of a list: what is held at once while listing.
const PAGE: u32 = 100;

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
    start(api, config).backoff(Pause::default()).map(|event| match event {
        Ok(Event::Init) => Observation::Listing,
        Ok(Event::InitApply(object) | Event::Apply(object)) => Observation::Seen(object),
        Ok(Event::InitDone) => Observation::Complete,
        Ok(Event::Delete(object)) => Observation::Gone(object),
        Err(error) => Observation::Trouble { refused: refused(&error), text: trouble(&error) },
    })
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

/// Waits longer after each failure, up to five seconds: a restarted API server is found again quickly, and not flooded meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Pause(u32);

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = Duration::from_millis(100_u64 << self.0.min(6)).min(Duration::from_secs(5));
        self.0 += 1;
        Some(wait)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        self.0 = 0;
    }
}
