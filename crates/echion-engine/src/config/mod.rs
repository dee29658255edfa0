//! The configuration: one key, one unit of failure (contract section 1).

mod documents;
mod keys;
mod legacy;
mod references;
mod secrets;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use echion_model::{Diagnostic, Environment, RouteKey, Service, ServiceKind, Severity, Version};
use echion_value::{Map, Value};
use sha1::{Digest as _, Sha1};

pub use documents::{Documents, DocumentsError, Sources, objects};
pub(crate) use keys::refused_there;

use crate::subscription::Subscription;
use crate::template::Template;
use crate::trigger::Trigger;

/// A compiled configuration and everything that is wrong with it. What does not work is missing here; the rest works.
#[derive(Debug, Default)]
pub struct Config {
    /// Triggers by name.
    pub triggers: BTreeMap<String, Arc<Trigger>>,
    /// Templates by name.
    pub templates: BTreeMap<String, Arc<Template>>,
    /// Configured services by name.
    pub services: BTreeMap<String, ServiceEntry>,
    /// The namespace of a self-service configuration; empty for the controller's own.
    pub owner: String,
    /// Everything that is wrong, by key.
    pub diagnostics: Vec<Diagnostic>,
    subscriptions: Vec<Subscription>,
    default_triggers: Vec<String>,
    service_default_triggers: BTreeMap<String, Vec<String>>,
    context: BTreeMap<String, String>,
    secrets: Value,
    withholds_secrets: bool,
    legacy: Arc<legacy::Legacy>,
    /// Names of the services of `notifiers.yaml`.
    notifiers: Vec<String>,
}

/// A configured service and its type.
#[derive(Clone)]
pub struct ServiceEntry {
    /// Its type.
    pub kind: &'static ServiceKind,
    /// The instance.
    pub service: Arc<dyn Service>,
    /// Another one for other options, Secret values among them.
    pub version: String,
}

impl fmt::Debug for ServiceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name)
    }
}

impl Config {
    /// Compiles a configuration. A key that does not work keeps its version in `previous`, if it had one.
    #[must_use]
    pub fn load(
        sources: &Sources,
        kinds: &[&'static ServiceKind],
        environment: &Environment,
        previous: Option<&Config>,
    ) -> Self {
        keys::load(sources, kinds, environment, previous)
    }

    /// Where a delivery goes: the service, if there is one of that name, and the version of everything that it depends on.
    #[must_use]
    pub fn route(&self, key: &RouteKey) -> (Option<&ServiceEntry>, Version) {
        let entry = self.services.get(&key.destination.service);
        let templates = key.templates.iter().map(|name| self.templates.get(name).map_or("", |t| t.version.as_str()));
        let version = Version {
            service: entry.map(|entry| entry.version.clone()).unwrap_or_default(),
            templates: templates.collect::<Vec<_>>().join(" "),
        };
        (entry, version)
    }

    /// A configuration of nothing but variables, for single cases.
    pub(crate) fn of_variables(context: BTreeMap<String, String>, secrets: Value) -> Self {
        Self { context, secrets, ..Self::default() }
    }

    /// How many diagnostics are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|f| f.severity == Severity::Error).count()
    }

    /// `context`, with `notificationType` set to the service unless the user has such a key (contract 1.6).
    #[must_use]
    pub fn context(&self, service: &str) -> Map {
        let mut entries = vec![("notificationType".into(), Value::from(service))];
        entries.extend(self.context.iter().map(|(k, v)| (k.as_str().into(), Value::from(v.as_str()))));
        Map::new(echion_value::Type::String, entries)
    }

    /// `secrets`: a map of byte slices; `None` where texts have no business with them. Whoever may only configure a namespace has none, and where
    /// that is allowed, neither has the controller (contract 1.10).
    #[must_use]
    pub fn secrets(&self) -> Option<Value> {
        (self.owner.is_empty() && !self.withholds_secrets).then(|| self.secrets.clone())
    }

    /// The same without `secrets` in templates and conditions: namespaces configure themselves.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { withholds_secrets: true, ..self }
    }

    pub(crate) fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    pub(crate) fn global_default_triggers(&self) -> &[String] {
        &self.default_triggers
    }

    pub(crate) fn service_default_triggers(&self, service: &str) -> Option<&[String]> {
        self.service_default_triggers.get(service).map(Vec::as_slice)
    }

    pub(crate) fn default_triggers(&self, service: &str) -> &[String] {
        self.service_default_triggers(service).unwrap_or(&self.default_triggers)
    }
}

/// A short name for a text that is another one for another text.
fn version_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha1::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
