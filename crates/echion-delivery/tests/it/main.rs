//! The dispatcher over the SQL ledger, with services that do what a test says and a clock that jumps.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

mod contract;
mod held;
mod isolation;
mod model;
mod recovery;
mod rules;
mod sqlite;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use echion_delivery::{AttemptReporter, Attempted, Clock, Dispatcher, Route, Routes, RunAhead, Totals};
use echion_model::{
    Budget, Channel, Counts, Delivery, Destination, Filter, History as _, Intent, LedgerError, Message, Notification,
    Outcome, Receipt, Resource, ResourceId, Retry, RouteKey, SendError, Service, SharedLedger, StateChange,
    States as _, Status, Version,
};
use held::Held;
use tokio::time::Instant;

/// When every test begins, in milliseconds since 1970.
const START: i64 = 1_730_635_200_000;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What a service does with a message. When it was given nothing, it takes it.
#[derive(Clone, Copy, Debug)]
enum Do {
    Take,
    TakeAfter(Duration),
    Fail,
    Lose,
    Limit(Duration),
    Refuse,
    RefuseAfter(Duration),
    Forbid,
    Panic,
}

/// A service whose every recipient is a channel.
#[derive(Debug)]
struct Fake {
    channel: Channel,
    script: Mutex<VecDeque<Do>>,
    /// The texts that came, and how many milliseconds after the start.
    came: Mutex<Vec<(String, i64)>>,
    start: Instant,
}

#[async_trait]
impl Service for Fake {
    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let text = message.notification.message.clone();
        let at = i64::try_from(self.start.elapsed().as_millis()).unwrap();
        self.came.lock().unwrap().push((text, at));
        let next = self.script.lock().unwrap().pop_front().unwrap_or(Do::Take);
        match next {
            Do::Take => {}
            Do::TakeAfter(time) => tokio::time::sleep(time).await,
            Do::Fail => return Err(SendError::retryable("out of order")),
            Do::Lose => return Err(SendError::unknown("broke off")),
            Do::Limit(pause) => return Err(SendError::rate_limited("too many", pause)),
            Do::Refuse => return Err(SendError::rejected("bad body", "correct it")),
            Do::RefuseAfter(time) => {
                tokio::time::sleep(time).await;
                return Err(SendError::rejected("bad body", "correct it"));
            }
            Do::Forbid => return Err(SendError::attention("unknown robot", "create one")),
            Do::Panic => panic!("as the test wants it"),
        }
        Ok(Receipt { answer: "taken".to_owned() })
    }

    fn channel(&self, recipient: &str) -> Channel {
        Channel { name: format!("{}/{recipient}", self.channel.name), ..self.channel.clone() }
    }
}

impl Fake {
    fn came(&self) -> Vec<(String, i64)> {
        self.came.lock().unwrap().clone()
    }

    fn texts(&self) -> Vec<String> {
        self.came().into_iter().map(|(text, _)| text).collect()
    }

    fn times(&self) -> Vec<i64> {
        self.came().into_iter().map(|(_, at)| at).collect()
    }

    fn when(&self, text: &str) -> i64 {
        self.came().into_iter().find(|(came, _)| came == text).unwrap_or_else(|| panic!("{text} did not come")).1
    }

    /// What it does from now on; before, what it was given is dropped.
    fn does(&self, script: &[Do]) {
        *self.script.lock().unwrap() = script.iter().copied().collect();
    }
}

#[derive(Default)]
struct Seen {
    attempts: Mutex<Vec<Attempted>>,
    failures: Mutex<u32>,
}

impl AttemptReporter for Seen {
    fn attempted(&self, attempted: &Attempted) {
        self.attempts.lock().unwrap().push(attempted.clone());
    }

    fn ledger_failed(&self, _: &LedgerError) {
        *self.failures.lock().unwrap() += 1;
    }
}

/// By name, with the version of their configuration.
type Services = Arc<Mutex<BTreeMap<String, (Arc<Fake>, String)>>>;

/// A ledger, services, and a clock that follows tokio's and can be set.
struct Bench {
    ledger: Arc<Held>,
    services: Services,
    clock: Clock,
    step: Arc<AtomicI64>,
    start: Instant,
    seen: Arc<Seen>,
    ahead: Option<Arc<RunAhead>>,
    recorded: u32,
}

impl Bench {
    async fn new() -> Self {
        Self::over(Held::open().await)
    }

    fn over(ledger: Held) -> Self {
        let start = Instant::now();
        let step = Arc::new(AtomicI64::new(0));
        let clock: Clock = {
            let step = Arc::clone(&step);
            Arc::new(move || START + i64::try_from(start.elapsed().as_millis()).unwrap() + step.load(Ordering::Relaxed))
        };
        let (ledger, services) = (Arc::new(ledger), Arc::default());
        Self { ledger, services, clock, step, start, seen: Arc::default(), ahead: None, recorded: 0 }
    }

    fn service(&mut self, name: &str, script: &[Do]) -> Arc<Fake> {
        self.service_with(name, script, |_| {})
    }

    fn service_with(&mut self, name: &str, script: &[Do], change: impl FnOnce(&mut Channel)) -> Arc<Fake> {
        let retry = Retry::default();
        let mut channel = Channel { name: name.to_owned(), budget: None, concurrency: 4, retry, idempotent: false };
        change(&mut channel);
        let script = Mutex::new(script.iter().copied().collect());
        let fake = Arc::new(Fake { channel, script, came: Mutex::default(), start: self.start });
        self.services.lock().unwrap().insert(name.to_owned(), (Arc::clone(&fake), "1".to_owned()));
        fake
    }

    /// Records a delivery of `text` about `resource` to `service`, or `service:recipient`.
    async fn record(&mut self, resource: &str, to: &str, text: &str) {
        self.recorded += 1;
        let key = format!("k{}", self.recorded);
        let (service, recipient) = to.split_once(':').unwrap_or((to, ""));
        let id = ResourceId {
            group: "argoproj.io".into(),
            kind: "Application".into(),
            namespace: "argocd".into(),
            name: resource.into(),
        };
        let resource = Resource { id, uid: String::new(), object: Default::default() };
        let intent = Intent {
            trigger: "t".into(),
            condition: "[0].x".into(),
            owner: String::new(),
            state_key: key.clone(),
            templates: vec!["a".into()],
            destination: Destination { service: service.into(), recipient: recipient.into() },
            channel: format!("{service}/{recipient}"),
            notification: Notification { message: text.into(), ..Notification::default() },
        };
        let change = StateChange { set: [(key, 1)].into(), clear: Vec::new() };
        let recorded = self.ledger.record(&resource, &change, &[intent], (self.clock)()).await.unwrap();
        assert_eq!(recorded.len(), 1);
    }

    fn route(&self) -> impl Fn(&RouteKey) -> Option<Route> + Send + Sync + use<> {
        let services = Arc::clone(&self.services);
        move |key: &RouteKey| {
            let services = services.lock().unwrap();
            let (fake, version) = services.get(&key.destination.service)?;
            let version = Version { service: version.clone(), templates: "1".to_owned() };
            Some(Route { service: Arc::clone(fake) as Arc<dyn Service>, version })
        }
    }

    fn dispatcher(&self) -> Dispatcher {
        let routes: Routes = Arc::new(self.route());
        let ledger = Arc::clone(&self.ledger) as SharedLedger;
        let dispatcher = Dispatcher::new(ledger, routes, Arc::clone(&self.clock), Arc::clone(&self.seen) as Arc<_>);
        match &self.ahead {
            Some(ahead) => dispatcher.bounded_by(Arc::clone(ahead)),
            None => dispatcher,
        }
    }

    /// Dispatches everything that is due within a time.
    async fn drain(&self, time: Duration) -> Totals {
        let dispatcher = self.dispatcher();
        dispatcher.drain((self.clock)() + i64::try_from(time.as_millis()).unwrap()).await.unwrap();
        dispatcher.totals()
    }

    fn millis(&self) -> i64 {
        (self.clock)() - START
    }

    async fn list(&self, status: Status) -> Vec<Delivery> {
        self.ledger.list(&Filter { status: Some(status), ..Filter::default() }).await.unwrap()
    }
}

fn totals(delivered: u64, retried: u64, parked: u64) -> Totals {
    Totals { delivered, retried, parked }
}
