//! Configuration from before services, templates and triggers had keys of their own (contract 1.9): `config.yaml` in the ConfigMap and
//! `notifiers.yaml` in the Secret. Each is one document and one unit of failure; what they say goes over what the other keys say.

use std::collections::BTreeMap;
use std::sync::Arc;

use echion_model::Diagnostic;
use echion_model::yaml::{self, Kind, Node};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::{Loader, SubscriptionSource, copy};
use super::{Config, version_of};
use crate::template::Template;

/// The key in the ConfigMap.
const CONFIG: &str = "config.yaml";

/// The key in the Secret.
const NOTIFIERS: &str = "notifiers.yaml";

/// The types that `notifiers.yaml` knows by name; `webhook` is a list next to them.
const SINGLE: [&str; 4] = ["email", "grafana", "opsgenie", "slack"];

/// What `config.yaml` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Legacy {
    text: String,
    triggers: Vec<LegacyTrigger>,
    /// As templates are written today.
    templates: Vec<(String, Node)>,
    context: BTreeMap<String, String>,
    subscriptions: Option<Vec<SubscriptionSource>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct LegacyTrigger {
    name: String,
    condition: String,
    description: String,
    template: String,
    enabled: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LegacyTemplate {
    name: String,
    subject: String,
    body: String,
}

impl Legacy {
    fn parse(text: &str) -> Result<Self, Diagnostic> {
        let node = yaml::parse(text)
            .map_err(|error| Diagnostic::error(CONFIG, (error.line, error.column), error.message).in_text(text))?;
        if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            let message = format!("expected a mapping, found {}", node.describe());
            return Err(Diagnostic::error(CONFIG, node.at(), message).in_text(text));
        }
        let mut legacy = Self { text: text.to_owned(), ..Self::default() };
        for (key, value) in node.entries() {
            match key.text().unwrap_or_default().to_ascii_lowercase().as_str() {
                "triggers" => legacy.triggers = decode("triggers", value, text)?,
                "context" => legacy.context = decode("context", value, text)?,
                "subscriptions" => legacy.subscriptions = decode("subscriptions", value, text)?,
                "templates" => {
                    // The other fields are those of any template: they are read when it is compiled.
                    let heads: Vec<LegacyTemplate> = decode("templates", value, text)?;
                    let Kind::List(items) = &value.kind else { continue };
                    let templates = heads.into_iter().zip(items);
                    legacy.templates = templates.map(|(head, item)| (head.name.clone(), head.modern(item))).collect();
                }
                _ => {}
            }
        }
        Ok(legacy)
    }

    /// Whether the template of this name comes from here.
    pub(super) fn has_template(&self, name: &str) -> bool {
        self.templates.iter().any(|(own, _)| own == name)
    }

    /// Puts what is said here about a trigger over its first condition.
    pub(super) fn override_trigger(&self, name: &str, trigger: &mut Node) {
        for legacy in self.triggers.iter().filter(|trigger| trigger.name == name) {
            legacy.put_over(trigger);
        }
    }

    /// The text in which subscriptions are found.
    pub(super) fn subscriptions_text(&self) -> Option<&str> {
        self.subscriptions.as_ref().map(|_| self.text.as_str())
    }

    /// Where a trigger that has no key of its own is found: its place, and the text.
    pub(super) fn place_of_trigger(&self, name: &str) -> (String, &str) {
        let index = self.triggers.iter().position(|trigger| trigger.name == name).unwrap_or_default();
        (format!("{CONFIG}.triggers[{index}]"), &self.text)
    }
}

impl LegacyTrigger {
    fn put_over(&self, trigger: &mut Node) {
        let at = trigger.at();
        if matches!(trigger.kind, Kind::Null) {
            trigger.kind = Kind::List(Vec::new());
        }
        let Kind::List(conditions) = &mut trigger.kind else { return };
        if conditions.is_empty() {
            conditions.push(node(Kind::Map(Vec::new()), at));
        }
        let Some(Node { kind: Kind::Map(fields), .. }) = conditions.first_mut() else { return };
        if !self.condition.is_empty() {
            put(fields, "when", text(&self.condition, at));
        }
        if !self.template.is_empty() {
            put(fields, "send", node(Kind::List(vec![text(&self.template, at)]), at));
        }
        if !self.description.is_empty() {
            put(fields, "description", text(&self.description, at));
        }
    }
}

impl LegacyTemplate {
    /// The template as it is written today.
    fn modern(&self, item: &Node) -> Node {
        let at = item.at();
        let own = |key: &Node| ["name", "subject", "body"].iter().any(|own| is(key, own));
        let mut fields: Vec<_> = item.entries().iter().filter(|(key, _)| !own(key)).cloned().collect();
        if !self.subject.is_empty() {
            let mut email = fields.iter().find(|(key, _)| is(key, "email")).map(|(_, v)| v.entries().to_vec());
            put(email.get_or_insert_default(), "subject", text(&self.subject, at));
            put(&mut fields, "email", node(Kind::Map(email.unwrap_or_default()), at));
        }
        if !self.body.is_empty() {
            put(&mut fields, "message", text(&self.body, at));
        }
        node(Kind::Map(fields), at)
    }
}

impl Loader<'_> {
    /// Reads `config.yaml`, which the other keys are compiled with; a document that does not work keeps its last good version.
    pub(super) fn read_legacy(&mut self) {
        let Some(text) = self.sources.config_map.get(CONFIG) else { return };
        self.deprecated(
            CONFIG,
            "move what it says to `trigger.<name>`, `template.<name>`, `context` and `subscriptions`",
        );
        match (Legacy::parse(text), self.previous) {
            (Ok(legacy), _) => self.config.legacy = Arc::new(legacy),
            (Err(diagnostic), Some(Config { legacy, .. })) if !legacy.text.is_empty() => {
                self.config.legacy = Arc::clone(legacy);
                self.config
                    .diagnostics
                    .push(diagnostic.hint("the last valid version stays in effect until this is fixed"));
            }
            (Err(diagnostic), _) => self.config.diagnostics.push(diagnostic),
        }
    }

    /// Puts the old documents over what the other keys say.
    pub(super) fn apply_legacy(&mut self) {
        let legacy = Arc::clone(&self.config.legacy);
        self.config.context.extend(legacy.context.clone());
        if let Some(entries) = &legacy.subscriptions {
            self.config.subscriptions.clear();
            self.subscribe(&format!("{CONFIG}.subscriptions"), entries.clone());
        }
        for (index, (name, node)) in legacy.templates.iter().enumerate() {
            match Template::compile(&format!("{CONFIG}.templates[{index}]"), node, self.kinds) {
                Ok((template, warnings)) => {
                    let text = self.sources.config_map.get(CONFIG).map_or("", String::as_str);
                    let template = template.versioned(version_of([text.as_bytes()]));
                    self.config.templates.insert(name.clone(), Arc::new(template));
                    self.config.diagnostics.extend(warnings);
                }
                Err(diagnostics) => {
                    let kept = self.previous.is_some_and(|old| copy(&old.templates, &mut self.config.templates, name));
                    self.config.diagnostics.extend(diagnostics.into_iter().map(|diagnostic| keeping(diagnostic, kept)));
                }
            }
        }
        for (index, trigger) in legacy.triggers.iter().enumerate() {
            let name = &trigger.name;
            let defaults = &mut self.config.default_triggers;
            if trigger.enabled && !defaults.contains(name) {
                defaults.push(name.clone());
            }
            if self.sources.config_map.contains_key(&format!("trigger.{name}"))
                || self.config.triggers.contains_key(name)
            {
                // It was compiled with the key that it overrides, or with an earlier entry of the same name.
                continue;
            }
            let mut node = node(Kind::Null, (1, 1));
            legacy.override_trigger(name, &mut node);
            if let Err(diagnostics) = self.compile_trigger(&format!("{CONFIG}.triggers[{index}]"), name, &node, "") {
                let kept = self.previous.is_some_and(|old| copy(&old.triggers, &mut self.config.triggers, name));
                self.config.diagnostics.extend(diagnostics.into_iter().map(|diagnostic| keeping(diagnostic, kept)));
            }
        }
        self.notifiers();
    }

    /// The services of `notifiers.yaml`. Nothing of its text is ever quoted: it holds secrets.
    fn notifiers(&mut self) {
        let Some(bytes) = self.sources.secret.get(NOTIFIERS) else { return };
        self.deprecated(NOTIFIERS, "move each service to a key `service.<type>.<name>` of the ConfigMap");
        let node = match yaml::parse(&String::from_utf8_lossy(bytes)) {
            Ok(node) if matches!(node.kind, Kind::Map(_) | Kind::Null) => node,
            Ok(node) => {
                let message = format!("expected a mapping, found {}", node.describe());
                return self.keep_notifiers(Diagnostic::error(NOTIFIERS, node.at(), message));
            }
            Err(error) => {
                return self.keep_notifiers(Diagnostic::error(NOTIFIERS, (error.line, error.column), error.message));
            }
        };
        for (key, options) in node.entries() {
            let written = key.text().unwrap_or_default().to_ascii_lowercase();
            let path = format!("{NOTIFIERS}.{written}");
            if matches!(options.kind, Kind::Null) {
            } else if SINGLE.contains(&written.as_str()) {
                self.notifier(&path, &written, &written, options);
            } else if written == "webhook" {
                let Kind::List(hooks) = &options.kind else {
                    let message = format!("expected a list, found {}", options.describe());
                    self.config.diagnostics.push(Diagnostic::error(path, options.at(), message));
                    continue;
                };
                for (index, hook) in hooks.iter().enumerate() {
                    let fields = hook.entries().iter();
                    let (named, rest): (Vec<_>, Vec<_>) = fields.cloned().partition(|(key, _)| is(key, "name"));
                    let name = named.first().and_then(|(_, name)| name.decode::<String>().ok()).map(|name| name.value);
                    let options = node_at(Kind::Map(rest), hook);
                    self.notifier(&format!("{path}[{index}]"), &written, &name.unwrap_or_default(), &options);
                }
            } else {
                let diagnostic =
                    Diagnostic::error(NOTIFIERS, key.at(), format!("no service of type `{written}` is allowed here"));
                let hint = format!("the types are {} and webhook; others have keys of their own", SINGLE.join(", "));
                self.config.diagnostics.push(diagnostic.warning().hint(hint));
            }
        }
    }

    /// One service of `notifiers.yaml`; when it does not work, its last valid version or the one of another key stays in effect.
    fn notifier(&mut self, path: &str, type_name: &str, name: &str, options: &Node) {
        self.config.notifiers.push(name.to_owned());
        let opened = self.kind(path, type_name).and_then(|kind| self.open(path, kind, name, options, Vec::new()));
        match opened {
            Ok(mut entry) => {
                entry.version = version_of(self.sources.secret.get(NOTIFIERS).map(Vec::as_slice));
                self.config.services.insert(name.to_owned(), entry);
            }
            Err(diagnostics) => {
                let kept = self.previous.is_some_and(|old| copy(&old.services, &mut self.config.services, name));
                self.config.diagnostics.extend(diagnostics.into_iter().map(|diagnostic| keeping(diagnostic, kept)));
            }
        }
    }

    /// The document cannot be read: its last valid version stays in effect.
    fn keep_notifiers(&mut self, diagnostic: Diagnostic) {
        let mut kept = false;
        if let Some(previous) = self.previous {
            for name in &previous.notifiers {
                kept |= copy(&previous.services, &mut self.config.services, name);
            }
            self.config.notifiers.clone_from(&previous.notifiers);
        }
        self.config.diagnostics.push(keeping(diagnostic, kept));
    }

    fn deprecated(&mut self, key: &str, hint: &str) {
        let diagnostic = Diagnostic::error(key, (1, 1), "this key is deprecated, but works");
        self.config.diagnostics.push(diagnostic.warning().hint(hint));
    }
}

fn keeping(diagnostic: Diagnostic, kept: bool) -> Diagnostic {
    let keep = kept && diagnostic.hint.is_empty();
    if keep { diagnostic.hint("the last valid version stays in effect until this is fixed") } else { diagnostic }
}

fn decode<T: DeserializeOwned>(field: &str, node: &Node, text: &str) -> Result<T, Diagnostic> {
    node.decode::<T>().map(|decoded| decoded.value).map_err(|error| {
        let dot = if error.key.is_empty() || error.key.starts_with('[') { "" } else { "." };
        Diagnostic::error(format!("{CONFIG}.{field}{dot}{}", error.key), error.at, error.message).in_text(text)
    })
}

/// Whether a key is this one, in Go's forgiving way.
fn is(key: &Node, name: &str) -> bool {
    key.text().is_some_and(|key| key.eq_ignore_ascii_case(name))
}

/// Sets a field, whatever it was before.
fn put(fields: &mut Vec<(Node, Node)>, name: &str, value: Node) {
    fields.retain(|(key, _)| !is(key, name));
    fields.push((text(name, value.at()), value));
}

fn node(kind: Kind, (line, column): (u32, u32)) -> Node {
    Node { kind, line, column }
}

fn node_at(kind: Kind, like: &Node) -> Node {
    node(kind, like.at())
}

fn text(text: &str, at: (u32, u32)) -> Node {
    node(Kind::Text { text: text.to_owned(), plain: false }, at)
}
