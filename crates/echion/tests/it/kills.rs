//! Killed at any moment, started again: nothing is lost, and what is repeated can be recognised.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use echion_sandbox::DingTalkOptions;

use crate::Bench;
use crate::delivery::fault;

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_answer_and_ledger_is_not_a_second_message() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    let robot = bench.sandbox.url("/robot/send?access_token=t0ps3cr3t");
    bench.keys(&[
        ("service.dingtalk", &format!("webhook: {robot}\n")),
        ("template.t", "message: '{{.app.metadata.name}}'"),
        ("trigger.on-x", "- {when: 'true', send: [t]}"),
        ("subscriptions", "- {recipients: [dingtalk], triggers: [on-x]}"),
    ]);
    bench.app("one", "{}");
    // The robot takes the message, but its answer never comes.
    bench.sandbox.set_faults(vec![fault(r#"{"after":true,"hang":true,"times":1}"#)]).unwrap();
    let mut news = bench.sandbox.subscribe();
    let mut process = bench.command().arg("--once").stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let first = tokio::time::timeout(Duration::from_secs(30), news.recv()).await.unwrap().unwrap();
    assert!(first.accepted);
    process.kill().unwrap();
    process.wait().unwrap();
    let (summary, code) = bench.once();
    assert_eq!((summary["delivered"].as_u64(), code), (Some(1), 0), "{summary}");
    let messages = bench.sandbox.messages();
    assert_eq!(messages.len(), 2, "the attempt is repeated");
    assert!(!messages[1].accepted && messages[1].repeated, "and the robot knows it: {messages:?}");
    // A later start has nothing left to do.
    assert_eq!(bench.once().0["delivered"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_lose_nothing() {
    const KILLS: u64 = 200;
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.keys(&[
        ("service.webhook.hook", &format!("url: {}\n", bench.sandbox.url("/hook"))),
        ("template.t", "webhook: {hook: {method: POST, body: '{{.app.metadata.name}}'}}"),
        ("trigger.on-x", "- {when: 'true', send: [t], oncePer: app.metadata.name}"),
        ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
    ]);
    // xorshift: moments that differ, and are the same in every run.
    let mut random: u64 = 0x9E37_79B9_7F4A_7C15;
    for number in 0..KILLS {
        bench.app(&format!("app-{number}"), "{}");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut process = bench.command().arg("--once").stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_micros(random % 60_000)).await;
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let (summary, code) = bench.once();
    assert_eq!((summary["waiting"].as_u64(), summary["parked"].as_u64(), code), (Some(0), Some(0), 0), "{summary}");
    let messages = bench.sandbox.messages();
    let names: BTreeSet<&str> = messages.iter().map(|m| m.body.as_str()).collect();
    assert_eq!(names.len() as u64, KILLS, "every Application was notified of");
    // What came twice came under one key, so that a receiver can drop it.
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for message in &messages {
        let key = message.headers.get("idempotency-key").map(String::as_str).unwrap_or_default();
        keys.entry(&message.body).or_default().insert(key);
    }
    assert!(keys.values().all(|keys| keys.len() == 1 && !keys.contains("")), "{keys:?}");
    assert_eq!(bench.once().0["delivered"], 0);
}
