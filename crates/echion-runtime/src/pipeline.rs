//! What every evaluation needs, and what it does: state → plan → ledger. It runs next to the driver's loop.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use echion_delivery::{Clock, Waker};
use echion_engine::variables::EvaluationContext;
use echion_engine::{Action, Config, Inputs, NOTIFIED, Namespaces, Plan, Step, evaluate, subscribed_triggers};
use echion_model::{LedgerError, Resource, ResourceId, SharedLedger, State};
use echion_value::Value;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::configuration::Configurations;
use crate::evaluation::Evaluation;
use crate::index::{SourceId, Verdict};
use crate::lanes::{Lanes, Load, NotEvaluated};
use crate::projects::Projects;
use crate::reporter::{Evaluated, Reporter};
use crate::repositories::{RepositoryCache, RepositoryQuery};
use crate::state_mirror::AnnotationUpdate;

/// How long a ledger that fails is tried again before the process gives up, and how often.
const LEDGER_PATIENCE: u32 = 60;
const LEDGER_RETRY: Duration = Duration::from_secs(1);

/// Makes the moment in which something is evaluated, from the time in milliseconds since 1970.
pub(crate) type Moment = Arc<dyn Fn(i64) -> EvaluationContext + Send + Sync>;

/// Everything that evaluations share.
pub(crate) struct Pipeline {
    pub(crate) ledger: SharedLedger,
    pub(crate) configurations: Arc<RwLock<Configurations>>,
    pub(crate) projects: RwLock<Projects>,
    pub(crate) repositories: Arc<RepositoryCache>,
    pub(crate) namespaces: Namespaces,
    /// The variable of each source's resources.
    pub(crate) variables: Vec<String>,
    pub(crate) moment: Moment,
    pub(crate) clock: Clock,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) waker: Arc<Waker>,
    /// Where annotations that must be written are queued; `None` when none may be.
    pub(crate) annotations: Option<mpsc::UnboundedSender<AnnotationUpdate>>,
    pub(crate) lanes: Lanes,
    /// Nothing is recorded; the plans are kept.
    pub(crate) is_rehearsal: bool,
    pub(crate) rehearsed: Mutex<Vec<Plan>>,
    pub(crate) tally: Tally,
}

/// What evaluations came to so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) skipped: AtomicUsize,
    pub(crate) planned: AtomicUsize,
    pub(crate) failed: AtomicUsize,
}

impl Tally {
    fn count(&self, plan: &Plan) {
        let failed = |step: &&Step| matches!(step.action, Action::Failed(_) | Action::Unconfigured(_));
        self.skipped.fetch_add(usize::from(plan.skipped.is_some()), Ordering::Relaxed);
        self.planned.fetch_add(plan.intents.len(), Ordering::Relaxed);
        self.failed.fetch_add(plan.steps.iter().filter(failed).count(), Ordering::Relaxed);
    }
}

impl Pipeline {
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Repeats what the ledger did not do, for a while.
    pub(crate) async fn patiently<T, F>(&self, mut act: impl FnMut() -> F) -> Result<T, LedgerError>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        let mut left = LEDGER_PATIENCE;
        loop {
            match act().await {
                Ok(done) => return Ok(done),
                Err(error) if left == 0 => return Err(error),
                Err(error) => {
                    if left == LEDGER_PATIENCE {
                        self.reporter.ledger_failed(&error);
                    }
                    left -= 1;
                    tokio::time::sleep(LEDGER_RETRY).await;
                }
            }
        }
    }

    /// Evaluates one version of a resource and records what follows.
    pub(crate) async fn evaluate(
        &self,
        source: SourceId,
        resource: Resource,
        first: bool,
        load: Load,
    ) -> Result<Verdict, LedgerError> {
        let span = tracing::info_span!("evaluate", resource = %resource.id);
        self.evaluate_all(source, Arc::new(resource), first, Some(load)).instrument(span).await
    }

    async fn evaluate_all(
        &self,
        source: SourceId,
        resource: Arc<Resource>,
        first: bool,
        mut load: Option<Load>,
    ) -> Result<Verdict, LedgerError> {
        let configs = self.configurations.read().unwrap_or_else(PoisonError::into_inner).of(&resource.id.namespace);
        let project = self.projects.read().unwrap_or_else(PoisonError::into_inner).of(&resource).map(Arc::new);
        let mut verdict = Verdict::Done;
        for config in configs {
            let state = self.patiently(|| self.ledger.state(&resource)).await?;
            // The first time this process sees it: has somebody else, such as Argo CD Notifications, written the annotation since?
            let mut foreign = false;
            if first && state.is_some() {
                let mirror = self.patiently(|| self.ledger.mirrored(&resource.id)).await?;
                foreign = mirror.and_then(|mirror| mirror.annotation) != resource.annotation(NOTIFIED);
            }
            let query = self.repositories.begin();
            let evaluation =
                Evaluation { source, resource: Arc::clone(&resource), project: project.clone(), state, foreign };
            let Ok(plan) = self.plan(&config, evaluation, &query, &mut load).await else {
                verdict = worse(verdict, Verdict::Failed);
                continue;
            };
            if query.start_missing(&resource.id) {
                // Nothing is decided before the repo-server has answered; then the resource is evaluated again.
                verdict = worse(verdict, Verdict::WaitingForRepository);
                continue;
            }
            verdict = worse(verdict, verdict_of(&plan, &query));
            let mut recorded = 0;
            if self.is_rehearsal {
                self.rehearsed.lock().unwrap_or_else(PoisonError::into_inner).push(plan);
                continue;
            }
            self.tally.count(&plan);
            if !plan.change.is_empty() {
                let now = self.now();
                let record = || self.ledger.record(&resource, &plan.change, &plan.intents, now);
                recorded = self.patiently(record).await?.len();
                if recorded > 0 {
                    self.waker.recorded(plan.intents.iter().map(|intent| intent.channel.as_str()));
                }
                if !plan.change.clear.is_empty() {
                    self.write_annotation(&resource.id, false);
                }
            }
            self.reporter.evaluated(&Evaluated { resource: &resource, plan: &plan, recorded });
        }
        Ok(verdict)
    }

    /// What follows for a resource under one configuration, computed where it delays no other resource.
    pub(crate) async fn plan(
        &self,
        config: &Arc<Config>,
        evaluation: Evaluation,
        query: &Arc<RepositoryQuery>,
        load: &mut Option<Load>,
    ) -> Result<Plan, NotEvaluated> {
        let Evaluation { source, resource, project, state, foreign } = evaluation;
        let current: Arc<Mutex<String>> = Arc::default();
        let progress = Arc::clone(&current);
        let context = self.context(config, source, query).reporting(Arc::new(move |trigger: &str| {
            trigger.clone_into(&mut progress.lock().unwrap_or_else(PoisonError::into_inner));
        }));
        let class = |trigger: String| (config.owner.clone(), trigger);
        let classes = || {
            let triggers = subscribed_triggers(config, &resource, project.as_deref());
            triggers.into_iter().map(class).collect()
        };
        let current = || {
            let trigger = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (!trigger.is_empty()).then(|| class(trigger))
        };
        let work = {
            let (config, resource, project) = (Arc::clone(config), Arc::clone(&resource), project.clone());
            let namespaces = self.namespaces.clone();
            move || {
                let inputs = Inputs {
                    resource: &resource,
                    project: project.as_deref(),
                    state: state.as_ref(),
                    foreign,
                    namespaces: &namespaces,
                    context: &context,
                };
                evaluate(&config, inputs)
            }
        };
        self.lanes.run(&config.owner, classes, current, load, work).await
    }

    /// The moment of an evaluation under a configuration.
    pub(crate) fn context(&self, config: &Config, source: SourceId, query: &Arc<RepositoryQuery>) -> EvaluationContext {
        let variable = self.variables.get(source).map_or("app", String::as_str);
        let context = (self.moment)(self.now()).with_repository(Arc::clone(query) as Arc<_>).calling(variable);
        if config.owner.is_empty() { context } else { context.for_self_service() }
    }

    /// Whether evaluating the whole resource would come to something, judged by what conditions can see.
    pub(crate) async fn would_change(&self, source: SourceId, pruned: Resource) -> Result<bool, LedgerError> {
        let pruned = Arc::new(pruned);
        let configs = self.configurations.read().unwrap_or_else(PoisonError::into_inner).of(&pruned.id.namespace);
        let project: Option<Arc<Value>> =
            self.projects.read().unwrap_or_else(PoisonError::into_inner).of(&pruned).map(Arc::new);
        let state: State = self.patiently(|| self.ledger.state(&pruned)).await?.unwrap_or_default();
        for config in configs {
            let query = self.repositories.begin();
            let (resource, project, state) = (Arc::clone(&pruned), project.clone(), Some(state.clone()));
            let evaluation = Evaluation { source, resource, project, state, foreign: false };
            let plan = self.plan(&config, evaluation, &query, &mut None).await;
            if query.start_missing(&pruned.id) || plan.is_ok_and(|plan| !plan.is_quiet()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The annotation of a resource must be written; `force` where it was written like that before and somebody has changed it.
    pub(crate) fn write_annotation(&self, id: &ResourceId, force: bool) {
        if let Some(annotations) = &self.annotations {
            // No writer waits for it any more when the driver has ended.
            let _ = annotations.send(AnnotationUpdate { id: id.clone(), force });
        }
    }
}

fn verdict_of(plan: &Plan, query: &RepositoryQuery) -> Verdict {
    if plan.has_failed() || plan.has_unknown() && query.was_refused() {
        Verdict::Failed
    } else if plan.steps.iter().any(|step| matches!(step.action, Action::Unconfigured(_))) {
        Verdict::WaitingForConfiguration
    } else {
        Verdict::Done
    }
}

/// Of two verdicts the one that asks for more.
fn worse(a: Verdict, b: Verdict) -> Verdict {
    let rank = |verdict| match verdict {
        Verdict::Done => 0,
        Verdict::WaitingForConfiguration => 1,
        Verdict::WaitingForRepository => 2,
        Verdict::Failed => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}
