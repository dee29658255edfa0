//! The configurations in use: the controller's own, and with self-service one for each namespace that has a ConfigMap (contract 1.10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use echion_delivery::Route;
use echion_engine::{Config, Sources};
use echion_model::{Channel, ConfigurationChange, RouteKey, Version};

/// Compiles a configuration; a key that does not work keeps its version in the previous one.
pub type Compile = Arc<dyn Fn(&Sources, Option<&Config>) -> Config + Send + Sync>;

/// Compiled configurations, and what they are compiled from.
pub struct Configurations {
    home: String,
    compile: Compile,
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
    secrets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    compiled: BTreeMap<String, Arc<Config>>,
    changed: BTreeSet<String>,
    config_maps_listed: bool,
    secrets_listed: bool,
}

impl Configurations {
    /// Nothing is known yet. `home` is the namespace of the controller's own configuration.
    #[must_use]
    pub fn new(home: &str, compile: Compile) -> Self {
        Self {
            home: home.to_owned(),
            compile,
            config_maps: BTreeMap::new(),
            secrets: BTreeMap::new(),
            compiled: BTreeMap::new(),
            changed: BTreeSet::from([home.to_owned()]),
            config_maps_listed: false,
            secrets_listed: false,
        }
    }

    /// Takes in what was observed. Nothing is compiled yet: several changes often come together.
    pub fn apply(&mut self, change: ConfigurationChange) {
        match change {
            ConfigurationChange::ConfigMap(namespace, data) => {
                if put(&mut self.config_maps, &namespace, data) {
                    self.changed.insert(namespace);
                }
            }
            ConfigurationChange::Secret(namespace, data) => {
                if put(&mut self.secrets, &namespace, data) {
                    self.changed.insert(namespace);
                }
            }
            ConfigurationChange::ConfigMapsListed => self.config_maps_listed = true,
            ConfigurationChange::SecretsListed => self.secrets_listed = true,
            ConfigurationChange::Failed(_) => {}
        }
    }

    /// Whether something is to be compiled, and everything that there is has been observed.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.config_maps_listed && self.secrets_listed && !self.changed.is_empty()
    }

    /// Whether a configuration is in use.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        !self.compiled.is_empty()
    }

    /// Compiles what has changed. Gives the configurations that are new.
    pub fn compile(&mut self) -> Vec<(String, Arc<Config>)> {
        let mut compiled = Vec::new();
        for namespace in std::mem::take(&mut self.changed) {
            let own = namespace == self.home;
            if !own && !self.config_maps.contains_key(&namespace) {
                // A namespace without a ConfigMap configures nothing.
                if self.compiled.remove(&namespace).is_some() {
                    compiled.push((namespace, Arc::default()));
                }
                continue;
            }
            let sources = Sources {
                config_map: self.config_maps.get(&namespace).cloned().unwrap_or_default(),
                secret: self.secrets.get(&namespace).cloned().unwrap_or_default(),
                namespace: namespace.clone(),
                self_service: !own,
            };
            let previous = self.compiled.get(&namespace).map(Arc::as_ref);
            let config = Arc::new((self.compile)(&sources, previous));
            self.compiled.insert(namespace.clone(), Arc::clone(&config));
            compiled.push((namespace, config));
        }
        compiled
    }

    /// Every configuration.
    pub fn all(&self) -> impl Iterator<Item = &Config> {
        self.compiled.values().map(Arc::as_ref)
    }

    /// The configurations that apply to resources of a namespace: its own one first.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Vec<Arc<Config>> {
        let theirs = (namespace != self.home).then(|| self.compiled.get(namespace)).flatten();
        theirs.into_iter().chain(self.compiled.get(&self.home)).map(Arc::clone).collect()
    }

    /// The configuration that decided a delivery.
    #[must_use]
    pub fn owner(&self, owner: &str) -> Option<&Arc<Config>> {
        self.compiled.get(if owner.is_empty() { self.home.as_str() } else { owner })
    }

    /// Where a delivery goes.
    #[must_use]
    pub fn route(&self, key: &RouteKey) -> Option<Route> {
        let (entry, version) = self.owner(&key.owner)?.route(key);
        entry.map(|entry| Route { service: Arc::clone(&entry.service), version })
    }

    /// The channel of a delivery, if there is its service, and the version of what it depends on.
    #[must_use]
    pub fn channel(&self, key: &RouteKey) -> (Option<String>, Version) {
        let Some(config) = self.owner(&key.owner) else { return (None, Version::default()) };
        let (entry, version) = config.route(key);
        (entry.map(|entry| Channel::of(&*entry.service, key).name), version)
    }
}

/// Puts in or removes, and gives whether that changed anything.
fn put<T: PartialEq>(all: &mut BTreeMap<String, T>, namespace: &str, data: Option<T>) -> bool {
    match data {
        Some(data) if all.get(namespace) == Some(&data) => false,
        Some(data) => {
            all.insert(namespace.to_owned(), data);
            true
        }
        None => all.remove(namespace).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use echion_model::Environment;

    use super::*;

    fn configurations() -> Configurations {
        Configurations::new("argocd", Arc::new(|sources, old| Config::load(sources, &[], &Environment::default(), old)))
    }

    fn config_map(namespace: &str, key: &str, value: &str) -> ConfigurationChange {
        let data = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        ConfigurationChange::ConfigMap(namespace.to_owned(), Some(data))
    }

    #[test]
    fn a_config_map_of_a_namespace_applies_to_its_own_resources() {
        let mut configurations = configurations();
        configurations.apply(config_map("argocd", "trigger.a", "[]"));
        configurations.apply(config_map("team-a", "trigger.b", "[]"));
        configurations.compile();
        let owners = |namespace: &str| -> Vec<String> {
            configurations.of(namespace).iter().map(|config| config.owner.clone()).collect()
        };
        assert_eq!(owners("argocd"), [""]);
        assert_eq!(owners("team-a"), ["team-a", ""]);
        assert_eq!(owners("team-b"), [""]);
    }

    #[test]
    fn what_is_observed_again_changes_nothing() {
        let mut configurations = configurations();
        configurations.apply(ConfigurationChange::ConfigMapsListed);
        configurations.apply(ConfigurationChange::SecretsListed);
        configurations.apply(config_map("argocd", "trigger.a", "[]"));
        assert_eq!(configurations.compile().len(), 1);
        configurations.apply(config_map("argocd", "trigger.a", "[]"));
        assert!(!configurations.is_outdated());
        configurations.apply(ConfigurationChange::ConfigMap("argocd".to_owned(), None));
        assert!(configurations.compile()[0].1.triggers.is_empty());
    }

    /// What has not been read completely is not compiled, so nothing is delivered or parked by half of it.
    #[test]
    fn nothing_is_compiled_before_everything_has_been_read() {
        let mut configurations = configurations();
        configurations.apply(config_map("argocd", "trigger.a", "[]"));
        configurations.apply(ConfigurationChange::ConfigMapsListed);
        assert!(!configurations.is_outdated());
        configurations.apply(ConfigurationChange::SecretsListed);
        assert!(configurations.is_outdated());
    }
}
