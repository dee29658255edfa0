//! Who is notified of what: global subscriptions, annotations of the resource, annotations of its project (contract 1.5, 2.1, 2.2).

use std::collections::{BTreeMap, BTreeSet, HashSet};

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

/// Who is notified of each trigger, in order and without repetition, and what could not be read on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// Destinations by trigger.
    pub by_trigger: BTreeMap<String, Vec<Destination>>,
    /// Annotations that could not be read, in words.
    pub notes: Vec<String>,
}

/// The most destinations of one resource and trigger. An annotation has room for 40,000, and each would be a message: what exceeds this
/// is an error or an attack.
const MAX_RECIPIENTS: usize = 100;

/// The most triggers that one resource is subscribed to.
const MAX_TRIGGERS: usize = 100;

/// The destinations of one trigger while they are collected.
#[derive(Default)]
struct Recipients {
    list: Vec<Destination>,
    listed: HashSet<Destination>,
    /// How many entries exceeded the limit, and where the first of them is listed.
    ignored: usize,
    first_ignored: String,
}

impl Recipients {
    fn add(&mut self, destination: &Destination, place: &str) {
        if self.listed.contains(destination) {
            return;
        }
        if self.list.len() == MAX_RECIPIENTS {
            if self.ignored == 0 {
                place.clone_into(&mut self.first_ignored);
            }
            self.ignored += 1;
            return;
        }
        self.list.push(destination.clone());
        self.listed.insert(destination.clone());
    }
}

/// Collects destinations without repetition, in the order in which they first appear.
struct Collector<'a> {
    config: &'a Config,
    by_trigger: BTreeMap<String, Recipients>,
    notes: Vec<String>,
    /// A trigger beyond the limit, and where it is listed.
    excess_trigger: Option<(String, String)>,
}

impl Collector<'_> {
    /// The list of a trigger; `None` when there are too many triggers.
    fn trigger(&mut self, trigger: &str, place: &str) -> Option<&mut Recipients> {
        if !self.by_trigger.contains_key(trigger) {
            if self.by_trigger.len() == MAX_TRIGGERS {
                self.excess_trigger.get_or_insert_with(|| (trigger.to_owned(), place.to_owned()));
                return None;
            }
            self.by_trigger.insert(trigger.to_owned(), Recipients::default());
        }
        self.by_trigger.get_mut(trigger)
    }

    fn add(&mut self, trigger: &str, destinations: &[Destination], place: &str) {
        if destinations.is_empty() {
            return;
        }
        if let Some(recipients) = self.trigger(trigger, place) {
            destinations.iter().for_each(|destination| recipients.add(destination, place));
        }
    }

    /// Subscribes recipients of one service to an explicit trigger, or else to the default triggers of the service.
    fn subscribe(&mut self, trigger: &str, destinations: &[Destination], place: &str) {
        let Some(first) = destinations.first() else { return };
        if trigger.is_empty() {
            for trigger in self.config.default_triggers(&first.service) {
                self.add(trigger, destinations, place);
            }
        } else {
            self.add(trigger, destinations, place);
        }
    }

    fn finish(mut self, resource: &Resource) -> Destinations {
        let mut by_trigger = BTreeMap::new();
        for (trigger, recipients) in self.by_trigger {
            if recipients.ignored > 0 {
                self.notes.push(format!(
                    "more than {MAX_RECIPIENTS} recipients of {resource} are subscribed to `{trigger}`: {ignored} entries are ignored, \
                     the first of them in {place}",
                    resource = resource.id,
                    ignored = recipients.ignored,
                    place = recipients.first_ignored
                ));
            }
            by_trigger.insert(trigger, recipients.list);
        }
        if let Some((trigger, place)) = self.excess_trigger {
            self.notes.push(format!(
                "{} is subscribed to more than {MAX_TRIGGERS} triggers: the rest is ignored, such as `{trigger}` in {place}",
                resource.id
            ));
        }
        Destinations { by_trigger, notes: self.notes }
    }
}

/// Splits the recipient of a global subscription: `service[:recipient]`, further parts dropped.
pub(crate) fn split_recipient(text: &str) -> Destination {
    let mut parts = text.split(':');
    let service = parts.next().unwrap_or_default().to_owned();
    Destination { service, recipient: parts.next().unwrap_or_default().to_owned() }
}

/// Who is notified of this resource.
pub(crate) fn destinations(config: &Config, resource: &Resource, project: Option<&Value>) -> Destinations {
    let mut found = Collector { config, by_trigger: BTreeMap::new(), notes: Vec::new(), excess_trigger: None };
    let labels = resource.object.at(&["metadata", "labels"]);
    for subscription in config.subscriptions() {
        if !subscription.selector.matches(labels.as_ref()) {
            continue;
        }
        // The defaults of a service are not consulted for global subscriptions (contract 1.5).
        let triggers =
            if subscription.triggers.is_empty() { config.global_default_triggers() } else { &subscription.triggers };
        for trigger in triggers {
            found.add(trigger, &subscription.destinations, "`subscriptions`");
        }
    }
    from_annotations(&resource.object, &resource.id.to_string(), &mut found);
    // Who names no project gets the variables of `default`, but not its subscriptions (contract 2.2 and 3.4).
    let named =
        resource.object.at(&["spec", "project"]).is_some_and(|name| name.as_str().is_some_and(|n| !n.is_empty()));
    if let Some(project) = project.filter(|_| named) {
        from_annotations(project, "project", &mut found);
        from_legacy_annotations(project, &mut found);
    }
    found.finish(resource)
}

fn annotations(object: &Value) -> Vec<(String, String)> {
    let Some(Value::Map(map)) = object.at(&["metadata", "annotations"]) else { return Vec::new() };
    let entries = map.entries();
    entries.iter().filter_map(|(k, v)| Some((k.as_str()?.to_owned(), v.as_str()?.to_owned()))).collect()
}

fn from_annotations(object: &Value, whose: &str, found: &mut Collector<'_>) {
    for (key, value) in annotations(object) {
        let Some(rest) = key.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let place = || format!("annotation `{key}` of {whose}");
        if let Some(path) = rest.strip_prefix("subscribe.") {
            let mut parts = path.split('.');
            let first = parts.next().unwrap_or_default();
            let (trigger, service) = match parts.next() {
                Some(service) => (first, service),
                None => ("", first),
            };
            found.subscribe(trigger, &of_service(service, recipients(&value)), &place());
        } else if rest.starts_with("subscriptions") {
            match listed(&value) {
                Ok(entries) => entries.into_iter().for_each(|entry| entry.subscribe(found, &place())),
                Err(problem) => found.notes.push(format!("{} is ignored: {problem}", place())),
            }
        }
    }
}

fn of_service(service: &str, recipients: Vec<String>) -> Vec<Destination> {
    recipients.into_iter().map(|recipient| Destination { service: service.to_owned(), recipient }).collect()
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
    fn subscribe(self, found: &mut Collector<'_>, place: &str) {
        let mut repeated = BTreeSet::new();
        let triggers: Vec<&str> =
            self.trigger.iter().map(String::as_str).filter(|trigger| repeated.insert(*trigger)).collect();
        for to in self.destinations {
            let destinations = of_service(&to.service, to.recipients);
            if triggers.is_empty() {
                found.subscribe("", &destinations, place);
            }
            for trigger in &triggers {
                found.subscribe(trigger, &destinations, place);
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

fn from_legacy_annotations(project: &Value, found: &mut Collector<'_>) {
    for (key, value) in annotations(project) {
        let Some(prefix) = key.strip_suffix(LEGACY) else { continue };
        let trigger = prefix.trim_end_matches('.');
        let place = format!("annotation `{key}` of project");
        for recipient in value.split(',').map(str::trim).filter(|r| !r.is_empty()) {
            let destination = split_recipient(recipient);
            // The defaults of the service win even over a named trigger (contract 2.1 E).
            let named = [trigger.to_owned()];
            let config = found.config;
            let triggers = match config.service_default_triggers(&destination.service) {
                Some(triggers) => triggers,
                None if trigger.is_empty() => config.global_default_triggers(),
                None => &named,
            };
            triggers.iter().for_each(|trigger| found.add(trigger, std::slice::from_ref(&destination), &place));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use super::*;

    fn config() -> Config {
        Config::load(&crate::Sources::default(), &[], &echion_model::Environment::default(), None)
    }

    fn app(annotations: &[(&str, &str)]) -> Resource {
        let annotations: BTreeMap<&str, &str> = annotations.iter().copied().collect();
        let object = serde_json::json!({
            "kind": "Application", "metadata": { "name": "guestbook", "annotations": annotations },
        });
        Resource::from_object(serde_json::from_value(object).unwrap(), "argocd").unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the time that the work itself takes")]
    fn timed(resource: &Resource) -> (Destinations, Duration) {
        let config = config();
        let start = Instant::now();
        (destinations(&config, resource, None), start.elapsed())
    }

    const TO_HOOK: &str = "notifications.argoproj.io/subscribe.on-deployed.hook";

    #[test]
    fn recipients_keep_the_order_in_which_they_first_appear() {
        let found = destinations(&config(), &app(&[(TO_HOOK, "z;a;z;m;a")]), None);
        let recipients: Vec<&str> = found.by_trigger["on-deployed"].iter().map(|d| d.recipient.as_str()).collect();
        assert_eq!(recipients, ["z", "a", "m"]);
        assert_eq!(found.notes, Vec::<String>::new());
    }

    #[test]
    fn what_exceeds_a_hundred_recipients_is_ignored_with_one_note() {
        let names: Vec<String> = (0..40_000).map(|n| format!("{n:x}")).collect();
        let (found, elapsed) = timed(&app(&[(TO_HOOK, &names.join(";"))]));
        // Milliseconds when optimized; quadratic it would be minutes.
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
        let list = &found.by_trigger["on-deployed"];
        assert_eq!((list.len(), list[99].recipient.as_str()), (100, "63"));
        assert_eq!(
            found.notes,
            [format!(
                "more than 100 recipients of argocd/guestbook are subscribed to `on-deployed`: 39900 entries are ignored, the first of \
                 them in annotation `{TO_HOOK}` of argocd/guestbook"
            )]
        );
    }

    #[test]
    fn triggers_times_recipients_stay_bounded() {
        let many = |prefix: &str| (0..8_000).map(|n| format!("{prefix}{n:x}")).collect::<Vec<_>>().join(", ");
        let list = format!(
            "[{{trigger: [t0, t0, {}], destinations: [{{service: hook, recipients: [{}]}}]}}]",
            many("t"),
            many("r")
        );
        let (found, elapsed) = timed(&app(&[("notifications.argoproj.io/subscriptions", &list)]));
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
        assert_eq!(found.by_trigger.len(), 100);
        assert!(found.by_trigger.values().all(|list| list.len() == 100));
        assert_eq!(found.notes.len(), 101);
        assert_eq!(
            found.notes[100],
            "argocd/guestbook is subscribed to more than 100 triggers: the rest is ignored, such as `t64` in annotation \
             `notifications.argoproj.io/subscriptions` of argocd/guestbook"
        );
    }
}
