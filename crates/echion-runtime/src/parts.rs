//! What a driver is made of, and what it gives back.

use std::sync::Arc;
use std::time::Duration;

use echion_delivery::{Clock, Totals};
use echion_engine::Namespaces;
use echion_model::{ConfigurationChange, Counts, LedgerError, SharedLedger, Source, StateMirror};
use futures::stream::BoxStream;

use crate::configuration::Compile;
use crate::pipeline::Moment;
use crate::reporter::Reporter;
use crate::repositories::RepositoryServer;

/// How a driver behaves where sources differ.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Changes of the configuration that come together are compiled together.
    pub config_debounce: Duration,
    /// How long after a change of the configuration, or of a project, resources that do not change themselves are evaluated. Whoever edits
    /// has so long to correct it before it concerns everything.
    pub config_grace: Duration,
}

/// What a driver is made of.
pub struct Parts {
    /// What is remembered.
    pub ledger: SharedLedger,
    /// The namespace of the configuration.
    pub home: String,
    /// Compiles it.
    pub compile: Compile,
    /// ConfigMaps and Secrets, in order and without end.
    pub configuration: BoxStream<'static, ConfigurationChange>,
    /// The AppProjects.
    pub projects: Arc<dyn Source>,
    /// The resources.
    pub resources: Vec<Arc<dyn Source>>,
    /// Where the state of resources is written back, if it is.
    pub mirror: Option<Arc<dyn StateMirror>>,
    /// The repo-server, if there is one.
    pub repository: Option<Arc<dyn RepositoryServer>>,
    /// The namespaces whose resources are evaluated.
    pub namespaces: Namespaces,
    /// Makes the moment in which something is evaluated.
    pub moment: Moment,
    /// The clock.
    pub clock: Clock,
    /// Told of everything.
    pub reporter: Arc<dyn Reporter>,
    /// How it behaves.
    pub settings: Settings,
}

/// Why a driver ended.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nothing may be sent without a ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A task ended that must not: a defect of ours.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Resources there are.
    pub resources: usize,
    /// Resources that were not evaluated.
    pub skipped: usize,
    /// Deliveries that were decided.
    pub planned: usize,
    /// Notifications that could not be rendered.
    pub failed: usize,
    /// Attempts by how they ended.
    pub totals: Totals,
    /// What is in the ledger afterwards, from earlier runs as well.
    pub counts: Counts,
}
