//! Who hears what: global subscriptions, annotations of the resource, annotations of its project (contract 1.5, 2.1, 2.2).

use std::collections::BTreeMap;

use echion_model::yaml::{self, Node};
use echion_model::{Destination, Resource};
use echion_value::Value;
use serde::Deserialize;

use crate::config::Config;
use crate::selector::Selector;

/// Prefix of subscription annotations.
pub const PREFIX: &str = "notifications.argoproj.io";

const LEGACY: &str = "recipients.argocd-notifications.argoproj.io";

/// One entry of the ConfigMap's `subscriptions`.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Whom.
    pub destinations: Vec<Destination>,
    /// About what; empty means the default triggers.
    pub triggers: Vec<String>,
    /// For resources with which labels.
    pub selector: Selector,
}

/// Who hears each trigger, in order and without repetition, and what could not be read on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// Destinations by trigger.
    pub by_trigger: BTreeMap<String, Vec<Destination>>,
    /// Annotations that could not be read, in words.
    pub notes: Vec<String>,
}

impl Destinations {
    fn add(&mut self, trigger: &str, destination: Destination) {
        let list = self.by_trigger.entry(trigger.to_owned()).or_default();
        if !list.contains(&destination) {
            list.push(destination);
        }
    }

    /// An explicit trigger, or else the default triggers of the service.
    fn subscribe(&mut self, config: &Config, trigger: &str, destination: Destination) {
        if trigger.is_empty() {
            for trigger in config.default_triggers(&destination.service) {
                self.add(trigger, destination.clone());
            }
        } else {
            self.add(trigger, destination);
        }
    }
}

/// Splits the recipient of a global subscription: `service[:recipient]`, further parts dropped.
pub(crate) fn split_recipient(text: &str) -> Destination {
    let mut parts = text.split(':');
    let service = parts.next().unwrap_or_default().to_owned();
    Destination { service, recipient: parts.next().unwrap_or_default().to_owned() }
}

/// Who hears about this resource.
pub(crate) fn destinations(config: &Config, resource: &Resource, project: Option<&Value>) -> Destinations {
    let mut found = Destinations::default();
    let labels = resource.object.at(&["metadata", "labels"]);
    for subscription in config.subscriptions() {
        if !subscription.selector.matches(labels.as_ref()) {
            continue;
        }
        // The defaults of a service are not consulted for global subscriptions (contract 1.5).
        let triggers =
            if subscription.triggers.is_empty() { config.global_default_triggers() } else { &subscription.triggers };
        for trigger in triggers {
            for destination in &subscription.destinations {
                found.add(trigger, destination.clone());
            }
        }
    }
    from_annotations(config, &resource.object, &resource.id.to_string(), &mut found);
    // Who names no project gets the variables of `default`, but not its subscriptions (contract 2.2 and 3.4).
    let named =
        resource.object.at(&["spec", "project"]).is_some_and(|name| name.as_str().is_some_and(|n| !n.is_empty()));
    if let Some(project) = project.filter(|_| named) {
        from_annotations(config, project, "project", &mut found);
        from_legacy_annotations(config, project, &mut found);
    }
    found
}

fn annotations(object: &Value) -> Vec<(String, String)> {
    let Some(Value::Map(map)) = object.at(&["metadata", "annotations"]) else { return Vec::new() };
    let entries = map.entries();
    entries.iter().filter_map(|(k, v)| Some((k.as_str()?.to_owned(), v.as_str()?.to_owned()))).collect()
}

fn from_annotations(config: &Config, object: &Value, whose: &str, found: &mut Destinations) {
    for (key, value) in annotations(object) {
        let Some(rest) = key.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')) else { continue };
        if let Some(path) = rest.strip_prefix("subscribe.") {
            let mut parts = path.split('.');
            let first = parts.next().unwrap_or_default();
            let (trigger, service) = match parts.next() {
                Some(service) => (first, service),
                None => ("", first),
            };
            for recipient in recipients(&value) {
                let destination = Destination { service: service.to_owned(), recipient };
                found.subscribe(config, trigger, destination);
            }
        } else if rest.starts_with("subscriptions") {
            match listed(&value) {
                Ok(entries) => entries.into_iter().for_each(|entry| entry.subscribe(config, found)),
                Err(problem) => found.notes.push(format!("annotation `{key}` of {whose} is ignored: {problem}")),
            }
        }
    }
}

/// An empty value is one empty recipient; otherwise `;` separates, and blanks and empties fall away.
fn recipients(value: &str) -> Vec<String> {
    if value.is_empty() {
        return vec![String::new()];
    }
    value.split(';').map(str::trim).filter(|r| !r.is_empty()).map(str::to_owned).collect()
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    trigger: Vec<String>,
    destinations: Vec<EntryDestination>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EntryDestination {
    service: String,
    recipients: Vec<String>,
}

impl Entry {
    fn subscribe(&self, config: &Config, found: &mut Destinations) {
        for to in &self.destinations {
            for recipient in &to.recipients {
                let destination = Destination { service: to.service.clone(), recipient: recipient.clone() };
                if self.trigger.is_empty() {
                    found.subscribe(config, "", destination);
                } else {
                    self.trigger.iter().for_each(|trigger| found.subscribe(config, trigger, destination.clone()));
                }
            }
        }
    }
}

fn listed(value: &str) -> Result<Vec<Entry>, String> {
    if value.is_empty() {
        return Err("it is empty; expected a list of `{trigger, destinations}`".to_owned());
    }
    let node: Node = yaml::parse(value).map_err(|e| format!("line {}: {e}", e.line))?;
    node.decode().map(|decoded| decoded.value).map_err(|e| format!("line {}: {e}", e.at.0))
}

fn from_legacy_annotations(config: &Config, project: &Value, found: &mut Destinations) {
    for (key, value) in annotations(project) {
        let Some(prefix) = key.strip_suffix(LEGACY) else { continue };
        let trigger = prefix.trim_end_matches('.');
        for recipient in value.split(',').map(str::trim).filter(|r| !r.is_empty()) {
            let destination = split_recipient(recipient);
            // The defaults of the service win even over a named trigger (contract 2.1 E).
            let named = [trigger.to_owned()];
            let triggers = match config.service_default_triggers(&destination.service) {
                Some(triggers) => triggers,
                None if trigger.is_empty() => config.global_default_triggers(),
                None => &named,
            };
            triggers.iter().for_each(|trigger| found.add(trigger, destination.clone()));
        }
    }
}
