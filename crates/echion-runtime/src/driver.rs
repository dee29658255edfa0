//! Executes what the index commands: the loop that everything observed comes by, one after the other.

mod execution;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use echion_delivery::{Dispatcher, Route, Routes, RunAhead};
use echion_engine::{Dependencies, Plan};
use echion_model::{
    ConfigurationChange, DeliveryId, LedgerError, Observation, Resource, ResourceId, RouteKey, Source, SourceError,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::configuration::Configurations;
use crate::index::{Command, Index, SourceId, Verdict};
use crate::lanes::{Lanes, Room};
use crate::parts::{Parts, RuntimeError, Settings, Summary};
use crate::pipeline::{Pipeline, Tally};
use crate::projects::Projects;
use crate::repositories::RepositoryCache;
use crate::state_mirror::{AnnotationWriter, Attempts};

/// Evaluations under way before the next observation is taken.
const EVALUATIONS: usize = 64;

/// Resources that are fetched at once.
const FETCHES: usize = 8;

/// How often what its time has come for is done.
const TICK: Duration = Duration::from_secs(1);

/// How often conditions that read the clock are evaluated again.
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

/// How long the end waits for annotations that are to be written.
const END_GRACE: Duration = Duration::from_millis(1_500);

/// With a ledger that ends with the process, so many deliveries may be ahead of the annotations.
const RUN_AHEAD: u32 = 16;

enum Event {
    Project(Observation),
    /// Of a source, by the observation of this number.
    Resource(SourceId, u64, Observation),
}

/// What tasks next to the loop come to.
enum Done {
    Evaluated(ResourceId, Result<Verdict, LedgerError>),
    Fetched(SourceId, ResourceId, Result<Option<Resource>, SourceError>),
    Probed(Result<Vec<ResourceId>, LedgerError>),
    Drifted(Result<Vec<ResourceId>, LedgerError>),
    RenderedAgain(Result<(), LedgerError>),
}

/// The driver.
pub struct Driver {
    pipeline: Arc<Pipeline>,
    index: Index,
    dispatcher: Arc<Dispatcher>,
    configuration: BoxStream<'static, ConfigurationChange>,
    projects: Arc<dyn Source>,
    sources: Vec<Arc<dyn Source>>,
    settings: Settings,
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
    woken: mpsc::UnboundedReceiver<ResourceId>,
    room: Arc<Room>,
    pumps: JoinSet<()>,
    /// The observation of each source, and its number.
    watches: Vec<Option<(AbortHandle, u64)>>,
    generation: u64,
    fetches: Arc<Semaphore>,
    work: JoinSet<Done>,
    /// Evaluations, fetches and renderings under way: when there are none, everything observed so far is decided.
    under_way: usize,
    writing: JoinSet<()>,
    compile_at: Option<Instant>,
    observing: bool,
    probing: bool,
    /// Parked deliveries whose templates have changed.
    outdated: Vec<DeliveryId>,
}

impl Driver {
    /// A driver that has not begun.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self::with(parts, false)
    }

    fn with(parts: Parts, is_rehearsal: bool) -> Self {
        let configurations = Arc::new(RwLock::new(Configurations::new(&parts.home, parts.compile)));
        let (wake, woken) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::channel(EVALUATIONS);
        let mut writing = JoinSet::new();
        let mut ahead = None;
        let annotations = parts.mirror.map(|mirror| {
            let (updates, updated) = mpsc::unbounded_channel();
            ahead = (!parts.ledger.is_durable()).then(|| Arc::new(RunAhead::new(RUN_AHEAD)));
            let (ledger, reporter) = (Arc::clone(&parts.ledger), Arc::clone(&parts.reporter));
            writing.spawn(AnnotationWriter { mirror, ledger, reporter, ahead: ahead.clone() }.run(updated));
            updates
        });
        let routes: Routes = {
            let configurations = Arc::clone(&configurations);
            Arc::new(move |key: &RouteKey| -> Option<Route> {
                configurations.read().unwrap_or_else(PoisonError::into_inner).route(key)
            })
        };
        let attempts = Attempts { reporter: Arc::clone(&parts.reporter), annotations: annotations.clone() };
        let dispatcher =
            Dispatcher::new(Arc::clone(&parts.ledger), routes, Arc::clone(&parts.clock), Arc::new(attempts));
        let dispatcher = match ahead {
            Some(ahead) => dispatcher.bounded_by(ahead),
            None => dispatcher,
        };
        let absences = parts.resources.iter().map(|source| source.absence());
        let index = Index::new(absences, parts.namespaces.clone(), annotations.is_some());
        let pipeline = Pipeline {
            repositories: RepositoryCache::new(parts.repository, Arc::clone(&parts.reporter), wake),
            ledger: parts.ledger,
            configurations,
            projects: RwLock::new(Projects::default()),
            namespaces: parts.namespaces,
            variables: parts.resources.iter().map(|source| source.variable().to_owned()).collect(),
            moment: parts.moment,
            clock: parts.clock,
            reporter: parts.reporter,
            waker: dispatcher.waker(),
            annotations,
            lanes: Lanes::default(),
            is_rehearsal,
            rehearsed: std::sync::Mutex::default(),
            tally: Tally::default(),
        };
        Self {
            pipeline: Arc::new(pipeline),
            index,
            dispatcher: Arc::new(dispatcher),
            configuration: parts.configuration,
            projects: parts.projects,
            watches: parts.resources.iter().map(|_| None).collect(),
            sources: parts.resources,
            settings: parts.settings,
            events,
            sender,
            woken,
            room: Arc::default(),
            pumps: JoinSet::new(),
            generation: 0,
            fetches: Arc::new(Semaphore::new(FETCHES)),
            work: JoinSet::new(),
            under_way: 0,
            writing,
            compile_at: None,
            observing: false,
            probing: false,
            outdated: Vec::new(),
        }
    }

    /// Serves until `stop` is true; what is on its way then ends, within ten seconds.
    ///
    /// # Errors
    /// When the ledger fails for good.
    pub async fn serve(mut self, mut stop: watch::Receiver<bool>) -> Result<(), RuntimeError> {
        let (end, ending) = watch::channel(false);
        let dispatcher = Arc::clone(&self.dispatcher);
        let mut dispatching: JoinSet<Result<(), LedgerError>> = JoinSet::new();
        let result = {
            let mut ticks = Ticks::new();
            self.begin();
            loop {
                // Nothing is dispatched before the configuration has been read: what has no service would be parked.
                if dispatching.is_empty() && self.is_configured() {
                    let (dispatcher, ending) = (Arc::clone(&dispatcher), ending.clone());
                    dispatching.spawn(async move { dispatcher.run(ending).await });
                }
                tokio::select! {
                    turned = self.turn(&mut ticks) => if let Err(error) = turned { break Err(error) },
                    Some(ended) = dispatching.join_next() => break match ended {
                        Ok(Err(error)) => Err(error.into()),
                        _ => Err(RuntimeError::Ended("the dispatcher")),
                    },
                    _ = stop.wait_for(|stop| *stop) => break Ok(()),
                }
            }
        };
        self.pumps.abort_all();
        // The receiver is gone only when the dispatcher has ended already.
        let _ = end.send(true);
        let mut result = result;
        while let Some(ended) = dispatching.join_next().await {
            if let Ok(Err(error)) = ended {
                result = result.and(Err(error.into()));
            }
        }
        self.finish_writing(dispatcher).await;
        result
    }

    /// Evaluates everything that there is, once, and delivers what is due before `deadline` (milliseconds since 1970).
    ///
    /// # Errors
    /// When the ledger fails for good.
    pub async fn once(mut self, deadline: i64) -> Result<Summary, RuntimeError> {
        self.settle().await?;
        self.dispatcher.drain(deadline).await?;
        let tally = &self.pipeline.tally;
        let summary = Summary {
            resources: self.index.len(),
            skipped: tally.skipped.load(Ordering::Relaxed),
            planned: tally.planned.load(Ordering::Relaxed),
            failed: tally.failed.load(Ordering::Relaxed),
            totals: self.dispatcher.totals(),
            counts: self.pipeline.ledger.counts().await?,
        };
        let dispatcher = Arc::clone(&self.dispatcher);
        self.finish_writing(dispatcher).await;
        Ok(summary)
    }

    /// What would be done about every resource. Nothing is recorded.
    ///
    /// # Errors
    /// When the ledger fails for good.
    pub async fn rehearse(parts: Parts) -> Result<Vec<Plan>, RuntimeError> {
        let mut driver = Self::with(Parts { mirror: None, ..parts }, true);
        driver.settle().await?;
        let mut plans = std::mem::take(&mut *driver.pipeline.rehearsed.lock().unwrap_or_else(PoisonError::into_inner));
        plans.sort_by(|a, b| a.resource.cmp(&b.resource));
        Ok(plans)
    }

    /// Comes around until everything that there is has been listed and decided.
    async fn settle(&mut self) -> Result<(), RuntimeError> {
        let mut ticks = Ticks::new();
        self.begin();
        while !(self.index.is_listed() && self.under_way == 0 && self.outdated.is_empty() && self.compile_at.is_none())
        {
            self.turn(&mut ticks).await?;
        }
        self.pumps.abort_all();
        Ok(())
    }

    /// Writes the annotations that can be written now.
    async fn finish_writing(self, dispatcher: Arc<Dispatcher>) {
        let Self { mut writing, mut work, pipeline, dispatcher: own, pumps, .. } = self;
        work.abort_all();
        drop((pumps, work, pipeline, dispatcher, own));
        // The writer ends when no sender is left.
        let _ = timeout(END_GRACE, async { while writing.join_next().await.is_some() {} }).await;
    }

    fn is_configured(&self) -> bool {
        self.pipeline.configurations.read().unwrap_or_else(PoisonError::into_inner).is_compiled()
    }

    fn begin(&mut self) {
        let projects = self.projects.observe();
        pump(&mut self.pumps, projects, self.sender.clone(), Event::Project);
    }

    /// Waits for one thing to happen, and does what follows.
    async fn turn(&mut self, ticks: &mut Ticks) -> Result<(), RuntimeError> {
        self.pipeline.reporter.beat(self.pipeline.now());
        let compile_at = self.compile_at;
        let has_room = self.room.load() < EVALUATIONS;
        tokio::select! {
            // What has ended first, so that it does not pile up; what is observed last, since there is always more of it during a list.
            biased;
            Some(done) = self.work.join_next() => self.finish(done).await?,
            Some(change) = self.configuration.next() => self.configure(change),
            () = reached(compile_at) => self.compile().await?,
            _ = ticks.tick.tick() => self.tick().await?,
            _ = ticks.clock.tick() => self.probe(),
            Some(id) = self.woken.recv() => {
                let commands = self.index.fetch(&id);
                self.execute(commands).await?;
            }
            Some(_) = self.pumps.join_next(), if !self.pumps.is_empty() => {}
            Some(event) = self.events.recv(), if has_room => self.observe(event).await?,
            () = self.room.freed(), if !has_room => {}
        }
        Ok(())
    }

    fn configure(&mut self, change: ConfigurationChange) {
        if let ConfigurationChange::Failed(text) = &change {
            self.pipeline.reporter.configuration_failed(text);
        }
        let mut configurations = self.pipeline.configurations.write().unwrap_or_else(PoisonError::into_inner);
        configurations.apply(change);
        if configurations.is_outdated() && self.compile_at.is_none() {
            self.compile_at = Some(Instant::now() + self.settings.config_debounce);
        }
    }

    async fn compile(&mut self) -> Result<(), RuntimeError> {
        self.compile_at = None;
        let pipeline = Arc::clone(&self.pipeline);
        let dependencies = {
            let mut configurations = pipeline.configurations.write().unwrap_or_else(PoisonError::into_inner);
            for (namespace, config) in configurations.compile() {
                pipeline.reporter.configured(&namespace, &config);
            }
            pipeline.variables.iter().map(|variable| Dependencies::of(configurations.all(), variable)).collect()
        };
        let commands = self.index.reconfigured(dependencies, pipeline.now(), millis(self.settings.config_grace));
        self.execute(commands).await?;
        if !pipeline.is_rehearsal {
            self.reroute().await?;
        }
        self.observe_resources();
        Ok(())
    }

    /// Lets deliveries that are not delivered yet follow the configuration.
    async fn reroute(&mut self) -> Result<(), RuntimeError> {
        let pipeline = &self.pipeline;
        let configurations = Arc::clone(&pipeline.configurations);
        let router = move |key: &RouteKey| configurations.read().unwrap_or_else(PoisonError::into_inner).channel(key);
        let now = pipeline.now();
        let rerouted = pipeline.patiently(|| pipeline.ledger.reroute(&router, now)).await?;
        let revived = rerouted.revived + rerouted.outdated.len() as u64;
        if revived > 0 {
            pipeline.reporter.revived(revived);
        }
        self.outdated.extend(rerouted.outdated);
        pipeline.waker.reconfigured();
        self.render_outdated();
        Ok(())
    }

    /// Once configuration and projects are known, resources are observed.
    fn observe_resources(&mut self) {
        let projects = self.pipeline.projects.read().unwrap_or_else(PoisonError::into_inner).is_complete();
        if projects && self.is_configured() && !self.observing {
            self.observing = true;
            for source in 0..self.sources.len() {
                self.relist(source);
            }
        }
    }

    /// Observes a source from the beginning.
    fn relist(&mut self, source: SourceId) {
        let Some(watched) = self.sources.get(source) else { return };
        self.generation += 1;
        let generation = self.generation;
        let event = move |observation| Event::Resource(source, generation, observation);
        let watch = pump(&mut self.pumps, watched.observe(), self.sender.clone(), event);
        if let Some((old, _)) = self.watches.get_mut(source).and_then(|slot| slot.replace((watch, generation))) {
            old.abort();
        }
    }

    async fn observe(&mut self, event: Event) -> Result<(), RuntimeError> {
        match event {
            Event::Project(observation) => {
                if let Observation::Failed(error) = &observation {
                    self.pipeline.reporter.source_failed(self.projects.name(), error);
                }
                let reads = self.index.reads_projects();
                let changed =
                    self.pipeline.projects.write().unwrap_or_else(PoisonError::into_inner).apply(observation, reads);
                if !self.observing {
                    self.observe_resources();
                } else if changed {
                    // The subscriptions of a project concern its resources.
                    let grace = millis(self.settings.config_grace);
                    let commands = self.index.invalidate_all(self.pipeline.now(), grace);
                    self.execute(commands).await?;
                }
            }
            Event::Resource(source, generation, observation) => {
                // What an earlier observation still had under way is older than its successor's list.
                if matches!(self.watches.get(source), Some(Some((_, current))) if *current == generation) {
                    let seen = match &observation {
                        Observation::Seen(resource) => Some(resource.id.clone()),
                        _ => None,
                    };
                    let commands = self.index.apply(source, observation, self.pipeline.now());
                    if let Some(resource) = seen
                        && !commands.iter().any(|c| matches!(c, Command::Evaluate { .. }))
                    {
                        self.pipeline.reporter.unchanged(&resource);
                    }
                    self.execute(commands).await?;
                }
            }
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), RuntimeError> {
        let now = self.pipeline.now();
        let commands = self.index.tick(now);
        self.execute(commands).await?;
        // Numbers for people: a ledger that is busy just now is asked the next time.
        if let Ok(counts) = self.pipeline.ledger.counts().await {
            self.pipeline.reporter.gauges(counts, self.index.len());
        }
        Ok(())
    }
}

/// The timers of the loop.
struct Ticks {
    tick: tokio::time::Interval,
    clock: tokio::time::Interval,
}

impl Ticks {
    fn new() -> Self {
        let timer = |every| {
            let mut timer = interval(every);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer.reset();
            timer
        };
        Self { tick: timer(TICK), clock: timer(CLOCK_INTERVAL) }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Ends at a time; never without one.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Hands what a stream yields to the loop, which is never overtaken.
fn pump(
    pumps: &mut JoinSet<()>,
    mut stream: echion_model::Observations,
    to: mpsc::Sender<Event>,
    event: impl Fn(Observation) -> Event + Send + 'static,
) -> AbortHandle {
    pumps.spawn(async move {
        while let Some(item) = stream.next().await {
            if to.send(event(item)).await.is_err() {
                return;
            }
        }
    })
}
