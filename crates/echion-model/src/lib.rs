//! The nouns of Echion and the ports between its crates. Nothing here does I/O.
//!
//! A source observes resources, the engine plans, a [`Ledger`] records, the dispatcher hands each [`Delivery`] to a
//! [`Service`], and the [`Outcome`] goes back into the ledger.

mod ambient;
mod delivery;
mod diagnostic;
mod egress;
mod help;
mod ledger;
mod memory;
mod notification;
mod outcome;
mod resource;
mod secret;
mod service;
mod source;
pub mod yaml;

pub use ambient::Ambient;
pub use delivery::{Delivery, DeliveryId, Intent, RouteKey, Status, Version};
pub use diagnostic::{Diagnostic, Severity, nearest};
pub use egress::{Egress, Net};
pub use help::{Field, FieldShape, OptionHelp, OptionShape};
pub use ledger::{
    Annotations, Attempt, Counts, Filter, Finished, History, Known, Ledger, LedgerError, Mirror, Outbox, Queue,
    Rerouted, Router, Selection, SharedLedger, State, StateChange, States,
};
pub use memory::{Memory, NoMemory};
pub use notification::{Destination, Notification};
pub use outcome::{Outcome, Receipt, SendError, SendErrorKind};
pub use resource::{ARGO, Resource, ResourceId, group_of};
pub use secret::Secret;
pub use service::{
    Budget, Channel, CompileSection, Condition, ConditionCompiler, Environment, JsonText, Length, Limits, Message,
    Open, OptionsError, Origin, RenderContext, RenderError, Retry, Section, SectionError, SectionKind, Service,
    ServiceKind, Tenant, Text, TextCompiler, backoff,
};
pub use source::{Absence, ConfigurationChange, Observation, Observations, Source, SourceError, StateMirror, Written};
