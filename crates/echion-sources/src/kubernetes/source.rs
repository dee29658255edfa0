//! The resources of one kind, as they are in a cluster.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use echion_model::{Observations, Resource, ResourceId, Source, SourceError};
use kube::{Api, Client};
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::http::{self, RequestError};
use super::kind::ResourceKind;
use super::kinds::Kinds;
use super::object::Object;
use super::observer::{Observer, Target};
use super::reason;

/// How long reading or writing one object may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The first minor version of Kubernetes whose servers have streaming lists without being asked to.
const STREAMING_LISTS: u32 = 32;

/// Where resources are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In one namespace.
    Namespace(String),
    /// In the whole cluster.
    Cluster,
}

/// Resources of one kind in a cluster.
#[derive(Clone)]
pub struct KubernetesSource {
    client: Client,
    kind: ResourceKind,
    scope: Scope,
    labels: String,
    kinds: Kinds,
    memory: Arc<Memory>,
}

/// What all observations of a source know.
#[derive(Default)]
pub(crate) struct Memory {
    streaming: OnceCell<bool>,
    refused: std::sync::atomic::AtomicBool,
    newest: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    major: String,
    #[serde(default)]
    minor: String,
}

impl Memory {
    /// Whether the server has streaming lists, judging by its version and its answers.
    pub(crate) async fn streams(&self, client: &Client) -> Result<bool, RequestError> {
        if self.refused.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(false);
        }
        self.streaming.get_or_try_init(|| streams(client)).await.copied()
    }

    /// The server has no streaming lists, whatever its version.
    pub(crate) fn refuse_streams(&self) {
        self.refused.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// The newest version that was observed. A list that is older would bring back what has been left behind.
    pub(crate) fn newest(&self) -> Option<String> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn observed(&self, version: &str) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_deref() != Some(version) {
            *newest = Some(version.to_owned());
        }
    }
}

async fn streams(client: &Client) -> Result<bool, RequestError> {
    let mut body = match http::get(client, "/version").await {
        Ok(body) => body,
        // There are servers that do not disclose their version.
        Err(error) if error.code.is_some_and(|code| (400..500).contains(&code) && code != 429) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    while let Some(chunk) = http::chunk(&mut body, REQUEST_TIMEOUT).await? {
        text.extend_from_slice(&chunk);
        if text.len() > http::ERROR_SIZE {
            return Ok(false);
        }
    }
    let Ok(version) = serde_json::from_slice::<Version>(&text) else { return Ok(false) };
    // Some vendors write `32+`.
    let minor: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
    Ok(version.major == "1" && minor.parse().is_ok_and(|minor: u32| minor >= STREAMING_LISTS))
}

impl KubernetesSource {
    /// The resources of a kind.
    #[must_use]
    pub fn new(client: Client, kind: ResourceKind, scope: Scope) -> Self {
        let kinds = Kinds::default();
        kinds.watch(&kind);
        Self { client, kind, scope, labels: String::new(), kinds, memory: Arc::default() }
    }

    /// Only those that a label selector selects.
    #[must_use]
    pub fn labels(mut self, selector: &str) -> Self {
        selector.clone_into(&mut self.labels);
        self
    }

    /// Shares what is learned about kinds.
    #[must_use]
    pub fn kinds(mut self, kinds: &Kinds) -> Self {
        self.kinds = kinds.clone();
        self.kinds.watch(&self.kind);
        self
    }
}

#[async_trait]
impl Source for KubernetesSource {
    fn name(&self) -> &str {
        &self.kind.plural
    }

    fn variable(&self) -> &str {
        &self.kind.variable
    }

    fn observe(&self) -> Observations {
        let namespace = match &self.scope {
            Scope::Namespace(namespace) => Some(namespace.as_str()),
            Scope::Cluster => None,
        };
        let target = Target {
            client: self.client.clone(),
            path: <Object as kube::Resource>::url_path(&self.kind.api(), namespace),
            labels: self.labels.clone(),
            kind: self.kind.clone(),
            kinds: self.kinds.clone(),
            memory: Arc::clone(&self.memory),
        };
        Box::pin(futures::stream::unfold(Observer::new(target), async |mut observer| {
            Some((observer.next().await, observer))
        }))
    }

    async fn get(&self, id: &ResourceId) -> Result<Option<Resource>, SourceError> {
        let api = api(&self.client, &self.kind, &id.namespace);
        match timeout(REQUEST_TIMEOUT, api.get_opt(&id.name)).await {
            Ok(Ok(object)) => Ok(object.and_then(|object| object.into_resource(&self.kind, &id.kind))),
            Ok(Err(error)) => {
                let refused = super::is_forbidden(&error);
                Err(SourceError { text: format!("cannot read {id}: {}", reason(&error)), refused })
            }
            Err(_) => {
                let text = format!("cannot read {id}: the API server does not answer");
                Err(SourceError { text, refused: false })
            }
        }
    }
}

/// Requests about a kind of resource in a namespace; an empty one is that of kinds that have none.
pub(crate) fn api(client: &Client, kind: &ResourceKind, namespace: &str) -> Api<Object> {
    if namespace.is_empty() {
        Api::all_with(client.clone(), &kind.api())
    } else {
        Api::namespaced_with(client.clone(), namespace, &kind.api())
    }
}
