//! What keys of the ConfigMap say about each other: names that nothing answers to, and what would be sent without a word.

use std::collections::BTreeMap;

use echion_model::{Diagnostic, nearest};

use super::ServiceEntry;
use super::keys::{Loader, find, nearest_hint, service_name};

impl Loader<'_> {
    /// Names that nothing answers to: a subscription would stay silent without a word.
    pub(super) fn check_references(&mut self) {
        let mut diagnostics = Vec::new();
        let config = &self.config;
        // What has a key of its own that does not work was reported there.
        let is_broken = |prefix: &str, name: &str| {
            let keys = self.sources.config_map.keys().filter_map(|key| key.strip_prefix(prefix));
            keys.into_iter().any(|rest| if prefix == "service." { service_name(rest) == name } else { rest == name })
        };
        let has_trigger = |name: &String| config.triggers.contains_key(name) || is_broken("trigger.", name);
        let defaults = std::iter::once((String::from("defaultTriggers"), &config.default_triggers));
        let of_services =
            config.service_default_triggers.iter().map(|(name, list)| (format!("defaultTriggers.{name}"), list));
        for (key, list) in defaults.chain(of_services) {
            let text = self.sources.config_map.get(&key).map_or("", String::as_str);
            for name in list.iter().filter(|name| !has_trigger(name)) {
                diagnostics.push(missing(&key, text, "trigger", name, &config.triggers));
            }
        }
        let (key, text) = match config.legacy.subscriptions_text() {
            Some(text) => ("config.yaml.subscriptions", text),
            None => ("subscriptions", self.sources.config_map.get("subscriptions").map_or("", String::as_str)),
        };
        for (index, subscription) in config.subscriptions.iter().enumerate() {
            for destination in &subscription.destinations {
                let name = &destination.service;
                if name.is_empty() {
                    let hint = "write `<service>` or `<service>:<recipient>`";
                    diagnostics.push(
                        Diagnostic::error(format!("{key}[{index}].recipients"), (1, 1), "a recipient names no service")
                            .hint(hint),
                    );
                } else if !config.services.contains_key(name) && !is_broken("service.", name) {
                    let place = format!("{key}[{index}].recipients");
                    diagnostics.push(missing(&place, text, "service", name, &config.services));
                }
            }
            for name in &subscription.triggers {
                if !has_trigger(name) {
                    let place = format!("{key}[{index}].triggers");
                    diagnostics.push(missing(&place, text, "trigger", name, &config.triggers));
                }
            }
        }
        for (name, trigger) in &config.triggers {
            let own = format!("trigger.{name}");
            let (key, text) = match self.sources.config_map.get(&own) {
                Some(text) => (own, text.as_str()),
                None => config.legacy.place_of_trigger(name),
            };
            for (index, condition) in trigger.conditions.iter().enumerate() {
                let is_missing =
                    |name: &&String| !config.templates.contains_key(*name) && !is_broken("template.", name);
                for template in condition.send.iter().filter(is_missing) {
                    let place = format!("{key}[{index}].send");
                    diagnostics.push(missing(&place, text, "template", template, &config.templates));
                }
            }
        }
        diagnostics.extend(self.silent());
        diagnostics.extend(self.misaddressed());
        self.config.diagnostics.extend(diagnostics);
    }

    /// Services that send nothing without a section of their own, subscribed to conditions whose templates have none.
    fn silent(&self) -> Vec<Diagnostic> {
        let config = &self.config;
        let mut diagnostics = Vec::new();
        for (index, subscription) in config.subscriptions.iter().enumerate() {
            for destination in &subscription.destinations {
                let name = &destination.service;
                let section = config.services.get(name).and_then(|entry| entry.kind.section).filter(|s| s.required);
                let Some(section) = section else { continue };
                let of_service = || config.service_default_triggers.get(name).unwrap_or(&config.default_triggers);
                let triggers = if subscription.triggers.is_empty() { of_service() } else { &subscription.triggers };
                for trigger in triggers {
                    let conditions = config.triggers.get(trigger).map_or(&[][..], |trigger| &trigger.conditions);
                    let says_nothing = |send: &[String]| {
                        let mut templates = send.iter().map(|name| config.templates.get(name));
                        // What is not configured is reported as that.
                        !send.is_empty() && templates.all(|t| t.is_some_and(|t| !t.has_section(section.key)))
                    };
                    if conditions.iter().any(|condition| says_nothing(&condition.send)) {
                        let message = format!(
                            "`{trigger}` says nothing to `{name}`: its templates have no section `{}`",
                            section.key
                        );
                        let hint = format!("give them a section `{}`, or leave out this recipient", section.key);
                        let key = format!("subscriptions[{index}]");
                        diagnostics.push(Diagnostic::error(key, (1, 1), message).warning().hint(hint));
                    }
                }
            }
        }
        diagnostics
    }

    /// Parts of templates for services that are not configured, where another one is meant by all appearances.
    fn misaddressed(&self) -> Vec<Diagnostic> {
        let config = &self.config;
        let mut diagnostics = Vec::new();
        for (name, template) in &config.templates {
            for (section, service, at) in template.addressed() {
                let of_kind = |entry: &ServiceEntry| entry.kind.section.is_some_and(|s| s.key == *section);
                let known =
                    || config.services.iter().filter(|(_, entry)| of_kind(entry)).map(|(name, _)| name.as_str());
                let is_addressed = |known: &str| template.addressed().iter().any(|(_, other, _)| other == known);
                if known().any(|known| known == service) {
                    continue;
                }
                if let Some(near) = nearest(service, known().filter(|known| !is_addressed(known))) {
                    let message = format!("no service `{service}` is configured, so this is sent to none");
                    let hint = format!("did you mean `{near}`?");
                    let key = format!("template.{name}.{section}");
                    diagnostics.push(Diagnostic::error(key, *at, message).warning().hint(hint));
                }
            }
        }
        diagnostics
    }
}

/// A name that is not among those that are configured.
fn missing<T>(key: &str, text: &str, what: &str, name: &str, known: &BTreeMap<String, T>) -> Diagnostic {
    let hint = nearest_hint(name, known.keys().map(String::as_str), what);
    Diagnostic::error(key, find(text, name), format!("no {what} `{name}` is configured")).in_text(text).hint(hint)
}
