//! The dispatcher over the SQL ledger, with services that do what a test says and a clock that jumps.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

mod held;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use echion_delivery::{Clock, Directory, Dispatcher, Totals};
use echion_model::{
    Budget, Channel, Delivery, Destination, Filter, Intent, Ledger, Message, Notification, Receipt, Resource,
    ResourceId, Retry, SendError, Service, StateChange, Status,
};
use held::Held;
use tokio::sync::Notify;
use tokio::time::Instant;

/// When every test begins, in milliseconds since 1970.
const START: i64 = 1_730_635_200_000;

const MINUTE: Duration = Duration::from_secs(60);

/// What a service does with a message. When it has been told nothing, it takes it.
#[derive(Clone, Copy, Debug)]
enum Do {
    Take,
    TakeAfter(Duration),
    Fail,
    Limit(Duration),
    Refuse,
    Panic,
}

#[derive(Debug)]
struct Fake {
    channel: Channel,
    script: Mutex<VecDeque<Do>>,
    /// What came, and how many milliseconds after the start.
    came: Mutex<Vec<(String, i64)>>,
}

#[async_trait]
impl Service for Fake {
    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let text = message.notification.message.clone();
        self.came.lock().unwrap().push((text, message.now - START));
        let next = self.script.lock().unwrap().pop_front().unwrap_or(Do::Take);
        match next {
            Do::Take => {}
            Do::TakeAfter(time) => tokio::time::sleep(time).await,
            Do::Fail => return Err(SendError::retryable("out of order")),
            Do::Limit(pause) => return Err(SendError::rate_limited("too many", pause)),
            Do::Refuse => return Err(SendError::permanent("unknown robot", "create one")),
            Do::Panic => panic!("as the test wants it"),
        }
        Ok(Receipt { answer: "taken".to_owned() })
    }

    fn channel(&self, _: &str) -> Channel {
        self.channel.clone()
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
}

/// A ledger, services, and a clock that follows tokio's.
struct Bench {
    ledger: Arc<Held>,
    services: BTreeMap<String, Arc<Fake>>,
    clock: Clock,
    recorded: u32,
}

impl Bench {
    async fn new() -> Self {
        let ledger = Arc::new(Held::open().await);
        let start = Instant::now();
        let clock: Clock = Arc::new(move || START + i64::try_from(start.elapsed().as_millis()).unwrap());
        Self { ledger, services: BTreeMap::new(), clock, recorded: 0 }
    }

    fn service(&mut self, name: &str, script: &[Do]) -> Arc<Fake> {
        self.service_with(name, script, |_| {})
    }

    fn service_with(&mut self, name: &str, script: &[Do], change: impl FnOnce(&mut Channel)) -> Arc<Fake> {
        let mut channel = Channel { name: name.to_owned(), budget: None, concurrency: 4, retry: Retry::default() };
        change(&mut channel);
        let script = Mutex::new(script.iter().copied().collect());
        let fake = Arc::new(Fake { channel, script, came: Mutex::default() });
        self.services.insert(name.to_owned(), Arc::clone(&fake));
        fake
    }

    /// Records a delivery of `text` about `resource` to `service`.
    async fn record(&mut self, resource: &str, service: &str, text: &str) {
        self.recorded += 1;
        let key = format!("k{}", self.recorded);
        let id = ResourceId { kind: "Application".into(), namespace: "argocd".into(), name: resource.into() };
        let resource = Resource { id, uid: String::new(), object: Default::default() };
        let intent = Intent {
            trigger: "t".into(),
            condition: "[0].x".into(),
            owner: String::new(),
            state_key: key.clone(),
            templates: vec!["a".into()],
            destination: Destination { service: service.into(), recipient: String::new() },
            notification: Notification { message: text.into(), ..Notification::default() },
        };
        let change = StateChange { set: [(key, 1)].into(), clear: Vec::new() };
        let recorded = self.ledger.record(&resource, &change, &[intent], (self.clock)()).await.unwrap();
        assert_eq!(recorded.len(), 1);
    }

    fn dispatcher(&self) -> Dispatcher {
        let services = self.services.clone();
        let directory: Directory = Arc::new(move |intent: &Intent| {
            services.get(&intent.destination.service).map(|fake| Arc::clone(fake) as Arc<dyn Service>)
        });
        Dispatcher::new(Arc::clone(&self.ledger) as Arc<dyn Ledger>, directory, Arc::clone(&self.clock), |_| {})
    }

    /// Dispatches everything that falls due within a time.
    async fn drain(&self, time: Duration) -> Totals {
        let dispatcher = self.dispatcher();
        dispatcher.drain((self.clock)() + i64::try_from(time.as_millis()).unwrap()).await.unwrap();
        dispatcher.totals()
    }

    fn millis(&self) -> i64 {
        (self.clock)() - START
    }

    async fn list(&self, status: Status) -> Vec<Delivery> {
        self.ledger.list(&Filter { status: Some(status), limit: 0 }).await.unwrap()
    }
}

fn totals(delivered: u64, retried: u64, parked: u64) -> Totals {
    Totals { delivered, retried, parked }
}

#[tokio::test(start_paused = true)]
async fn a_hung_channel_does_not_delay_another() {
    let mut bench = Bench::new().await;
    let hung = bench.service("hung", &[Do::TakeAfter(80 * Duration::from_secs(1))]);
    let fine = bench.service("fine", &[Do::Take, Do::Fail]);
    bench.record("a", "hung", "1").await;
    bench.record("a", "fine", "2").await;
    bench.record("b", "fine", "3").await;
    assert_eq!(bench.drain(MINUTE).await, totals(3, 1, 0));
    assert_eq!(hung.times(), [0]);
    // Both at once, and the one that failed again after its own wait, not after the hung one.
    let times = fine.times();
    assert_eq!((times.len(), times[0], times[1]), (3, 0, 0));
    assert!((750..=1250).contains(&times[2]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_tells_about_a_resource_in_order() {
    let mut bench = Bench::new().await;
    let slow = Do::TakeAfter(Duration::from_secs(2));
    let fake = bench.service("s", &[slow, slow, slow]);
    for (resource, text) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")] {
        bench.record(resource, "s", text).await;
    }
    assert_eq!(bench.drain(MINUTE).await.delivered, 5);
    assert_eq!(fake.came()[..2], [("a1".to_owned(), 0), ("b1".to_owned(), 0)]);
    for resource in ["a", "b"] {
        let texts: Vec<_> = fake.texts().into_iter().filter(|text| text.starts_with(resource)).collect();
        assert!(texts.is_sorted(), "{texts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_told_to_rest_rests_and_the_others_go_on() {
    let mut bench = Bench::new().await;
    let resting = bench.service_with("resting", &[Do::Limit(10 * MINUTE)], |channel| channel.concurrency = 1);
    let other = bench.service("other", &[]);
    for i in 0..3 {
        bench.record(&format!("r{i}"), "resting", &i.to_string()).await;
        bench.record(&format!("r{i}"), "other", &i.to_string()).await;
    }
    assert_eq!(bench.drain(MINUTE).await, totals(3, 1, 0));
    assert_eq!((resting.times(), other.times()), (vec![0], vec![0, 0, 0]));
    // Another process waits as well, and then everything goes in order.
    assert_eq!(bench.drain(20 * MINUTE).await, totals(3, 0, 0));
    assert_eq!(resting.times(), [0, 600_000, 600_000, 600_000]);
    assert_eq!(resting.texts(), ["0", "0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_dispatcher_keeps_the_budget_of_the_old_one() {
    let mut bench = Bench::new().await;
    let budget = Budget { count: 3, window: MINUTE };
    let fake = bench.service_with("s", &[], |channel| channel.budget = Some(budget));
    for i in 0..7 {
        bench.record(&format!("r{i}"), "s", &i.to_string()).await;
    }
    assert_eq!(bench.drain(Duration::from_secs(5)).await.delivered, 3);
    assert_eq!(bench.drain(Duration::from_secs(5)).await.delivered, 0);
    assert_eq!(bench.drain(10 * MINUTE).await.delivered, 4);
    assert_eq!(fake.times(), [0, 0, 0, 60_000, 60_000, 60_000, 120_000]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_repeated_with_growing_waits_until_it_succeeds() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Fail, Do::Fail, Do::Fail, Do::Fail]);
    bench.record("a", "s", "x").await;
    assert_eq!(bench.drain(MINUTE).await, totals(1, 4, 0));
    let times = fake.times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, want) in waits.iter().zip([1000, 2000, 4000, 8000]) {
        assert!((want * 3 / 4..=want * 5 / 4 + 1).contains(wait), "{waits:?}");
    }
    assert_eq!(bench.list(Status::Delivered).await[0].attempts, 5);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_too_old_is_parked() {
    let mut bench = Bench::new().await;
    let fake = bench.service_with("s", &[Do::Fail; 1000], |channel| channel.retry.give_up_after = 10 * MINUTE);
    bench.record("a", "s", "x").await;
    let totals = bench.drain(60 * MINUTE).await;
    assert_eq!((totals.delivered, totals.parked), (0, 1));
    let parked = bench.list(Status::Parked).await;
    assert!(parked[0].detail.starts_with("given up after "), "{}", parked[0].detail);
    assert!(parked[0].detail.ends_with("out of order") && !parked[0].fix.is_empty());
    let last = fake.times().last().copied().unwrap();
    assert!((600_000..=1_000_000).contains(&last), "{last}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_parked_at_once_and_can_be_delivered_again() {
    let mut bench = Bench::new().await;
    bench.service("s", &[Do::Refuse]);
    bench.record("a", "s", "x").await;
    assert_eq!(bench.drain(MINUTE).await, totals(0, 0, 1));
    let parked = bench.list(Status::Parked).await.remove(0);
    assert_eq!((parked.detail.as_str(), parked.fix.as_str()), ("unknown robot", "create one"));
    assert!(bench.ledger.redeliver(&parked.id, (bench.clock)()).await.unwrap());
    assert_eq!(bench.drain(MINUTE).await, totals(1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_is_tried_again() {
    let mut bench = Bench::new().await;
    let fake = bench.service_with("s", &[Do::Panic], |channel| channel.concurrency = 1);
    bench.record("a", "s", "x").await;
    bench.record("b", "s", "y").await;
    assert_eq!(bench.drain(5 * MINUTE).await, totals(2, 1, 0));
    assert_eq!(fake.came(), [("x".to_owned(), 0), ("y".to_owned(), 0), ("x".to_owned(), 60_000)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_for_a_service_nobody_knows_is_parked() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[]);
    // More than are read at once.
    for i in 0..150 {
        bench.record(&format!("r{i}"), "gone", "x").await;
    }
    bench.record("a", "s", "y").await;
    assert_eq!(bench.drain(Duration::ZERO).await, totals(1, 0, 150));
    assert_eq!(fake.texts(), ["y"]);
    let parked = bench.list(Status::Parked).await;
    assert_eq!(parked[0].detail, "no service `gone` is configured any more");
    assert!(parked[0].fix.contains("service.<type>.gone"), "{}", parked[0].fix);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_nothing_falls_due_before_its_deadline() {
    let mut bench = Bench::new().await;
    bench.drain(MINUTE).await;
    assert_eq!(bench.millis(), 0);
    bench.service("s", &[Do::Fail, Do::Fail, Do::Fail, Do::Fail, Do::Fail]);
    bench.record("a", "s", "x").await;
    // Waits of about 1, 2, 4 and 8 seconds: the fourth does not fit.
    let totals = bench.drain(Duration::from_secs(10)).await;
    assert_eq!((totals.delivered, totals.parked), (0, 0));
    assert!(bench.millis() < 10_000, "{}", bench.millis());
    let waiting = bench.list(Status::Pending).await;
    assert_eq!(u64::from(waiting[0].attempts), totals.retried);
    assert!(waiting[0].due > START + 10_000);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_recorded_although_something_happens_meanwhile() {
    let mut bench = Bench::new().await;
    let mut ledger = Held::open().await;
    ledger.slow = Duration::from_millis(50);
    bench.ledger = Arc::new(ledger);
    let fake = bench.service("s", &[]);
    bench.record("a", "s", "x").await;
    let dispatcher = Arc::new(bench.dispatcher());
    let (stop, wake) = (Arc::new(Notify::new()), dispatcher.waker());
    let running = tokio::spawn({
        let (dispatcher, stop) = (Arc::clone(&dispatcher), Arc::clone(&stop));
        async move { dispatcher.run(stop).await }
    });
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(7)).await;
        wake.notify_one();
    }
    stop.notify_one();
    running.await.unwrap().unwrap();
    assert_eq!(fake.texts(), ["x"]);
    assert_eq!(dispatcher.totals(), totals(1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_on_its_way() {
    let mut bench = Bench::new().await;
    bench.service_with("s", &[Do::TakeAfter(Duration::from_secs(20))], |channel| channel.concurrency = 1);
    bench.record("a", "s", "x").await;
    bench.record("b", "s", "y").await;
    let dispatcher = bench.dispatcher();
    let stop = Arc::new(Notify::new());
    let running = dispatcher.run(Arc::clone(&stop));
    let asking = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.notify_one();
    };
    let (ended, ()) = tokio::join!(running, asking);
    ended.unwrap();
    assert_eq!(dispatcher.totals(), totals(1, 0, 0));
    assert_eq!(bench.list(Status::Pending).await.len(), 1);
}
