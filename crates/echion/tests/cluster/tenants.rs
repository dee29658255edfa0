//! Namespaces that configure themselves (contract 1.10).

use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::Controller;
use crate::recorder::{Recorder, Rule};
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
    let flags = [
        "--self-service-notification-enabled",
        "--self-service-egress-allow=127.0.0.0/8",
        "--application-namespaces",
        "tenant-*",
        "--leader-election=off",
    ];
    let controller = Controller::start(&servers.admin("home"), &flags).await;
    own.create_app("a", degraded()).await;
    plain.create_app("b", degraded()).await;
    home.create_app("c", degraded()).await;
    recorder.wait_for(4, Duration::from_secs(10)).await;
    let mut bodies: Vec<String> =
        recorder.settle(Duration::from_millis(500)).await.into_iter().map(|request| request.body).collect();
    bodies.sort();
    // Where namespaces configure themselves no template sees a Secret (contract 1.10).
    assert_eq!(bodies, ["home a ", "home b ", "home c ", "own a "], "{}", controller.log().join("\n"));
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

/// What a server answers is not shown to a namespace, and without leave it reaches no address of the controller's network.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_reaches_public_addresses_only_and_is_shown_no_answer() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    recorder.rules(vec![Rule { status: 403, body: "marked-answer".to_owned(), ..Rule::default() }]);
    let home = Space::create(&servers, "egress").await;
    let own = Space::create(&servers, "egress-own").await;
    own.configure(configuration(&recorder, "own")).await;
    let flags =
        ["--self-service-notification-enabled", "--application-namespaces", "egress-*", "--leader-election=off"];
    let controller = Controller::start(&servers.admin("egress"), &flags).await;
    own.create_app("a", degraded()).await;
    controller.logged("`127.0.0.1` is not a public address", Duration::from_secs(10)).await;
    assert!(recorder.received().is_empty());
    drop(controller);
    let flags = [flags.as_slice(), &["--self-service-egress", "any"]].concat();
    let controller = Controller::start(&servers.admin("egress"), &flags).await;
    controller.logged("marked-answer", Duration::from_secs(10)).await;
    let start = tokio::time::Instant::now();
    let mut notes: Vec<String> = Vec::new();
    // Until the Event about the answer is there; the one of the first controller is about the address.
    while !notes.iter().any(|note| note.contains("credentials")) && start.elapsed() < Duration::from_secs(10) {
        let about_applications = |(kind, note)| (kind == "Application").then_some(note);
        notes = crate::surface::events(&own).await.into_iter().filter_map(about_applications).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(notes.iter().any(|note| note.contains("credentials")), "{notes:?}");
    assert!(notes.iter().all(|note| note.contains("is parked: attention")), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("marked-answer")), "{notes:?}");
    drop(home);
}
