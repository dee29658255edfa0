//! What the controller costs on a real API server: memory and work at rest with many Applications, and the time from a change to its
//! request. `KUBEBUILDER_ASSETS` as in the tests; `cargo bench -p echion`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement fails loudly")]
#![allow(clippy::disallowed_methods, reason = "it measures this machine")]
#![allow(dead_code, reason = "the tests use more of what they share")]

#[path = "../tests/cluster/controller.rs"]
mod controller;
#[path = "../tests/cluster/recorder.rs"]
mod recorder;
#[path = "../tests/cluster/servers.rs"]
mod servers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use controller::Controller;
use recorder::Recorder;
use serde_json::{Value, json};
use servers::{Space, shared};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

/// An Application of about eight kilobytes: most of it are its resources, as with a real one.
fn application(index: usize) -> Value {
    let resource = |n: usize| {
        json!({
            "version": "v1", "kind": "Deployment", "group": "apps", "namespace": "demo", "status": "Synced",
            "name": format!("component-{n:03}-of-application-{index:05}"), "health": { "status": "Healthy" },
        })
    };
    json!({
        "metadata": { "labels": { "team": "a" } },
        "spec": {
            "project": "default",
            "source": { "repoURL": "https://git.example.com/acme/demo.git", "path": ".", "targetRevision": "main" },
            "destination": { "server": "https://kubernetes.default.svc", "namespace": "demo" },
        },
        "status": {
            "sync": { "status": "OutOfSync" }, "health": { "status": "Healthy" },
            "resources": (0..45).map(resource).collect::<Vec<_>>(),
        },
    })
}

/// The smallest one that conditions can look at.
fn small(_: usize) -> Value {
    json!({
        "spec": { "project": "default" },
        "status": { "sync": { "status": "OutOfSync" }, "health": { "status": "Healthy" } },
    })
}

async fn configured(space: &Space, recorder: &Recorder) {
    space
        .configure(json!({
            "service.webhook.wh": format!("url: http://{}/hook\n", recorder.address),
            "template.t": "webhook:\n  wh:\n    method: POST\n    body: '{{.app.metadata.name}} {{.app.status.sync.revision}}'\n",
            "trigger.on-deployed": "- when: app.status.operationState.phase in ['Succeeded'] and app.status.health.status == 'Healthy'\n  \
                oncePer: app.status.sync.revision\n  send: [t]\n",
            "subscriptions": "- recipients: [wh]\n  triggers: [on-deployed]\n",
        }))
        .await;
}

async fn create(space: &Space, count: usize, object: fn(usize) -> Value) {
    let mut creating = JoinSet::new();
    for lane in 0..8 {
        let space = space.clone();
        creating.spawn(async move {
            for index in (lane..count).step_by(8) {
                space.create_app(&format!("app-{index:05}"), object(index)).await;
            }
        });
    }
    creating.join_all().await;
}

async fn memory(namespace: &str, count: usize, object: fn(usize) -> Value) {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = Space::create(&servers, namespace).await;
    configured(&space, &recorder).await;
    create(&space, count, object).await;
    let size = serde_json::to_string(&space.api("applications").get("app-00000").await.unwrap()).unwrap().len();
    let start = Instant::now();
    let controller = Controller::start(&servers.admin(namespace), &["--leader-election", "off"]).await;
    let listed = start.elapsed();
    sleep(Duration::from_secs(3)).await;
    let (rss, peak, before) = (controller.memory("VmRSS"), controller.memory("VmHWM"), controller.ticks());
    sleep(Duration::from_secs(30)).await;
    let ticks = controller.ticks() - before;
    println!(
        "{count} Applications of {size} bytes: all are listed after {listed:.1?}; {} MiB resident, {} MiB at most, {} ms of processor in 30 s at rest",
        rss / 1024,
        peak / 1024,
        ticks * 10
    );
}

/// So many changes a second, so many for each of so many Applications.
async fn latency(apps: usize, changes: usize, rate: u64) {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = Space::create(&servers, "quick").await;
    configured(&space, &recorder).await;
    create(&space, apps, application).await;
    let _controller = Controller::start(&servers.admin("quick"), &["--leader-election", "off"]).await;
    let started: Arc<Mutex<HashMap<String, SystemTime>>> = Arc::default();
    let mut clock = interval(Duration::from_micros(1_000_000 / rate));
    let mut changing = JoinSet::new();
    for change in 0..changes {
        for app in 0..apps {
            clock.tick().await;
            let (space, started) = (space.clone(), Arc::clone(&started));
            changing.spawn(async move {
                let (name, revision) = (format!("app-{app:05}"), format!("r{change}"));
                let patch = json!({ "status": {
                    "operationState": { "phase": "Succeeded", "finishedAt": "2026-11-20T08:00:00Z" },
                    "reconciledAt": "2026-11-20T08:00:01Z", "sync": { "status": "Synced", "revision": revision },
                } });
                // The change counts from the moment it is asked for.
                started.lock().unwrap().insert(format!("{name} {revision}"), SystemTime::now());
                space.patch("applications", &name, patch).await;
            });
        }
    }
    changing.join_all().await;
    let received = recorder.wait_for(apps * changes, Duration::from_secs(30)).await;
    let started = started.lock().unwrap();
    let mut waits: Vec<Duration> =
        received.iter().map(|request| request.at.duration_since(started[&request.body]).unwrap_or_default()).collect();
    waits.sort();
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
    println!(
        "{apps} Applications, {changes} changes each, {rate} a second: {} of {} notified; from change to request: median {:?}, p99 {:?}, most {:?}",
        received.len(),
        apps * changes,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        latency(500, 4, 50).await;
        memory("many", 10_000, application).await;
        memory("small", 30_000, small).await;
    });
}
