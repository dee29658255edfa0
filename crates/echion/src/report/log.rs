//! What happens, told where people and machines look: the log, metrics, Events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use echion_delivery::Event;
use echion_engine::{Action, Config, Plan};
use echion_model::{Ledger as _, Outcome, ResourceId, Severity};
use echion_sources::kubernetes::{Events, Regarding, ResourceKind, is_forbidden};

use super::Shared;
use crate::setup;

/// Which kind of resource an object of a kind's name is.
pub(super) type Kinds = Arc<RwLock<BTreeMap<String, ResourceKind>>>;

/// Tells what happens during a term.
#[derive(Clone)]
pub(super) struct Report {
    shared: Arc<Shared>,
    events: Events,
    silent: Arc<AtomicBool>,
    kinds: Kinds,
}

impl Report {
    pub(super) fn new(shared: &Arc<Shared>, kinds: Kinds) -> Self {
        let events = Events::new(shared.client.clone(), &setup::host_name());
        Self { shared: Arc::clone(shared), events, silent: Arc::default(), kinds }
    }

    /// The API server could not be asked.
    pub(super) fn trouble(&self, what: &str, text: &str) {
        self.shared.metrics.api_error(what);
        tracing::warn!("{what}: {text}");
    }

    /// A configuration was compiled.
    pub(super) fn configured(&self, namespace: &str, config: &Config) {
        let errors = config.errors();
        self.shared.metrics.diagnostics(namespace, errors);
        tracing::info!(
            namespace,
            triggers = config.triggers.len(),
            templates = config.templates.len(),
            services = config.services.len(),
            errors,
            "configuration is in use"
        );
        let name = &self.shared.options.config_map;
        for diagnostic in &config.diagnostics {
            let text = format!("{diagnostic}");
            match diagnostic.severity {
                Severity::Error => tracing::error!(namespace, key = %diagnostic.key, hint = %diagnostic.hint, "{text}"),
                Severity::Warning => tracing::warn!(namespace, key = %diagnostic.key, hint = %diagnostic.hint, "{text}"),
            }
            let regarding = Regarding {
                api_version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: namespace.to_owned(),
                name: name.clone(),
                uid: String::new(),
            };
            let note = if diagnostic.hint.is_empty() { text } else { format!("{text}; {}", diagnostic.hint) };
            self.event(regarding, "ConfigurationFinding", note);
        }
    }

    /// A resource was looked at.
    pub(super) fn looked(&self, plan: &Plan) {
        let resource = plan.resource.to_string();
        let metrics = &self.shared.metrics;
        if let Some(reason) = &plan.skipped {
            metrics.looked("skipped");
            tracing::debug!(resource, "Processing skipped: {reason}");
            return;
        }
        metrics.looked("looked");
        for note in &plan.notes {
            tracing::warn!(resource, "{note}");
        }
        let mut asked = BTreeSet::new();
        for step in &plan.steps {
            let condition = format!("{}.{}", step.trigger, step.condition);
            let first = asked.insert(condition.clone());
            let triggered = matches!(step.action, Action::Send | Action::AlreadySent | Action::Failed(_));
            if first && !step.condition.is_empty() {
                metrics.evaluated(&step.trigger, triggered);
            }
            match &step.action {
                Action::Send => {
                    tracing::info!(
                        resource,
                        "Sending notification about condition '{condition}' to '{}'",
                        step.destination
                    );
                }
                Action::AlreadySent => {
                    tracing::debug!(
                        resource,
                        "Notification about condition '{condition}' already sent to '{}'",
                        step.destination
                    );
                }
                Action::Failed(reason) => {
                    metrics.looked("failed");
                    tracing::error!(resource, "Failed to notify '{}' about '{condition}': {reason}", step.destination);
                }
                Action::Unknown(reason) if first => {
                    tracing::warn!(resource, "Condition '{condition}' cannot be evaluated: {reason}");
                }
                Action::Unknown(_) | Action::Clear | Action::Nothing => {}
            }
        }
    }

    /// An attempt ended.
    pub(super) fn attempted(&self, event: &Event, ledger: &Arc<echion_delivery::SqlLedger>) {
        let (delivery, intent) = (&event.delivery, &event.delivery.intent);
        let (resource, to) = (delivery.resource.to_string(), &intent.destination);
        let condition = format!("{}.{}", intent.trigger, intent.condition);
        let age = setup::now().saturating_sub(delivery.created);
        self.shared.metrics.attempted(&intent.trigger, &to.service, &event.outcome, age);
        match &event.outcome {
            Outcome::Delivered(receipt) => {
                tracing::info!(resource, "Delivered '{condition}' to '{to}': {}", receipt.answer);
            }
            Outcome::Later { due, error } => {
                let seconds = (due - setup::now()).max(0) / 1000;
                tracing::warn!(resource, "Failed to notify '{to}': {}; again in {seconds} s", error.reason);
            }
            Outcome::Parked(error) => {
                tracing::error!(
                    resource,
                    delivery = %delivery.id,
                    hint = %error.fix,
                    "Parked '{condition}' to '{to}': {}",
                    error.reason
                );
                let note = format!("'{}' to '{to}' is parked: {}; {}", intent.trigger, error.reason, error.fix);
                let (report, ledger, id) = (self.clone(), Arc::clone(ledger), delivery.resource.clone());
                tokio::spawn(async move {
                    let uid = ledger.mirrored(&id).await.ok().flatten().map(|mirror| mirror.uid).unwrap_or_default();
                    report.about(&id, uid, "NotificationParked", note);
                });
            }
        }
    }

    /// An Event about a resource.
    fn about(&self, id: &ResourceId, uid: String, reason: &'static str, note: String) {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let Some(kind) = kinds.get(&id.kind) else { return };
        let group = if kind.group.is_empty() { String::new() } else { format!("{}/", kind.group) };
        let regarding = Regarding {
            api_version: format!("{group}{}", kind.version),
            kind: id.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            uid,
        };
        self.event(regarding, reason, note);
    }

    /// Publishes without waiting. Where Events are forbidden, that is said once.
    fn event(&self, regarding: Regarding, reason: &'static str, note: String) {
        if self.silent.load(Ordering::Relaxed) {
            return;
        }
        let report = self.clone();
        tokio::spawn(async move {
            match report.events.warn(&regarding, reason, &note).await {
                Ok(()) => {}
                Err(error) if is_forbidden(&error) => {
                    if !report.silent.swap(true, Ordering::Relaxed) {
                        tracing::warn!("no Events are published: {error}");
                    }
                }
                Err(error) => report.trouble("events", &error.to_string()),
            }
        });
    }
}
