//! `echion run`: source → plan → ledger → dispatcher, over a folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use echion_delivery::{Dispatcher, Event, SqlLedger};
use echion_engine::{Action, Config, Inputs, Namespaces, Plan, look};
use echion_model::{Ledger as _, LedgerError, Outcome as Sent, Resource, ResourceId};
use echion_sources::{Folder, watch};
use serde_json::json;
use tokio::sync::Notify;

use crate::args::{Format, Run, Sources};
use crate::{Failure, Outcome, print, setup};

/// The kind that is looked at; projects are only looked up.
const APPLICATION: &str = "Application";

/// How often conditions that read the clock, and looks that failed, are repeated, and the folder is read although nothing is heard of it.
const AGAIN: Duration = Duration::from_secs(60);

/// How often a folder that went away is looked for.
const LOST: Duration = Duration::from_secs(1);

pub(super) async fn run(args: Run) -> Outcome {
    let mut watcher = Watcher::open(&args.sources, &args.resources)?;
    watcher.limit(&args.application_namespaces)?;
    if args.dry_run {
        return watcher.dry_run(args.output.output).await;
    }
    let default = || format!("sqlite:{}", args.resources.join(".echion.sqlite").display());
    let (ledger, _lock) = setup::own_ledger(&args.ledger.clone().unwrap_or_else(default)).await?;
    watcher.ledger = Some(Arc::clone(&ledger));
    let quiet = args.output.output == Format::Json;
    let dispatcher = Arc::new(watcher.dispatcher(ledger, move |event| {
        if !quiet {
            report(event)
        }
    }));
    if args.once {
        once(&mut watcher, &dispatcher, &args).await
    } else {
        forever(&mut watcher, dispatcher, &args).await
    }
}

async fn once(watcher: &mut Watcher, dispatcher: &Dispatcher, args: &Run) -> Outcome {
    let deadline = setup::now().saturating_add(args.drain);
    let looked = watcher.observe().await?;
    dispatcher.drain(deadline).await.map_err(storage)?;
    let totals = dispatcher.totals();
    let ledger = watcher.ledger()?;
    let waiting = ledger
        .list(&echion_model::Filter { status: Some(echion_model::Status::Pending), limit: 0 })
        .await
        .map_err(storage)?
        .len();
    if args.output.output == Format::Json {
        let summary = json!({
            "resources": looked.resources,
            "skipped": looked.skipped,
            "planned": looked.planned,
            "failed": looked.failed,
            "delivered": totals.delivered,
            "parked": totals.parked,
            "waiting": waiting,
        });
        print::out(&summary.to_string());
    } else {
        print::out(&format!(
            "{}: {} delivered, {waiting} waiting, {} parked{}",
            print::count(looked.resources, "resource"),
            totals.delivered,
            totals.parked,
            [(looked.failed, "could not be told"), (looked.skipped, "skipped (`--dry-run` says why)")]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!(", {count} {what}"))
                .collect::<String>(),
        ));
    }
    Ok(if totals.parked > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

pub(super) async fn forever(watcher: &mut Watcher, dispatcher: Arc<Dispatcher>, args: &Run) -> Outcome {
    let changed = Arc::new(Notify::new());
    let mut paths: Vec<&Path> = vec![&args.resources];
    let files = [args.sources.config_map.as_deref(), Some(args.sources.secret.as_str())];
    paths.extend(files.into_iter().flatten().filter(|f| *f != "-" && *f != ":empty").map(Path::new));
    let watching = || watch(&paths, Arc::clone(&changed));
    let mut watched =
        Some(watching().map_err(|error| Failure::new(format!("cannot watch {}: {error}", args.resources.display())))?);
    let stop = Arc::new(Notify::new());
    let waker = dispatcher.waker();
    let mut dispatching = tokio::spawn({
        let (dispatcher, stop) = (Arc::clone(&dispatcher), Arc::clone(&stop));
        async move { dispatcher.run(stop).await }
    });
    print::note(&format!("watching {}; Ctrl-C ends", args.resources.display()));
    let mut looked = watcher.observe().await?;
    waker.notify_one();
    let mut ending = std::pin::pin!(ended());
    let mut again = tokio::time::interval(AGAIN);
    again.reset();
    let result = loop {
        tokio::select! {
            () = &mut ending => break Ok(()),
            done = &mut dispatching => {
                return match done {
                    Ok(Err(error)) => Err(storage(error)),
                    _ => Err(Failure::new("the dispatcher ended unexpectedly")),
                };
            }
            () = changed.notified() => {
                // A write is several events; the last one counts.
                tokio::time::sleep(Duration::from_millis(100)).await;
                watcher.reload();
            }
            _ = again.tick() => {
                // Once a minute nothing is taken for granted: a folder may have been swapped for another of its name.
                watched = watching().ok();
                if looked.failed > 0 || watcher.reads_clock() {
                    watcher.everything_again();
                }
            }
            () = tokio::time::sleep(LOST), if watcher.lost => {}
        }
        match watcher.observe().await {
            Ok(now) => looked = now,
            Err(failure) => break Err(failure),
        }
        if watcher.lost {
            // What was watched is no longer what stands under the name.
            watched = None;
        } else if watched.is_none() {
            watched = watching().ok();
            changed.notify_one();
        }
        waker.notify_one();
    };
    stop.notify_one();
    if let Ok(Err(error)) = dispatching.await {
        return Err(storage(error));
    }
    result.map(|()| ExitCode::SUCCESS)
}

/// Ends when the process is asked to end.
pub(crate) async fn ended() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
            return;
        }
    }
    let _ = interrupt.await;
}

pub(crate) fn storage(error: LedgerError) -> Failure {
    let cause = std::error::Error::source(&error).map(|c| format!(": {c}")).unwrap_or_default();
    Failure::new(format!("cannot {error}{cause}"))
        .hint("nothing is sent without a ledger; make room or choose another file")
}

/// One line for every attempt.
fn report(event: &Event) {
    let (delivery, to) = (&event.delivery, &event.delivery.intent.destination);
    let what = format!("{} {} → {to}", delivery.resource, delivery.intent.trigger);
    match &event.outcome {
        Sent::Delivered(receipt) => {
            print::note(&format!("{} {what}: {}", print::paint(print::GOOD, "delivered"), receipt.answer));
        }
        Sent::Later { due, error } => {
            let seconds = (due - setup::now()).max(0) / 1000;
            print::note(&format!(
                "{} {what}: {} (again in {seconds} s)",
                print::paint(print::WARNING, "waiting"),
                error.reason
            ));
        }
        Sent::Parked(error) => {
            print::note(&format!("{} {what}: {}", print::paint(print::ERROR, "parked"), error.reason));
            if !error.fix.is_empty() {
                print::note(&format!("  {}: {}", print::paint(print::HINT, "hint"), error.fix));
            }
        }
    }
}

/// Prints a text that was not the last one printed.
fn tell_once(told: &mut String, text: String) {
    if !text.is_empty() && text != *told {
        print::note(&text);
    }
    *told = text;
}

/// What a round of looks came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    resources: usize,
    skipped: usize,
    planned: usize,
    failed: usize,
}

/// A folder under observation: the part of the line before the dispatcher.
pub(super) struct Watcher {
    sources: Sources,
    /// What the configuration was compiled from: reading the same again changes nothing.
    loaded: echion_engine::Sources,
    config: Arc<RwLock<Arc<Config>>>,
    folder: Folder,
    pub(super) ledger: Option<Arc<SqlLedger>>,
    /// What was printed about the folder's files last, so that it is printed once.
    told: String,
    /// The same about the configuration's files.
    told_configuration: String,
    again: bool,
    namespaces: Namespaces,
    /// The folder could not be read at the last look.
    lost: bool,
    failed: BTreeSet<ResourceId>,
    unknown: BTreeSet<(String, String)>,
}

impl Watcher {
    pub(super) fn open(sources: &Sources, resources: &Path) -> Result<Self, Failure> {
        if sources.config_map.is_none() {
            return Err(Failure::new("no configuration is given").hint("add `--config-map FILE`"));
        }
        let folder = Folder::open(resources).map_err(|error| {
            Failure::new(format!("cannot read {}: {error}", resources.display()))
                .hint("`--resources` takes a folder with Application manifests")
        })?;
        let loaded = setup::sources(sources)?;
        let config = setup::config(&loaded, None);
        print::diagnostics(setup::config_name(sources), &config.diagnostics);
        Ok(Self {
            sources: sources.clone(),
            loaded,
            config: Arc::new(RwLock::new(Arc::new(config))),
            folder,
            ledger: None,
            told: String::new(),
            told_configuration: String::new(),
            again: false,
            namespaces: Namespaces::all(),
            lost: false,
            failed: BTreeSet::new(),
            unknown: BTreeSet::new(),
        })
    }

    /// Looks only at the namespace of the configuration and those that match; without patterns at every namespace.
    fn limit(&mut self, patterns: &[String]) -> Result<(), Failure> {
        if !patterns.is_empty() {
            let home = if self.loaded.namespace.is_empty() { "argocd" } else { &self.loaded.namespace };
            let patterns = patterns.iter().map(String::as_str);
            self.namespaces = Namespaces::new(home, patterns).map_err(|error| {
                Failure::new(format!("`--application-namespaces` {error}"))
                    .hint("write globs such as `team-*`, or regular expressions between slashes")
            })?;
        }
        Ok(())
    }

    /// A dispatcher that finds services in the current configuration.
    pub(super) fn dispatcher(
        &self,
        ledger: Arc<SqlLedger>,
        report: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Dispatcher {
        let config = Arc::clone(&self.config);
        let directory = move |intent: &echion_model::Intent| {
            let config = config.read().unwrap_or_else(PoisonError::into_inner);
            config.services.get(&intent.destination.service).map(|entry| Arc::clone(&entry.service))
        };
        Dispatcher::new(ledger, Arc::new(directory), setup::clock(), report)
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn ledger(&self) -> Result<Arc<SqlLedger>, Failure> {
        self.ledger.clone().ok_or_else(|| Failure::new("no ledger is open"))
    }

    fn reads_clock(&self) -> bool {
        self.config().triggers.values().any(|t| t.conditions.iter().any(echion_engine::Condition::reads_clock))
    }

    fn everything_again(&mut self) {
        self.again = true;
    }

    /// Reads the configuration again. What does not work keeps its last good version.
    fn reload(&mut self) {
        // Standard input was read to its end, and does not change.
        if self.sources.config_map.as_deref() == Some("-") {
            return;
        }
        let previous = self.config();
        match setup::sources(&self.sources) {
            Err(failure) => {
                let word = print::paint(print::ERROR, "error");
                let text = format!("{word}: {}; the last good configuration stays in use", failure.message);
                tell_once(&mut self.told_configuration, text);
            }
            Ok(sources) if sources == self.loaded => self.told_configuration.clear(),
            Ok(sources) => {
                self.told_configuration.clear();
                let config = setup::config(&sources, Some(&previous));
                if config.diagnostics != previous.diagnostics {
                    print::diagnostics(setup::config_name(&self.sources), &config.diagnostics);
                }
                if config.errors() == 0 {
                    let word = print::paint(print::GOOD, "configuration");
                    print::note(&format!("{word} read again, nothing is wrong with it"));
                }
                self.loaded = sources;
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                // What could not be told under the old configuration may be told under the new one.
                self.again = true;
            }
        }
    }

    /// Conditions that could not be evaluated, each once: with many new Applications this is the ordinary case.
    fn tell_unknown(&mut self, plan: &Plan) {
        for step in &plan.steps {
            if let Action::Unknown(error) = &step.action
                && self.unknown.insert((step.trigger.clone(), error.clone()))
            {
                let note = print::paint(print::WARNING, "note");
                print::note(&format!(
                    "{note}: `when` of {} says nothing about {}: {error}",
                    step.trigger, plan.resource
                ));
            }
        }
    }

    /// Looks at every resource that changed, and at those whose last look failed, and records what follows.
    pub(super) async fn observe(&mut self) -> Result<Looked, Failure> {
        let ledger = self.ledger()?;
        let (resources, gone) = self.scan()?;
        for id in gone {
            ledger.forget(&id).await.map_err(storage)?;
        }
        let mut looked = Looked { resources: resources.len(), ..Looked::default() };
        for resource in &resources {
            let state = ledger.state(resource).await.map_err(storage)?;
            let plan = self.plan(resource, state.as_ref());
            for note in &plan.notes {
                print::note(&format!("{}: {note}", print::paint(print::WARNING, "warning")));
            }
            self.tell_unknown(&plan);
            let failures = plan.steps.iter().filter_map(|step| match &step.action {
                Action::Failed(reason) => Some((step, reason)),
                _ => None,
            });
            let mut failed = 0;
            for (step, reason) in failures {
                failed += 1;
                let what = format!("{} {} → {}", resource.id, step.trigger, step.destination);
                print::note(&format!("{} {what}: {reason}", print::paint(print::ERROR, "failed")));
            }
            if failed > 0 {
                self.failed.insert(resource.id.clone())
            } else {
                self.failed.remove(&resource.id)
            };
            looked.failed += failed;
            looked.skipped += usize::from(plan.skipped.is_some());
            looked.planned += plan.intents.len();
            if !plan.change.is_empty() {
                ledger.record(resource, &plan.change, &plan.intents, setup::now()).await.map_err(storage)?;
            }
        }
        Ok(looked)
    }

    /// What is to be looked at now, and what is gone.
    fn scan(&mut self) -> Result<(Vec<Resource>, Vec<ResourceId>), Failure> {
        let word = print::paint(print::WARNING, "warning");
        let observed = match self.folder.scan() {
            Ok(observed) => observed,
            Err(error) if self.ledger.is_some() => {
                // A folder that is being replaced comes back; until then nothing is taken to be gone.
                self.lost = true;
                tell_once(&mut self.told, format!("{word}: the folder cannot be read: {error}"));
                return Ok((Vec::new(), Vec::new()));
            }
            Err(error) => return Err(Failure::new(format!("cannot read the folder: {error}"))),
        };
        self.lost = false;
        let problems: Vec<String> = observed.problems.iter().map(|problem| format!("{word}: {problem}")).collect();
        tell_once(&mut self.told, problems.join("\n"));
        let resources = if std::mem::take(&mut self.again) {
            self.folder.resources(APPLICATION).cloned().collect()
        } else {
            observed.changed.into_iter().filter(|r| r.id.kind == APPLICATION).collect()
        };
        Ok((resources, observed.gone.into_iter().filter(|id| id.kind == APPLICATION).collect()))
    }

    fn plan(&self, resource: &Resource, state: Option<&echion_model::State>) -> Plan {
        let config = self.config();
        let context = setup::context();
        let name = resource.object.at(&["spec", "project"]).and_then(|v| v.as_str().map(str::to_owned));
        let project = name.and_then(|name| {
            let mut projects = self.folder.resources("AppProject").filter(|p| p.id.name == name);
            projects.next().map(|p| p.object.clone())
        });
        evaluate(
            &config,
            Inputs {
                resource,
                project: project.as_ref(),
                state,
                foreign: false,
                namespaces: &self.namespaces,
                context: &context,
            },
        )
    }

    /// Prints what would be done to every resource.
    async fn dry_run(&mut self, format: Format) -> Outcome {
        let (resources, _) = self.scan()?;
        let plans: Vec<Plan> = resources.iter().map(|resource| self.plan(resource, None)).collect();
        if format == Format::Json {
            let list: Vec<_> = plans.iter().map(|plan| json!({ "plan": plan, "deliveries": plan.intents })).collect();
            print::out(&json!(list).to_string());
            return Ok(ExitCode::SUCCESS);
        }
        let mut rows = vec![["RESOURCE", "TRIGGER", "DESTINATION", "DO"].map(str::to_owned).to_vec()];
        for plan in &plans {
            let resource = plan.resource.to_string();
            if let Some(reason) = &plan.skipped {
                rows.push(vec![resource.clone(), String::new(), String::new(), format!("skip: {reason}")]);
            }
            for step in &plan.steps {
                let action = match &step.action {
                    Action::Send => "send".to_owned(),
                    Action::AlreadySent => "nothing: already sent".to_owned(),
                    Action::Clear => "clear".to_owned(),
                    Action::Nothing => "nothing: the condition is false".to_owned(),
                    Action::Unknown(error) => {
                        format!("nothing: the condition failed: {}", error.lines().next().unwrap_or_default())
                    }
                    Action::Failed(reason) => format!("fail: {reason}"),
                };
                rows.push(vec![resource.clone(), step.trigger.clone(), step.destination.to_string(), action]);
            }
        }
        print::table(&rows);
        Ok(ExitCode::SUCCESS)
    }
}
