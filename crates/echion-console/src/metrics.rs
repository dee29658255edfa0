//! Metrics: the two of Argo CD Notifications under their names (contract 2.7), and our own under `echion_`.

use std::fmt;

use echion_model::{Counts, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    trigger: String,
    service: String,
    succeeded: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EvaluationLabels {
    name: String,
    triggered: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    service: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DiagnosticLabels {
    namespace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhatLabels {
    what: String,
}

/// What is counted. No resource is a label, so the number of series does not grow with the cluster.
pub struct Metrics {
    registry: Registry,
    deliveries: Family<DeliveryLabels, Counter>,
    evaluations: Family<EvaluationLabels, Counter>,
    outcomes: Family<OutcomeLabels, Counter>,
    possible_duplicates: Family<ServiceLabels, Counter>,
    delay: Histogram,
    pending: Gauge,
    parked: Gauge,
    diagnostics: Family<DiagnosticLabels, Gauge>,
    api_errors: Family<WhatLabels, Counter>,
    evaluated: Family<WhatLabels, Counter>,
    resources: Gauge,
    leader: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0];
        let mut metrics = Self {
            registry: Registry::default(),
            deliveries: Family::default(),
            evaluations: Family::default(),
            outcomes: Family::default(),
            possible_duplicates: Family::default(),
            delay: Histogram::new(seconds),
            pending: Gauge::default(),
            parked: Gauge::default(),
            diagnostics: Family::default(),
            api_errors: Family::default(),
            evaluated: Family::default(),
            resources: Gauge::default(),
            leader: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        // The encoder appends `_total` to counters, and a full stop to every help text.
        r.register("argocd_notifications_deliveries", "Number of delivered notifications", self.deliveries.clone());
        r.register("argocd_notifications_trigger_eval", "Number of trigger evaluations", self.evaluations.clone());
        r.register("echion_attempts", "Attempts to deliver, by what came of them", self.outcomes.clone());
        r.register(
            "echion_possible_duplicates",
            "Attempts after one whose fate is not known, where the vendor cannot recognise the same message",
            self.possible_duplicates.clone(),
        );
        r.register("echion_delivery_delay_seconds", "From decision to delivery", self.delay.clone());
        r.register("echion_queue_depth", "Deliveries that wait for an attempt", self.pending.clone());
        r.register("echion_parked", "Deliveries that somebody must act on", self.parked.clone());
        r.register("echion_config_diagnostics", "Keys of the configuration that do not work", self.diagnostics.clone());
        r.register("echion_api_errors", "Requests that the API server did not serve", self.api_errors.clone());
        r.register("echion_evaluations", "Evaluations of resources, by what they led to", self.evaluated.clone());
        r.register("echion_resources", "Resources under observation", self.resources.clone());
        r.register("echion_leader", "1 while this replica delivers", self.leader.clone());
    }

    /// A condition was asked.
    pub fn evaluated(&self, trigger: &str, triggered: bool) {
        let labels = EvaluationLabels { name: trigger.to_owned(), triggered: triggered.to_string() };
        self.evaluations.get_or_create(&labels).inc();
    }

    /// An attempt began that may double a message.
    pub fn possible_duplicate(&self, service: &str) {
        self.possible_duplicates.get_or_create(&ServiceLabels { service: service.to_owned() }).inc();
    }

    /// An attempt ended. `age` is the time since the decision, in milliseconds.
    pub fn attempted(&self, trigger: &str, service: &str, outcome: &Outcome, age: i64) {
        let delivered = matches!(outcome, Outcome::Delivered(_));
        let (trigger, name) = (trigger.to_owned(), service.to_owned());
        let labels = DeliveryLabels { trigger, service: name.clone(), succeeded: delivered.to_string() };
        self.deliveries.get_or_create(&labels).inc();
        self.outcomes.get_or_create(&OutcomeLabels { service: name, outcome: outcome.class().to_owned() }).inc();
        if delivered {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of years fit")]
            self.delay.observe(age.max(0) as f64 / 1000.0);
        }
    }

    /// How many deliveries wait.
    pub fn queued(&self, counts: Counts) {
        self.pending.set(i64::try_from(counts.pending).unwrap_or(i64::MAX));
        self.parked.set(i64::try_from(counts.parked).unwrap_or(i64::MAX));
    }

    /// How many keys of a namespace's configuration do not work.
    pub fn diagnostics(&self, namespace: &str, count: usize) {
        let labels = DiagnosticLabels { namespace: namespace.to_owned() };
        self.diagnostics.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The API server did not serve a request.
    pub fn api_error(&self, what: &str) {
        self.api_errors.get_or_create(&WhatLabels { what: what.to_owned() }).inc();
    }

    /// A resource was evaluated, or not: `evaluated`, `unchanged`, `skipped`, `failed`.
    pub fn evaluation(&self, what: &str) {
        self.evaluated.get_or_create(&WhatLabels { what: what.to_owned() }).inc();
    }

    /// How many resources are under observation.
    pub fn resources(&self, count: usize) {
        self.resources.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether this replica delivers.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use echion_model::Receipt;

    use super::*;

    /// Contract 2.7.
    #[test]
    fn the_metrics_of_argo_cd_notifications_have_its_names_and_labels() {
        let metrics = Metrics::default();
        metrics.evaluated("on-deployed", true);
        metrics.attempted("on-deployed", "slack", &Outcome::Delivered(Receipt::default()), 30);
        let text = metrics.text();
        for line in [
            r#"argocd_notifications_deliveries_total{trigger="on-deployed",service="slack",succeeded="true"} 1"#,
            r#"argocd_notifications_trigger_eval_total{name="on-deployed",triggered="true"} 1"#,
            "# HELP argocd_notifications_deliveries Number of delivered notifications.",
            r#"echion_delivery_delay_seconds_bucket{le="0.05"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
