//! What a dispatcher is made of, and what it hands out.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use echion_model::{Delivery, LedgerError, Outcome, RouteKey, Service, Version};
use tokio::sync::Notify;

/// Where a delivery goes: the service, and the version of what it depends on.
#[derive(Clone, Debug)]
pub struct Route {
    /// The service.
    pub service: Arc<dyn Service>,
    /// Of the service and the templates.
    pub version: Version,
}

/// Finds the service that a delivery is for; a reloaded configuration answers differently.
pub type Routes = Arc<dyn Fn(&RouteKey) -> Option<Route> + Send + Sync>;

/// The current time in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The end of an attempt, for whoever prints or counts it.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The delivery as it was when the attempt began.
    pub delivery: Delivery,
    /// What came of the attempt.
    pub outcome: Outcome,
    /// An earlier attempt may have arrived, and the vendor cannot know that this is the same message.
    pub possible_duplicate: bool,
}

/// Receives the ends of attempts, and failures of the ledger.
pub trait AttemptReporter: Send + Sync {
    /// An attempt ended and is recorded.
    fn attempted(&self, attempted: &Attempted);

    /// The ledger failed; it is tried again.
    fn ledger_failed(&self, error: &LedgerError);
}

/// How many attempts ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Taken by the vendor.
    pub delivered: u64,
    /// Failed, and to be retried.
    pub retried: u64,
    /// Parked.
    pub parked: u64,
}

/// Wakes a dispatcher.
#[derive(Debug, Default)]
pub struct Waker {
    pub(super) channels: Mutex<BTreeSet<String>>,
    pub(super) reconfigured: AtomicBool,
    pub(super) notify: Notify,
}

impl Waker {
    /// Something was recorded for these channels.
    pub fn recorded<'a>(&self, channels: impl IntoIterator<Item = &'a str>) {
        let mut waiting = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(channels.into_iter().map(str::to_owned));
        drop(waiting);
        self.notify.notify_one();
    }

    /// The configuration has changed, or deliveries were made due by others: all channels are looked up again.
    pub fn reconfigured(&self) {
        self.reconfigured.store(true, Ordering::Release);
        self.notify.notify_one();
    }
}
