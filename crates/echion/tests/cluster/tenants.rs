//! Namespaces that configure themselves (contract 1.10).

use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::Controller;
use crate::recorder::Recorder;
use crate::servers::{Space, shared};

fn configuration(recorder: &Recorder, who: &str) -> Value {
    json!({
        "service.webhook.wh": format!("url: http://{}/{who}\n", recorder.address),
        "template.t": format!("webhook:\n  wh:\n    method: POST\n    body: '{who} {{{{.app.metadata.name}}}} {{{{with .secrets}}}}{{{{.word | toString}}}}{{{{end}}}}'\n"),
        "trigger.on-degraded": "- when: app.status.health.status == 'Degraded'\n  send: [t]\n",
    })
}

fn degraded() -> Value {
    json!({
        "metadata": { "annotations": { "notifications.argoproj.io/subscribe.on-degraded.wh": "" } },
        "status": { "health": { "status": "Degraded" } },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_configures_itself_beside_the_controller() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let home = Space::create(&servers, "home").await;
    home.configure(configuration(&recorder, "home")).await;
    home.secret(json!({ "word": "s3cret" })).await;
    let (own, plain) = (Space::create(&servers, "tenant-own").await, Space::create(&servers, "tenant-plain").await);
    own.configure(configuration(&recorder, "own")).await;
    own.secret(json!({ "word": "theirs" })).await;
    let flags =
        ["--self-service-notification-enabled", "--application-namespaces", "tenant-*", "--leader-election=off"];
    let controller = Controller::start(&servers.admin("home"), &flags).await;
    own.create_app("a", degraded()).await;
    plain.create_app("b", degraded()).await;
    home.create_app("c", degraded()).await;
    recorder.wait_for(4, Duration::from_secs(10)).await;
    let mut bodies: Vec<String> =
        recorder.settle(Duration::from_millis(500)).await.into_iter().map(|request| request.body).collect();
    bodies.sort();
    // The controller's own templates may use its Secret; a namespace's may not (contract 1.10, docs/compatibility.md).
    assert_eq!(
        bodies,
        ["home a s3cret", "home b s3cret", "home c s3cret", "own a "],
        "{}",
        controller.log().join("\n")
    );
    let hash = "on-degraded:[0].zoG5zUjYGjimkwCGgIQGjx1hO5s:wh:";
    let start = tokio::time::Instant::now();
    while own.notified("a").await.is_none_or(|keys| keys.len() < 2) && start.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(own.notified("a").await.unwrap(), [hash.to_owned(), format!("tenant-own:{hash}")]);
    // A broken configuration of a tenant breaks nothing else; and unless it is allowed, certificates are checked.
    let careless = "url: https://127.0.0.1:9/\ninsecureSkipVerify: true\n";
    own.configure(json!({ "trigger.on-degraded": "nonsense", "service.webhook.careless": careless })).await;
    controller.logged("trigger.on-degraded", Duration::from_secs(10)).await;
    controller.logged("`insecureSkipVerify` is not allowed here", Duration::from_secs(10)).await;
    home.create_app("d", degraded()).await;
    assert!(
        recorder.wait_for(5, Duration::from_secs(10)).await.iter().any(|request| request.body.starts_with("home d"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_may_be_left_unchecked_where_that_is_allowed() {
    let servers = shared().await;
    let (home, own) = (Space::create(&servers, "allowing").await, Space::create(&servers, "allowed-own").await);
    let careless = "url: https://127.0.0.1:9/\ninsecureSkipVerify: true\n";
    own.configure(json!({ "service.webhook.careless": careless })).await;
    let flags = ["--self-service-notification-enabled", "--self-service-insecure-skip-verify", "--leader-election=off"];
    let controller = Controller::start(&servers.admin("allowing"), &flags).await;
    let lines = controller.log();
    let line = lines.iter().find(|line| line.contains("configuration is in use") && line.contains("allowed-own"));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!((line["services"].as_u64(), line["errors"].as_u64()), (Some(1), Some(0)), "{line}");
    drop(home);
}
