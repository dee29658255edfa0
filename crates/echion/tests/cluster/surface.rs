//! What the controller shows: metrics, health, logs, Events, its names and flags.

use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use crate::controller::Controller;
use crate::recorder::{Recorder, Rule};
use crate::servers::{Space, shared};

fn configuration(recorder: &Recorder, variable: &str) -> Value {
    json!({
        "service.webhook.wh": format!("url: http://{}/hook\n", recorder.address),
        "template.t": format!("webhook:\n  wh:\n    method: POST\n    body: '{variable} {{{{.{variable}.metadata.name}}}}'\n"),
        "trigger.on-degraded": format!("- when: {variable}.status.health.status == 'Degraded'\n  send: [t]\n"),
        "subscriptions": "- recipients: [wh]\n  triggers: [on-degraded]\n",
    })
}

fn degraded() -> Value {
    json!({ "status": { "health": { "status": "Degraded" } } })
}

/// Notes of the Events in a namespace.
pub(crate) async fn events(space: &Space) -> Vec<(String, String)> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("events.k8s.io", "v1", "Event"), "events");
    let api: Api<DynamicObject> = Api::namespaced_with(space.client.clone(), &space.namespace, &kind);
    let list = api.list(&ListParams::default()).await.unwrap();
    let text = |event: &DynamicObject, path: &str| {
        event.data.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    list.iter().map(|event| (text(event, "/regarding/kind"), text(event, "/note"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_health_show_what_happens() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = Space::create(&servers, "metrics").await;
    space.configure(configuration(&recorder, "app")).await;
    let mut controller = Controller::start(&servers.admin("metrics"), &[]).await;
    space.create_app("demo", degraded()).await;
    recorder.wait_for(1, Duration::from_secs(10)).await;
    controller.logged("Delivered", Duration::from_secs(10)).await;
    let (status, text) = controller.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        r#"argocd_notifications_deliveries_total{trigger="on-degraded",service="wh",succeeded="true"} 1"#,
        r#"argocd_notifications_trigger_eval_total{name="on-degraded",triggered="true"} 1"#,
        r#"echion_config_diagnostics{namespace="metrics"} 0"#,
        "echion_leader 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.contains("echion_queue_depth ") && text.contains("echion_delivery_delay_seconds_bucket"), "{text}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(controller.get(path).await.0, 200, "{path}");
    }
    assert_eq!(controller.get("/debug/pprof/").await.0, 404);
    let line: Value = serde_json::from_str(&controller.logged("Delivered", Duration::from_secs(1)).await).unwrap();
    assert_eq!((line["level"].as_str(), line["resource"].as_str()), (Some("info"), Some("metrics/demo")));
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')) && line["msg"].is_string(), "{line}");
    assert_eq!(controller.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_waits_for_the_configuration() {
    let servers = shared().await;
    let space = Space::create(&servers, "unready").await;
    // A user without any right sees nothing, so there is nothing to work with.
    let controller = Controller::spawn(&servers.kubeconfig("plain-token", "unready"), &["--leader-election", "off"]);
    controller.logged("configuration: ", Duration::from_secs(20)).await;
    let start = tokio::time::Instant::now();
    let missing = "waiting for the right to list appprojects, or for their kind to exist";
    loop {
        let (status, why) = controller.get("/readyz").await;
        assert_eq!(status, 503, "{why}");
        if why.trim() == missing {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{why}");
    }
    assert_eq!(controller.get("/healthz").await.0, 200);
    drop(space);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_report_parked_deliveries_and_diagnostics() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    recorder.rules(vec![Rule { status: 404, body: "no such hook".to_owned(), ..Rule::default() }]);
    let space = Space::create(&servers, "events").await;
    let mut configuration = configuration(&recorder, "app");
    configuration["trigger.broken"] = "- when: '1 +'\n".into();
    space.configure(configuration).await;
    let controller = Controller::start(&servers.admin("events"), &["--leader-election", "off"]).await;
    space.create_app("demo", degraded()).await;
    controller.logged("Parked", Duration::from_secs(20)).await;
    let start = tokio::time::Instant::now();
    let mut found = events(&space).await;
    while found.len() < 2 && start.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        found = events(&space).await;
    }
    let has = |kind: &str, part: &str| found.iter().any(|(k, note)| k == kind && note.contains(part));
    assert!(has("Application", "is parked: HTTP 404"), "{found:?}");
    assert!(has("ConfigMap", "trigger.broken"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_kinds_are_known_by_names_of_their_own() {
    let servers = shared().await;
    for (plural, variable) in [("rollouts", "rollout"), ("applicationsets", "appset")] {
        let recorder = Recorder::start().await;
        let space = Space::create(&servers, plural).await;
        space.configure(configuration(&recorder, variable)).await;
        let kind = format!("argoproj.io/v1alpha1/{plural}");
        let flags = ["--leader-election", "off", "--resource", kind.as_str()];
        let _controller = Controller::start(&servers.admin(plural), &flags).await;
        space.create_object(plural, "canary", degraded()).await;
        let received = recorder.wait_for(1, Duration::from_secs(10)).await;
        assert_eq!(received[0].body, format!("{variable} canary"));
        // Its state is remembered as that of an Application.
        let start = tokio::time::Instant::now();
        let mut annotations = None;
        while annotations.is_none() && start.elapsed() < Duration::from_secs(5) {
            annotations = space.api(plural).get("canary").await.unwrap().metadata.annotations;
        }
        assert!(annotations.unwrap()[crate::servers::NOTIFIED].contains("on-degraded:[0]."));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn called_by_the_peers_name_the_program_is_its_controller() {
    let servers = shared().await;
    let space = Space::create(&servers, "called").await;
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("argocd-notifications");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_echion"), &name).unwrap();
    let kubeconfig = servers.admin("called");
    let run = |more: &[&str]| {
        let mut command = std::process::Command::new(&name);
        command.args(["--kubeconfig", &kubeconfig.to_string_lossy(), "--metrics-port=0"]).args(more);
        command
    };
    let output = run(&["--logformat=yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`yaml` is not a log format"));
    let variable = "ARGOCD_NOTIFICATION_CONTROLLER_SELF_SERVICE_NOTIFICATION_ENABLED";
    // Only true and false count in the environment; anything else is as if nothing were said.
    let mut child = run(&["--logformat", "text", "--processors-count=4", "--argocd-repo-server-plaintext"])
        .env(variable, "yes")
        .env("ARGOCD_NOTIFICATIONS_CONTROLLER_LOGLEVEL", "debug")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let listed = lines.by_ref().map_while(Result::ok).find(|line| line.contains("all resources are listed"));
    let _ = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let line = listed.unwrap();
    assert!(line.starts_with("time=\"") && line.contains(" level=info msg="), "{line}");
    drop(space);
}
