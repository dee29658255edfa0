//! The controller's log, metrics and Events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use echion_console::{Health, Metrics};
use echion_delivery::Attempted;
use echion_runtime::engine::{Action, Config};
use echion_runtime::model::{Counts, Diagnostic, LedgerError, Outcome, ResourceId, Severity, SourceError};
use echion_runtime::{Evaluated, Reporter};
use echion_sources::kubernetes::{Client, Events, Kinds, Regarding, is_forbidden};

use crate::setup;

/// Reports where operators and machines look.
#[derive(Clone)]
pub(crate) struct LogReporter {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    events: Events,
    /// Events are forbidden, which was logged.
    silent: Arc<AtomicBool>,
    kinds: Kinds,
    home: String,
    config_map: String,
}

impl LogReporter {
    /// A reporter of a controller in a namespace, whose configuration is in the ConfigMap of this name.
    pub(crate) fn new(client: Client, home: &str, config_map: &str, kinds: &Kinds) -> Self {
        Self {
            metrics: Arc::default(),
            health: Arc::default(),
            events: Events::new(client, &setup::host_name()),
            silent: Arc::default(),
            kinds: kinds.clone(),
            home: home.to_owned(),
            config_map: config_map.to_owned(),
        }
    }

    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    pub(crate) fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// This replica leads, or no longer.
    pub(crate) fn leads(&self, leads: bool) {
        self.metrics.leads(leads);
        if leads {
            self.health.waits_for("the ConfigMap, the Secret, the AppProjects and the first list of resources");
        }
    }

    /// A replica that waits for its turn is ready to take over.
    pub(crate) fn stands_by(&self) {
        self.health.ready();
        self.health.beat(0);
    }

    fn failed(&self, what: &str, text: &str) {
        self.metrics.api_error(what);
        tracing::warn!("{what}: {text}");
    }

    fn diagnostic(&self, namespace: &str, diagnostic: &Diagnostic) {
        let text = diagnostic.to_string();
        match diagnostic.severity {
            Severity::Error => tracing::error!(namespace, key = %diagnostic.key, hint = %diagnostic.hint, "{text}"),
            Severity::Warning => tracing::warn!(namespace, key = %diagnostic.key, hint = %diagnostic.hint, "{text}"),
        }
        let regarding = Regarding {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: namespace.to_owned(),
            name: self.config_map.clone(),
            uid: String::new(),
        };
        let note = if diagnostic.hint.is_empty() { text } else { format!("{text}; {}", diagnostic.hint) };
        self.event(regarding, "ConfigurationFinding", note);
    }

    /// An Event about a resource.
    fn about(&self, id: &ResourceId, uid: &str, reason: &'static str, note: String) {
        let Some(kind) = self.kinds.get(id) else { return };
        let regarding = Regarding {
            api_version: kind.api_version(),
            kind: id.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            uid: uid.to_owned(),
        };
        self.event(regarding, reason, note);
    }

    /// Publishes without waiting. Where Events are forbidden, that is logged once.
    fn event(&self, regarding: Regarding, reason: &'static str, note: String) {
        if self.silent.load(Ordering::Relaxed) {
            return;
        }
        let reporter = self.clone();
        tokio::spawn(async move {
            match reporter.events.warn(&regarding, reason, &note).await {
                Ok(()) => {}
                Err(error) if is_forbidden(&error) => {
                    if !reporter.silent.swap(true, Ordering::Relaxed) {
                        tracing::warn!("no Events are published: {error}");
                    }
                }
                Err(error) => reporter.failed("events", &error.to_string()),
            }
        });
    }
}

impl Reporter for LogReporter {
    fn configured(&self, namespace: &str, config: &Arc<Config>) {
        let errors = config.errors();
        self.metrics.diagnostics(namespace, errors);
        let (triggers, templates, services) = (config.triggers.len(), config.templates.len(), config.services.len());
        tracing::info!(namespace, triggers, templates, services, errors, "configuration is in use");
        if namespace == self.home && triggers == 0 {
            let config_map = &self.config_map;
            tracing::warn!(namespace, "no trigger is configured in the ConfigMap {config_map}: nothing will be sent");
        }
        config.diagnostics.iter().for_each(|diagnostic| self.diagnostic(namespace, diagnostic));
    }

    fn configuration_failed(&self, text: &str) {
        self.failed("configuration", text);
    }

    fn revived(&self, count: u64) {
        tracing::info!(count, "parked deliveries are retried: the configuration has changed");
    }

    fn evaluated(&self, evaluated: &Evaluated<'_>) {
        let plan = evaluated.plan;
        let resource = plan.resource.to_string();
        let metrics = &self.metrics;
        if let Some(reason) = &plan.skipped {
            metrics.evaluation("skipped");
            tracing::debug!(resource, "Processing skipped: {reason}");
            return;
        }
        metrics.evaluation("evaluated");
        for note in &plan.notes {
            tracing::warn!(resource, "{note}");
        }
        let mut evaluated = BTreeSet::new();
        for step in &plan.steps {
            let (to, condition) = (&step.destination, format!("{}.{}", step.trigger, step.condition));
            let first = evaluated.insert(condition.clone());
            let triggered =
                matches!(step.action, Action::Send | Action::AlreadySent | Action::Failed(_) | Action::Unconfigured(_));
            if first && !step.condition.is_empty() {
                metrics.evaluated(&step.trigger, triggered);
            }
            match &step.action {
                Action::Send => {
                    tracing::info!(resource, "Sending notification about condition '{condition}' to '{to}'");
                }
                Action::AlreadySent => {
                    tracing::debug!(resource, "Notification about condition '{condition}' already sent to '{to}'");
                }
                Action::Failed(reason) | Action::Unconfigured(reason) => {
                    metrics.evaluation("failed");
                    tracing::error!(resource, "Failed to notify '{to}' about '{condition}': {reason}");
                }
                Action::Unknown(reason) if first => {
                    tracing::warn!(resource, "Condition '{condition}' cannot be evaluated: {reason}");
                }
                Action::Unknown(_) | Action::Clear | Action::Nothing => {}
            }
        }
    }

    fn unchanged(&self, _: &ResourceId) {
        self.metrics.evaluation("unchanged");
    }

    fn listed(&self, resources: usize) {
        self.health.ready();
        self.metrics.resources(resources);
        tracing::info!(resources, "all resources are listed");
    }

    fn source_failed(&self, source: &str, error: &SourceError) {
        self.failed(source, &error.text);
        if error.refused {
            self.health.waits_for(&format!("the right to list {source}, or for their kind to exist"));
        }
    }

    fn repository_failed(&self) {
        self.metrics.api_error("repo-server");
    }

    fn attempted(&self, attempted: &Attempted) {
        let (delivery, intent) = (&attempted.delivery, &attempted.delivery.intent);
        let (resource, to) = (delivery.resource.to_string(), &intent.destination);
        let condition = format!("{}.{}", intent.trigger, intent.condition);
        let age = setup::now().saturating_sub(delivery.created);
        self.metrics.attempted(&intent.trigger, &to.service, &attempted.outcome, age);
        if attempted.possible_duplicate {
            self.metrics.possible_duplicate(&to.service);
        }
        match &attempted.outcome {
            Outcome::Delivered(receipt) => {
                tracing::info!(resource, "Delivered '{condition}' to '{to}': {}", receipt.answer);
            }
            Outcome::Retry { due, error } => {
                let seconds = (due - setup::now()).max(0) / 1000;
                tracing::warn!(resource, "Failed to notify '{to}': {}; again in {seconds} s", error.reason);
            }
            Outcome::Parked { due, error } => {
                let again = due.map(|due| format!("; again in {} s", (due - setup::now()).max(0) / 1000));
                tracing::error!(
                    resource,
                    delivery = %delivery.id,
                    hint = %error.hint,
                    "Parked '{condition}' to '{to}': {}{}",
                    error.reason,
                    again.unwrap_or_default()
                );
                // What a server has answered is the controller's knowledge; to a tenant it could show the controller's network.
                let reason = if intent.owner.is_empty() { &error.reason } else { error.kind.class() };
                let note = format!("'{}' to '{to}' is parked: {reason}; {}", intent.trigger, error.hint);
                self.about(&delivery.resource, &delivery.uid, "NotificationParked", note);
            }
        }
    }

    fn ledger_failed(&self, error: &LedgerError) {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(cause, "cannot {error}; trying again");
    }

    fn annotation_failed(&self, text: &str) {
        self.failed("annotation", text);
    }

    fn beat(&self, now: i64) {
        self.health.beat(now);
    }

    fn gauges(&self, counts: Counts, resources: usize) {
        self.metrics.queued(counts);
        self.metrics.resources(resources);
    }
}
