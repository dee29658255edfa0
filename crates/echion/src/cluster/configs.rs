//! The configurations in use: the controller's own, and with self-service one for each namespace that has a ConfigMap (contract 1.10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use echion_engine::{Config, Sources};
use echion_model::{Intent, Service, Tenant};
use echion_sources::kubernetes::ConfigurationChange;

use crate::setup;

/// Compiled configurations, and what they are compiled from.
#[derive(Default)]
pub(super) struct Configs {
    home: String,
    tenant: Tenant,
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
    secrets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    compiled: BTreeMap<String, Arc<Config>>,
    changed: BTreeSet<String>,
    listed: (bool, bool),
}

impl Configs {
    /// Configurations around the controller's own one; `tenant` is what the others may do.
    pub(super) fn new(home: &str, tenant: Tenant) -> Self {
        let own = (home.to_owned(), Arc::new(Config::default()));
        Self { home: home.to_owned(), tenant, compiled: BTreeMap::from([own]), ..Self::default() }
    }

    /// Takes in what was observed. Nothing is compiled yet: several changes often come together.
    pub(super) fn take(&mut self, change: ConfigurationChange) {
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
            ConfigurationChange::ConfigMapsListed => self.listed.0 = true,
            ConfigurationChange::SecretsListed => self.listed.1 = true,
            ConfigurationChange::Trouble(_) => {}
        }
    }

    /// Whether everything that there is has been observed.
    pub(super) fn listed(&self) -> bool {
        self.listed == (true, true)
    }

    /// Whether something is to be compiled.
    pub(super) fn changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Compiles what changed; a key that does not work keeps its last good version. Gives the configurations that are new.
    pub(super) fn compile(&mut self) -> Vec<(String, Arc<Config>)> {
        let mut compiled = Vec::new();
        for namespace in std::mem::take(&mut self.changed) {
            let own = namespace == self.home;
            if !own && !self.config_maps.contains_key(&namespace) {
                // A namespace without a ConfigMap has nothing to say.
                self.compiled.remove(&namespace);
                compiled.push((namespace, Arc::default()));
                continue;
            }
            let sources = Sources {
                config_map: self.config_maps.get(&namespace).cloned().unwrap_or_default(),
                secret: self.secrets.get(&namespace).cloned().unwrap_or_default(),
                namespace: namespace.clone(),
                self_service: !own,
            };
            let previous = self.compiled.get(&namespace).map(Arc::as_ref);
            let config = Arc::new(setup::config_for(&sources, self.tenant, previous));
            self.compiled.insert(namespace.clone(), Arc::clone(&config));
            compiled.push((namespace, config));
        }
        compiled
    }

    /// Every configuration.
    pub(super) fn all(&self) -> impl Iterator<Item = &Config> {
        self.compiled.values().map(Arc::as_ref)
    }

    /// The configurations that have a say about resources of a namespace: its own one first.
    pub(super) fn of(&self, namespace: &str) -> Vec<Arc<Config>> {
        let theirs = (namespace != self.home).then(|| self.compiled.get(namespace)).flatten();
        theirs.into_iter().chain(self.compiled.get(&self.home)).map(Arc::clone).collect()
    }

    /// The service that a delivery is for.
    pub(super) fn service(&self, intent: &Intent) -> Option<Arc<dyn Service>> {
        let owner = if intent.owner.is_empty() { &self.home } else { &intent.owner };
        let entry = self.compiled.get(owner)?.services.get(&intent.destination.service)?;
        Some(Arc::clone(&entry.service))
    }
}

/// Puts in or removes, and tells whether that changed anything.
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
    use super::*;

    fn config_map(namespace: &str, key: &str, value: &str) -> ConfigurationChange {
        let data = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        ConfigurationChange::ConfigMap(namespace.to_owned(), Some(data))
    }

    #[test]
    fn a_namespace_with_a_config_map_has_a_say_about_its_own_resources() {
        let mut configs = Configs::new("argocd", Tenant::default());
        configs.take(config_map("argocd", "trigger.a", "[]"));
        configs.take(config_map("team-a", "trigger.b", "[]"));
        configs.compile();
        let owners = |namespace: &str| -> Vec<String> {
            configs.of(namespace).iter().map(|config| config.owner.clone()).collect()
        };
        assert_eq!(owners("argocd"), [""]);
        assert_eq!(owners("team-a"), ["team-a", ""]);
        assert_eq!(owners("team-b"), [""]);
    }

    #[test]
    fn what_is_observed_again_changes_nothing() {
        let mut configs = Configs::new("argocd", Tenant::default());
        configs.take(config_map("argocd", "trigger.a", "[]"));
        assert_eq!(configs.compile().len(), 1);
        configs.take(config_map("argocd", "trigger.a", "[]"));
        assert!(!configs.changed());
        configs.take(ConfigurationChange::ConfigMap("argocd".to_owned(), None));
        assert!(configs.compile()[0].1.triggers.is_empty());
    }
}
