//! The ports to what is remembered, one for each reader. Times are milliseconds since 1970 unless said otherwise; every method is one
//! transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use crate::{
    Delivery, DeliveryId, Intent, Memory, Notification, Outcome, Resource, ResourceId, RouteKey, Status, Version,
};

/// State keys of one resource and when they were set, in Unix seconds: the content of Argo CD Notifications' annotation.
pub type State = BTreeMap<String, i64>;

/// What an evaluation of a resource changes in its state.
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
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only those to this service.
    pub service: Option<String>,
    /// At most so many; 0 means no limit.
    pub limit: u32,
}

/// Which parked deliveries to make due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The ones whose id begins like this; an id that begins several deliveries selects none.
    Id(String),
    /// All of one service, or all.
    Parked {
        /// The service; `None` means all.
        service: Option<String>,
    },
}

/// The ledger's knowledge of a resource's annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// The uid of the resource.
    pub uid: String,
    /// The text last written into the annotation: empty when it was removed, `None` when nothing was written yet.
    pub annotation: Option<String>,
    /// How many changes of the acknowledged state are not written yet.
    pub unwritten: i64,
}

/// How many deliveries there are by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting to be delivered.
    pub pending: u64,
    /// Waiting for somebody to change something.
    pub parked: u64,
}

/// A resource that has a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which one.
    pub id: ResourceId,
    /// Since when its source no longer has it; `None` when it has.
    pub absent_since: Option<i64>,
}

/// What was decided about resources.
#[async_trait]
pub trait States: Send + Sync {
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

    /// Resources of a group and kind that have a state.
    async fn known(&self, group: &str, kind: &str) -> Result<Vec<Known>, LedgerError>;

    /// Gives the resources of a kind that were recorded without a group, by versions before there was one, their group.
    async fn adopt(&self, group: &str, kind: &str) -> Result<(), LedgerError>;

    /// Notes that a source no longer has these resources, since a time, or has them again.
    async fn absent(&self, resources: &[ResourceId], since: Option<i64>) -> Result<(), LedgerError>;

    /// Forgets the state of a resource that is gone. Its deliveries go on.
    async fn forget(&self, resource: &ResourceId) -> Result<(), LedgerError>;
}

/// A channel that has something to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The channel's name.
    pub channel: String,
    /// When the first of its deliveries is due.
    pub due: i64,
}

/// The end of an attempt, as it is recorded.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The delivery.
    pub id: DeliveryId,
    /// The channel.
    pub channel: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The version of the configuration that it was attempted with.
    pub version: Version,
    /// Until when the whole channel must pause, if the vendor said so.
    pub pause: Option<i64>,
}

/// What a new configuration means for deliveries that are not delivered yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rerouted {
    /// Parked deliveries that are due again because their service has changed.
    pub revived: u64,
    /// Parked deliveries whose templates have changed: they are to be rendered anew.
    pub outdated: Vec<DeliveryId>,
}

/// Where a delivery goes under the present configuration.
pub type Router<'a> = &'a (dyn Fn(&RouteKey) -> (Option<String>, Version) + Send + Sync);

/// Deliveries on their way: what the dispatcher empties.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Every channel that has something to deliver, now or later.
    async fn queues(&self) -> Result<Vec<Queue>, LedgerError>;

    /// When the first delivery of a channel is due; `None` when it has none.
    async fn next_due(&self, channel: &str) -> Result<Option<i64>, LedgerError>;

    /// Takes up to `count` deliveries of a channel that are due, in their order, and notes that an attempt begins. Of one resource, a
    /// delivery is not taken before all older ones of the channel have ended.
    async fn claim(&self, now: i64, channel: &str, count: u32) -> Result<Vec<Delivery>, LedgerError>;

    /// Records the end of an attempt, and a pause of its channel.
    async fn finish(&self, finished: &Finished, now: i64) -> Result<(), LedgerError>;

    /// Gives back what was claimed but not attempted.
    async fn release(&self, id: &DeliveryId) -> Result<(), LedgerError>;

    /// Pauses of channels that are not over, by name.
    async fn pauses(&self, now: i64) -> Result<BTreeMap<String, i64>, LedgerError>;

    /// When attempts on a channel ended since a time, oldest first: what its budget has spent by the vendor's count.
    async fn spent(&self, channel: &str, since: i64) -> Result<Vec<i64>, LedgerError>;

    /// Notes attempts that an earlier process began and never ended as interrupted, and makes their deliveries due. Gives their number.
    async fn recover(&self, now: i64) -> Result<u64, LedgerError>;

    /// Makes due what lies further ahead than `latest`, as it does after the clock was set back; pauses likewise. Gives the number.
    async fn pull_back(&self, latest: i64, now: i64) -> Result<u64, LedgerError>;

    /// The clock was set by so much, forward or back: what has begun is no older for it, and after a step back nothing waits longer.
    async fn shift(&self, step: i64) -> Result<(), LedgerError>;

    /// Follows a change of the configuration: deliveries whose channel has another name move there, and parked ones whose service has
    /// changed since their last attempt are due at once.
    async fn reroute(&self, router: Router<'_>, now: i64) -> Result<Rerouted, LedgerError>;

    /// Makes parked deliveries due again. Gives their number.
    async fn redeliver(&self, selection: &Selection, now: i64) -> Result<u64, LedgerError>;

    /// Puts another rendering into a parked delivery and makes it due.
    async fn render_again(
        &self,
        id: &DeliveryId,
        notification: &Notification,
        version: &Version,
        now: i64,
    ) -> Result<(), LedgerError>;

    /// A channel works again: what is parked because it did not is retried. Gives the number.
    async fn heal(&self, channel: &str, now: i64) -> Result<u64, LedgerError>;
}

/// What is written back to where resources come from.
#[async_trait]
pub trait Annotations: Send + Sync {
    /// The part of a resource's state whose deliveries have arrived: what the annotation may hold. A delivery that waits or is parked
    /// is left out, so that whoever takes over from the annotation tries it again.
    async fn acknowledged(&self, resource: &ResourceId) -> Result<State, LedgerError>;

    /// The text last written into the annotation of a resource; `None` when the ledger does not know the resource.
    async fn mirrored(&self, resource: &ResourceId) -> Result<Option<Mirror>, LedgerError>;

    /// Notes a text that was written into the annotation of a resource, empty when it was removed, and that it holds so many changes that
    /// were not written before.
    async fn mirror(&self, resource: &ResourceId, annotation: &str, written: i64) -> Result<(), LedgerError>;

    /// Resources with changes that are not written yet.
    async fn unwritten(&self) -> Result<Vec<ResourceId>, LedgerError>;
}

/// An attempt that has ended. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// When it began.
    pub started: i64,
    /// When it ended.
    pub finished: i64,
    /// The class of its outcome.
    pub outcome: String,
    /// The vendor's response, or why it failed.
    pub detail: String,
}

/// What people ask about deliveries.
#[async_trait]
pub trait History: Send + Sync {
    /// How many deliveries there are by status.
    async fn counts(&self) -> Result<Counts, LedgerError>;

    /// Recorded deliveries, newest first.
    async fn list(&self, filter: &Filter) -> Result<Vec<Delivery>, LedgerError>;

    /// One delivery.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, LedgerError>;

    /// Attempts of a delivery that have ended, oldest first.
    async fn attempts(&self, id: &DeliveryId) -> Result<Vec<Attempt>, LedgerError>;

    /// Forgets what was delivered and attempted before a time.
    async fn prune(&self, before: i64) -> Result<(), LedgerError>;

    /// Checks that the ledger is still the one that was opened.
    ///
    /// # Errors
    /// When it was removed or replaced.
    async fn verify(&self) -> Result<(), LedgerError>;

    /// Whether it outlives the process.
    fn is_durable(&self) -> bool;
}

/// Everything at once: what a backend provides.
pub trait Ledger: States + Outbox + Annotations + History + Memory {}

impl<T: States + Outbox + Annotations + History + Memory> Ledger for T {}

/// A ledger as everybody else holds it.
pub type SharedLedger = Arc<dyn Ledger>;
