//! What the index commands, and what becomes of the tasks that it takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use echion_model::{Observation, Resource, ResourceId};

use super::{Done, Driver};
use crate::index::{self, Command, SourceId};
use crate::outdated::render_one_again;
use crate::parts::RuntimeError;

impl Driver {
    pub(super) async fn execute(&mut self, commands: Vec<Command>) -> Result<(), RuntimeError> {
        let mut queue = std::collections::VecDeque::from(commands);
        let mut annotations = Vec::new();
        while let Some(command) = queue.pop_front() {
            match command {
                Command::Evaluate { source, resource, first } => self.evaluate(source, *resource, first),
                Command::Fetch(source, id) => self.fetch(source, id),
                // Only the clock probes, and all at once.
                Command::Probe(..) => {}
                Command::Forget(id) => {
                    self.pipeline.patiently(|| self.pipeline.ledger.forget(&id)).await?;
                }
                Command::Absent(ids, since) => {
                    self.pipeline.patiently(|| self.pipeline.ledger.absent(&ids, since)).await?;
                }
                Command::Reconcile(source, kinds) => queue.extend(self.reconcile(source, kinds).await?),
                Command::CheckAnnotation { id, digest } => annotations.push((id, digest)),
                Command::Relist(source) => self.relist(source),
                Command::Listed => self.listed().await?,
                Command::Failed(source, error) => {
                    let name = self.sources.get(source).map_or("", |source| source.name());
                    self.pipeline.reporter.source_failed(name, &error);
                }
            }
        }
        self.check_annotations(annotations);
        Ok(())
    }

    fn evaluate(&mut self, source: SourceId, resource: Resource, first: bool) {
        let (pipeline, load, id) = (Arc::clone(&self.pipeline), self.room.enter(), resource.id.clone());
        self.under_way += 1;
        self.work.spawn(async move { Done::Evaluated(id, pipeline.evaluate(source, resource, first, load).await) });
    }

    fn fetch(&mut self, source: SourceId, id: ResourceId) {
        let Some(watched) = self.sources.get(source).map(Arc::clone) else { return };
        let permits = Arc::clone(&self.fetches);
        self.under_way += 1;
        self.work.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            let fetched = watched.get(&id).await;
            Done::Fetched(source, id, fetched)
        });
    }

    async fn reconcile(
        &mut self,
        source: SourceId,
        kinds: BTreeSet<(String, String)>,
    ) -> Result<Vec<Command>, RuntimeError> {
        if self.pipeline.is_rehearsal {
            return Ok(Vec::new());
        }
        let mut commands = Vec::new();
        for (group, kind) in kinds {
            let ledger = &self.pipeline.ledger;
            self.pipeline.patiently(|| ledger.adopt(&group, &kind)).await?;
            let known = self.pipeline.patiently(|| ledger.known(&group, &kind)).await?;
            commands.extend(self.index.reconcile(source, known, self.pipeline.now()));
        }
        Ok(commands)
    }

    /// Everything has been listed: annotations that an earlier process did not write are written.
    async fn listed(&mut self) -> Result<(), RuntimeError> {
        self.pipeline.reporter.listed(self.index.len());
        if self.pipeline.annotations.is_some() {
            for id in self.pipeline.patiently(|| self.pipeline.ledger.unwritten()).await? {
                self.pipeline.write_annotation(&id, false);
            }
        }
        self.render_outdated();
        Ok(())
    }

    /// Renders parked deliveries anew whose templates have changed, once it is known where their resources come from.
    pub(super) fn render_outdated(&mut self) {
        if !self.index.is_listed() || self.outdated.is_empty() {
            return;
        }
        let ids = std::mem::take(&mut self.outdated);
        let pipeline = Arc::clone(&self.pipeline);
        let sources = self.sources.clone();
        let places: std::collections::HashMap<ResourceId, SourceId> = self.index.places();
        self.under_way += 1;
        self.work.spawn(async move {
            for id in ids {
                if let Err(error) = render_one_again(&pipeline, &sources, &places, &id).await {
                    return Done::RenderedAgain(Err(error));
                }
            }
            pipeline.waker.reconfigured();
            Done::RenderedAgain(Ok(()))
        });
    }

    pub(super) async fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) -> Result<(), RuntimeError> {
        let Ok(done) = done else { return Err(RuntimeError::Ended("an evaluation")) };
        if !matches!(done, Done::Probed(_) | Done::Drifted(_)) {
            self.under_way = self.under_way.saturating_sub(1);
        }
        let now = self.pipeline.now();
        match done {
            Done::Evaluated(id, verdict) => {
                let commands = self.index.evaluated(&id, verdict?, now);
                self.execute(commands).await?;
            }
            Done::Fetched(source, _, Ok(Some(resource))) => {
                let commands = self.index.apply(source, Observation::Seen(resource), now);
                self.execute(commands).await?;
            }
            // The source observes by itself that it is gone.
            Done::Fetched(_, _, Ok(None)) => {}
            Done::Fetched(source, id, Err(error)) => {
                self.index.not_fetched(&id, now);
                self.execute(vec![Command::Failed(source, error)]).await?;
            }
            Done::Probed(ids) => {
                self.probing = false;
                for id in ids? {
                    let commands = self.index.fetch(&id);
                    self.execute(commands).await?;
                }
            }
            Done::Drifted(ids) => {
                for id in ids? {
                    self.index.restored(&id, now);
                    self.pipeline.write_annotation(&id, true);
                }
            }
            Done::RenderedAgain(done) => done?,
        }
        Ok(())
    }

    /// Asks conditions that read the clock again, one resource after the other, next to everything else.
    pub(super) fn probe(&mut self) {
        if self.probing || !self.index.reads_clock() {
            return;
        }
        self.probing = true;
        let (probes, pipeline) = (self.index.probe_clock(), Arc::clone(&self.pipeline));
        self.work.spawn(async move {
            let mut changed = Vec::new();
            for probe in probes {
                let Command::Probe(source, pruned) = probe else { continue };
                let id = pruned.id.clone();
                match pipeline.would_change(source, *pruned).await {
                    Ok(true) => changed.push(id),
                    Ok(false) => {}
                    Err(error) => return Done::Probed(Err(error)),
                }
            }
            Done::Probed(Ok(changed))
        });
    }

    /// Compares annotations with what was written into them.
    fn check_annotations(&mut self, annotations: Vec<(ResourceId, u64)>) {
        if annotations.is_empty() {
            return;
        }
        let pipeline = Arc::clone(&self.pipeline);
        self.work.spawn(async move {
            let mut drifted = Vec::new();
            for (id, digest) in annotations {
                match pipeline.ledger.mirrored(&id).await {
                    Ok(mirror) => {
                        let written = mirror.and_then(|mirror| mirror.annotation);
                        if written.is_some_and(|text| index::digest(Some(&text)) != digest) {
                            drifted.push(id);
                        }
                    }
                    Err(error) => return Done::Drifted(Err(error)),
                }
            }
            Done::Drifted(Ok(drifted))
        });
    }
}
