//! What of a resource a configuration can see: a change of anything else need not be evaluated.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};

use echion_model::Resource;
use echion_value::{Map, Str, Value};

use crate::config::Config;
use crate::freshness::{Freshness, freshness};
use crate::subscription::PREFIX;

/// What decides about notifications besides the conditions: who is subscribed, and whether the object is fresh.
const ALWAYS: [&[&str]; 8] = [
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "labels"],
    &["spec", "project"],
    &["status", "operationState", "phase"],
    &["status", "operationState", "finishedAt"],
];

/// What the conditions of a configuration read of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    paths: BTreeSet<Vec<String>>,
    everything: bool,
    clock: bool,
    project: bool,
}

impl Dependencies {
    /// What the conditions of these configurations read of the resource that they know as `variable`.
    #[must_use]
    pub fn of<'a>(configs: impl IntoIterator<Item = &'a Config>, variable: &str) -> Self {
        let mut dependencies = Self::default();
        for config in configs {
            for condition in config.triggers.values().flat_map(|trigger| &trigger.conditions) {
                dependencies.clock |= condition.reads_clock();
                for reads in condition.reads() {
                    dependencies.everything |= reads.everything;
                    dependencies.project |= reads.everything;
                    for path in &reads.paths {
                        match path.split_first() {
                            // What helpers such as `repo.GetAppDetails` read of the resource is not known.
                            Some((first, _)) if first == "repo" => dependencies.everything = true,
                            Some((first, rest)) if first == variable => {
                                dependencies.everything |= rest.is_empty();
                                dependencies.paths.insert(rest.to_vec());
                            }
                            Some((first, _)) => dependencies.project |= first == "appProject",
                            None => {}
                        }
                    }
                }
            }
        }
        dependencies
    }

    /// Whether a condition can change its answer although nothing else changes.
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        self.clock
    }

    /// Whether a condition reads the project of a resource.
    #[must_use]
    pub fn reads_project(&self) -> bool {
        self.project
    }

    /// A number that stays the same as long as no evaluation of the resource can come to another result.
    #[must_use]
    pub fn fingerprint(&self, resource: &Resource) -> u64 {
        let mut hash = Sink(DefaultHasher::new());
        if self.everything {
            hash.value(&without_state(&resource.object));
        } else {
            self.each(&resource.object, |path, value| {
                path.iter().for_each(|name| hash.0.write(name.as_bytes()));
                match value {
                    Some(value) => hash.value(&value),
                    None => hash.0.write(b"{}"),
                }
            });
            hash.value(&Value::Map(annotations(&resource.object)));
        }
        hash.0.write_u8(u8::from(freshness(&resource.object) == Freshness::UpToDate));
        hash.0.finish()
    }

    /// What of the resource conditions can see, to ask them again later. Messages need the whole object.
    #[must_use]
    pub fn prune(&self, resource: &Resource) -> Resource {
        let mut object = Value::Map(Map::of_any(Vec::new()));
        if self.everything {
            object = resource.object.clone();
        } else {
            self.each(&resource.object, |path, value| match value {
                Some(value) => object = with(&object, path, value),
                // A map of which nothing is read but that something is not in it.
                None if object.at(path).is_none() => {
                    object = with(&object, path, Value::Map(Map::of_any(Vec::new())));
                }
                None => {}
            });
            let annotations = Value::Map(annotations(&resource.object));
            object = with(&object, &["metadata", "annotations"], annotations);
            for name in ["reconciledAt", "observedAt"] {
                if let Some(time) = resource.object.at(&["status", name]) {
                    object = with(&object, &["status", name], time);
                }
            }
        }
        Resource { object, ..resource.clone() }
    }

    /// Visits what can be seen. Where a path ends early, in a map that has no such key, there is no value.
    fn each(&self, object: &Value, mut visit: impl FnMut(&[&str], Option<Value>)) {
        for path in ALWAYS {
            if let Some(value) = object.at(path) {
                visit(path, Some(value));
            }
        }
        for path in &self.paths {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            for end in (1..=path.len()).rev() {
                if let Some(value) = object.at(&path[..end]) {
                    let whole = end == path.len() || value.as_map().is_none();
                    visit(&path[..end], whole.then_some(value));
                    break;
                }
            }
        }
    }
}

/// The annotations that subscribe.
fn annotations(object: &Value) -> Map {
    let found = object.at(&["metadata", "annotations"]);
    let entries = found.as_ref().and_then(Value::as_map).map(|map| map.entries().into_owned()).unwrap_or_default();
    Map::of_any(entries.into_iter().filter(|(key, _)| key.as_str().is_some_and(|k| k.starts_with(PREFIX))).collect())
}

/// The object without what changes when we write its state down.
fn without_state(object: &Value) -> Value {
    let Some(found) = object.at(&["metadata", "annotations"]) else { return object.clone() };
    let entries = found.as_map().map(|map| map.entries().into_owned()).unwrap_or_default();
    let kept = entries.into_iter().filter(|(key, _)| key.as_str() != Some(crate::state::NOTIFIED)).collect();
    let object = with(object, &["metadata", "annotations"], Value::Map(Map::of_any(kept)));
    let object = with(&object, &["metadata", "resourceVersion"], Value::Nil);
    with(&object, &["metadata", "managedFields"], Value::Nil)
}

/// A copy of nested maps in which one place has another value.
fn with(object: &Value, path: &[&str], value: Value) -> Value {
    let Some((first, rest)) = path.split_first() else { return value };
    let mut entries = object.as_map().map(|map| map.entries().into_owned()).unwrap_or_default();
    let inner = entries.iter().position(|(key, _)| key.as_str() == Some(*first)).map(|at| entries.swap_remove(at).1);
    entries.push((Str::from(*first), with(&inner.unwrap_or_default(), rest, value)));
    Value::Map(Map::of_any(entries))
}

struct Sink(DefaultHasher);

impl Sink {
    fn value(&mut self, value: &Value) {
        // Maps keep their entries sorted, so equal values print equally. Writing into a hash cannot fail.
        let _ = write!(self, "{value:?};");
    }
}

impl std::fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use echion_model::Environment;
    use serde_json::json;

    use super::*;
    use crate::config::Sources;

    fn dependencies(when: &str) -> Dependencies {
        let trigger = serde_json::to_string(&json!([{ "when": when, "send": [] }])).unwrap();
        let sources = Sources { config_map: [("trigger.t".to_owned(), trigger)].into(), ..Sources::default() };
        Dependencies::of([&Config::load(&sources, &[], &Environment::default(), None)], "app")
    }

    fn resource(object: serde_json::Value) -> Resource {
        Resource::from_object(serde_json::from_value(object).unwrap(), "argocd").unwrap()
    }

    fn app(health: &str, sync: &str, annotations: serde_json::Value) -> Resource {
        resource(json!({
            "kind": "Application",
            "metadata": { "name": "a", "annotations": annotations, "resourceVersion": sync },
            "status": { "health": { "status": health }, "sync": { "status": sync } },
        }))
    }

    #[test]
    fn only_what_a_condition_reads_counts() {
        let dependencies = dependencies("app.status.health.status == 'Degraded'");
        let print = |r: &Resource| dependencies.fingerprint(r);
        let before = app("Healthy", "Synced", json!({}));
        assert_eq!(print(&before), print(&app("Healthy", "OutOfSync", json!({ "x": "y" }))));
        assert_ne!(print(&before), print(&app("Degraded", "Synced", json!({}))));
        let subscribed = json!({ "notifications.argoproj.io/subscribe.t.slack": "c" });
        assert_ne!(print(&before), print(&app("Healthy", "Synced", subscribed)));
    }

    #[test]
    fn our_own_annotation_is_no_change_even_for_a_condition_that_reads_everything() {
        let dependencies = dependencies("len(toJSON(app)) > 3");
        assert!(dependencies.everything);
        let before = app("Healthy", "Synced", json!({}));
        let after = app("Healthy", "Synced", json!({ "notified.notifications.argoproj.io": "{}" }));
        assert_eq!(dependencies.fingerprint(&before), dependencies.fingerprint(&after));
        let changed = app("Healthy", "Unknown", json!({}));
        assert_ne!(dependencies.fingerprint(&before), dependencies.fingerprint(&changed));
    }

    #[test]
    fn a_pruned_resource_answers_conditions_as_the_whole_one_does() {
        let dependencies = dependencies("app.status.health.status == 'Degraded' && app.status.none.phase == 'x'");
        let pruned = dependencies.prune(&app("Degraded", "Synced", json!({ "a": "b" })));
        let text = String::from_utf8(echion_value::json::marshal(&pruned.object).unwrap()).unwrap();
        assert!(text.contains("Degraded") && !text.contains("Synced") && !text.contains("none"), "{text}");
    }

    #[test]
    fn the_clock_is_read_by_the_language_and_by_the_helper() {
        assert!(dependencies("now() > date('2024-01-01')").reads_clock());
        assert!(dependencies("time.Now().Sub(time.Parse(app.status.at)).Minutes() > 5").reads_clock());
        assert!(!dependencies("time.Parse(app.status.at) == 1").reads_clock());
    }
}
