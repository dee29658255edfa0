//! Writes the acknowledged state of resources into their annotation, in the peer's format (contract 2.3).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use echion_delivery::SqlLedger;
use echion_engine::{NOTIFIED, encode_annotation};
use echion_model::{Ledger as _, ResourceId, State};
use echion_sources::kubernetes::{Client, Mirrored, is_forbidden, write_annotation};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::report::{Kinds, Report};

/// How many writes are on their way at once.
const BESIDE: usize = 8;

/// The peer keeps so many entries.
const ENTRIES: usize = 100;

/// The longest wait between attempts at a write.
const LONGEST: Duration = Duration::from_secs(30);

/// A resource whose annotation may have to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dirty {
    pub(super) id: ResourceId,
    /// Write it even if it was written like that before: somebody has changed it.
    pub(super) anyway: bool,
}

/// The writer.
pub(super) struct Mirror {
    pub(super) client: Client,
    pub(super) ledger: Arc<SqlLedger>,
    pub(super) kinds: Kinds,
    pub(super) report: Report,
}

impl Mirror {
    /// Writes until nobody can ask for more and everything is written.
    pub(super) async fn run(self, mut dirty: mpsc::UnboundedReceiver<Dirty>) {
        let mirror = Arc::new(self);
        let mut writing: JoinSet<ResourceId> = JoinSet::new();
        let mut busy: HashSet<ResourceId> = HashSet::new();
        let mut waiting: HashMap<ResourceId, Dirty> = HashMap::new();
        let mut open = true;
        while open || !writing.is_empty() || !waiting.is_empty() {
            // What changes again while it is written is written once more afterwards.
            let next: Vec<ResourceId> = waiting
                .keys()
                .filter(|id| !busy.contains(*id))
                .take(BESIDE.saturating_sub(busy.len()))
                .cloned()
                .collect();
            for id in next {
                if let Some(dirty) = waiting.remove(&id) {
                    busy.insert(id);
                    writing.spawn(Arc::clone(&mirror).write(dirty));
                }
            }
            tokio::select! {
                more = dirty.recv(), if open => match more {
                    Some(more) => {
                        let anyway = more.anyway;
                        waiting.entry(more.id.clone()).or_insert(more).anyway |= anyway;
                    }
                    None => open = false,
                },
                Some(done) = writing.join_next(), if !writing.is_empty() => {
                    match done {
                        Ok(id) => drop(busy.remove(&id)),
                        // A defect of ours; whoever was busy may be written again.
                        Err(_) => busy.clear(),
                    }
                }
            }
        }
    }

    async fn write(self: Arc<Self>, dirty: Dirty) -> ResourceId {
        let mut wait = Duration::from_millis(200);
        loop {
            match self.once(&dirty).await {
                Ok(()) => return dirty.id,
                Err(Some(error)) if is_forbidden(&error) => {
                    self.report.trouble("annotation", &format!("{}: {error}; {FIX}", dirty.id));
                    return dirty.id;
                }
                Err(Some(error)) => self.report.trouble("annotation", &format!("{}: {error}", dirty.id)),
                // The ledger has said so itself.
                Err(None) => return dirty.id,
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST);
        }
    }

    async fn once(&self, dirty: &Dirty) -> Result<(), Option<echion_sources::kubernetes::ApiError>> {
        let storage = |error: echion_model::LedgerError| {
            tracing::error!("{error}");
            None
        };
        let Some(mirror) = self.ledger.mirrored(&dirty.id).await.map_err(storage)? else { return Ok(()) };
        let kind = self.kinds.read().unwrap_or_else(PoisonError::into_inner).get(&dirty.id.kind).cloned();
        let Some(kind) = kind else { return Ok(()) };
        let state = self.ledger.acknowledged(&dirty.id).await.map_err(storage)?;
        let text = encode_annotation(&newest(state));
        if !dirty.anyway && mirror.annotation.as_deref() == Some(text.as_deref().unwrap_or_default()) {
            return Ok(());
        }
        let done = write_annotation(&self.client, &kind, &dirty.id, &mirror.uid, NOTIFIED, text.as_deref()).await;
        if done.map_err(Some)? == Mirrored::Written {
            self.ledger.mirror(&dirty.id, text.as_deref().unwrap_or_default()).await.map_err(storage)?;
        }
        Ok(())
    }
}

const FIX: &str = "grant `patch`, or use `--annotations=read`";

/// The newest entries, as many as the peer keeps.
pub(super) fn newest(state: State) -> State {
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

    /// Contract 2.3 and section 10: "101 state entries".
    #[test]
    fn of_a_hundred_and_one_entries_the_oldest_goes() {
        let state: State = (0..101).map(|n| (format!("key-{n}"), 1000 - n)).collect();
        let kept = newest(state);
        assert_eq!(kept.len(), 100);
        assert!(!kept.contains_key("key-100") && kept.contains_key("key-99"));
    }
}
