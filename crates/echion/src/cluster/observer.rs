//! What is known of the resources of one kind, and the look at one that has changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use echion_delivery::SqlLedger;
use echion_engine::variables::{Repository, EvaluationContext};
use echion_engine::{Action, Config, Dependencies, Inputs, NOTIFIED, Namespaces, look};
use echion_model::{Ledger as _, Resource, ResourceId};
use echion_sources::kubernetes::{Object, Observation, ResourceKind, get};
use echion_value::Value;
use tokio::sync::{Notify, mpsc};

use super::Shared;
use super::configs::Configs;
use super::mirror::Dirty;
use super::report::{Kinds, Report};
use super::repository::{Asking, Repositories};
use crate::commands::storage;
use crate::{Failure, setup};

/// An annotation that somebody has changed is restored after this time, in milliseconds: what looks changed is often only late news.
const LATE: i64 = 1_500;

/// And not more often than this: where two restore against each other, one should be slow.
const SELDOM: i64 = 60_000;

/// More resources than this are not read one by one.
const MANY: usize = 100;

/// What every look needs.
pub(super) struct Line {
    pub(super) ledger: Arc<SqlLedger>,
    pub(super) configs: Arc<RwLock<Configs>>,
    pub(super) namespaces: Namespaces,
    pub(super) projects: Projects,
    pub(super) repositories: Arc<Repositories>,
    pub(super) report: Report,
    pub(super) kinds: Kinds,
    /// Whom to tell that an annotation must be written; nobody when none may be.
    pub(super) dirty: Option<mpsc::UnboundedSender<Dirty>>,
    pub(super) waker: Arc<Notify>,
}

/// The AppProjects of the controller's namespace.
#[derive(Default)]
pub(super) struct Projects {
    known: Mutex<BTreeMap<String, Value>>,
    listed: Mutex<HashSet<String>>,
}

impl Projects {
    /// Takes in what was observed; whether it can matter. Unless conditions read projects, only their annotations do.
    pub(super) fn take(&self, observation: Observation, reads: bool) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        match observation {
            Observation::Listing => listed.clear(),
            Observation::Seen(object) => {
                let Some(project) = object.into_resource("AppProject") else { return false };
                listed.insert(project.id.name.clone());
                let matters: &[&[&str]] = if reads {
                    &[&["metadata", "annotations"], &["metadata", "labels"], &["spec"], &["status"]]
                } else {
                    &[&["metadata", "annotations"]]
                };
                let print = |object: &Value| {
                    let parts: Vec<_> = matters.iter().map(|path| object.at(path)).collect();
                    // Maps keep their entries sorted, so equal projects print equally.
                    format!("{parts:?}")
                };
                let before = known.get(&project.id.name).map(print);
                let changed = before.as_deref() != Some(&print(&project.object));
                known.insert(project.id.name, project.object);
                return changed;
            }
            Observation::Complete => {
                let before = known.len();
                known.retain(|name, _| listed.contains(name));
                return known.len() != before;
            }
            Observation::Gone(object) => {
                return object.into_resource("AppProject").is_some_and(|p| known.remove(&p.id.name).is_some());
            }
            Observation::Trouble { .. } => {}
        }
        false
    }

    fn of(&self, resource: &Resource) -> Option<Value> {
        let name = resource.object.at(&["spec", "project"]);
        let name = name.as_ref().and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or("default");
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// What is kept of a resource. Not the resource.
#[derive(Default)]
struct Known {
    uid: Box<str>,
    /// Of what conditions can see; 0 when it is to be looked at whatever it is.
    fingerprint: u64,
    /// Of the annotation as last seen.
    annotation: u64,
    /// The last look failed.
    failed: bool,
    /// What conditions that read the clock can see.
    pruned: Option<Box<Resource>>,
}

/// The resources of one kind.
pub(super) struct Observer {
    pub(super) kind: ResourceKind,
    pub(super) dependencies: Dependencies,
    known: HashMap<ResourceId, Known>,
    listing: Option<HashSet<ResourceId>>,
    listed: bool,
    /// Annotations that may not be as they were written, and since when, in milliseconds since 1970.
    suspects: HashMap<ResourceId, i64>,
    /// When annotations were written again because somebody had changed them.
    restored: HashMap<ResourceId, i64>,
}

impl Observer {
    pub(super) fn new(kind: ResourceKind) -> Self {
        Self {
            kind,
            dependencies: Dependencies::default(),
            known: HashMap::new(),
            listing: None,
            listed: false,
            suspects: HashMap::new(),
            restored: HashMap::new(),
        }
    }

    /// How many resources there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Whether all resources have been observed.
    pub(super) fn listed(&self) -> bool {
        self.listed
    }

    /// Other configurations read other things.
    pub(super) fn interested_in<'a>(&mut self, configs: impl Iterator<Item = &'a Config>) {
        self.dependencies = Dependencies::of(configs, &self.kind.variable);
    }

    /// A new list begins.
    pub(super) fn start_over(&mut self) {
        self.listing = None;
    }

    /// Everything is to be looked at when it is seen next, whether it has changed or not.
    pub(super) fn doubt(&mut self) {
        for known in self.known.values_mut() {
            known.fingerprint = 0;
        }
    }

    /// Takes in what was observed.
    pub(super) async fn observe(
        &mut self,
        line: &Line,
        shared: &Shared,
        observation: Observation,
    ) -> Result<(), Failure> {
        match observation {
            Observation::Listing => self.listing = Some(HashSet::new()),
            Observation::Seen(object) => self.seen(line, shared, object).await?,
            Observation::Complete => {
                let Some(listed) = self.listing.take() else { return Ok(()) };
                let mut gone: Vec<ResourceId> = self.known.keys().filter(|id| !listed.contains(*id)).cloned().collect();
                if !self.listed {
                    // What went away while nobody looked.
                    let kinds: HashSet<String> = listed.iter().map(|id| id.kind.clone()).collect();
                    for kind in kinds {
                        let stored = line.ledger.known(&kind).await.map_err(storage)?;
                        gone.extend(stored.into_iter().filter(|id| !listed.contains(id)));
                    }
                }
                for id in gone {
                    self.gone(line, &id).await?;
                }
                self.known.shrink_to_fit();
                self.listed = true;
            }
            Observation::Gone(object) => {
                if let Some(resource) = object.into_resource(&self.kind.plural) {
                    self.gone(line, &resource.id).await?;
                }
            }
            Observation::Trouble { text, .. } => line.report.trouble(&self.kind.plural, &text),
        }
        Ok(())
    }

    async fn gone(&mut self, line: &Line, id: &ResourceId) -> Result<(), Failure> {
        self.known.remove(id);
        self.suspects.remove(id);
        self.restored.remove(id);
        line.ledger.forget(id).await.map_err(storage)
    }

    async fn seen(&mut self, line: &Line, shared: &Shared, object: Object) -> Result<(), Failure> {
        let Some(resource) = object.into_resource(&self.kind.plural) else { return Ok(()) };
        if !line.namespaces.contain(&resource.id.namespace) {
            return Ok(());
        }
        if let Some(listed) = &mut self.listing {
            listed.insert(resource.id.clone());
        }
        let fingerprint = self.dependencies.fingerprint(&resource).max(1);
        let annotation = hash(&resource.annotation(NOTIFIED).unwrap_or_default());
        let known = self.known.get(&resource.id).filter(|known| *known.uid == *resource.uid);
        if let Some(known) = known
            && known.fingerprint == fingerprint
        {
            let changed = known.annotation != annotation;
            shared.metrics.looked("unchanged");
            if changed && let Some(known) = self.known.get_mut(&resource.id) {
                known.annotation = annotation;
                self.suspect(line, &resource.id);
            }
            return Ok(());
        }
        let first = known.is_none();
        if first {
            line.kinds
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(resource.id.kind.clone())
                .or_insert_with(|| self.kind.clone());
        }
        let failed = self.evaluate(line, &resource, first).await?;
        let pruned = self.dependencies.reads_clock().then(|| Box::new(self.dependencies.prune(&resource)));
        let id = resource.id.clone();
        let known = Known { uid: resource.uid.into(), fingerprint, annotation, failed, pruned };
        self.known.insert(id.clone(), known);
        self.suspect(line, &id);
        Ok(())
    }

    /// What a look under this configuration may ask.
    fn context(&self, config: &Config, asking: &Arc<Asking>) -> EvaluationContext {
        let repository = Arc::clone(asking) as Arc<dyn Repository>;
        let context = setup::context().with_repository(repository).calling(&self.kind.variable);
        if config.owner.is_empty() { context } else { context.for_self_service() }
    }

    /// Looks at a resource and records what follows; whether something could not be told.
    async fn evaluate(&self, line: &Line, resource: &Resource, first: bool) -> Result<bool, Failure> {
        let configs = line.configs.read().unwrap_or_else(PoisonError::into_inner).of(&resource.id.namespace);
        let project = if self.kind.is_application() { line.projects.of(resource) } else { None };
        let mut failed = false;
        for config in configs {
            let asking = line.repositories.asking();
            let context = self.context(&config, &asking);
            let state = line.ledger.state(resource).await.map_err(storage)?;
            // The first time this process sees it: has another one, such as the peer, written the annotation since?
            let mut foreign = false;
            if first && state.is_some() {
                let written = line.ledger.mirrored(&resource.id).await.map_err(storage)?.and_then(|m| m.annotation);
                foreign = written != resource.annotation(NOTIFIED);
            }
            let ask = Inputs {
                resource,
                project: project.as_ref(),
                state: state.as_ref(),
                foreign,
                namespaces: &line.namespaces,
                context: &context,
            };
            let plan = evaluate(&config, ask);
            if asking.is_pending(&resource.id) {
                // Nothing is decided before the repo-server has answered; then the resource is looked at again.
                failed = true;
                continue;
            }
            let unknown = plan.steps.iter().any(|step| matches!(step.action, Action::Unknown(_)));
            failed |= unknown && asking.was_refused();
            line.report.looked(&plan);
            failed |= plan.steps.iter().any(|step| matches!(step.action, Action::Failed(_)));
            if !plan.change.is_empty() {
                line.ledger.record(resource, &plan.change, &plan.intents, setup::now()).await.map_err(storage)?;
                if !plan.intents.is_empty() {
                    line.waker.notify_one();
                }
                if !plan.change.clear.is_empty() {
                    tell(line, &resource.id, false);
                }
            }
        }
        Ok(failed)
    }

    /// Looks again where the last look failed, and asks conditions that read the clock again. Gives whether that concerns so many that
    /// listing all of them is less work; nothing else is done then.
    pub(super) async fn look_again(&mut self, line: &Line, shared: &Shared, clock: bool) -> Result<bool, Failure> {
        let mut due: Vec<ResourceId> = Vec::new();
        for (id, known) in &self.known {
            let acts = match &known.pruned {
                Some(pruned) if clock && !known.failed => self.would_act(line, pruned).await?,
                _ => false,
            };
            if known.failed || acts {
                due.push(id.clone());
            }
        }
        let many = due.len() > MANY;
        for id in due {
            if many {
                if let Some(known) = self.known.get_mut(&id) {
                    known.fingerprint = 0;
                }
                continue;
            }
            self.look_at(line, shared, &id).await?;
        }
        Ok(many)
    }

    /// Whether it is one of these.
    pub(super) fn knows(&self, id: &ResourceId) -> bool {
        self.known.contains_key(id)
    }

    /// Looks at one resource as it is now, whether it has changed or not.
    pub(super) async fn look_at(&mut self, line: &Line, shared: &Shared, id: &ResourceId) -> Result<(), Failure> {
        match get(&shared.client, &self.kind, &id.namespace, &id.name).await {
            Ok(Some(object)) => {
                if let Some(known) = self.known.get_mut(id) {
                    known.fingerprint = 0;
                }
                self.seen(line, shared, object).await?;
            }
            // The watch will tell.
            Ok(None) => {}
            Err(error) => line.report.trouble(&self.kind.plural, &error.to_string()),
        }
        Ok(())
    }

    /// Whether a look at the whole resource would come to something.
    async fn would_act(&self, line: &Line, pruned: &Resource) -> Result<bool, Failure> {
        let configs = line.configs.read().unwrap_or_else(PoisonError::into_inner).of(&pruned.id.namespace);
        let project = if self.kind.is_application() { line.projects.of(pruned) } else { None };
        let state = line.ledger.state(pruned).await.map_err(storage)?.unwrap_or_default();
        Ok(configs.iter().any(|config| {
            let asking = line.repositories.asking();
            let context = self.context(config, &asking);
            let ask = Inputs {
                resource: pruned,
                project: project.as_ref(),
                state: Some(&state),
                foreign: false,
                namespaces: &line.namespaces,
                context: &context,
            };
            let quiet = |action: &Action| matches!(action, Action::Nothing | Action::AlreadySent | Action::Unknown(_));
            let quiet = evaluate(config, ask).steps.iter().all(|step| quiet(&step.action));
            asking.is_pending(&pruned.id) || !quiet
        }))
    }

    /// An annotation was seen that may not be as it was written.
    fn suspect(&mut self, line: &Line, id: &ResourceId) {
        if line.dirty.is_some() {
            self.suspects.entry(id.clone()).or_insert_with(setup::now);
        }
    }

    /// Writes annotations again that somebody has changed or removed.
    pub(super) async fn restore_annotations(&mut self, line: &Line) -> Result<(), Failure> {
        let now = setup::now();
        let old: Vec<ResourceId> =
            self.suspects.iter().filter(|(_, since)| now - **since >= LATE).map(|(id, _)| id.clone()).collect();
        for id in old {
            let Some(known) = self.known.get(&id) else {
                self.suspects.remove(&id);
                continue;
            };
            let written = line.ledger.mirrored(&id).await.map_err(storage)?.and_then(|mirror| mirror.annotation);
            if written.is_none_or(|text| hash(&text) == known.annotation) {
                self.suspects.remove(&id);
            } else if self.restored.get(&id).is_none_or(|at| now - at >= SELDOM) {
                self.suspects.remove(&id);
                self.restored.insert(id.clone(), now);
                tell(line, &id, true);
            }
        }
        self.restored.retain(|_, at| now - *at < SELDOM);
        Ok(())
    }
}

fn tell(line: &Line, id: &ResourceId, anyway: bool) {
    if let Some(dirty) = &line.dirty {
        // Nobody listens any more when the term is over.
        let _ = dirty.send(Dirty { id: id.clone(), anyway });
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
