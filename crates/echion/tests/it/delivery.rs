//! From a folder to the sandbox's robot.

use echion_sandbox::{DingTalkOptions, Fault};

use crate::Bench;

const OUT_OF_SYNC: &str = "{sync: {status: OutOfSync, revision: r1}, health: {status: Healthy}}";
const RUNNING: &str =
    "{sync: {status: OutOfSync, revision: r1}, health: {status: Progressing}, operationState: {phase: Running}}";
const SUCCEEDED: &str = "{sync: {status: Synced, revision: r1}, health: {status: Healthy}, reconciledAt: '2024-11-03T10:00:05Z', \
     operationState: {phase: Succeeded, finishedAt: '2024-11-03T10:00:00Z'}}";
const FAILED: &str = "{sync: {status: OutOfSync, revision: r1}, health: {status: Degraded}, reconciledAt: '2024-11-03T10:00:05Z', \
     operationState: {phase: Failed, finishedAt: '2024-11-03T10:00:00Z'}}";

#[tokio::test(flavor = "multi_thread")]
async fn the_seed_tells_a_dingtalk_group() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.seed();
    let mut delivered = Vec::new();
    for (name, status) in
        [("shop", OUT_OF_SYNC), ("shop", RUNNING), ("shop", SUCCEEDED), ("shop", SUCCEEDED), ("cart", FAILED)]
    {
        bench.app(name, status);
        let (summary, code) = bench.once();
        assert_eq!(code, 0, "{summary}");
        delivered.push(summary["delivered"].as_u64().unwrap());
    }
    assert_eq!(delivered, [0, 0, 2, 0, 1]);
    let mut titles = bench.titles();
    titles.sort();
    assert_eq!(titles, ["ArgoCD應用狀態", "ArgoCD應用狀態", "ArgoCD應用發布失敗"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_parked_with_its_cause_and_can_be_redelivered() {
    let options = DingTalkOptions { keywords: vec!["監控".into()], ..DingTalkOptions::default() };
    let bench = Bench::new(options).await;
    bench.seed();
    bench.app("cart", FAILED);
    let (summary, code) = bench.once();
    assert_eq!((summary["parked"].as_u64(), code), (Some(1), 1), "{summary}");
    let ledger = format!("sqlite:{}", bench.apps().join(".echion.sqlite").display());
    let list = || {
        let output = crate::echion().args(["deliveries", "list", "--ledger", &ledger, "-o", "json"]).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let parked = list();
    assert_eq!(parked[0]["status"], "parked");
    assert!(parked[0]["fix"].as_str().unwrap().contains("keyword"), "{parked}");
    assert!(!parked.to_string().contains("t0ps3cr3t"), "{parked}");
    // The user puts the keyword into the robot's settings; here the robot is told to let it pass.
    bench.sandbox.set_faults(vec![fault(r#"{"status":200,"body":"{\"errcode\":0}"}"#)]).unwrap();
    let id = parked[0]["id"].as_str().unwrap();
    let again = crate::echion().args(["deliveries", "redeliver", id, "--ledger", &ledger]).status().unwrap();
    assert!(again.success());
    let (summary, code) = bench.once();
    assert_eq!((summary["delivered"].as_u64(), code), (Some(1), 0), "{summary}");
    assert_eq!(list()[0]["status"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_asks_for_a_pause_gets_it() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench
        .sandbox
        .set_faults(vec![fault(
            r#"{"status":200,"body":"{\"errcode\":130101,\"errmsg\":\"send too fast\"}","times":1}"#,
        )])
        .unwrap();
    bench.seed();
    bench.app("shop", SUCCEEDED);
    let (summary, code) = bench.once();
    assert_eq!((summary["delivered"].as_u64(), summary["waiting"].as_u64(), code), (Some(0), Some(2), 0), "{summary}");
    // The other one waits as well: a second request would only prolong the pause.
    assert_eq!(bench.sandbox.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_service_signs_so_that_the_robot_accepts() {
    let options = DingTalkOptions { secret: Some("SECmarked".into()), ..DingTalkOptions::default() };
    let bench = Bench::new(options).await;
    let service = |secret: &str| {
        format!("webhook: {}\nsecret: {secret}\n", bench.sandbox.url("/robot/send?access_token=t0ps3cr3t"))
    };
    let keys = |service: &str| {
        bench.keys(&[
            ("service.dingtalk", service),
            ("template.t", "dingtalk: {markdown: {title: T, text: '{{.app.metadata.name}}'}}"),
            ("trigger.on-x", "- {when: 'true', send: [t]}"),
            ("subscriptions", "- {recipients: [dingtalk], triggers: [on-x]}"),
        ]);
    };
    keys(&service("SECmarked"));
    bench.app("one", "{}");
    assert_eq!(bench.once().0["delivered"], 1);
    keys(&service("SECwrong"));
    bench.app("two", "{}");
    let (summary, code) = bench.once();
    assert_eq!((summary["parked"].as_u64(), code), (Some(1), 1), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_robot_on_a_generic_webhook_is_told_the_truth_and_can_be_signed() {
    let options = DingTalkOptions { secret: Some("SECmarked".into()), ..DingTalkOptions::default() };
    let bench = Bench::new(options).await;
    bench.seed();
    bench.app("cart", FAILED);
    assert_eq!(bench.once().0["parked"], 1);
    let text = std::fs::read_to_string(bench.path("cm.yaml")).unwrap();
    let signed = text.replace("    headers:\n", "    sign: {scheme: dingtalk, secret: SECmarked}\n    headers:\n");
    assert_ne!(text, signed);
    bench.config(&signed);
    bench.app("other", FAILED);
    assert_eq!(bench.once().0["delivered"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_not_deliver_out_of_one_ledger() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.seed();
    bench.sandbox.set_faults(vec![fault(r#"{"hang":true}"#)]).unwrap();
    bench.app("cart", FAILED);
    let mut news = bench.sandbox.subscribe();
    let mut first = bench
        .command()
        .arg("--once")
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(30), news.recv()).await.unwrap().unwrap();
    let second = bench.command().arg("--once").output().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(crate::text(&second.stderr).contains("another process delivers"), "{}", crate::text(&second.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_follows_manifests_configuration_and_a_folder_that_is_replaced() {
    const UNKNOWN: &str = "{sync: {status: Unknown}, health: {status: Healthy}}";
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.seed();
    let mut news = bench.sandbox.subscribe();
    let log = std::fs::File::create(bench.path("log")).unwrap();
    let mut process = bench.command().stdout(std::process::Stdio::null()).stderr(log).spawn().unwrap();
    let mut hear = async |name: &str| {
        let received = tokio::time::timeout(std::time::Duration::from_secs(30), news.recv()).await.unwrap().unwrap();
        assert!(received.accepted && received.body.contains(name), "{name}: {received:?}");
    };
    bench.app("first", UNKNOWN);
    hear("first").await;
    // A trigger that nobody can read any more stays in use as it was.
    let good = std::fs::read_to_string(bench.path("cm.yaml")).unwrap();
    bench.config(&good.replace("app.status.sync.status == 'Unknown'", "app.status.sync.status =="));
    bench.app("second", UNKNOWN);
    hear("second").await;
    std::fs::rename(bench.apps(), bench.path("away")).unwrap();
    std::fs::rename(bench.path("away"), bench.apps()).unwrap();
    bench.app("third", UNKNOWN);
    hear("third").await;
    process.kill().unwrap();
    process.wait().unwrap();
    let log = std::fs::read_to_string(bench.path("log")).unwrap();
    assert!(log.contains("delivered argocd/first"), "{log}");
    assert!(!log.contains("t0ps3cr3t"), "{log}");
}

pub(crate) fn fault(json: &str) -> Fault {
    serde_json::from_str(json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_no_repo_server_and_messages_go_out() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.keys(&[
        ("service.webhook.hook", &format!("url: {}\n", bench.sandbox.url("/hook"))),
        (
            "template.t",
            "webhook: {hook: {method: POST, body: 'by [{{(call .repo.GetCommitMetadata .app.status.sync.revision).Author}}]'}}",
        ),
        ("trigger.on-x", "- {when: 'true', send: [t]}"),
        ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
    ]);
    bench.app("shop", SUCCEEDED);
    let (summary, code) = bench.once();
    assert_eq!((summary["delivered"].as_u64(), code), (Some(1), 0), "{summary}");
    assert_eq!(bench.sandbox.messages()[0].body, "by []");
}
