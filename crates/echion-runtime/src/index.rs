//! What is known of resources, and what follows from an observation. Pure: the time comes in as a value, and what is to be done goes out as
//! commands. Resources themselves are not kept: a fingerprint of what conditions can see tells whether a change must be evaluated.

mod states;

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use echion_engine::{Dependencies, NOTIFIED, Namespaces};
use echion_model::{Absence, Known, Observation, Resource, ResourceId};

pub use states::{Command, SourceId, Verdict};
use states::{Entry, Phase, Progress, Seen, SourceState};

/// How long after an evaluation failed it is repeated.
pub const RETRY_AFTER: i64 = 60_000;

/// An annotation that differs from what was written is written again after this time: what looks changed is often only late news.
const DRIFT_SETTLE: i64 = 1_500;

/// And not more often than this: where two write against each other, one should be slow.
const DRIFT_INTERVAL: i64 = 60_000;

/// How many resources are fetched in one tick at most, so that thousands of failures do not come back at once.
const FETCHES_PER_TICK: usize = 50;

/// Everything that is known of resources.
#[derive(Debug)]
pub struct Index {
    sources: Vec<SourceState>,
    resources: HashMap<ResourceId, Entry>,
    namespaces: Namespaces,
    /// Annotations that may not be as they were written, and since when; `None` where nothing is written back.
    drifted: Option<HashMap<ResourceId, i64>>,
    /// When annotations were last checked because they differed.
    checked: HashMap<ResourceId, i64>,
    listed: bool,
    lists: u32,
}

impl Index {
    /// Nothing is known yet. `writes_back` says whether annotations are written.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Absence>, namespaces: Namespaces, writes_back: bool) -> Self {
        let source = |absence| SourceState { phase: Phase::default(), absence, dependencies: Dependencies::default() };
        Self {
            sources: sources.into_iter().map(source).collect(),
            resources: HashMap::new(),
            namespaces,
            drifted: writes_back.then(HashMap::new),
            checked: HashMap::new(),
            listed: false,
            lists: 0,
        }
    }

    /// How many resources there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether there is no resource.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Whether everything has been listed.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// Where every resource comes from.
    #[must_use]
    pub fn places(&self) -> HashMap<ResourceId, SourceId> {
        self.resources.iter().map(|(id, entry)| (id.clone(), entry.source)).collect()
    }

    /// Whether conditions read the projects of resources.
    #[must_use]
    pub fn reads_projects(&self) -> bool {
        self.sources.iter().any(|source| source.dependencies.reads_project())
    }

    /// Whether a condition of a source reads the clock.
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        self.sources.iter().any(|source| source.dependencies.reads_clock())
    }

    /// Takes in what was observed.
    pub fn apply(&mut self, source: SourceId, observation: Observation, now: i64) -> Vec<Command> {
        match observation {
            Observation::Listing => {
                if let Some(state) = self.sources.get_mut(source) {
                    let again = !matches!(state.phase, Phase::Discovering | Phase::Listing { again: false, .. });
                    self.lists = self.lists.wrapping_add(1);
                    state.phase = Phase::Listing { number: self.lists, kinds: BTreeSet::new(), again };
                }
                Vec::new()
            }
            Observation::Seen(resource) => self.seen(source, resource, now),
            Observation::Complete => self.complete(source, now),
            Observation::Gone(id) => self.gone(source, vec![id], now),
            Observation::Failed(error) => vec![Command::Failed(source, error)],
        }
    }

    fn seen(&mut self, source: SourceId, resource: Resource, now: i64) -> Vec<Command> {
        let Some(state) = self.sources.get_mut(source) else { return Vec::new() };
        if !self.namespaces.contain(&resource.id.namespace) {
            return Vec::new();
        }
        let mut listed = None;
        if let Phase::Listing { number, kinds, .. } = &mut state.phase {
            listed = Some(*number);
            if !kinds.iter().any(|(group, kind)| *group == resource.id.group && *kind == resource.id.kind) {
                kinds.insert((resource.id.group.clone(), resource.id.kind.clone()));
            }
        }
        let mut commands = Vec::new();
        let fingerprint = state.dependencies.fingerprint(&resource);
        let annotation = digest(resource.annotation(NOTIFIED).as_deref());
        let entry = self.resources.entry(resource.id.clone()).or_insert_with(|| Entry {
            source,
            uid: resource.uid.as_str().into(),
            seen: Seen::New,
            fresh: true,
            annotation,
            progress: Progress::Idle(Verdict::Done),
            listed: 0,
            pruned: None,
            absent_since: None,
        });
        entry.listed = listed.unwrap_or(entry.listed);
        if entry.absent_since.take().is_some() {
            commands.push(Command::Absent(vec![resource.id.clone()], None));
        }
        if *entry.uid != *resource.uid {
            // Another object under the same name.
            entry.uid = resource.uid.as_str().into();
            (entry.seen, entry.fresh) = (Seen::New, true);
        }
        let first = entry.fresh;
        if let Some(drifted) = &mut self.drifted
            && entry.annotation != annotation
        {
            drifted.entry(resource.id.clone()).or_insert(now);
        }
        entry.annotation = annotation;
        if entry.seen == Seen::Fingerprint(fingerprint) {
            return commands;
        }
        entry.seen = Seen::Fingerprint(fingerprint);
        entry.pruned = state.dependencies.reads_clock().then(|| Box::new(state.dependencies.prune(&resource)));
        match &mut entry.progress {
            // One evaluation of a resource at a time; of several versions that come meanwhile the last one counts.
            Progress::Evaluating { next } => *next = Some(Box::new(resource)),
            progress => {
                *progress = Progress::Evaluating { next: None };
                commands.push(Command::Evaluate { source, resource: Box::new(resource), first });
            }
        }
        commands
    }

    fn complete(&mut self, source: SourceId, now: i64) -> Vec<Command> {
        let Some(state) = self.sources.get_mut(source) else { return Vec::new() };
        let Phase::Listing { number, kinds, again } =
            std::mem::replace(&mut state.phase, Phase::Watching { relist_at: None })
        else {
            return Vec::new();
        };
        let gone: Vec<ResourceId> = self
            .resources
            .iter()
            .filter(|(_, entry)| entry.source == source && entry.absent_since.is_none() && entry.listed != number)
            .map(|(id, _)| id.clone())
            .collect();
        let mut commands = self.gone(source, gone, now);
        if !again {
            // What went away while this process did not run.
            commands.push(Command::Reconcile(source, kinds));
        }
        self.resources.shrink_to_fit();
        if !self.listed && self.sources.iter().all(|s| matches!(s.phase, Phase::Watching { .. })) {
            self.listed = true;
            commands.push(Command::Listed);
        }
        commands
    }

    fn gone(&mut self, source: SourceId, ids: Vec<ResourceId>, now: i64) -> Vec<Command> {
        let absence = self.sources.get(source).map_or(Absence::Deleted, |source| source.absence);
        match absence {
            Absence::Deleted => ids
                .into_iter()
                .map(|id| {
                    self.remove(&id);
                    Command::Forget(id)
                })
                .collect(),
            Absence::Grace(_) => {
                let mut absent = Vec::new();
                for id in ids {
                    if let Some(entry) = self.resources.get_mut(&id)
                        && entry.absent_since.is_none()
                    {
                        entry.absent_since = Some(now);
                        absent.push(id);
                    }
                }
                if absent.is_empty() { Vec::new() } else { vec![Command::Absent(absent, Some(now))] }
            }
        }
    }

    fn remove(&mut self, id: &ResourceId) {
        self.resources.remove(id);
        self.checked.remove(id);
        if let Some(drifted) = &mut self.drifted {
            drifted.remove(id);
        }
    }

    /// Takes in what the ledger knows of the kinds of a source: what is no longer there is absent, or forgotten.
    pub fn reconcile(&mut self, source: SourceId, known: Vec<Known>, now: i64) -> Vec<Command> {
        let absence = self.sources.get(source).map_or(Absence::Deleted, |source| source.absence);
        let mut commands = Vec::new();
        let (mut back, mut away) = (Vec::new(), Vec::new());
        for Known { id, absent_since } in known {
            if let Some(drifted) = &mut self.drifted {
                // Only what the ledger knows can have an annotation of ours, which somebody may have changed meanwhile.
                drifted.entry(id.clone()).or_insert(now);
            }
            let is_there = self.resources.get(&id).is_some_and(|entry| entry.absent_since.is_none());
            match (is_there, absence, absent_since) {
                (true, _, Some(_)) => back.push(id),
                (true, _, None) => {}
                (false, Absence::Deleted, _) => commands.push(Command::Forget(id)),
                (false, Absence::Grace(grace), Some(since)) if now.saturating_sub(since) >= grace => {
                    self.remove(&id);
                    commands.push(Command::Forget(id));
                }
                (false, Absence::Grace(_), since) => {
                    let since = since.unwrap_or(now).min(now);
                    away.push(id.clone());
                    self.resources.entry(id).or_insert(Entry {
                        source,
                        uid: Box::default(),
                        seen: Seen::New,
                        fresh: true,
                        annotation: 0,
                        progress: Progress::Idle(Verdict::Done),
                        listed: 0,
                        pruned: None,
                        absent_since: Some(since),
                    });
                    if since == now {
                        commands.push(Command::Absent(away.split_off(away.len() - 1), Some(since)));
                    }
                }
            }
        }
        if !back.is_empty() {
            commands.push(Command::Absent(back, None));
        }
        commands
    }

    /// An evaluation has ended.
    pub fn evaluated(&mut self, id: &ResourceId, verdict: Verdict, now: i64) -> Vec<Command> {
        let Some(entry) = self.resources.get_mut(id) else { return Vec::new() };
        let next = match &mut entry.progress {
            Progress::Evaluating { next } => next.take(),
            _ => None,
        };
        entry.fresh &= matches!(verdict, Verdict::Failed | Verdict::WaitingForRepository);
        if let Some(resource) = next {
            entry.progress = Progress::Evaluating { next: None };
            return vec![Command::Evaluate { source: entry.source, resource, first: entry.fresh }];
        }
        entry.progress = match verdict {
            Verdict::Failed => Progress::RetryAt(now.saturating_add(RETRY_AFTER)),
            verdict => Progress::Idle(verdict),
        };
        Vec::new()
    }

    /// Something was learned that an evaluation has waited for, or would come to: the resource is evaluated as it is now.
    pub fn fetch(&mut self, id: &ResourceId) -> Vec<Command> {
        let Some(entry) = self.resources.get_mut(id) else { return Vec::new() };
        entry.seen = if entry.seen == Seen::New { Seen::New } else { Seen::Dirty };
        if matches!(entry.progress, Progress::RetryAt(_)) {
            entry.progress = Progress::Idle(Verdict::Failed);
        }
        vec![Command::Fetch(entry.source, id.clone())]
    }

    /// A resource could not be fetched; it is tried again.
    pub fn not_fetched(&mut self, id: &ResourceId, now: i64) {
        if let Some(entry) = self.resources.get_mut(id)
            && matches!(entry.progress, Progress::Idle(_))
        {
            entry.progress = Progress::RetryAt(now.saturating_add(RETRY_AFTER));
        }
    }

    /// Another configuration is in use, with these dependencies for each source. What only waited for it, or failed, is evaluated at once;
    /// everything else when it changes, or after `grace`: whoever edits has so long to correct it before it concerns everything.
    pub fn reconfigured(&mut self, dependencies: Vec<Dependencies>, now: i64, grace: i64) -> Vec<Command> {
        for (source, dependencies) in self.sources.iter_mut().zip(dependencies) {
            source.dependencies = dependencies;
        }
        let mut commands = self.invalidate_all(now, grace);
        let waiting = |entry: &Entry| {
            matches!(
                entry.progress,
                Progress::RetryAt(_) | Progress::Idle(Verdict::WaitingForConfiguration | Verdict::Failed)
            )
        };
        let ids: Vec<ResourceId> =
            self.resources.iter().filter(|(_, entry)| waiting(entry)).map(|(id, _)| id.clone()).collect();
        // So many are not fetched one by one: they come with the list.
        if grace > 0 && ids.len() <= FETCHES_PER_TICK {
            commands.extend(ids.iter().flat_map(|id| self.fetch(id)));
        }
        commands
    }

    /// Everything is to be evaluated when it is seen next, which is after `grace` at the latest.
    pub fn invalidate_all(&mut self, now: i64, grace: i64) -> Vec<Command> {
        for entry in self.resources.values_mut().filter(|entry| entry.seen != Seen::New) {
            entry.seen = Seen::Dirty;
        }
        let mut commands = Vec::new();
        for (source, state) in self.sources.iter_mut().enumerate() {
            if let Phase::Watching { relist_at } = &mut state.phase {
                if grace > 0 {
                    *relist_at = Some(now.saturating_add(grace));
                } else {
                    commands.push(Command::Relist(source));
                }
            }
        }
        commands
    }

    /// Does what its time has come for.
    pub fn tick(&mut self, now: i64) -> Vec<Command> {
        let mut commands = Vec::new();
        for (source, state) in self.sources.iter_mut().enumerate() {
            if let Phase::Watching { relist_at } = &mut state.phase
                && relist_at.is_some_and(|at| at <= now)
            {
                *relist_at = None;
                commands.push(Command::Relist(source));
            }
        }
        let due: Vec<ResourceId> = self
            .resources
            .iter()
            .filter(|(_, entry)| {
                matches!(entry.progress, Progress::RetryAt(at) if at <= now) && entry.absent_since.is_none()
            })
            .map(|(id, _)| id.clone())
            .take(FETCHES_PER_TICK)
            .collect();
        for id in due {
            commands.extend(self.fetch(&id));
        }
        commands.extend(self.expire_absent(now));
        commands.extend(self.check_annotations(now));
        commands
    }

    /// Conditions that read the clock may have another result although nothing has changed.
    pub fn probe_clock(&self) -> Vec<Command> {
        let idle = |entry: &&Entry| matches!(entry.progress, Progress::Idle(_)) && entry.absent_since.is_none();
        let probe = |entry: &Entry| entry.pruned.clone().map(|pruned| Command::Probe(entry.source, pruned));
        self.resources.values().filter(idle).filter_map(probe).collect()
    }

    fn expire_absent(&mut self, now: i64) -> Vec<Command> {
        let grace = |entry: &Entry| match self.sources.get(entry.source).map(|source| source.absence) {
            Some(Absence::Grace(grace)) => grace,
            _ => 0,
        };
        let expired = |entry: &Entry| entry.absent_since.is_some_and(|since| now.saturating_sub(since) >= grace(entry));
        let ids: Vec<ResourceId> =
            self.resources.iter().filter(|(_, entry)| expired(entry)).map(|(id, _)| id.clone()).collect();
        ids.into_iter()
            .map(|id| {
                self.remove(&id);
                Command::Forget(id)
            })
            .collect()
    }

    /// Annotations that differ from what was written, once they have differed long enough.
    fn check_annotations(&mut self, now: i64) -> Vec<Command> {
        let Some(drifted) = &mut self.drifted else { return Vec::new() };
        let mut commands = Vec::new();
        drifted.retain(|id, since| {
            let recently = self.checked.get(id).is_some_and(|at| now.saturating_sub(*at) < DRIFT_INTERVAL);
            if now.saturating_sub(*since) < DRIFT_SETTLE || recently {
                return true;
            }
            if let Some(entry) = self.resources.get(id) {
                commands.push(Command::CheckAnnotation { id: id.clone(), digest: entry.annotation });
            }
            false
        });
        self.checked.retain(|_, at| now.saturating_sub(*at) < DRIFT_INTERVAL);
        commands
    }

    /// An annotation was written again because it differed.
    pub fn restored(&mut self, id: &ResourceId, now: i64) {
        self.checked.insert(id.clone(), now);
    }
}

/// Another number for another annotation.
#[must_use]
pub fn digest(annotation: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    annotation.unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
