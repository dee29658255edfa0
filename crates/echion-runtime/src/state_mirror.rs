//! Writes the acknowledged state of resources back to where they come from, in the annotation's format (contract 2.3).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use echion_delivery::{AttemptReporter, Attempted, RunAhead};
use echion_engine::encode_annotation;
use echion_model::{LedgerError, Outcome, ResourceId, SharedLedger, State, StateMirror, Written};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::reporter::Reporter;

/// How many writes are on their way at once.
const CONCURRENCY: usize = 8;

/// The annotation holds so many entries.
const ENTRIES: usize = 100;

/// Waits between attempts at a write that failed: doubling from the first to the second.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// After a refusal for good the next attempt is long after.
const REFUSED_RETRY: Duration = Duration::from_secs(10 * 60);

/// A resource whose annotation may have to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationUpdate {
    /// Which one.
    pub id: ResourceId,
    /// Write it even if it was written like that before: somebody has changed it.
    pub force: bool,
}

/// What became of a write.
enum Done {
    Finished,
    RetryAfter(Duration),
}

/// A write that is to be made.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    force: bool,
    failures: u32,
}

/// The writer.
pub(crate) struct AnnotationWriter {
    pub(crate) mirror: Arc<dyn StateMirror>,
    pub(crate) ledger: SharedLedger,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) ahead: Option<Arc<RunAhead>>,
}

impl AnnotationWriter {
    /// Writes until no sender is left and everything is written that can be. What fails waits outside of the slots, so that it holds
    /// up no other.
    pub(crate) async fn run(self, mut updates: mpsc::UnboundedReceiver<AnnotationUpdate>) {
        let writer = Arc::new(self);
        let mut writing: JoinSet<(ResourceId, Waiting, Done)> = JoinSet::new();
        let mut busy: HashSet<ResourceId> = HashSet::new();
        let mut waiting: HashMap<ResourceId, Waiting> = HashMap::new();
        let mut later: BTreeMap<(Instant, ResourceId), Waiting> = BTreeMap::new();
        let mut open = true;
        while open || !writing.is_empty() || !waiting.is_empty() {
            // What changes again while it is written is written once more afterwards.
            let room = CONCURRENCY.saturating_sub(busy.len());
            let next: Vec<ResourceId> = waiting.keys().filter(|id| !busy.contains(*id)).take(room).cloned().collect();
            for id in next {
                if let Some(update) = waiting.remove(&id) {
                    busy.insert(id.clone());
                    writing.spawn(Arc::clone(&writer).write(id, update));
                }
            }
            let retry = later.keys().next().map(|(at, _)| *at);
            tokio::select! {
                more = updates.recv(), if open => match more {
                    Some(more) => waiting.entry(more.id).or_default().force |= more.force,
                    None => open = false,
                },
                Some(done) = writing.join_next(), if !writing.is_empty() => match done {
                    Ok((id, mut update, done)) => {
                        busy.remove(&id);
                        if let Done::RetryAfter(wait) = done {
                            update.failures = update.failures.saturating_add(1);
                            later.insert((Instant::now() + wait, id), update);
                        }
                    }
                    // A defect of ours; whatever was busy may be written again.
                    Err(_) => busy.clear(),
                },
                () = async { sleep_until(retry.unwrap_or_else(Instant::now)).await }, if retry.is_some() => {
                    if let Some(((_, id), update)) = later.pop_first() {
                        let entry = waiting.entry(id).or_default();
                        entry.force |= update.force;
                        entry.failures = entry.failures.max(update.failures);
                    }
                }
            }
        }
    }

    async fn write(self: Arc<Self>, id: ResourceId, update: Waiting) -> (ResourceId, Waiting, Done) {
        let ahead = self.ahead.as_ref().map_or(0, |ahead| ahead.unwritten(&id));
        let done = self.once(&id, update).await;
        // What was refused for good will not be written, whatever comes after it waits for.
        let settled = match &done {
            Done::Finished => true,
            Done::RetryAfter(wait) => *wait >= REFUSED_RETRY,
        };
        if settled && let Some(written) = &self.ahead {
            written.written(&id, ahead);
        }
        (id, update, done)
    }

    async fn once(&self, id: &ResourceId, update: Waiting) -> Done {
        let backoff = echion_model::backoff(RETRY_MIN, RETRY_MAX, update.failures);
        let (mirror, state) = match self.read(id).await {
            Ok(Some(read)) => read,
            Ok(None) => return Done::Finished,
            Err(error) => {
                self.reporter.ledger_failed(&error);
                return Done::RetryAfter(backoff);
            }
        };
        let text = encode_annotation(&newest(state));
        let noted = text.as_deref().unwrap_or_default();
        if update.force || mirror.annotation.as_deref() != Some(noted) {
            match self.mirror.write(id, &mirror.uid, text.as_deref()).await {
                Written::Done => {}
                Written::Gone => return Done::Finished,
                Written::Refused(reason) => {
                    self.reporter.annotation_failed(&format!("{id}: {reason}"));
                    return Done::RetryAfter(REFUSED_RETRY);
                }
                Written::Failed(reason) => {
                    if update.failures == 0 {
                        self.reporter.annotation_failed(&format!("{id}: {reason}"));
                    }
                    return Done::RetryAfter(backoff);
                }
            }
        }
        match self.ledger.mirror(id, noted, mirror.unwritten).await {
            Ok(()) => Done::Finished,
            Err(error) => {
                self.reporter.ledger_failed(&error);
                Done::RetryAfter(backoff)
            }
        }
    }

    async fn read(&self, id: &ResourceId) -> Result<Option<(echion_model::Mirror, State)>, LedgerError> {
        let Some(mirror) = self.ledger.mirrored(id).await? else { return Ok(None) };
        Ok(Some((mirror, self.ledger.acknowledged(id).await?)))
    }
}

/// Tells the reporter of attempts, and the writer of annotations of what has arrived.
pub(crate) struct Attempts {
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) annotations: Option<mpsc::UnboundedSender<AnnotationUpdate>>,
}

impl AttemptReporter for Attempts {
    fn attempted(&self, attempted: &Attempted) {
        if let (Outcome::Delivered(_), Some(annotations)) = (&attempted.outcome, &self.annotations) {
            // Nobody waits for it any more when the driver has ended.
            let _ = annotations.send(AnnotationUpdate { id: attempted.delivery.resource.clone(), force: false });
        }
        self.reporter.attempted(attempted);
    }

    fn ledger_failed(&self, error: &LedgerError) {
        self.reporter.ledger_failed(error);
    }
}

/// The newest entries, as many as the annotation holds.
fn newest(state: State) -> State {
    if state.len() <= ENTRIES {
        return state;
    }
    let mut entries: Vec<(String, i64)> = state.into_iter().collect();
    entries.sort_by_key(|(_, since)| std::cmp::Reverse(*since));
    entries.truncate(ENTRIES);
    entries.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract 2.3.
    #[test]
    fn of_a_hundred_and_one_entries_the_oldest_goes() {
        let state: State = (0..101).map(|n| (format!("key-{n}"), 1000 - n)).collect();
        let kept = newest(state);
        assert_eq!(kept.len(), 100);
        assert!(!kept.contains_key("key-100") && kept.contains_key("key-99"));
    }
}
