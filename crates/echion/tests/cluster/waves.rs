//! Many Applications change at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::controller::Controller;
use crate::recorder::{Received, Recorder, Rule};
use crate::servers::{NOTIFIED, Servers, Space, shared};

/// The ConfigMap of the document that the product was asked for, but for the robot's address.
fn seed(recorder: &Recorder) -> Value {
    let text = include_str!("../../../../conformance/seeds/ack-one-dingtalk.yaml");
    let documents = echion_model::yaml::parse_all(text).unwrap();
    let object: echion_value::Value = documents[0].to_value();
    let object: Value = serde_json::from_slice(&echion_value::json::marshal(&object).unwrap()).unwrap();
    let mut data = object["data"].clone();
    for (key, value) in data.as_object_mut().unwrap() {
        if key.starts_with("service.webhook") {
            let url = format!("url: http://{}/robot/send?access_token=token", recorder.address);
            let lines = value.as_str().unwrap().lines();
            let lines: Vec<String> =
                lines.map(|l| if l.starts_with("url:") { url.clone() } else { l.to_owned() }).collect();
            *value = lines.join("\n").into();
        }
    }
    data
}

/// What DingTalk answers when it takes a message.
fn robot() -> Rule {
    Rule { status: 200, body: r#"{"errcode":0,"errmsg":"ok"}"#.to_owned(), ..Rule::default() }
}

fn running() -> Value {
    json!({ "status": { "operationState": { "phase": "Running" }, "health": { "status": "Progressing" } } })
}

fn succeeded(revision: &str) -> Value {
    json!({ "status": {
        "operationState": {
            "phase": "Succeeded", "finishedAt": "2026-11-20T08:00:00Z", "syncResult": { "revision": revision },
        },
        "reconciledAt": "2026-11-20T08:00:01Z", "health": { "status": "Healthy" },
        "sync": { "status": "Synced", "revision": revision },
    } })
}

/// How often each Application was notified of.
fn by_app(received: &[Received]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for request in received {
        *count.entry(request.body.clone()).or_insert(0) += 1;
    }
    count
}

/// How many Applications a wave has.
const APPS: usize = 300;

/// How long taking over from a leader that died may take: the Lease expires after fifteen seconds, and is read every two.
const TAKEOVER: Duration = Duration::from_secs(25);

/// How often something is killed during a wave; `ECHION_KILLS` says otherwise.
fn kills(usual: usize) -> usize {
    std::env::var("ECHION_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn name(app: usize) -> String {
    format!("app-{app:03}")
}

/// A namespace with many Applications, of each of which one thing is to be notified.
async fn sea(servers: &Servers, namespace: &str, recorder: &Recorder) -> Space {
    let space = Space::create(servers, namespace).await;
    space
        .configure(json!({
            "service.webhook.wh": format!("url: http://{}/hook\n", recorder.address),
            "template.t": "webhook:\n  wh:\n    method: POST\n    body: '{{.app.metadata.name}}'\n",
            "trigger.on-deployed": "- when: app.status.operationState.phase in ['Succeeded'] and app.status.health.status == 'Healthy'\n  \
                oncePer: app.status.sync.revision\n  send: [t]\n",
            "subscriptions": "- recipients: [wh]\n  triggers: [on-deployed]\n",
        }))
        .await;
    let mut creating = JoinSet::new();
    for chunk in (0..APPS).collect::<Vec<_>>().chunks(APPS / 8) {
        let (space, chunk) = (space.clone(), chunk.to_vec());
        creating.spawn(async move {
            for app in chunk {
                let status = json!({ "sync": { "status": "OutOfSync" }, "health": { "status": "Healthy" } });
                space.create_app(&name(app), json!({ "spec": { "project": "default" }, "status": status })).await;
            }
        });
    }
    creating.join_all().await;
    space
}

/// Every Application of the sea changes, some each time, with a pause in between.
fn wave(space: &Space, pause: Duration) -> JoinSet<()> {
    let mut changing = JoinSet::new();
    for lane in 0..4 {
        let space = space.clone();
        changing.spawn(async move {
            for app in (lane..APPS).step_by(4) {
                space.patch_at_last(&name(app), succeeded("r1")).await;
                sleep(pause).await;
            }
        });
    }
    changing
}

/// Applications whose annotation says that they were notified of.
async fn acknowledged(space: &Space) -> BTreeSet<String> {
    loop {
        // The server may be away.
        let Ok(list) = space.api("applications").list(&ListParams::default()).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let notified = list.into_iter().filter(|app| {
            app.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(NOTIFIED))
        });
        return notified.filter_map(|app| app.metadata.name).collect();
    }
}

/// Waits until everything is notified and written down.
async fn notified_of_all(space: &Space, recorder: &Recorder) -> BTreeMap<String, usize> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        if by_app(&recorder.received()).len() == APPS && acknowledged(space).await.len() == APPS {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    recorder.settle(Duration::from_millis(700)).await;
    let counts = by_app(&recorder.received());
    let lost: Vec<String> = (0..APPS).map(name).filter(|app| !counts.contains_key(app)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(acknowledged(space).await.len(), APPS);
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_config_map_notifies_a_deployment_once() {
    let servers = shared().await;
    let space = Space::create(&servers, "seed").await;
    let recorder = Recorder::start().await;
    recorder.rules(vec![robot()]);
    space.configure(seed(&recorder)).await;
    let _controller = Controller::start(&servers.admin("seed"), &[]).await;
    space
        .create_app(
            "demo",
            json!({ "spec": { "project": "default" }, "status": { "sync": { "status": "OutOfSync" } } }),
        )
        .await;
    space.patch("applications", "demo", running()).await;
    assert!(recorder.settle(Duration::from_millis(500)).await.is_empty());
    space.patch("applications", "demo", succeeded("r1")).await;
    let received = recorder.settle(Duration::from_millis(1000)).await;
    assert_eq!(received.len(), 2, "{received:?}");
    assert!(received.iter().all(|request| request.body.contains("demo")), "{received:?}");
    let keys = space.notified("demo").await.unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_kills_in_a_wave_of_300_with_the_memory_ledger_double_at_most_48_and_nothing_that_was_written_down() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = sea(&servers, "killed", &recorder).await;
    let (kubeconfig, flags) = (servers.admin("killed"), ["--leader-election", "off"]);
    let mut controller = Controller::start(&kubeconfig, &flags).await;
    let mut changing = wave(&space, Duration::from_millis(60));
    // What was written down when the controller died, and how often it had been notified by then.
    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..kills(3) {
        // Moments that have nothing to do with each other.
        sleep(Duration::from_millis(500 + (round as u64 * 7919) % 700)).await;
        controller.kill();
        let notified = by_app(&recorder.received());
        for app in acknowledged(&space).await {
            let times = notified.get(&app).copied().unwrap_or(0);
            written.entry(app).or_insert(times);
        }
        controller = Controller::start(&kubeconfig, &flags).await;
    }
    while changing.join_next().await.is_some() {}
    let counts = notified_of_all(&space, &recorder).await;
    for (app, times) in written {
        assert_eq!(counts[&app], times, "{app} was notified again although it was written down");
    }
    let doubled = counts.values().filter(|times| **times > 1).count();
    println!("{doubled} doubled");
    assert!(doubled <= kills(3) * 16, "{doubled} doubled: more than can have been on their way");
}

/// What had arrived when a controller was killed is in the annotations after the next start.
#[tokio::test(flavor = "multi_thread")]
async fn annotations_are_caught_up_after_a_kill() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = sea(&servers, "caught-up", &recorder).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let (kubeconfig, flags) = (servers.admin("caught-up"), ["--leader-election", "off", "--ledger", ledger.as_str()]);
    let mut controller = Controller::start(&kubeconfig, &flags).await;
    let mut changing = wave(&space, Duration::from_millis(20));
    for round in 0..kills(3) {
        sleep(Duration::from_millis(500 + (round as u64 * 7919) % 400)).await;
        controller.kill();
        controller = Controller::start(&kubeconfig, &flags).await;
    }
    while changing.join_next().await.is_some() {}
    // Once more when all have arrived: there is nothing that could be decided again, only to be written down.
    while by_app(&recorder.received()).len() < APPS {
        sleep(Duration::from_millis(1)).await;
    }
    controller.kill();
    let unwritten = APPS - acknowledged(&space).await.len();
    println!("{unwritten} annotations were missing after the last kill");
    let _controller = Controller::start(&kubeconfig, &flags).await;
    let counts = notified_of_all(&space, &recorder).await;
    // What was on its way when it was killed may have arrived, and is sent again.
    let doubled = counts.values().filter(|times| **times > 1).count();
    println!("{doubled} doubled");
    assert!(doubled <= (kills(3) + 1) * 16, "{doubled} doubled: more than can have been on their way");
}

/// A server that hangs for some seconds is no reason to step down.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_frozen_for_seconds_loses_and_doubles_nothing() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = sea(&servers, "frozen", &recorder).await;
    let controller = Controller::start(&servers.admin("frozen"), &[]).await;
    let mut changing = wave(&space, Duration::from_millis(60));
    for round in 0..3 {
        sleep(Duration::from_millis(300 + (round as u64 * 7919) % 700)).await;
        servers.freeze_api(Duration::from_secs(6)).await;
    }
    while changing.join_next().await.is_some() {}
    let counts = notified_of_all(&space, &recorder).await;
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    let log = controller.log().join("\n");
    assert!(!log.contains("no longer leads"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_killed_loses_and_doubles_nothing() {
    let mut servers = shared().await;
    let recorder = Recorder::start().await;
    let space = sea(&servers, "api-killed", &recorder).await;
    let _controller = Controller::start(&servers.admin("api-killed"), &["--leader-election", "off"]).await;
    let mut changing = wave(&space, Duration::from_millis(60));
    for round in 0..kills(3) {
        sleep(Duration::from_millis(300 + (round as u64 * 7919) % 700)).await;
        servers.restart_api(Duration::from_millis(200)).await;
    }
    while changing.join_next().await.is_some() {}
    let counts = notified_of_all(&space, &recorder).await;
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_is_killed_loses_and_doubles_nothing() {
    let mut servers = shared().await;
    let recorder = Recorder::start().await;
    let space = sea(&servers, "etcd-killed", &recorder).await;
    let _controller = Controller::start(&servers.admin("etcd-killed"), &["--leader-election", "off"]).await;
    let mut changing = wave(&space, Duration::from_millis(60));
    for round in 0..kills(3) {
        sleep(Duration::from_millis(300 + (round as u64 * 7919) % 700)).await;
        servers.restart_etcd(Duration::from_millis(200)).await;
    }
    while changing.join_next().await.is_some() {}
    let counts = notified_of_all(&space, &recorder).await;
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_the_other_takes_over_and_repeats_nothing_that_was_written_down() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = sea(&servers, "replicas", &recorder).await;
    let kubeconfig = servers.admin("replicas");
    let mut leader = Controller::start(&kubeconfig, &[]).await;
    let mut other = Controller::spawn(&kubeconfig, &[]);
    assert_eq!(other.get("/readyz").await.0, 200);
    let mut changing = wave(&space, Duration::from_millis(60));
    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..2 {
        sleep(Duration::from_millis(1500)).await;
        leader.kill();
        let killed = Instant::now();
        let notified = by_app(&recorder.received());
        for app in acknowledged(&space).await {
            let times = notified.get(&app).copied().unwrap_or(0);
            written.entry(app).or_insert(times);
        }
        other.logged("this replica leads", TAKEOVER).await;
        println!("the other leads after {:?}", killed.elapsed());
        other.logged("all resources are listed", TAKEOVER).await;
        leader = std::mem::replace(&mut other, Controller::spawn(&kubeconfig, &[]));
        sleep(Duration::from_millis(500)).await;
    }
    while changing.join_next().await.is_some() {}
    let counts = notified_of_all(&space, &recorder).await;
    for (app, times) in written {
        assert_eq!(counts[&app], times, "{app} was notified again although it was written down");
    }
    // One that ends gives the Lease back.
    let stopped = Instant::now();
    assert_eq!(leader.stop(), Some(0));
    other.logged("this replica leads", TAKEOVER).await;
    println!("after a regular end the other leads after {:?}", stopped.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_of_all_annotations_loses_nothing_and_our_state_survives_it() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = sea(&servers, "editor", &recorder).await;
    let _controller = Controller::start(&servers.admin("editor"), &["--leader-election", "off"]).await;
    let mut changing = wave(&space, Duration::from_millis(40));
    let editor = tokio::spawn({
        let space = space.clone();
        async move {
            // Whatever stood there before is gone afterwards, except that nothing changed in between is overwritten.
            for app in (0..APPS).rev().step_by(5) {
                loop {
                    let mut object = space.api("applications").get(&name(app)).await.unwrap();
                    object.metadata.annotations = Some([("editor".to_owned(), app.to_string())].into());
                    match space.api("applications").replace(&name(app), &Default::default(), &object).await {
                        Ok(_) => break,
                        Err(kube::Error::Api(status)) if status.code == 409 => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    });
    while changing.join_next().await.is_some() {}
    editor.await.unwrap();
    let counts = notified_of_all(&space, &recorder).await;
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    for app in (0..APPS).rev().step_by(5) {
        let object = space.api("applications").get(&name(app)).await.unwrap();
        assert_eq!(object.metadata.annotations.unwrap()["editor"], app.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_annotation_of_argo_cd_notifications_the_first_start_notifies_nothing_and_the_state_is_found_again_after_going_back()
 {
    let servers = shared().await;
    let space = Space::create(&servers, "switch").await;
    let recorder = Recorder::start().await;
    recorder.rules(vec![robot()]);
    space.configure(seed(&recorder)).await;
    let deployed = "\"r1:on-deployed:[0].";
    space.create_app("demo", json!({ "spec": { "project": "default" } })).await;
    space.patch("applications", "demo", succeeded("r1")).await;
    // As Argo CD Notifications would have left it: take what a first controller writes.
    let mut first = Controller::start(&servers.admin("switch"), &["--leader-election", "off"]).await;
    recorder.wait_for(2, Duration::from_secs(10)).await;
    let start = Instant::now();
    while space.notified("demo").await.is_none_or(|keys| keys.len() < 2) && start.elapsed() < Duration::from_secs(10) {
        sleep(Duration::from_millis(50)).await;
    }
    first.stop();
    let object = space.api("applications").get("demo").await.unwrap();
    let text = object.metadata.annotations.unwrap()[NOTIFIED].clone();
    assert!(text.starts_with("{\"") && !text.contains(' ') && text.contains(deployed), "{text}");
    assert!(serde_json::from_str::<BTreeMap<String, i64>>(&text).unwrap().values().all(|at| *at > 1_700_000_000));
    recorder.take();
    let _second = Controller::start(&servers.admin("switch"), &["--leader-election", "off"]).await;
    assert!(recorder.settle(Duration::from_millis(800)).await.is_empty());
    space.patch("applications", "demo", succeeded("r2")).await;
    let received = recorder.wait_for(1, Duration::from_secs(10)).await;
    assert_eq!(received.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_was_deleted_and_made_again_is_a_new_one() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = Space::create(&servers, "again").await;
    space
        .configure(json!({
            "service.webhook.wh": format!("url: http://{}/hook\n", recorder.address),
            "template.t": "webhook:\n  wh:\n    method: POST\n    body: '{{.app.metadata.uid}}'\n",
            "trigger.on-degraded": "- when: app.status.health.status == 'Degraded'\n  send: [t]\n",
            "subscriptions": "- recipients: [wh]\n  triggers: [on-degraded]\n",
        }))
        .await;
    let controller = Controller::start(&servers.admin("again"), &["--leader-election", "off"]).await;
    for count in 1..=2 {
        space.create_app("demo", json!({ "status": { "health": { "status": "Degraded" } } })).await;
        let received = recorder.wait_for(count, Duration::from_secs(10)).await;
        assert_eq!(received.len(), count, "{}", controller.log().join("\n"));
        space.delete("applications", "demo").await;
    }
    assert_eq!(by_app(&recorder.settle(Duration::from_millis(300)).await).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_reads_the_clock_fires_although_nothing_changes() {
    let recorder = Recorder::start().await;
    let servers = shared().await;
    let space = Space::create(&servers, "clock").await;
    space
        .configure(json!({
            "service.webhook.wh": format!("url: http://{}/hook\n", recorder.address),
            "template.t": "webhook:\n  wh:\n    method: POST\n    body: 'late {{.app.spec.word}}'\n",
            "trigger.on-late": "- when: time.Now().Sub(time.Parse(app.status.since)).Seconds() > 20\n  send: [t]\n",
            "subscriptions": "- recipients: [wh]\n  triggers: [on-late]\n",
        }))
        .await;
    let _controller = Controller::start(&servers.admin("clock"), &["--leader-election", "off"]).await;
    let since = k8s_openapi::jiff::Timestamp::now().to_string();
    space.create_app("demo", json!({ "spec": { "word": "whole" }, "status": { "since": since } })).await;
    assert!(recorder.settle(Duration::from_millis(800)).await.is_empty());
    // Others may use the servers meanwhile.
    drop(servers);
    let received = recorder.wait_for(1, Duration::from_secs(90)).await;
    assert_eq!(received.len(), 1);
    // Nothing but the time was kept for the condition; the message needs the whole object.
    assert_eq!(received[0].body, "late whole");
}
