//! One look at one resource: everything that is to be done about it, as a list that can be printed (contract 2.6, and what
//! `docs/compatibility.md` says we do better).

use std::collections::BTreeMap;

use echion_model::{Destination, Intent, Notification, Resource, ResourceId, State, StateChange};
use echion_value::{Map, Value};
use serde::Serialize;

use crate::config::Config;
use crate::freshness::{Freshness, freshness};
use crate::namespaces::Namespaces;
use crate::state::{NOTIFIED, decode_annotation, state_key};
use crate::subscription::{self, Destinations};
use crate::trigger::{Condition, Trigger};
use crate::variables::Scene;

/// What a look needs beside the configuration.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its AppProject, if it has one that exists.
    pub project: Option<&'a Value>,
    /// What the ledger remembers of it; `None` when it has never seen it, and the peer's annotation counts.
    pub state: Option<&'a State>,
    /// Somebody else has written the annotation since, so that what it says counts beside the state.
    pub foreign: bool,
    /// In which namespaces resources are looked at.
    pub namespaces: &'a Namespaces,
    /// The clock, the repository and everything else that conditions and templates may ask.
    pub scene: &'a Scene,
}

/// What is to be done about a resource.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Which resource.
    pub resource: ResourceId,
    /// Why it was not looked at, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Every condition for every destination, and what follows from it.
    pub steps: Vec<Step>,
    /// Things worth knowing that belong to no step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What changes in the state; recorded together with the intents.
    #[serde(skip)]
    pub change: StateChange,
    /// What is to be delivered.
    #[serde(skip)]
    pub intents: Vec<Intent>,
}

/// One condition for one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The trigger.
    pub trigger: String,
    /// The condition in it; empty when the trigger is not configured.
    pub condition: String,
    /// Who would hear it.
    pub destination: Destination,
    /// Where it is remembered; empty when that is not known.
    pub state_key: String,
    /// What follows.
    pub action: Action,
}

/// What follows from a condition for a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "do", content = "because")]
pub enum Action {
    /// It is to be delivered.
    Send,
    /// It was delivered, or is on its way, already.
    AlreadySent,
    /// The condition is false, and was true before: the next time counts again.
    Clear,
    /// The condition is false.
    Nothing,
    /// The condition could not be evaluated, so nothing is known; the state stays as it is.
    Unknown(String),
    /// It is to be told but cannot be; the state stays as it is, so that nothing is lost.
    Failed(String),
}

/// Looks at a resource.
#[must_use]
pub fn look(config: &Config, look: Look<'_>) -> Plan {
    let mut plan = Plan {
        resource: look.resource.id.clone(),
        skipped: None,
        steps: Vec::new(),
        notes: Vec::new(),
        change: StateChange::default(),
        intents: Vec::new(),
    };
    if !look.namespaces.contain(&look.resource.id.namespace) {
        let reason = "app is not in one of the application-namespaces, nor the notification controller namespace";
        plan.skipped = Some(reason.to_owned());
        return plan;
    }
    if freshness(&look.resource.object) == Freshness::OutOfDate {
        plan.skipped = Some("sync status out of date".to_owned());
        return plan;
    }
    let mut imported = State::new();
    if look.state.is_none() || look.foreign {
        imported = look.resource.annotation(NOTIFIED).map(|text| decode_annotation(&text)).unwrap_or_default();
    }
    let mut state = imported.clone();
    state.extend(look.state.into_iter().flatten().map(|(key, since)| (key.clone(), *since)));
    imported.retain(|key, _| look.state.is_none_or(|known| !known.contains_key(key)));
    let Destinations { by_trigger, notes } = subscription::destinations(config, look.resource, look.project);
    plan.notes = notes;
    if by_trigger.is_empty() {
        return plan;
    }
    plan.change.set = imported;
    let mut planner = Planner { config, look, state, plan, templates: BTreeMap::new() };
    let variables = look.scene.trigger_variables(config, look.resource, look.project);
    for (trigger, destinations) in &by_trigger {
        planner.trigger(trigger, destinations, &variables);
    }
    planner.plan
}

struct Planner<'a> {
    config: &'a Config,
    look: Look<'a>,
    state: State,
    plan: Plan,
    /// Variables of templates by service: the same for all its recipients but for one entry.
    templates: BTreeMap<String, Map>,
}

impl Planner<'_> {
    fn trigger(&mut self, name: &str, destinations: &[Destination], variables: &Map) {
        let Some(trigger) = self.config.triggers.get(name).cloned() else {
            for destination in destinations {
                let reason = format!("no trigger `{name}` is configured");
                self.step(name, "", destination, String::new(), Action::Failed(reason));
            }
            return;
        };
        for condition in &trigger.conditions {
            let evaluation = self.look.scene.evaluate(condition, variables);
            for destination in destinations {
                let owner = self.config.owner.as_str();
                let plain = || state_key("", owner, name, &condition.key, destination);
                let (key, action) = match (&evaluation.when, &evaluation.once_per) {
                    (Err(error), _) => (plain(), Action::Unknown(error.clone())),
                    (Ok(true), Err(error)) => (String::new(), Action::Failed(format!("`oncePer` failed: {error}"))),
                    (Ok(true), Ok(once_per)) => {
                        let key = state_key(once_per, owner, name, &condition.key, destination);
                        let action = if self.state.contains_key(&key) {
                            Action::AlreadySent
                        } else if let Some((old, since)) = self.before_an_edit(&trigger, condition, &key) {
                            // The destination has heard of it; only the words of the condition are new.
                            self.plan.change.set.remove(&old);
                            self.plan.change.clear.push(old);
                            self.plan.change.set.insert(key.clone(), since);
                            Action::AlreadySent
                        } else {
                            self.intend(name, condition, destination, &key)
                        };
                        (key, action)
                    }
                    (Ok(false), _) => {
                        let key = plain();
                        if self.state.contains_key(&key) {
                            self.plan.change.set.remove(&key);
                            self.plan.change.clear.push(key.clone());
                            (key, Action::Clear)
                        } else {
                            (key, Action::Nothing)
                        }
                    }
                };
                self.step(name, &condition.key, destination, key, action);
            }
        }
    }

    /// The state key that this condition had before its `when` was edited, or before it moved in the list.
    fn before_an_edit(&self, trigger: &Trigger, condition: &Condition, key: &str) -> Option<(String, i64)> {
        let (before, after) = key.split_once(condition.key.as_str())?;
        trigger.former(&condition.key).find_map(|former| {
            let key = format!("{before}{former}{after}");
            self.state.get(&key).map(|since| (key, *since))
        })
    }

    fn step(&mut self, trigger: &str, condition: &str, to: &Destination, state_key: String, action: Action) {
        self.plan.steps.push(Step {
            trigger: trigger.to_owned(),
            condition: condition.to_owned(),
            destination: to.clone(),
            state_key,
            action,
        });
    }

    fn intend(&mut self, trigger: &str, condition: &Condition, destination: &Destination, key: &str) -> Action {
        match self.render(condition, destination) {
            Err(reason) => Action::Failed(reason),
            Ok(notification) => {
                self.plan.change.set.insert(key.to_owned(), self.look.scene.now_seconds());
                self.plan.intents.push(Intent {
                    trigger: trigger.to_owned(),
                    condition: condition.key.clone(),
                    owner: self.config.owner.clone(),
                    state_key: key.to_owned(),
                    templates: condition.send.clone(),
                    destination: destination.clone(),
                    notification,
                });
                Action::Send
            }
        }
    }

    fn render(&mut self, condition: &Condition, destination: &Destination) -> Result<Notification, String> {
        let Some(entry) = self.config.services.get(&destination.service) else {
            return Err(format!("no service `{}` is configured", destination.service));
        };
        let scene = self.look.scene;
        let base = self.templates.entry(destination.service.clone()).or_insert_with(|| {
            scene.template_variables(self.config, self.look.resource, self.look.project, &destination.service)
        });
        let variables = Value::Map(scene.with_recipient(base, &destination.recipient));
        let context = scene.render_context(&variables);
        let mut notification = Notification::default();
        for name in &condition.send {
            let Some(template) = self.config.templates.get(name) else {
                return Err(format!("no template `{name}` is configured"));
            };
            template
                .render_into(&mut notification, entry.kind, &destination.service, &context)
                .map_err(|error| format!("template `{name}`: {error}"))?;
            for finding in template.findings(name, &notification, (&destination.service, entry), &context) {
                let note = finding.to_string();
                // Every recipient of the service gives the same.
                if !self.plan.notes.contains(&note) {
                    self.plan.notes.push(note);
                }
            }
        }
        Ok(notification)
    }
}
