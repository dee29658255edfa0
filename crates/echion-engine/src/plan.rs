//! One evaluation of one resource: everything that is to be done about it, as a list that can be printed (contract 2.6, and what
//! `docs/compatibility.md` says we do better).

use std::collections::BTreeMap;

use echion_model::{Channel, Destination, Intent, Notification, Resource, ResourceId, RouteKey, State, StateChange};
use echion_value::{Map, Value};
use serde::Serialize;

use crate::config::Config;
use crate::freshness::{Freshness, freshness};
use crate::namespaces::Namespaces;
use crate::state::{NOTIFIED, decode_annotation, state_key};
use crate::subscription::{self, Destinations};
use crate::trigger::{Condition, Trigger};
use crate::variables::EvaluationContext;

/// What an evaluation needs besides the configuration.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its AppProject, if it has one that exists.
    pub project: Option<&'a Value>,
    /// What the ledger remembers of it; `None` when it has never seen it, and the annotation of Argo CD Notifications counts.
    pub state: Option<&'a State>,
    /// Somebody else has written the annotation since, so that its content counts as well as the state.
    pub foreign: bool,
    /// In which namespaces resources are evaluated.
    pub namespaces: &'a Namespaces,
    /// The clock, the repository and everything else that conditions and templates may ask.
    pub context: &'a EvaluationContext,
}

/// What is to be done about a resource.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Which resource.
    pub resource: ResourceId,
    /// Why it was not evaluated, if it was not.
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
    /// Who would be notified.
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
    /// It is to be notified but could not be rendered; the state stays as it is, so that nothing is lost.
    Failed(String),
    /// It is to be notified but a trigger, template or service is not configured: only another configuration can change that. The state
    /// stays as it is.
    Unconfigured(String),
}

impl Plan {
    fn of(resource: &Resource) -> Self {
        Plan {
            resource: resource.id.clone(),
            skipped: None,
            steps: Vec::new(),
            notes: Vec::new(),
            change: StateChange::default(),
            intents: Vec::new(),
        }
    }

    /// Whether evaluating the same again may come to something else: what could not be rendered.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Failed(_)))
    }

    /// Whether a condition could not be evaluated.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Unknown(_)))
    }

    /// Whether nothing follows from it, now or when it is recorded.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let quiet = |action: &Action| {
            matches!(action, Action::Nothing | Action::AlreadySent | Action::Unknown(_) | Action::Unconfigured(_))
        };
        self.steps.iter().all(|step| quiet(&step.action))
    }
}

/// Renders the templates of a recorded delivery anew, from the resource as it is now.
///
/// # Errors
/// The template and why.
pub fn render_again(config: &Config, inputs: Inputs<'_>, route: &RouteKey) -> Result<Notification, String> {
    let plan = Plan::of(inputs.resource);
    let (telling, _) = inputs.context.forgiving();
    let mut planner = Planner { config, inputs, telling, state: State::new(), plan, templates: BTreeMap::new() };
    planner.render(&route.templates, &route.destination).map_err(|action| match action {
        Action::Failed(reason) | Action::Unconfigured(reason) => reason,
        _ => String::new(),
    })
}

/// Evaluates a resource.
#[must_use]
pub fn evaluate(config: &Config, inputs: Inputs<'_>) -> Plan {
    let mut plan = Plan::of(inputs.resource);
    if !inputs.namespaces.contain(&inputs.resource.id.namespace) {
        let reason = "app is not in one of the application-namespaces, nor the notification controller namespace";
        plan.skipped = Some(reason.to_owned());
        return plan;
    }
    if freshness(&inputs.resource.object) == Freshness::OutOfDate {
        plan.skipped = Some("sync status out of date".to_owned());
        return plan;
    }
    let mut imported = State::new();
    if inputs.state.is_none() || inputs.foreign {
        imported = inputs.resource.annotation(NOTIFIED).map(|text| decode_annotation(&text)).unwrap_or_default();
    }
    let mut state = imported.clone();
    state.extend(inputs.state.into_iter().flatten().map(|(key, since)| (key.clone(), *since)));
    imported.retain(|key, _| inputs.state.is_none_or(|known| !known.contains_key(key)));
    let Destinations { by_trigger, notes } = subscription::destinations(config, inputs.resource, inputs.project);
    plan.notes = notes;
    if by_trigger.is_empty() {
        return plan;
    }
    plan.change.set = imported;
    let (telling, forgiving) = inputs.context.forgiving();
    let mut planner = Planner { config, inputs, telling, state, plan, templates: BTreeMap::new() };
    let variables = inputs.context.trigger_variables(config, inputs.resource, inputs.project);
    for (trigger, destinations) in &by_trigger {
        planner.trigger(trigger, destinations, &variables);
    }
    let reasons = forgiving.take_reasons().into_iter();
    planner.plan.notes.extend(reasons.map(|reason| format!("{reason}; templates go without")));
    planner.plan
}

/// The triggers that somebody has subscribed to for a resource.
#[must_use]
pub fn subscribed_triggers(config: &Config, resource: &Resource, project: Option<&Value>) -> Vec<String> {
    subscription::destinations(config, resource, project).by_trigger.into_keys().collect()
}

struct Planner<'a> {
    config: &'a Config,
    inputs: Inputs<'a>,
    /// The context for templates.
    telling: EvaluationContext,
    state: State,
    plan: Plan,
    /// Variables of templates by service: the same for all its recipients but for one entry.
    templates: BTreeMap<String, Map>,
}

impl Planner<'_> {
    fn trigger(&mut self, name: &str, destinations: &[Destination], variables: &Map) {
        self.inputs.context.begins(name);
        let Some(trigger) = self.config.triggers.get(name).cloned() else {
            for destination in destinations {
                let reason = format!("no trigger `{name}` is configured");
                self.step(name, "", destination, String::new(), Action::Unconfigured(reason));
            }
            return;
        };
        for condition in &trigger.conditions {
            let evaluation = self.inputs.context.evaluate(condition, variables);
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
                            // The destination was notified of it; only the words of the condition are new.
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
        match self.render(&condition.send, destination) {
            Err(action) => action,
            Ok(notification) => {
                self.plan.change.set.insert(key.to_owned(), self.inputs.context.now_seconds());
                self.plan.intents.push(Intent {
                    trigger: trigger.to_owned(),
                    condition: condition.key.clone(),
                    owner: self.config.owner.clone(),
                    state_key: key.to_owned(),
                    templates: condition.send.clone(),
                    destination: destination.clone(),
                    channel: self.channel(condition, destination),
                    notification,
                });
                Action::Send
            }
        }
    }

    /// The channel that leads to a destination; empty when there is no such service, which rendering has found by now.
    fn channel(&self, condition: &Condition, destination: &Destination) -> String {
        let key = RouteKey {
            owner: self.config.owner.clone(),
            destination: destination.clone(),
            templates: condition.send.clone(),
        };
        let entry = self.config.services.get(&destination.service);
        entry.map(|entry| Channel::of(&*entry.service, &key).name).unwrap_or_default()
    }

    fn render(&mut self, templates: &[String], destination: &Destination) -> Result<Notification, Action> {
        let Some(entry) = self.config.services.get(&destination.service) else {
            return Err(Action::Unconfigured(format!("no service `{}` is configured", destination.service)));
        };
        let context = &self.telling;
        let base = self.templates.entry(destination.service.clone()).or_insert_with(|| {
            context.template_variables(self.config, self.inputs.resource, self.inputs.project, &destination.service)
        });
        let variables = Value::Map(context.with_recipient(base, &destination.recipient));
        let context = context.render_context(&variables);
        let mut notification = Notification::default();
        for name in templates {
            let Some(template) = self.config.templates.get(name) else {
                return Err(Action::Unconfigured(format!("no template `{name}` is configured")));
            };
            template
                .render_into(&mut notification, entry.kind, &destination.service, &context)
                .map_err(|error| Action::Failed(format!("template `{name}`: {error}")))?;
            for diagnostic in template.diagnostics(name, &notification, (&destination.service, entry), &context) {
                let note = diagnostic.to_string();
                // Every recipient of the service gives the same.
                if !self.plan.notes.contains(&note) {
                    self.plan.notes.push(note);
                }
            }
        }
        Ok(notification)
    }
}
