//! How far deliveries may run ahead of what is written back to their resources.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use echion_model::ResourceId;
use tokio::sync::Notify;

/// With a ledger that ends with the process, a crash doubles what was delivered but not yet written into the annotation. This bounds it.
#[derive(Debug)]
pub struct RunAhead {
    limit: u32,
    unwritten: Mutex<HashMap<ResourceId, u32>>,
    freed: Notify,
}

impl RunAhead {
    /// At most `limit` deliveries are on their way or delivered without being written back.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit, unwritten: Mutex::default(), freed: Notify::new() }
    }

    /// How many more may begin while so many are on their way.
    pub(crate) fn room(&self, on_their_way: u32) -> u32 {
        let unwritten: u32 = self.lock().values().sum();
        self.limit.saturating_sub(unwritten).saturating_sub(on_their_way)
    }

    /// Something was delivered.
    pub(crate) fn delivered(&self, resource: &ResourceId) {
        *self.lock().entry(resource.clone()).or_default() += 1;
    }

    /// How many deliveries about a resource are not written back: to be asked before its state is read for writing.
    #[must_use]
    pub fn unwritten(&self, resource: &ResourceId) -> u32 {
        self.lock().get(resource).copied().unwrap_or(0)
    }

    /// So many of them are written now, or never will be.
    pub fn written(&self, resource: &ResourceId, count: u32) {
        let mut unwritten = self.lock();
        if let Some(left) = unwritten.get_mut(resource) {
            *left = left.saturating_sub(count);
            if *left == 0 {
                unwritten.remove(resource);
            }
        }
        drop(unwritten);
        self.freed.notify_one();
    }

    /// Ends when there may be room again.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ResourceId, u32>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
