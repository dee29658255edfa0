//! The ConfigMap and the Secret, in one namespace or in all of them.

use std::collections::BTreeMap;

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};

use super::watch::{Scope, lasting, trouble};

/// What is learned about configurations.
#[derive(Debug)]
pub enum ConfigurationChange {
    /// The ConfigMap of a namespace; `None` when it is gone.
    ConfigMap(String, Option<BTreeMap<String, String>>),
    /// The Secret of a namespace; `None` when it is gone.
    Secret(String, Option<BTreeMap<String, Vec<u8>>>),
    /// All ConfigMaps that there are have been told.
    ConfigMapsListed,
    /// All Secrets that there are have been told.
    SecretsListed,
    /// The API server could not be asked. It is asked again by itself.
    Trouble(String),
}

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
    let config_maps = config_maps.map(|told| match told {
        Told::Now(namespace, data) => ConfigurationChange::ConfigMap(namespace, data),
        Told::Listed => ConfigurationChange::ConfigMapsListed,
        Told::Trouble(text) => ConfigurationChange::Trouble(text),
    });
    let secrets = secrets.map(|told| match told {
        Told::Now(namespace, data) => ConfigurationChange::Secret(namespace, data),
        Told::Listed => ConfigurationChange::SecretsListed,
        Told::Trouble(text) => ConfigurationChange::Trouble(text),
    });
    stream::select(config_maps, secrets)
}

enum Told<D> {
    Now(String, Option<D>),
    Listed,
    Trouble(String),
}

/// Watches the objects of one name. Those that a list no longer has are told as gone.
fn named<K, D>(api: Api<K>, name: &str, data: fn(K) -> D) -> impl Stream<Item = Told<D>> + Send + use<K, D>
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
            let told = match event {
                Ok(Event::Init) => {
                    listed.clear();
                    Vec::new()
                }
                Ok(Event::InitApply(object)) => {
                    let namespace = namespace(&object);
                    listed.insert(namespace.clone());
                    vec![Told::Now(namespace, Some(data(object)))]
                }
                Ok(Event::InitDone) => {
                    let gone: Vec<String> = known.difference(listed).cloned().collect();
                    *known = std::mem::take(listed);
                    let mut told: Vec<Told<D>> = gone.into_iter().map(|n| Told::Now(n, None)).collect();
                    told.push(Told::Listed);
                    told
                }
                Ok(Event::Apply(object)) => {
                    let namespace = namespace(&object);
                    known.insert(namespace.clone());
                    vec![Told::Now(namespace, Some(data(object)))]
                }
                Ok(Event::Delete(object)) => {
                    let namespace = namespace(&object);
                    known.remove(&namespace);
                    vec![Told::Now(namespace, None)]
                }
                Err(error) => vec![Told::Trouble(trouble(&error))],
            };
            futures::future::ready(Some(stream::iter(told)))
        })
        .flatten()
}
