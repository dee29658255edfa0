//! From a folder to the sandbox's robot.

use echion_sandbox::{DingTalkOptions, Fault};

use crate::Bench;

const OUT_OF_SYNC: &str = "{sync: {status: OutOfSync, revision: r1}, health: {status: Healthy}}";
const RUNNING: &str =
    "{sync: {status: OutOfSync, revision: r1}, health: {status: Progressing}, operationState: {phase: Running}}";
const SUCCEEDED: &str = "{sync: {status: Synced, revision: r1}, health: {status: Healthy}, reconciledAt: '2024-11-03T10:00:05Z', \
     operationState: {phase: Succeeded, finishedAt: '2024-11-03T10:00:00Z'}}";
pub(crate) const FAILED: &str = "{sync: {status: OutOfSync, revision: r1}, health: {status: Degraded}, reconciledAt: '2024-11-03T10:00:05Z', \
     operationState: {phase: Failed, finishedAt: '2024-11-03T10:00:00Z'}}";

#[tokio::test(flavor = "multi_thread")]
async fn the_seed_notifies_a_dingtalk_group() {
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
    assert!(parked[0]["hint"].as_str().unwrap().contains("keyword"), "{parked}");
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
    assert_eq!((summary["delivered"].as_u64(), summary["waiting"].as_u64(), code), (Some(0), Some(2), 1), "{summary}");
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
async fn a_wrong_robot_on_a_generic_webhook_is_recognised_and_can_be_signed() {
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
    // What was parked goes out as well: somebody has changed what it depends on.
    assert_eq!(bench.once().0["delivered"], 2);
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
    // The last valid version of a trigger stays in effect.
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

/// A message that could not be rendered is not forgotten because something else changes; it goes out when it can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_evaluation_is_repeated_whatever_else_changes() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    let template = |text: &str| {
        bench.keys(&[
            ("service.webhook.hook", &format!("url: {}\n", bench.sandbox.url("/hook"))),
            ("template.t", &format!("webhook: {{hook: {{method: POST, body: '{text}'}}}}")),
            ("trigger.on-x", "- {when: 'true', send: [t]}"),
            ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
        ]);
    };
    template(r#"{{if eq .app.metadata.name "broken"}}{{fail "not yet"}}{{end}}{{.app.metadata.name}}"#);
    bench.app("broken", "{}");
    let (summary, code) = bench.once();
    assert_eq!((summary["failed"].as_u64(), summary["delivered"].as_u64(), code), (Some(1), Some(0), 1), "{summary}");
    // Another Application changes; the failed one does not.
    bench.app("other", "{}");
    let (summary, code) = bench.once();
    assert_eq!((summary["failed"].as_u64(), summary["delivered"].as_u64(), code), (Some(1), Some(1), 1), "{summary}");
    template("{{.app.metadata.name}}");
    let (summary, code) = bench.once();
    assert_eq!((summary["failed"].as_u64(), summary["delivered"].as_u64(), code), (Some(0), Some(1), 0), "{summary}");
}

/// What is parked goes out by itself when the Secret value that it depends on changes, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_secret_sends_what_was_parked() {
    let options = DingTalkOptions { secret: Some("SECright".into()), ..DingTalkOptions::default() };
    let bench = Bench::new(options).await;
    let robot = bench.sandbox.url("/robot/send?access_token=t0ps3cr3t");
    bench.keys(&[
        ("service.dingtalk", &format!("webhook: {robot}\nsecret: $dingtalk-secret\n")),
        ("template.t", "message: '{{.app.metadata.name}}'"),
        ("trigger.on-x", "- {when: 'true', send: [t], oncePer: app.metadata.name}"),
        ("subscriptions", "- {recipients: [dingtalk], triggers: [on-x]}"),
    ]);
    let secret = |value: &str| {
        let text = format!(
            "kind: Secret\nmetadata: {{name: argocd-notifications-secret}}\nstringData: {{dingtalk-secret: {value}}}\n"
        );
        std::fs::write(bench.path("secret.yaml"), text).unwrap();
    };
    let once = || {
        let mut command = bench.command();
        command.arg("--secret").arg(bench.path("secret.yaml")).args(["--once", "--drain", "3s"]);
        let output = command.output().unwrap();
        (crate::text(&output.stdout), crate::text(&output.stderr), output.status.code())
    };
    secret("SECwrong");
    bench.app("one", "{}");
    let (out, _, code) = once();
    assert!(out.contains("0 delivered, 0 waiting, 1 parked") && code == Some(1), "{out}");
    // Nothing has changed: it is neither sent nor hidden, and the exit code says so.
    let (out, err, code) = once();
    assert!(out.contains("0 delivered, 0 waiting, 1 parked") && code == Some(1), "{out}");
    assert!(err.contains("parked argocd/one") && err.contains("sign not match"), "{err}");
    assert_eq!(bench.sandbox.messages().len(), 1);
    secret("SECright");
    let (out, err, code) = once();
    assert!(out.contains("1 delivered, 0 waiting, 0 parked") && code == Some(0), "{out}{err}");
    assert!(!err.contains("SECright"), "{err}");
}

/// What is parked because of its template is rendered anew when the template changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_template_renders_what_was_parked_anew() {
    let bench = Bench::new(DingTalkOptions { keywords: vec!["notice".into()], ..DingTalkOptions::default() }).await;
    let robot = bench.sandbox.url("/robot/send?access_token=t0ps3cr3t");
    let template = |text: &str| {
        bench.keys(&[
            ("service.dingtalk", &format!("webhook: {robot}\n")),
            ("template.t", text),
            ("trigger.on-x", "- {when: 'true', send: [t], oncePer: app.metadata.name}"),
            ("subscriptions", "- {recipients: [dingtalk], triggers: [on-x]}"),
        ]);
    };
    template("message: 'about {{.app.metadata.name}}'");
    bench.app("one", "{}");
    assert_eq!(bench.once().0["parked"], 1);
    template("message: 'notice about {{.app.metadata.name}}'");
    let (summary, code) = bench.once();
    assert_eq!((summary["delivered"].as_u64(), code), (Some(1), 0), "{summary}");
    let last = bench.sandbox.messages().pop().unwrap();
    assert!(last.accepted && last.body.contains("notice about one"), "{last:?}");
}

/// Nothing that went wrong ends with 0.
#[tokio::test(flavor = "multi_thread")]
async fn errors_in_the_configuration_and_undelivered_messages_are_in_the_exit_code() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    let keys = |url: &str, when: &str| {
        bench.keys(&[
            ("service.webhook.hook", &format!("url: {url}\nretryMax: 0\n")),
            ("template.t", "webhook: {hook: {method: POST, body: x}}"),
            ("trigger.on-x", &format!("- {{when: \"{when}\", send: [t]}}")),
            ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
        ]);
    };
    let hook = bench.sandbox.url("/hook");
    keys(&hook, "false");
    bench.app("one", "{}");
    assert_eq!(bench.once().1, 0);
    keys(&hook, "app.status.health.status = 'Degraded'");
    assert_eq!(bench.once().1, 1);
    // Nothing listens there.
    keys("http://127.0.0.1:1/", "true");
    let (summary, code) = bench.once();
    assert_eq!((summary["delivered"].as_u64(), code), (Some(0), 1), "{summary}");
}

/// Of two kinds of one name only Argo CD's is an Application. One without a project belongs to `default`.
#[tokio::test(flavor = "multi_thread")]
async fn only_argo_cds_applications_are_evaluated_and_they_have_a_default_project() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.keys(&[
        ("service.webhook.hook", &format!("url: {}\n", bench.sandbox.url("/hook"))),
        ("template.t", "webhook: {hook: {method: POST, body: '{{.app.metadata.name}}'}}"),
        ("trigger.on-x", "- {when: appProject.metadata.name == 'default', send: [t]}"),
        ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
    ]);
    let other = "apiVersion: app.k8s.io/v1beta1\nkind: Application\nmetadata: {name: other, namespace: argocd}\n";
    std::fs::write(bench.apps().join("other.yaml"), other).unwrap();
    let project = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: default, namespace: argocd}\n";
    std::fs::write(bench.apps().join("project.yaml"), project).unwrap();
    bench.app("one", "{}");
    let (summary, _) = bench.once();
    assert_eq!((summary["resources"].as_u64(), summary["delivered"].as_u64()), (Some(1), Some(1)), "{summary}");
    assert_eq!(bench.sandbox.messages()[0].body, "one");
}

/// A file that is away, empty or half written for a moment sends nothing again, while the program runs and between runs.
#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_from_the_folder_for_a_moment_is_not_notified_again() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.keys(&[
        ("service.webhook.hook", &format!("url: {}\n", bench.sandbox.url("/hook"))),
        ("template.t", "webhook: {hook: {method: POST, body: '{{.app.metadata.name}}'}}"),
        ("trigger.on-x", "- {when: 'true', send: [t]}"),
        ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
    ]);
    bench.app("one", "{}");
    assert_eq!(bench.once().0["delivered"], 1);
    let (file, away) = (bench.apps().join("one.yaml"), bench.path("one.yaml"));
    std::fs::rename(&file, &away).unwrap();
    assert_eq!(bench.once().0["delivered"], 0);
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(bench.once().0["delivered"], 0);
    let mut news = bench.sandbox.subscribe();
    let log = std::fs::File::create(bench.path("log")).unwrap();
    let mut process = bench.command().stdout(std::process::Stdio::null()).stderr(log).spawn().unwrap();
    // Each sentinel shows that what happened before it has been observed.
    let mut sentinel = async |name: &str| {
        bench.app(name, "{}");
        let received = tokio::time::timeout(std::time::Duration::from_secs(30), news.recv()).await.unwrap().unwrap();
        assert_eq!(received.body, name);
    };
    sentinel("a").await;
    std::fs::rename(&file, &away).unwrap();
    sentinel("b").await;
    std::fs::rename(&away, &file).unwrap();
    sentinel("c").await;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "").unwrap();
    sentinel("d").await;
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    sentinel("e").await;
    std::fs::write(&file, &text).unwrap();
    sentinel("f").await;
    // Asked to end, it records what has just arrived.
    let asked = std::process::Command::new("kill").arg(process.id().to_string()).status().unwrap();
    assert!(asked.success() && process.wait().unwrap().success());
    // Nor at the next start.
    assert_eq!(bench.once().0["delivered"], 0);
}
