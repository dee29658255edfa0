//! The SQL ledger under a paused clock. SQLite answers from a thread of its own, and tokio would move its clock while nothing but that
//! thread is at work; a blocking task holds the clock for as long as a call lasts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use async_trait::async_trait;
use echion_delivery::SqlLedger;
use echion_model::{
    Annotations, Attempt, Counts, Delivery, DeliveryId, Filter, Finished, History, Intent, Known, LedgerError, Memory,
    Mirror, Notification, Outbox, Queue, Rerouted, Resource, ResourceId, Router, Selection, State, StateChange, States,
    Version,
};

type Result<T> = std::result::Result<T, LedgerError>;

#[derive(Debug)]
pub(crate) struct Held {
    inner: SqlLedger,
    /// How long it takes to record an outcome.
    pub(crate) slow: Duration,
    /// How many calls of `finish` and `claim` fail before the next one works.
    pub(crate) busy: AtomicU32,
}

impl Held {
    pub(crate) async fn open() -> Self {
        let _held = hold();
        Self::over(SqlLedger::in_memory().await.unwrap())
    }

    pub(crate) fn over(inner: SqlLedger) -> Self {
        Self { inner, slow: Duration::ZERO, busy: AtomicU32::new(0) }
    }

    fn ready(&self) -> Result<()> {
        match self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => Err(LedgerError { what: "write".to_owned(), cause: "database is locked".into() }),
            Err(_) => Ok(()),
        }
    }
}

/// Holds the clock until it is dropped.
pub(crate) fn hold() -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    tokio::task::spawn_blocking(move || receiver.recv());
    sender
}

/// Hands calls on while the clock is held.
macro_rules! held {
    ($port:ident { $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)* }) => {
        #[async_trait]
        impl $port for Held {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$result> {
                let _held = hold();
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

held!(Memory {
    recall(key: &str, now: i64) -> Option<String>;
    remember(key: &str, value: &str, now: i64, keep: Duration) -> ();
});

held!(States {
    state(resource: &Resource) -> Option<State>;
    record(resource: &Resource, change: &StateChange, intents: &[Intent], now: i64) -> Vec<DeliveryId>;
    known(group: &str, kind: &str) -> Vec<Known>;
    adopt(group: &str, kind: &str) -> ();
    absent(resources: &[ResourceId], since: Option<i64>) -> ();
    forget(resource: &ResourceId) -> ();
});

held!(Annotations {
    acknowledged(resource: &ResourceId) -> State;
    mirrored(resource: &ResourceId) -> Option<Mirror>;
    mirror(resource: &ResourceId, annotation: &str, written: i64) -> ();
    unwritten() -> Vec<ResourceId>;
});

#[async_trait]
impl History for Held {
    async fn counts(&self) -> Result<Counts> {
        self.inner.counts().await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Delivery>> {
        let _held = hold();
        self.inner.list(filter).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        self.inner.delivery(id).await
    }

    async fn attempts(&self, id: &DeliveryId) -> Result<Vec<Attempt>> {
        self.inner.attempts(id).await
    }

    async fn prune(&self, before: i64) -> Result<()> {
        let _held = hold();
        self.inner.prune(before).await
    }

    async fn verify(&self) -> Result<()> {
        let _held = hold();
        self.inner.verify().await
    }

    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }
}

#[async_trait]
impl Outbox for Held {
    async fn queues(&self) -> Result<Vec<Queue>> {
        let _held = hold();
        self.inner.queues().await
    }

    async fn next_due(&self, channel: &str) -> Result<Option<i64>> {
        let _held = hold();
        self.inner.next_due(channel).await
    }

    async fn claim(&self, now: i64, channel: &str, count: u32) -> Result<Vec<Delivery>> {
        self.ready()?;
        let _held = hold();
        self.inner.claim(now, channel, count).await
    }

    async fn finish(&self, finished: &Finished, now: i64) -> Result<()> {
        tokio::time::sleep(self.slow).await;
        self.ready()?;
        let _held = hold();
        self.inner.finish(finished, now).await
    }

    async fn release(&self, id: &DeliveryId) -> Result<()> {
        let _held = hold();
        self.inner.release(id).await
    }

    async fn pauses(&self, now: i64) -> Result<BTreeMap<String, i64>> {
        let _held = hold();
        self.inner.pauses(now).await
    }

    async fn spent(&self, channel: &str, since: i64) -> Result<Vec<i64>> {
        let _held = hold();
        self.inner.spent(channel, since).await
    }

    async fn recover(&self, now: i64) -> Result<u64> {
        let _held = hold();
        self.inner.recover(now).await
    }

    async fn pull_back(&self, latest: i64, now: i64) -> Result<u64> {
        let _held = hold();
        self.inner.pull_back(latest, now).await
    }

    async fn shift(&self, step: i64) -> Result<()> {
        let _held = hold();
        self.inner.shift(step).await
    }

    async fn reroute(&self, router: Router<'_>, now: i64) -> Result<Rerouted> {
        let _held = hold();
        self.inner.reroute(router, now).await
    }

    async fn redeliver(&self, selection: &Selection, now: i64) -> Result<u64> {
        let _held = hold();
        self.inner.redeliver(selection, now).await
    }

    async fn render_again(
        &self,
        id: &DeliveryId,
        notification: &Notification,
        version: &Version,
        now: i64,
    ) -> Result<()> {
        let _held = hold();
        self.inner.render_again(id, notification, version, now).await
    }

    async fn heal(&self, channel: &str, now: i64) -> Result<u64> {
        let _held = hold();
        self.inner.heal(channel, now).await
    }
}
