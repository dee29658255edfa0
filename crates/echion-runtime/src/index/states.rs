//! The states that sources and resources go through, and the commands that follow.

use std::collections::BTreeSet;

use echion_engine::Dependencies;
use echion_model::{Absence, Resource, ResourceId, SourceError};

/// The number of a source.
pub type SourceId = usize;

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    /// Evaluate this version of a resource.
    Evaluate {
        /// Where it comes from.
        source: SourceId,
        /// The resource.
        resource: Box<Resource>,
        /// It is the first time that this process sees it, so the annotation may have been written by somebody else.
        first: bool,
    },
    /// Read a resource as it is now and observe it.
    Fetch(SourceId, ResourceId),
    /// Evaluate what conditions that read the clock can see of a resource; fetch it when something would follow.
    Probe(SourceId, Box<Resource>),
    /// The state of a resource is no longer needed.
    Forget(ResourceId),
    /// Note since when resources are absent, or that they are back.
    Absent(Vec<ResourceId>, Option<i64>),
    /// Ask the ledger what it knows of resources of these groups and kinds, and [reconcile](super::Index::reconcile).
    Reconcile(SourceId, BTreeSet<(String, String)>),
    /// Compare the annotation with the one that was written, and write it again if it differs.
    CheckAnnotation {
        /// The resource.
        id: ResourceId,
        /// The [`digest`](super::digest) of the annotation as it is.
        digest: u64,
    },
    /// Observe a source from the beginning.
    Relist(SourceId),
    /// Everything has been listed for the first time.
    Listed,
    /// A source could not be read.
    Failed(SourceId, SourceError),
}

/// How far the observation of a source has come.
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// Nothing has been listed yet.
    #[default]
    Discovering,
    /// A list is under way.
    Listing {
        /// The number of the list: what has not been seen in it when it is complete is gone.
        number: u32,
        /// The groups and kinds that have been seen in it.
        kinds: BTreeSet<(String, String)>,
        /// It has been listed before.
        again: bool,
    },
    /// Changes are observed.
    Watching {
        /// When it is to be listed again, so that what does not change is evaluated as well.
        relist_at: Option<i64>,
    },
}

#[derive(Debug)]
pub(super) struct SourceState {
    pub(super) phase: Phase,
    pub(super) absence: Absence,
    pub(super) dependencies: Dependencies,
}

/// What of a resource was evaluated last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing.
    New,
    /// What has this fingerprint.
    Fingerprint(u64),
    /// It is to be evaluated whatever it is.
    Dirty,
}

/// What an evaluation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that follows is recorded.
    Done,
    /// Something could not be evaluated or rendered; the same may work later.
    Failed,
    /// It waits for a response of the repo-server, which fetches the resource again.
    WaitingForRepository,
    /// Only another configuration can cure it.
    WaitingForConfiguration,
}

#[derive(Debug)]
pub(super) enum Progress {
    Evaluating {
        /// A newer version that came meanwhile.
        next: Option<Box<Resource>>,
    },
    Idle(Verdict),
    /// To be fetched at this time.
    RetryAt(i64),
}

/// What is kept of a resource. Not the resource.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) source: SourceId,
    pub(super) uid: Box<str>,
    pub(super) seen: Seen,
    /// Nothing has been decided about it in this process yet, so the annotation may have been written by somebody else.
    pub(super) fresh: bool,
    /// Digest of the annotation as last seen.
    pub(super) annotation: u64,
    pub(super) progress: Progress,
    /// The number of the last list that it was seen in.
    pub(super) listed: u32,
    /// What conditions that read the clock can see.
    pub(super) pruned: Option<Box<Resource>>,
    pub(super) absent_since: Option<i64>,
}
