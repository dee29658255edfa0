//! One term: from taking over to the end of the process, or to the loss of the Lease.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use echion_delivery::{Dispatcher, Event, SqlLedger};
use echion_engine::Namespaces;
use echion_model::{Ledger as _, Outcome, ResourceId};
use echion_sources::kubernetes::{ConfigurationChange, Observation, ResourceKind, Scope, watch, watch_configuration};
use futures::StreamExt as _;
use tokio::sync::{Notify, mpsc, watch as flag};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::Shared;
use super::configs::Configs;
use super::mirror::{Dirty, Mirror};
use super::observer::{Line, Observer, Projects};
use super::report::{Kinds, Report};
use super::repository::Repositories;
use crate::commands::storage;
use crate::{Failure, setup};

/// Changes of the configuration that come together are compiled together.
const TOGETHER: Duration = Duration::from_millis(100);

/// How long after a change of the configuration, or of a project, resources that do not change themselves are looked at. Whoever edits
/// has so long to correct it before it concerns everything; the peer looks at them within a minute.
const EDITING: Duration = Duration::from_secs(30);

/// How often conditions that read the clock, and looks that failed, are repeated.
const AGAIN: Duration = Duration::from_secs(60);

/// How often small things are seen to: the queue's length, annotations that somebody has changed.
const TICK: Duration = Duration::from_secs(2);

/// How long the end of the process waits for deliveries that are due, and for annotations.
const DRAIN: Duration = Duration::from_secs(10);

/// What the main loop hears.
enum Signal {
    Configuration(ConfigurationChange),
    Project(Observation),
    /// Of the kind at this place, by the watch of this number.
    Resource(usize, u64, Observation),
}

/// Serves until asked to stop.
pub(super) async fn serve(
    shared: Arc<Shared>,
    durable: Option<Arc<SqlLedger>>,
    stopping: flag::Receiver<bool>,
) -> Result<(), Failure> {
    let ledger = match durable {
        Some(ledger) => ledger,
        None => setup::ledger("memory").await?,
    };
    let kinds: Kinds = Arc::default();
    let report = Report::new(&shared, Arc::clone(&kinds));
    let configs = Arc::new(RwLock::new(Configs::new(&shared.home, shared.options.tenant)));
    let (dirty, dirtied) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();

    let writer = shared.options.write_annotations.then(|| dirty.clone());
    let dispatcher = dispatcher(&configs, &ledger, &report, writer.clone());
    let waker = dispatcher.waker();
    let enough = Arc::new(Notify::new());
    let mut dispatching = JoinSet::new();
    dispatching.spawn({
        let (dispatcher, enough) = (Arc::clone(&dispatcher), Arc::clone(&enough));
        async move { dispatcher.run(enough).await }
    });
    let mirror = Mirror {
        client: shared.client.clone(),
        ledger: Arc::clone(&ledger),
        kinds: Arc::clone(&kinds),
        report: report.clone(),
    };
    let mut mirroring = JoinSet::new();
    mirroring.spawn(mirror.run(dirtied));

    let patterns = shared.options.namespaces.iter().map(String::as_str);
    let namespaces = Namespaces::new(&shared.home, patterns).map_err(Failure::new)?;
    let (wake, woken) = mpsc::unbounded_channel();
    let line = Line {
        repositories: Repositories::new(Arc::clone(&shared.repo_server), Arc::clone(&shared.metrics), wake),
        ledger: Arc::clone(&ledger),
        configs,
        namespaces,
        projects: Projects::default(),
        report,
        kinds,
        dirty: writer,
        waker,
    };
    let mut stopping = stopping;
    {
        let mut main = Main::new(Arc::clone(&shared), line, woken, &mut tasks);
        tokio::select! {
            result = main.run(&mut tasks) => result?,
            Some(done) = dispatching.join_next() => {
                return match done {
                    Ok(Err(error)) => Err(storage(error)),
                    _ => Err(Failure::new("the dispatcher ended unexpectedly")),
                };
            }
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }
    // What is due is delivered, what was delivered is written down; the rest is decided again at the next start.
    tasks.abort_all();
    enough.notify_one();
    let drained = timeout(DRAIN, async {
        while dispatching.join_next().await.is_some() {}
        dispatcher.drain(setup::now()).await
    });
    if !matches!(drained.await, Ok(Ok(()))) {
        tracing::warn!("not everything that was due could be delivered");
    }
    // The writer ends when nobody can ask it for more.
    drop((dispatcher, dirty));
    if timeout(DRAIN, async { while mirroring.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("not every annotation could be written");
    }
    Ok(())
}

fn dispatcher(
    configs: &Arc<RwLock<Configs>>,
    ledger: &Arc<SqlLedger>,
    report: &Report,
    dirty: Option<mpsc::UnboundedSender<Dirty>>,
) -> Arc<Dispatcher> {
    let configs = Arc::clone(configs);
    let directory =
        move |intent: &echion_model::Intent| configs.read().unwrap_or_else(PoisonError::into_inner).service(intent);
    let (report, told) = (report.clone(), Arc::clone(ledger));
    let tell = move |event: &Event| {
        report.attempted(event, &told);
        if let (Outcome::Delivered(_), Some(dirty)) = (&event.outcome, &dirty) {
            // Nobody listens any more when the term is over.
            let _ = dirty.send(Dirty { id: event.delivery.resource.clone(), anyway: false });
        }
    };
    Arc::new(Dispatcher::new(Arc::clone(ledger) as Arc<_>, Arc::new(directory), setup::clock(), tell))
}

/// The main loop: everything that is observed comes by here, one after the other.
struct Main {
    shared: Arc<Shared>,
    line: Line,
    signals: mpsc::Receiver<Signal>,
    /// Resources whose questions about repositories are answered.
    woken: mpsc::UnboundedReceiver<ResourceId>,
    sender: mpsc::Sender<Signal>,
    observers: Vec<Observer>,
    watches: Vec<AbortHandle>,
    generation: u64,
    compile_at: Option<Instant>,
    list_at: Option<Instant>,
    projects_listed: bool,
}

impl Main {
    fn new(
        shared: Arc<Shared>,
        line: Line,
        woken: mpsc::UnboundedReceiver<ResourceId>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (sender, signals) = mpsc::channel(64);
        let options = &shared.options;
        let scope = if options.self_service { Scope::Cluster } else { Scope::Namespace(shared.home.clone()) };
        let changes = watch_configuration(&shared.client, &scope, &options.config_map, &options.secret);
        pump(tasks, changes, sender.clone(), Signal::Configuration);
        let home = Scope::Namespace(shared.home.clone());
        let projects = watch(&shared.client, &ResourceKind::project(), &home, "");
        pump(tasks, projects, sender.clone(), Signal::Project);
        let observers = options.kinds.iter().map(|kind| Observer::new(kind.clone())).collect();
        Self {
            shared,
            line,
            signals,
            woken,
            sender,
            observers,
            watches: Vec::new(),
            generation: 0,
            compile_at: None,
            list_at: None,
            projects_listed: false,
        }
    }

    async fn run(&mut self, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
        self.shared.health.waits_for("the ConfigMap, the Secret and the AppProjects");
        let mut again = interval(AGAIN);
        let mut tick = interval(TICK);
        for timer in [&mut again, &mut tick] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer.reset();
        }
        loop {
            self.shared.health.beat(setup::now());
            let (compile_at, list_at) = (self.compile_at, self.list_at);
            tokio::select! {
                () = reached(compile_at) => self.compile(tasks).await?,
                () = reached(list_at) => self.list(tasks),
                Some(signal) = self.signals.recv() => self.hear(signal, tasks).await?,
                Some(id) = self.woken.recv() => self.look_at(&id).await?,
                _ = again.tick() => self.look_again(true, tasks).await?,
                _ = tick.tick() => self.see_to_small_things().await?,
                // Finished pumps would pile up.
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
    }

    async fn hear(&mut self, signal: Signal, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
        match signal {
            Signal::Configuration(ConfigurationChange::Trouble(text)) => {
                self.line.report.trouble("configuration", &text)
            }
            Signal::Configuration(change) => {
                let mut configs = self.line.configs.write().unwrap_or_else(PoisonError::into_inner);
                configs.take(change);
                if configs.listed() && (configs.changed() || self.watches.is_empty()) && self.compile_at.is_none() {
                    self.compile_at = Some(Instant::now() + TOGETHER);
                }
            }
            Signal::Project(observation) => {
                let reads = self.observers.iter().any(|observer| observer.interest.reads_project());
                let changed = match observation {
                    Observation::Trouble { text, refused } => {
                        self.line.report.trouble("projects", &text);
                        // Without the right to see projects everything else still works.
                        let first = refused && !self.projects_listed;
                        self.projects_listed |= refused;
                        first && self.ready_to_watch()
                    }
                    Observation::Complete if !self.projects_listed => {
                        self.line.projects.take(Observation::Complete, reads);
                        self.projects_listed = true;
                        self.ready_to_watch()
                    }
                    other => self.line.projects.take(other, reads) && self.projects_listed,
                };
                if changed {
                    // The subscriptions of a project concern its resources.
                    self.look_at_all(tasks);
                }
            }
            Signal::Resource(index, generation, observation) if generation == self.generation => {
                let complete = matches!(observation, Observation::Complete);
                if let Some(observer) = self.observers.get_mut(index) {
                    observer.observe(&self.line, &self.shared, observation).await?;
                }
                if complete && self.observers.iter().all(Observer::listed) {
                    self.shared.health.ready();
                    let count = self.observers.iter().map(Observer::count).sum();
                    self.shared.metrics.resources(count);
                    tracing::info!(resources = count, "all resources are listed");
                }
            }
            Signal::Resource(..) => {}
        }
        Ok(())
    }

    fn ready_to_watch(&self) -> bool {
        let configs = self.line.configs.read().unwrap_or_else(PoisonError::into_inner);
        self.projects_listed && configs.listed() && !configs.changed() && self.watches.is_empty()
    }

    async fn compile(&mut self, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
        self.compile_at = None;
        {
            let mut configs = self.line.configs.write().unwrap_or_else(PoisonError::into_inner);
            for (namespace, config) in configs.compile() {
                self.line.report.configured(&namespace, &config);
            }
            for observer in &mut self.observers {
                observer.interested_in(configs.all());
            }
        }
        if self.projects_listed {
            self.look_at_all(tasks);
        }
        // What could not be told under the old configuration may be told under the new one.
        self.look_again(false, tasks).await
    }

    /// Every resource is to be looked at: when it changes, or else a while from now.
    fn look_at_all(&mut self, tasks: &mut JoinSet<()>) {
        if self.watches.is_empty() {
            self.list(tasks);
        } else {
            self.observers.iter_mut().for_each(Observer::doubt);
            self.list_at = Some(Instant::now() + EDITING);
        }
    }

    /// Lists and watches all resources from the beginning.
    fn list(&mut self, tasks: &mut JoinSet<()>) {
        self.list_at = None;
        self.watches.drain(..).for_each(|watch| watch.abort());
        self.generation += 1;
        let cluster = !self.shared.options.namespaces.is_empty();
        let scope = if cluster { Scope::Cluster } else { Scope::Namespace(self.shared.home.clone()) };
        for (index, observer) in self.observers.iter_mut().enumerate() {
            observer.start_over();
            let labels = if observer.kind.is_application() { self.shared.options.labels.as_str() } else { "" };
            let observations = watch(&self.shared.client, &observer.kind, &scope, labels);
            let generation = self.generation;
            let signal = move |observation| Signal::Resource(index, generation, observation);
            self.watches.push(pump(tasks, observations, self.sender.clone(), signal));
        }
    }

    async fn look_again(&mut self, clock: bool, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
        let mut many = false;
        for observer in &mut self.observers {
            many |= observer.look_again(&self.line, &self.shared, clock).await?;
        }
        if many {
            self.list(tasks);
        }
        Ok(())
    }

    /// Looks at one resource again.
    async fn look_at(&mut self, id: &ResourceId) -> Result<(), Failure> {
        for observer in self.observers.iter_mut().filter(|observer| observer.knows(id)) {
            observer.look_at(&self.line, &self.shared, id).await?;
        }
        Ok(())
    }

    async fn see_to_small_things(&mut self) -> Result<(), Failure> {
        let counts = self.line.ledger.counts().await.map_err(storage)?;
        self.shared.metrics.queued(counts);
        self.shared.metrics.resources(self.observers.iter().map(Observer::count).sum());
        for observer in &mut self.observers {
            observer.restore_annotations(&self.line).await?;
        }
        Ok(())
    }
}

/// Ends at a time; never without one.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Hands what a stream tells to the main loop, which is never overtaken.
fn pump<T: Send + 'static>(
    tasks: &mut JoinSet<()>,
    stream: impl futures::Stream<Item = T> + Send + 'static,
    to: mpsc::Sender<Signal>,
    signal: impl Fn(T) -> Signal + Send + 'static,
) -> AbortHandle {
    tasks.spawn(async move {
        let mut stream = std::pin::pin!(stream);
        while let Some(item) = stream.next().await {
            if to.send(signal(item)).await.is_err() {
                return;
            }
        }
    })
}
