//! What happens on the line, for whoever prints, logs or counts it.

use std::sync::Arc;

use echion_delivery::Attempted;
use echion_engine::{Config, Plan};
use echion_model::{Counts, LedgerError, Resource, ResourceId, SourceError};

/// The end of an evaluation.
#[derive(Debug)]
pub struct Evaluated<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// What follows for it.
    pub plan: &'a Plan,
    /// How many deliveries were recorded.
    pub recorded: usize,
}

/// Told of everything that happens. Nothing is done by default.
pub trait Reporter: Send + Sync {
    /// A configuration is in use.
    fn configured(&self, _namespace: &str, _config: &Arc<Config>) {}

    /// The configuration could not be read.
    fn configuration_failed(&self, _text: &str) {}

    /// Parked deliveries are due again because what they depend on has changed.
    fn revived(&self, _count: u64) {}

    /// A resource was evaluated.
    fn evaluated(&self, _evaluated: &Evaluated<'_>) {}

    /// A resource has changed in nothing that a condition reads.
    fn unchanged(&self, _resource: &ResourceId) {}

    /// All resources have been listed, and so many there are.
    fn listed(&self, _resources: usize) {}

    /// A source could not be read. It tries again by itself.
    fn source_failed(&self, _source: &str, _error: &SourceError) {}

    /// The repo-server did not answer a query.
    fn repository_failed(&self) {}

    /// An attempt ended and is recorded.
    fn attempted(&self, _attempted: &Attempted) {}

    /// The ledger failed; it is tried again.
    fn ledger_failed(&self, _error: &LedgerError) {}

    /// The state of a resource could not be written back.
    fn annotation_failed(&self, _text: &str) {}

    /// The main loop has come around.
    fn beat(&self, _now: i64) {}

    /// What waits, and how many resources there are.
    fn gauges(&self, _counts: Counts, _resources: usize) {}
}
