//! The SQL ledger under a paused clock. SQLite answers from a thread of its own, and tokio would move its clock while nothing but that
//! thread is at work; a blocking task holds the clock for as long as a call lasts.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use async_trait::async_trait;
use echion_delivery::SqlLedger;
use echion_model::{
    Counts, Delivery, DeliveryId, Filter, Intent, Ledger, LedgerError, Memory, Mirror, Outcome, Resource, ResourceId,
    State, StateChange,
};

type Result<T> = std::result::Result<T, LedgerError>;

#[derive(Debug)]
pub(crate) struct Held {
    inner: SqlLedger,
    /// How long it takes to record an outcome.
    pub(crate) slow: Duration,
}

impl Held {
    pub(crate) async fn open() -> Self {
        let _held = hold();
        Self { inner: SqlLedger::in_memory().await.unwrap(), slow: Duration::ZERO }
    }
}

/// Holds the clock until it is dropped.
fn hold() -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    tokio::task::spawn_blocking(move || receiver.recv());
    sender
}

#[async_trait]
impl Memory for Held {
    async fn recall(&self, key: &str, now: i64) -> Result<Option<String>> {
        let _held = hold();
        self.inner.recall(key, now).await
    }

    async fn remember(&self, key: &str, value: &str, now: i64, keep: Duration) -> Result<()> {
        let _held = hold();
        self.inner.remember(key, value, now, keep).await
    }
}

#[async_trait]
impl Ledger for Held {
    async fn state(&self, resource: &Resource) -> Result<Option<State>> {
        let _held = hold();
        self.inner.state(resource).await
    }

    async fn record(
        &self,
        resource: &Resource,
        change: &StateChange,
        intents: &[Intent],
        now: i64,
    ) -> Result<Vec<DeliveryId>> {
        let _held = hold();
        self.inner.record(resource, change, intents, now).await
    }

    async fn acknowledged(&self, resource: &ResourceId) -> Result<State> {
        let _held = hold();
        self.inner.acknowledged(resource).await
    }

    async fn mirrored(&self, resource: &ResourceId) -> Result<Option<Mirror>> {
        let _held = hold();
        self.inner.mirrored(resource).await
    }

    async fn mirror(&self, resource: &ResourceId, annotation: &str) -> Result<()> {
        let _held = hold();
        self.inner.mirror(resource, annotation).await
    }

    async fn known(&self, kind: &str) -> Result<Vec<ResourceId>> {
        let _held = hold();
        self.inner.known(kind).await
    }

    async fn counts(&self) -> Result<Counts> {
        let _held = hold();
        self.inner.counts().await
    }

    async fn forget(&self, resource: &ResourceId) -> Result<()> {
        let _held = hold();
        self.inner.forget(resource).await
    }

    async fn due(&self, now: i64, limit: u32) -> Result<Vec<Delivery>> {
        let _held = hold();
        self.inner.due(now, limit).await
    }

    async fn next_due(&self, now: i64) -> Result<Option<i64>> {
        let _held = hold();
        self.inner.next_due(now).await
    }

    async fn begin(&self, id: &DeliveryId, channel: &str, now: i64) -> Result<()> {
        let _held = hold();
        self.inner.begin(id, channel, now).await
    }

    async fn finish(&self, id: &DeliveryId, outcome: &Outcome, now: i64) -> Result<()> {
        tokio::time::sleep(self.slow).await;
        let _held = hold();
        self.inner.finish(id, outcome, now).await
    }

    async fn attempts_since(&self, channel: &str, since: i64) -> Result<Vec<i64>> {
        let _held = hold();
        self.inner.attempts_since(channel, since).await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Delivery>> {
        let _held = hold();
        self.inner.list(filter).await
    }

    async fn redeliver(&self, id: &DeliveryId, now: i64) -> Result<bool> {
        let _held = hold();
        self.inner.redeliver(id, now).await
    }
}
