//! Metrics: the two of Argo CD Notifications under their names (contract 2.7), and our own under `echion_`.

use std::fmt;

use echion_model::{Counts, Outcome};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The buckets of delays, in seconds.
const DELAYS: [f64; 15] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0];

/// A metric as it is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricHelp {
    /// As it is scraped.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// Metrics of one name, one for each set of labels.
struct Labelled<M, const N: usize> {
    names: [&'static str; N],
    family: Family<Vec<(&'static str, String)>, M>,
}

impl<M: Default + Clone, const N: usize> Labelled<M, N> {
    fn with(&self, values: [&str; N]) -> M {
        let labels = self.names.into_iter().zip(values.map(str::to_owned)).collect();
        self.family.get_or_create(&labels).clone()
    }
}

/// Declares the metrics, once: what they are called, count and are labelled with. From it follow the fields, what is registered, and the
/// table in the docs.
macro_rules! metrics {
    ($($field:ident: $type:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        /// What is counted. No resource is a label, so the number of series does not grow with the cluster.
        pub struct Metrics {
            registry: Registry,
            $($field: metrics!(@type $type [$($label),*]),)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut registry = Registry::default();
                $(
                    let $field = metrics!(@new $type [$($label),*]);
                    // The encoder appends `_total` to counters, and a full stop to every help text.
                    let name = $name.strip_suffix("_total").unwrap_or($name);
                    registry.register(name, $help, metrics!(@metric $field [$($label),*]));
                )*
                Self { registry, $($field),* }
            }
        }

        impl Metrics {
            /// Every metric, in the order of the docs.
            pub const ALL: &'static [MetricHelp] = &[$(MetricHelp {
                name: $name, kind: stringify!($type), labels: &[$($label),*], help: $help,
            }),*];
        }
    };
    (@kind counter) => { Counter };
    (@kind gauge) => { Gauge };
    (@kind histogram) => { Histogram };
    (@type $type:ident []) => { metrics!(@kind $type) };
    (@type $type:ident [$($label:literal),+]) => { Labelled<metrics!(@kind $type), { [$($label),+].len() }> };
    (@new histogram []) => { Histogram::new(DELAYS) };
    (@new $type:ident []) => { <metrics!(@kind $type)>::default() };
    (@new $type:ident [$($label:literal),+]) => { Labelled { names: [$($label),+], family: Family::default() } };
    (@metric $field:ident []) => { $field.clone() };
    (@metric $field:ident [$($label:literal),+]) => { $field.family.clone() };
}

metrics! {
    deliveries: counter "argocd_notifications_deliveries_total" ["trigger", "service", "succeeded"] "Number of delivered notifications";
    triggers: counter "argocd_notifications_trigger_eval_total" ["name", "triggered"] "Number of trigger evaluations";
    outcomes: counter "echion_attempts_total" ["service", "outcome"] "Attempts to deliver, by what came of them";
    possible_duplicates: counter "echion_possible_duplicates_total" ["service"]
        "Attempts after one whose fate is not known, where the vendor cannot recognise the same message";
    delay: histogram "echion_delivery_delay_seconds" [] "From decision to delivery";
    pending: gauge "echion_queue_depth" [] "Deliveries that wait for an attempt";
    parked: gauge "echion_parked" [] "Deliveries that somebody must act on";
    diagnostics: gauge "echion_config_diagnostics" ["namespace"] "Keys of the configuration that do not work";
    api_errors: counter "echion_api_errors_total" ["what"] "Requests that the API server did not serve";
    evaluations: counter "echion_evaluations_total" ["what"]
        "Evaluations of resources, by what they led to: evaluated, unchanged, skipped, failed";
    resources: gauge "echion_resources" [] "Resources under observation";
    leader: gauge "echion_leader" [] "1 while this replica delivers";
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// A condition was asked.
    pub fn evaluated(&self, trigger: &str, triggered: bool) {
        self.triggers.with([trigger, boolean(triggered)]).inc();
    }

    /// An attempt began that may double a message.
    pub fn possible_duplicate(&self, service: &str) {
        self.possible_duplicates.with([service]).inc();
    }

    /// An attempt ended. `age` is the time since the decision, in milliseconds.
    pub fn attempted(&self, trigger: &str, service: &str, outcome: &Outcome, age: i64) {
        let delivered = matches!(outcome, Outcome::Delivered(_));
        self.deliveries.with([trigger, service, boolean(delivered)]).inc();
        self.outcomes.with([service, outcome.class()]).inc();
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
        self.diagnostics.with([namespace]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The API server did not serve a request.
    pub fn api_error(&self, what: &str) {
        self.api_errors.with([what]).inc();
    }

    /// A resource was evaluated, or not: `evaluated`, `unchanged`, `skipped`, `failed`.
    pub fn evaluation(&self, what: &str) {
        self.evaluations.with([what]).inc();
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

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
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

    #[test]
    fn every_declared_metric_is_registered_under_its_name_and_kind() {
        let metrics = Metrics::default();
        metrics.evaluated("on-deployed", true);
        metrics.attempted("on-deployed", "slack", &Outcome::Delivered(Receipt::default()), 30);
        metrics.possible_duplicate("slack");
        metrics.diagnostics("argocd", 1);
        metrics.api_error("events");
        metrics.evaluation("skipped");
        let text = metrics.text();
        for metric in Metrics::ALL {
            let (name, suffix) = metric.name.strip_suffix("_total").map_or((metric.name, ""), |name| (name, "_total"));
            assert_eq!(suffix.is_empty(), metric.kind != "counter", "{}", metric.name);
            assert!(text.contains(&format!("# TYPE {name} {}\n", metric.kind)), "{}\n{text}", metric.name);
        }
        assert!(text.lines().any(|line| line == "echion_parked 0"), "{text}");
    }
}
