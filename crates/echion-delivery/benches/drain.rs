//! How long it takes to empty the ledger into a service that answers at once, and whether a long queue delays another channel.
//! `cargo bench -p echion-delivery`; `-- 4000 8000` measures other numbers of deliveries. The file lies in the folder for temporary files.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures time, and prints it"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use echion_delivery::{AttemptReporter, Attempted, Clock, Dispatcher, Route, Routes, SqlLedger};
use echion_model::{
    Channel, Destination, Intent, LedgerError, Message, Notification, Outbox as _, Receipt, Resource, ResourceId,
    Retry, RouteKey, SendError, Service, SharedLedger, StateChange, States as _, Version,
};

/// Takes everything at once; every recipient is a channel.
#[derive(Debug)]
struct Takes;

#[async_trait]
impl Service for Takes {
    async fn send(&self, _: Message<'_>) -> Result<Receipt, SendError> {
        Ok(Receipt { answer: "taken".to_owned() })
    }

    fn channel(&self, recipient: &str) -> Channel {
        let retry = Retry::default();
        Channel { name: format!("s/{recipient}"), budget: None, concurrency: 4, retry, idempotent: false }
    }
}

/// Notes when the message to the other channel is recorded as delivered.
#[derive(Default)]
struct Watch(Mutex<Option<Instant>>);

impl AttemptReporter for Watch {
    fn attempted(&self, attempted: &Attempted) {
        if attempted.delivery.intent.destination.recipient == "b" {
            *self.0.lock().unwrap() = Some(Instant::now());
        }
    }

    fn ledger_failed(&self, error: &LedgerError) {
        println!("the ledger failed: {error}: {}", error.cause);
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

async fn record(ledger: &SqlLedger, resource: &str, recipient: &str) {
    let id = ResourceId {
        group: "argoproj.io".into(),
        kind: "Application".into(),
        namespace: "argocd".into(),
        name: resource.into(),
    };
    let resource = Resource { id, uid: "u".into(), object: Default::default() };
    let key = format!("k-{recipient}-{}", uuid::Uuid::now_v7());
    let intent = Intent {
        trigger: "on-deployed".into(),
        condition: "[0].x".into(),
        owner: String::new(),
        state_key: key.clone(),
        templates: vec!["app-deployed".into()],
        destination: Destination { service: "s".into(), recipient: recipient.into() },
        channel: format!("s/{recipient}"),
        notification: Notification { message: "Application is deployed".repeat(10), ..Notification::default() },
    };
    let change = StateChange { set: [(key, 1)].into(), clear: Vec::new() };
    ledger.record(&resource, &change, &[intent], now()).await.unwrap();
}

fn dispatcher(ledger: &Arc<SqlLedger>) -> (Arc<Dispatcher>, Arc<Watch>) {
    let routes: Routes = Arc::new(|_: &RouteKey| {
        let version = Version { service: "1".to_owned(), templates: "1".to_owned() };
        Some(Route { service: Arc::new(Takes), version })
    });
    let clock: Clock = Arc::new(now);
    let watch = Arc::new(Watch::default());
    let dispatcher = Dispatcher::new(
        Arc::clone(ledger) as SharedLedger,
        routes,
        clock,
        Arc::clone(&watch) as Arc<dyn AttemptReporter>,
    );
    (Arc::new(dispatcher), watch)
}

/// What the process has used of the processor, in seconds; 0 where it is unknown.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

async fn measure(name: &str, ledger: SqlLedger, count: usize, resources: usize) -> (f64, f64) {
    let ledger = Arc::new(ledger);
    let recording = (Instant::now(), processor());
    for i in 0..count {
        record(&ledger, &format!("r{}", i % resources), "a").await;
    }
    let (recorded, recorded_cpu) = (recording.0.elapsed().as_secs_f64(), processor() - recording.1);
    let (dispatcher, _) = dispatcher(&ledger);
    let (start, used) = (Instant::now(), processor());
    dispatcher.drain(now() + 60 * 60 * 1000).await.unwrap();
    let (wall, cpu) = (start.elapsed().as_secs_f64(), processor() - used);
    assert_eq!(dispatcher.totals().delivered, count as u64, "all are delivered");
    println!(
        "{name:8} {count:6} deliveries, {resources:6} resources: record {recorded:7.2} s ({recorded_cpu:6.2} s cpu), drain {wall:7.2} s \
         ({cpu:6.2} s cpu)"
    );
    (wall, cpu)
}

/// How long one message to another channel takes while the first one has this many pending.
async fn next_to(name: &str, ledger: SqlLedger, count: usize) {
    let ledger = Arc::new(ledger);
    for i in 0..count {
        record(&ledger, &format!("r{i}"), "a").await;
    }
    let (dispatcher, watch) = dispatcher(&ledger);
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn({
        let dispatcher = Arc::clone(&dispatcher);
        async move { dispatcher.run(stopping).await }
    });
    let mut delays = Vec::new();
    for i in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        watch.0.lock().unwrap().take();
        let start = Instant::now();
        record(&ledger, &format!("other{i}"), "b").await;
        dispatcher.waker().recorded(["s/b"]);
        loop {
            if let Some(at) = *watch.0.lock().unwrap() {
                delays.push(at.duration_since(start));
                break;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    let left = ledger.queues().await.unwrap().iter().any(|queue| queue.channel == "s/a");
    stop.send(true).unwrap();
    running.await.unwrap().unwrap();
    delays.sort_unstable();
    println!(
        "{name:8} one message next to {count} pending{}: median {:?}, longest {:?}",
        if left { "" } else { " (which were gone before)" },
        delays[delays.len() / 2],
        delays[delays.len() - 1]
    );
}

#[tokio::main]
async fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let counts = if asked.is_empty() { vec![4_000, 8_000, 50_000] } else { asked };
    let folder = tempfile::tempdir().unwrap();
    let mut times = Vec::new();
    for &count in &counts {
        times.push(measure("memory", SqlLedger::in_memory().await.unwrap(), count, count).await);
        let path = folder.path().join(format!("{count}.sqlite"));
        measure("file", SqlLedger::own(&path).await.unwrap(), count, count).await;
        std::fs::remove_file(&path).unwrap();
    }
    if let [(wall, cpu), (twice_wall, twice_cpu), ..] = times[..] {
        println!("{} against {}: time x{:.2}, cpu x{:.2}", counts[1], counts[0], twice_wall / wall, twice_cpu / cpu);
    }
    let some = counts[0];
    measure("memory", SqlLedger::in_memory().await.unwrap(), some, 10).await;
    let most = counts.iter().copied().max().unwrap_or(0);
    next_to("memory", SqlLedger::in_memory().await.unwrap(), most).await;
    let path = folder.path().join("next-to.sqlite");
    next_to("file", SqlLedger::own(&path).await.unwrap(), most).await;
}
