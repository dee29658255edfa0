//! Where resources and their configuration come from, and what is written back there.

use std::collections::BTreeMap;
use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;

use crate::{Resource, ResourceId};

/// What is learned by observing.
#[derive(Debug)]
pub enum Observation {
    /// A list begins: what is not [seen](Observation::Seen) until it is [complete](Observation::Complete) is gone.
    Listing,
    /// A resource as it is now, listed or changed.
    Seen(Resource),
    /// The list is complete.
    Complete,
    /// A resource is gone.
    Gone(ResourceId),
    /// The source could not be read. It tries again by itself.
    Failed(SourceError),
}

/// The source could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SourceError {
    /// Why.
    pub text: String,
    /// The request was understood and refused: there is no such right, or no such kind.
    pub refused: bool,
}

/// What it means that a list lacks a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It was deleted.
    Deleted,
    /// It may come back, as a file does that is being replaced: it is forgotten after that time, in milliseconds.
    Grace(i64),
}

/// What is observed, in order and without end. It begins with a list.
pub type Observations = Pin<Box<dyn Stream<Item = Observation> + Send>>;

/// Where resources of one kind come from.
#[async_trait]
pub trait Source: Send + Sync {
    /// What it is called in messages, such as `applications`.
    fn name(&self) -> &str;

    /// The variable that holds its resources in conditions and templates.
    fn variable(&self) -> &str;

    /// What it means that a list lacks a resource.
    fn absence(&self) -> Absence {
        Absence::Deleted
    }

    /// Observes from the beginning: a list, then changes.
    fn observe(&self) -> Observations;

    /// Reads one resource as it is now; `None` when there is no such resource.
    async fn get(&self, id: &ResourceId) -> Result<Option<Resource>, SourceError>;
}

/// What is learned about configurations.
#[derive(Clone, Debug)]
pub enum ConfigurationChange {
    /// The ConfigMap of a namespace; `None` when it is gone.
    ConfigMap(String, Option<BTreeMap<String, String>>),
    /// The Secret of a namespace; `None` when it is gone.
    Secret(String, Option<BTreeMap<String, Vec<u8>>>),
    /// Every ConfigMap that there is has been observed.
    ConfigMapsListed,
    /// Every Secret that there is has been observed.
    SecretsListed,
    /// They could not be read: why. It is tried again by itself.
    Failed(String),
}

/// What became of writing a resource's state back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Done,
    /// The resource is gone, or another one has its name.
    Gone,
    /// It is refused for good, or until somebody changes something: why.
    Refused(String),
    /// It did not work this time: why.
    Failed(String),
}

/// Writes the state of resources back to where they come from.
#[async_trait]
pub trait StateMirror: Send + Sync {
    /// Writes the annotation of a resource, or removes it.
    async fn write(&self, id: &ResourceId, uid: &str, annotation: Option<&str>) -> Written;
}
