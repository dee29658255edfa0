//! The line in one process: sources, a configuration and services of a test, and the real ledger.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

mod line;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use echion_delivery::SqlLedger;
use echion_engine::variables::{AppDetail, CommitMetadata, EvaluationContext, Repository};
use echion_engine::{Config, Namespaces};
use echion_model::yaml::Node;
use echion_model::{
    Absence, Channel, ConfigurationChange, Environment, Limits, Message, Observation, Observations, OptionsError,
    Receipt, Resource, ResourceId, Retry, SendError, Service, ServiceKind, SharedLedger, Source, SourceError,
    StateMirror, Written,
};
use echion_runtime::{Driver, Parts, Reporter, RuntimeError, Settings};
use echion_value::Value;
use futures::StreamExt as _;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

/// What arrived at services of the type `record`, by the service's name.
static RECORDED: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

/// A service type that keeps what it is sent.
static RECORD: ServiceKind = ServiceKind {
    name: "record",
    aliases: &[],
    summary: "Keeps what it is sent.",
    recipient: "anything",
    limits: Limits { body: None, budget: None },
    example: "",
    options: &[],
    open,
    section: None,
};

fn open(name: &str, _: &Node, _: &Environment) -> Result<Arc<dyn Service>, OptionsError> {
    Ok(Arc::new(Record(name.to_owned())))
}

#[derive(Debug)]
struct Record(String);

#[async_trait]
impl Service for Record {
    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let text = message.notification.message.clone();
        RECORDED.lock().unwrap().entry(self.0.clone()).or_default().push(text);
        Ok(Receipt::default())
    }

    fn channel(&self, _: &str) -> Channel {
        let (retry, idempotent) = (Retry::default(), false);
        Channel { name: format!("record/{}", self.0), budget: None, concurrency: 8, retry, idempotent }
    }
}

/// Resources of one kind, as a test has them.
#[derive(Clone)]
struct Shelf {
    name: &'static str,
    inner: Arc<Mutex<BTreeMap<ResourceId, Resource>>>,
    changes: broadcast::Sender<Option<ResourceId>>,
    lists: Arc<Mutex<usize>>,
}

impl Shelf {
    fn new(name: &'static str) -> Self {
        Self { name, inner: Arc::default(), changes: broadcast::channel(100_000).0, lists: Arc::default() }
    }

    fn put(&self, json: serde_json::Value) -> ResourceId {
        let resource = Resource::from_object(serde_json::from_value(json).unwrap(), "argocd").unwrap();
        let id = resource.id.clone();
        self.inner.lock().unwrap().insert(id.clone(), resource);
        // Before the first observation there is no listener.
        let _ = self.changes.send(Some(id.clone()));
        id
    }

    fn lists(&self) -> usize {
        *self.lists.lock().unwrap()
    }
}

#[async_trait]
impl Source for Shelf {
    fn name(&self) -> &str {
        self.name
    }

    fn variable(&self) -> &str {
        "app"
    }

    fn absence(&self) -> Absence {
        Absence::Deleted
    }

    fn observe(&self) -> Observations {
        *self.lists.lock().unwrap() += 1;
        let changes = self.changes.subscribe();
        let mut list = vec![Observation::Listing];
        list.extend(self.inner.lock().unwrap().values().cloned().map(Observation::Seen));
        list.push(Observation::Complete);
        let this = self.clone();
        let later = futures::stream::unfold(changes, move |mut changes| {
            let this = this.clone();
            async move {
                let id = changes.recv().await.ok()??;
                let resource = this.inner.lock().unwrap().get(&id).cloned();
                Some((resource.map_or(Observation::Gone(id), Observation::Seen), changes))
            }
        });
        futures::stream::iter(list).chain(later).boxed()
    }

    async fn get(&self, id: &ResourceId) -> Result<Option<Resource>, SourceError> {
        Ok(self.inner.lock().unwrap().get(id).cloned())
    }
}

struct NoRepository;

impl Repository for NoRepository {
    fn commit_metadata(&self, _: &Value, _: &str) -> Result<CommitMetadata, String> {
        Err("none".to_owned())
    }

    fn app_details(&self, _: &Value) -> Result<AppDetail, String> {
        Err("none".to_owned())
    }
}

#[derive(Debug)]
struct Ambient(tokio::time::Instant);

impl echion_model::Ambient for Ambient {
    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        bytes.fill(7);
        Ok(())
    }

    fn resolve(&self, _: &str) -> Result<String, String> {
        Err("no names".to_owned())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

struct Silent;

impl Reporter for Silent {}

/// Keeps annotations, and answers as a test wants.
#[derive(Clone)]
struct Annotated {
    texts: Arc<Mutex<HashMap<ResourceId, String>>>,
    refuses: fn(&ResourceId) -> bool,
}

#[async_trait]
impl StateMirror for Annotated {
    async fn write(&self, id: &ResourceId, _: &str, annotation: Option<&str>) -> Written {
        if (self.refuses)(id) {
            return Written::Refused("422".to_owned());
        }
        self.texts.lock().unwrap().insert(id.clone(), annotation.unwrap_or_default().to_owned());
        Written::Done
    }
}

/// A line of a test.
struct Bench {
    apps: Shelf,
    projects: Shelf,
    config: watch::Sender<BTreeMap<String, String>>,
    ledger: SharedLedger,
    mirror: Option<Annotated>,
    service: &'static str,
}

impl Bench {
    /// `service` is the name of the service, which tests must not share.
    async fn new(service: &'static str, keys: &[(&str, &str)]) -> Self {
        let ledger: SharedLedger = Arc::new(SqlLedger::in_memory().await.unwrap());
        let (config, _) = watch::channel(BTreeMap::new());
        let (apps, projects) = (Shelf::new("applications"), Shelf::new("appprojects"));
        let bench = Self { apps, projects, config, ledger, mirror: None, service };
        bench.configure(keys);
        bench
    }

    fn configure(&self, keys: &[(&str, &str)]) {
        let mut data: BTreeMap<String, String> =
            keys.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        data.insert(format!("service.record.{}", self.service), String::new());
        let subscriptions = format!("- {{recipients: [{}], triggers: [t]}}", self.service);
        data.entry("subscriptions".to_owned()).or_insert(subscriptions);
        data.entry("trigger.t".to_owned()).or_insert("- {when: 'true', send: [m]}".to_owned());
        data.entry("template.m".to_owned()).or_insert("message: '{{.app.metadata.name}}'".to_owned());
        self.config.send_replace(data);
    }

    fn app(&self, name: &str, labels: serde_json::Value) -> ResourceId {
        self.apps.put(serde_json::json!({ "kind": "Application", "metadata": { "name": name, "labels": labels } }))
    }

    fn parts(&self) -> Parts {
        let config = self.config.subscribe();
        let changes = futures::stream::unfold((config, true), |(mut config, first)| async move {
            if !first {
                config.changed().await.ok()?;
            }
            let data = config.borrow_and_update().clone();
            let mut changes = vec![ConfigurationChange::ConfigMap("argocd".to_owned(), Some(data))];
            changes.extend([ConfigurationChange::ConfigMapsListed, ConfigurationChange::SecretsListed]);
            Some((futures::stream::iter(changes), (config, false)))
        });
        let start = tokio::time::Instant::now();
        Parts {
            ledger: Arc::clone(&self.ledger),
            home: "argocd".to_owned(),
            compile: Arc::new(|sources, old| Config::load(sources, &[&RECORD], &Environment::default(), old)),
            configuration: changes.flatten().boxed(),
            projects: Arc::new(self.projects.clone()),
            resources: vec![Arc::new(self.apps.clone())],
            mirror: self.mirror.clone().map(|mirror| Arc::new(mirror) as Arc<dyn StateMirror>),
            repository: None,
            namespaces: Namespaces::all(),
            moment: Arc::new(move |now| {
                EvaluationContext::at_millis(now, Arc::new(NoRepository)).with_ambient(Arc::new(Ambient(start)))
            }),
            // A minute is a second here.
            clock: Arc::new(move || 1_730_635_200_000 + 60 * i64::try_from(start.elapsed().as_millis()).unwrap()),
            reporter: Arc::new(Silent),
            settings: Settings { config_debounce: Duration::from_millis(10), config_grace: Duration::from_secs(30) },
        }
    }

    /// Serves until the flag is set.
    fn serve(&self) -> (watch::Sender<bool>, JoinHandle<Result<(), RuntimeError>>) {
        let (stop, stopping) = watch::channel(false);
        (stop, tokio::spawn(Driver::new(self.parts()).serve(stopping)))
    }

    fn arrived(&self) -> Vec<String> {
        let recorded = RECORDED.lock().unwrap();
        recorded.get(self.service).cloned().unwrap_or_default()
    }

    /// Waits for a message.
    async fn arrives(&self, text: &str) -> Duration {
        let begin = tokio::time::Instant::now();
        while !self.arrived().iter().any(|arrived| arrived == text) {
            assert!(begin.elapsed() < Duration::from_secs(60), "{text} does not arrive: {:?}", self.arrived());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        begin.elapsed()
    }
}
