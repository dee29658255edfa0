//! Configuration to triggers, templates and subscriptions, and an evaluation of one resource to a plan.
//!
//! Pure and synchronous: time, secrets and projects come in as values, and what is to be done comes out as a [`Plan`] that can be
//! printed. Section numbers refer to the compatibility contract, whose rows `docs/compatibility.md` keeps.

pub mod cases;
mod condition;
mod config;
mod deadline;
mod dependencies;
mod freshness;
mod json;
mod namespaces;
mod plan;
mod preview;
mod selector;
mod state;
mod subscription;
mod template;
mod trigger;
pub mod variables;

pub use condition::Conditions;
pub use config::{Config, Documents, DocumentsError, Sources, objects};
pub use dependencies::Dependencies;
pub use freshness::{Freshness, freshness};
pub use namespaces::Namespaces;
pub use plan::{Action, Inputs, Plan, Step, evaluate, render_again, subscribed_triggers};
pub use preview::Preview;
pub use selector::Selector;
pub use state::{NOTIFIED, decode_annotation, encode_annotation, state_key};
pub use subscription::{Destinations, PREFIX, Subscription};
pub use template::Template;
pub use trigger::{Condition, Evaluation, Trigger};
