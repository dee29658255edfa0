//! Dispatch of the ConfigMap's keys (contract 1.2). Each key is compiled on its own; what fails is reported and, when there was a
//! good version before, replaced by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use echion_model::yaml::{self, Kind, Node, Note};
use echion_model::{Diagnostic, Environment, Secret, ServiceKind, nearest};
use echion_value::{Map, Type, Value};
use serde::de::DeserializeOwned;

use super::documents::Sources;
use super::{Config, ServiceEntry, secrets, version_of};
use crate::selector::Selector;
use crate::subscription::{Subscription, split_recipient};
use crate::template::Template;
use crate::trigger::Trigger;

pub(super) fn load(
    sources: &Sources,
    kinds: &[&'static ServiceKind],
    environment: &Environment,
    previous: Option<&Config>,
) -> Config {
    let secrets = sources.secret.iter().map(|(k, v)| (k.as_str().into(), Value::Bytes(Some(Arc::from(v.as_slice())))));
    let mut loader = Loader {
        config: Config {
            owner: if sources.self_service { sources.namespace.clone() } else { String::new() },
            secrets: Value::Map(Map::new(Type::BYTES, secrets.collect())),
            ..Config::default()
        },
        sources,
        kinds,
        environment,
        previous,
    };
    loader.read_legacy();
    for (key, text) in &sources.config_map {
        loader.key(key, text);
    }
    loader.apply_legacy();
    loader.check_references();
    // Two entries may lead to one finding, which is said once.
    let mut said = BTreeSet::new();
    loader.config.diagnostics.retain(|d| said.insert((d.key.clone(), d.line, d.column, d.message.clone())));
    loader.config
}

pub(super) struct Loader<'a> {
    pub(super) config: Config,
    pub(super) sources: &'a Sources,
    pub(super) kinds: &'a [&'static ServiceKind],
    environment: &'a Environment,
    pub(super) previous: Option<&'a Config>,
}

#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct SubscriptionSource {
    recipients: Vec<String>,
    triggers: Vec<String>,
    selector: String,
}

impl Loader<'_> {
    fn key(&mut self, key: &str, text: &str) {
        let result = match key.split_once('.') {
            Some(("template", name)) => self.template(key, name, text),
            Some(("trigger", name)) => self.trigger(key, name, text),
            Some(("service", rest)) => self.service(key, rest, text),
            Some(("defaultTriggers", name)) => self.list(key, text).map(|triggers| {
                self.config.service_default_triggers.insert(name.to_owned(), triggers);
            }),
            None if key == "subscriptions" => self.subscriptions(key, text),
            None if key == "defaultTriggers" => self.list(key, text).map(|list| self.config.default_triggers = list),
            None if key == "context" => self.context(key, text),
            // Argo CD Notifications ignores every other key, and other tools may have theirs in the same ConfigMap.
            _ => {
                self.note_misspelt(key);
                Ok(())
            }
        };
        if let Err(diagnostics) = result {
            let kept = self.keep_previous(key);
            self.config.diagnostics.extend(diagnostics.into_iter().map(|diagnostic| {
                let keep = kept && diagnostic.hint.is_empty();
                if keep {
                    diagnostic.hint("the last valid version stays in effect until this is fixed")
                } else {
                    diagnostic
                }
            }));
        }
    }

    /// Falls back to the version of this key that worked.
    fn keep_previous(&mut self, key: &str) -> bool {
        let Some(previous) = self.previous else { return false };
        let config = &mut self.config;
        match key.split_once('.') {
            Some(("template", name)) => copy(&previous.templates, &mut config.templates, name),
            Some(("trigger", name)) => copy(&previous.triggers, &mut config.triggers, name),
            Some(("service", rest)) => copy(&previous.services, &mut config.services, service_name(rest)),
            Some(("defaultTriggers", name)) => {
                copy(&previous.service_default_triggers, &mut config.service_default_triggers, name)
            }
            None if key == "subscriptions" => {
                config.subscriptions.clone_from(&previous.subscriptions);
                !previous.subscriptions.is_empty()
            }
            None if key == "defaultTriggers" => {
                config.default_triggers.clone_from(&previous.default_triggers);
                !previous.default_triggers.is_empty()
            }
            None if key == "context" => {
                config.context.clone_from(&previous.context);
                !previous.context.is_empty()
            }
            _ => false,
        }
    }

    /// A key that means nothing, but looks like one that does.
    fn note_misspelt(&mut self, key: &str) {
        let near = match key.split_once('.') {
            Some((prefix, rest)) => {
                let near = nearest(prefix, ["template", "trigger", "service", "defaultTriggers"]);
                near.map(|near| format!("{near}.{rest}"))
            }
            None => nearest(key, ["subscriptions", "defaultTriggers", "context"]).map(str::to_owned),
        };
        if let Some(near) = near {
            let diagnostic = Diagnostic::error(key, (1, 1), "this key means nothing").warning();
            self.config.diagnostics.push(diagnostic.hint(format!("did you mean `{near}`?")));
        }
    }

    fn template(&mut self, key: &str, name: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        if self.config.legacy.has_template(name) {
            return Ok(());
        }
        let node = self.read(key, text)?;
        let (template, warnings) = Template::compile(key, &node, self.kinds)?;
        let template = template.versioned(version_of([text.as_bytes()]));
        self.config.templates.insert(name.to_owned(), Arc::new(template));
        self.config.diagnostics.extend(warnings);
        Ok(())
    }

    fn trigger(&mut self, key: &str, name: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        let mut node = self.read(key, text)?;
        self.config.legacy.override_trigger(name, &mut node);
        self.compile_trigger(key, name, &node, text)
    }

    pub(super) fn compile_trigger(
        &mut self,
        key: &str,
        name: &str,
        node: &Node,
        text: &str,
    ) -> Result<(), Vec<Diagnostic>> {
        let (mut trigger, warnings) = Trigger::parse(key, node).map_err(|e| vec![e.into_diagnostic()])?;
        if let Some(previous) = self.previous.and_then(|config| config.triggers.get(name)) {
            trigger.follow(previous);
        }
        self.config.triggers.insert(name.to_owned(), Arc::new(trigger));
        self.config.diagnostics.extend(warnings.into_iter().map(|w| w.in_text(text)));
        Ok(())
    }

    fn service(&mut self, key: &str, rest: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        if rest.split('.').count() > 2 {
            let diagnostic = Diagnostic::error(key, (1, 1), "a service key has at most three parts")
                .hint("write `service.<type>` or `service.<type>.<name>`, the name without a dot");
            return Err(vec![diagnostic]);
        }
        let type_name = rest.split('.').next().unwrap_or_default();
        let name = service_name(rest);
        let kind = self.kind(key, type_name)?;
        let mut node = self.read(key, text)?;
        let mut found = secrets::Found::default();
        let mut values = Vec::new();
        node.rewrite(&mut |text| {
            let value = secrets::substitute(text, &self.sources.secret, &mut found);
            values.extend(value.clone());
            value
        });
        for name in found.missing {
            let message = format!("the Secret has no key `{name}`; `${name}` is used unchanged");
            let at = find(text, &format!("${name}"));
            self.config.diagnostics.push(Diagnostic::error(key, at, message).warning());
        }
        let mut entry = self.open(key, kind, name, &node, found.used)?;
        let parts = values.iter().map(String::as_bytes);
        entry.version = version_of([key.as_bytes(), text.as_bytes()].into_iter().chain(parts));
        if self.config.services.contains_key(name) {
            let message = format!("another key already configures a service called `{name}`");
            let hint = "give one of them another name: `service.<type>.<name>`";
            self.config.diagnostics.push(Diagnostic::error(key, (1, 1), message).hint(hint));
            return Ok(());
        }
        self.config.services.insert(name.to_owned(), entry);
        Ok(())
    }

    /// The service type of this name.
    pub(super) fn kind(&self, key: &str, type_name: &str) -> Result<&'static ServiceKind, Vec<Diagnostic>> {
        let known = |k: &&&'static ServiceKind| k.name == type_name || k.aliases.contains(&type_name);
        self.kinds.iter().find(known).copied().ok_or_else(|| {
            let names = self.kinds.iter().flat_map(|k| std::iter::once(k.name).chain(k.aliases.iter().copied()));
            let diagnostic = Diagnostic::error(key, (1, 1), format!("service type `{type_name}` is not supported"));
            vec![diagnostic.hint(nearest_hint(type_name, names, "type"))]
        })
    }

    /// Builds a service. The text of its options is never quoted: it may hold a secret.
    pub(super) fn open(
        &mut self,
        key: &str,
        kind: &'static ServiceKind,
        name: &str,
        options: &Node,
        secrets: Vec<Secret>,
    ) -> Result<ServiceEntry, Vec<Diagnostic>> {
        let environment = Environment { secrets, ..self.environment.clone() };
        let service = (kind.open)(name, options, &environment)
            .map_err(|error| vec![Diagnostic::error(key, error.at, error.message).hint(error.hint)])?;
        for remark in service.remarks() {
            self.config.diagnostics.push(Diagnostic::error(key, remark.at, remark.message).hint(remark.hint).warning());
        }
        Ok(ServiceEntry { kind, service, version: String::new() })
    }

    fn subscriptions(&mut self, key: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        let node = self.read(key, text)?;
        let entries: Vec<SubscriptionSource> = self.decode_node(key, &node, text)?;
        let warnings = numbers_for_names(&node);
        self.config.diagnostics.extend(warnings.iter().map(|note| refused_there(key, note).in_text(text)));
        self.subscribe(key, entries);
        Ok(())
    }

    pub(super) fn subscribe(&mut self, key: &str, entries: Vec<SubscriptionSource>) {
        let mut diagnostics = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            for recipient in entry.recipients.iter().filter(|recipient| recipient.matches(':').count() > 1) {
                let message = format!("recipient `{recipient}`: what follows the second colon is ignored");
                let hint = "name such a recipient in an annotation of the resource, or in the options of the service";
                let path = format!("{key}[{index}].recipients");
                diagnostics.push(Diagnostic::error(path, (1, 1), message).warning().hint(hint));
            }
            match Selector::parse(&entry.selector) {
                Ok(selector) => self.config.subscriptions.push(Subscription {
                    destinations: entry.recipients.iter().map(|r| split_recipient(r)).collect(),
                    triggers: entry.triggers,
                    selector,
                }),
                // One bad entry silences only itself.
                Err(error) => diagnostics.push(
                    Diagnostic::error(format!("{key}[{index}].selector"), (1, error.column), error.message)
                        .in_text(&entry.selector)
                        .hint("a label selector looks like `team=a,env in (prod,stage)`"),
                ),
            }
        }
        self.config.diagnostics.extend(diagnostics);
    }

    fn list(&mut self, key: &str, text: &str) -> Result<Vec<String>, Vec<Diagnostic>> {
        self.decode(key, text)
    }

    fn context(&mut self, key: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        self.config.context = self.decode::<BTreeMap<String, String>>(key, text)?;
        Ok(())
    }

    /// Reads the YAML of a key. What Argo CD Notifications would refuse is a warning: here it works.
    fn read(&mut self, key: &str, text: &str) -> Result<Node, Vec<Diagnostic>> {
        // Service options may hold secrets in clear text, so their lines are not shown.
        let shown = |diagnostic: Diagnostic| {
            if key.starts_with("service.") { diagnostic } else { diagnostic.in_text(text) }
        };
        let (node, notes) = yaml::parse_with_notes(text)
            .map_err(|error| vec![shown(Diagnostic::error(key, (error.line, error.column), error.message))])?;
        self.config.diagnostics.extend(notes.iter().map(|note| shown(refused_there(key, note))));
        Ok(node)
    }

    fn decode<T: DeserializeOwned>(&mut self, key: &str, text: &str) -> Result<T, Vec<Diagnostic>> {
        let node = self.read(key, text)?;
        self.decode_node(key, &node, text)
    }

    fn decode_node<T: DeserializeOwned>(&mut self, key: &str, node: &Node, text: &str) -> Result<T, Vec<Diagnostic>> {
        let decoded = node.decode::<T>().map_err(|error| {
            let inner = error.key.as_str();
            let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
            vec![Diagnostic::error(format!("{key}{dot}{inner}"), error.at, error.message).in_text(text)]
        })?;
        self.config.diagnostics.extend(decoded.unknown.into_iter().map(|(name, at)| {
            let near = nearest(&name, ["recipients", "triggers", "selector"]);
            let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
            Diagnostic::error(key, at, format!("unknown field `{name}`")).warning().in_text(text).hint(hint)
        }));
        Ok(decoded.value)
    }
}

/// Recipients and triggers of subscriptions that are no texts: elsewhere, numbers become texts where a text is wanted.
fn numbers_for_names(subscriptions: &Node) -> Vec<Note> {
    let entries = |node: &Node| match &node.kind {
        Kind::List(items) => items.clone(),
        _ => Vec::new(),
    };
    let lists = entries(subscriptions).into_iter().flat_map(|entry| entry.entries().to_vec());
    let names = lists.filter(|(key, _)| key.text().is_some_and(|key| matches!(key, "recipients" | "triggers")));
    let wrong = names.flat_map(|(_, list)| entries(&list)).filter(|name| !matches!(name.kind, Kind::Text { .. }));
    let note = |name: Node| Note {
        what: "a name that is no text",
        instead: "put it into quotes",
        line: name.line,
        column: name.column,
    };
    wrong.map(note).collect()
}

/// A warning about what works here and not with Argo CD Notifications.
pub(crate) fn refused_there(key: &str, note: &Note) -> Diagnostic {
    let message = format!("Argo CD Notifications refuses {}", note.what);
    Diagnostic::error(key, (note.line, note.column), message).warning().hint(note.instead)
}

pub(super) fn copy<T: Clone>(from: &BTreeMap<String, T>, to: &mut BTreeMap<String, T>, name: &str) -> bool {
    match from.get(name) {
        Some(value) => {
            to.insert(name.to_owned(), value.clone());
            true
        }
        None => false,
    }
}

pub(super) fn service_name(rest: &str) -> &str {
    rest.rsplit('.').next().unwrap_or(rest)
}

/// Where a name first occurs in a string.
pub(super) fn find(text: &str, name: &str) -> (u32, u32) {
    for (index, line) in text.lines().enumerate() {
        if let Some(at) = line.find(name) {
            let column = line.get(..at).unwrap_or_default().chars().count() + 1;
            return (u32::try_from(index + 1).unwrap_or(1), u32::try_from(column).unwrap_or(1));
        }
    }
    (1, 1)
}

pub(super) fn nearest_hint<'a>(name: &str, names: impl Iterator<Item = &'a str>, what: &str) -> String {
    let names: Vec<&str> = names.collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("configure a {what} of that name"),
        None => format!("the {what}s are {}", names.join(", ")),
    }
}
