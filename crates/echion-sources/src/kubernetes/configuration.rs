//! The ConfigMap and the Secret, in one namespace or in all of them.

use echion_model::ConfigurationChange;
use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};

use super::source::Scope;
use super::watch::{describe, lasting};

/// Watches the ConfigMap and the Secret of these names. The stream does not end.
pub fn watch_configuration(
    client: &Client,
    scope: &Scope,
    config_map: &str,
    secret: &str,
) -> impl Stream<Item = ConfigurationChange> + Send + use<> {
    let (config_maps, secrets): (Api<ConfigMap>, Api<Secret>) = match scope {
        Scope::Namespace(namespace) => {
            (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace))
        }
        Scope::Cluster => (Api::all(client.clone()), Api::all(client.clone())),
    };
    let config_maps = named(config_maps, config_map, |object: ConfigMap| object.data.unwrap_or_default());
    let secrets = named(secrets, secret, |object: Secret| {
        object.data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)).collect()
    });
    let config_maps = config_maps.map(|change| match change {
        Change::Now(namespace, data) => ConfigurationChange::ConfigMap(namespace, data),
        Change::Listed => ConfigurationChange::ConfigMapsListed,
        Change::Failed(text) => ConfigurationChange::Failed(text),
    });
    let secrets = secrets.map(|change| match change {
        Change::Now(namespace, data) => ConfigurationChange::Secret(namespace, data),
        Change::Listed => ConfigurationChange::SecretsListed,
        Change::Failed(text) => ConfigurationChange::Failed(text),
    });
    stream::select(config_maps, secrets)
}

enum Change<D> {
    Now(String, Option<D>),
    Listed,
    Failed(String),
}

/// Watches the objects of one name. Those that a list no longer has are reported as gone.
fn named<K, D>(api: Api<K>, name: &str, data: fn(K) -> D) -> impl Stream<Item = Change<D>> + Send + use<K, D>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
    D: Send + 'static,
{
    use std::collections::BTreeSet;
    let config = Config::default().fields(&format!("metadata.name={name}"));
    let state: (BTreeSet<String>, BTreeSet<String>) = Default::default();
    lasting(api, config)
        .scan(state, move |(known, listed), event| {
            let namespace = |object: &K| object.meta().namespace.clone().unwrap_or_default();
            let changes = match event {
                Ok(Event::Init) => {
                    listed.clear();
                    Vec::new()
                }
                Ok(Event::InitApply(object)) => {
                    let namespace = namespace(&object);
                    listed.insert(namespace.clone());
                    vec![Change::Now(namespace, Some(data(object)))]
                }
                Ok(Event::InitDone) => {
                    let gone: Vec<String> = known.difference(listed).cloned().collect();
                    *known = std::mem::take(listed);
                    let mut changes: Vec<Change<D>> = gone.into_iter().map(|n| Change::Now(n, None)).collect();
                    changes.push(Change::Listed);
                    changes
                }
                Ok(Event::Apply(object)) => {
                    let namespace = namespace(&object);
                    known.insert(namespace.clone());
                    vec![Change::Now(namespace, Some(data(object)))]
                }
                Ok(Event::Delete(object)) => {
                    let namespace = namespace(&object);
                    known.remove(&namespace);
                    vec![Change::Now(namespace, None)]
                }
                Err(error) => vec![Change::Failed(describe(&error))],
            };
            futures::future::ready(Some(stream::iter(changes)))
        })
        .flatten()
}
