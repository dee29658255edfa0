//! The port to what is remembered.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{Delivery, DeliveryId, Intent, Memory, Outcome, Resource, Status};

/// State keys of one resource and when they were set, in Unix seconds: the content of the peer's annotation.
pub type State = BTreeMap<String, i64>;

/// What a look at a resource changes in its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChange {
    /// Keys to set, with their time in Unix seconds.
    pub set: BTreeMap<String, i64>,
    /// Keys to remove.
    pub clear: Vec<String>,
}

impl StateChange {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }
}

/// The ledger could not be read or written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct LedgerError {
    /// What was tried.
    pub what: String,
    /// Why it failed.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Which deliveries to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that stand here.
    pub status: Option<Status>,
    /// At most so many; 0 means no limit.
    pub limit: u32,
}

/// What the ledger knows of a resource's annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// The uid of the resource.
    pub uid: String,
    /// What was last written into the annotation: empty when it was removed, `None` when nothing was written yet.
    pub annotation: Option<String>,
}

/// How many deliveries stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting to be delivered.
    pub pending: u64,
    /// Waiting for somebody to change something.
    pub parked: u64,
}

/// What is remembered, durably: the state keys of every resource, and every delivery with its attempts. Times are milliseconds since
/// 1970 unless said otherwise. Every method is one transaction.
#[async_trait]
pub trait Ledger: Memory {
    /// The state of a resource; `None` when the ledger has never seen it (or only an earlier object of the same name).
    async fn state(&self, resource: &Resource) -> Result<Option<State>, LedgerError>;

    /// Applies a state change and records the deliveries that go with it, all or nothing. A state key that is already set keeps its
    /// time and its delivery is not recorded again.
    async fn record(
        &self,
        resource: &Resource,
        change: &StateChange,
        intents: &[Intent],
        now: i64,
    ) -> Result<Vec<DeliveryId>, LedgerError>;

    /// The part of a resource's state whose deliveries have arrived: what the annotation may say. A delivery that waits or is parked is
    /// not told of, so that whoever takes over from the annotation tries it again.
    async fn acknowledged(&self, resource: &crate::ResourceId) -> Result<State, LedgerError>;

    /// What was last written into the annotation of a resource; `None` when the ledger does not know the resource.
    async fn mirrored(&self, resource: &crate::ResourceId) -> Result<Option<Mirror>, LedgerError>;

    /// Notes what was written into the annotation of a resource; empty when it was removed.
    async fn mirror(&self, resource: &crate::ResourceId, annotation: &str) -> Result<(), LedgerError>;

    /// Resources of a kind that have a state.
    async fn known(&self, kind: &str) -> Result<Vec<crate::ResourceId>, LedgerError>;

    /// How many deliveries stand where.
    async fn counts(&self) -> Result<Counts, LedgerError>;

    /// Forgets the state of a resource that is gone. Its deliveries go on.
    async fn forget(&self, resource: &crate::ResourceId) -> Result<(), LedgerError>;

    /// Pending deliveries that are due, oldest first, at most `limit` for each service: a service with a long queue hides no other.
    async fn due(&self, now: i64, limit: u32) -> Result<Vec<Delivery>, LedgerError>;

    /// When the next pending delivery falls due after `now`; `None` when there is none.
    async fn next_due(&self, now: i64) -> Result<Option<i64>, LedgerError>;

    /// Notes that an attempt begins, before anything is sent: after a crash it is known that its outcome is not.
    async fn begin(&self, id: &DeliveryId, channel: &str, now: i64) -> Result<(), LedgerError>;

    /// Records what came of the attempt. When the vendor asked for a pause, everything that waits for the same service waits with it.
    async fn finish(&self, id: &DeliveryId, outcome: &Outcome, now: i64) -> Result<(), LedgerError>;

    /// Beginnings of the attempts on a channel since a time, oldest first: what its budget has already spent.
    async fn attempts_since(&self, channel: &str, since: i64) -> Result<Vec<i64>, LedgerError>;

    /// Recorded deliveries, newest first.
    async fn list(&self, filter: &Filter) -> Result<Vec<Delivery>, LedgerError>;

    /// Makes a parked delivery due again; `false` when there is no such parked delivery.
    async fn redeliver(&self, id: &DeliveryId, now: i64) -> Result<bool, LedgerError>;
}
