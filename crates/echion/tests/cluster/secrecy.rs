//! No secret is said anywhere, whatever the vendors answer: with every service type that speaks HTTP, and every secret a marked text.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use echion_model::yaml;
use serde_json::{Value, json};

use crate::controller::Controller;
use crate::recorder::{Recorder, Rule};
use crate::servers::{Space, shared};
use crate::surface::events;

const MARK: &str = "marked-";

fn to_json(node: &yaml::Node) -> Value {
    serde_json::from_slice(&echion_value::json::marshal(&node.to_value()).unwrap()).unwrap()
}

/// Puts references in the place of marked texts, which go into the Secret.
fn hide(value: &mut Value, secrets: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) if text.contains(MARK) => {
            let name = format!("secret-{}", secrets.len());
            secrets.insert(name.clone(), std::mem::take(text));
            *text = format!("${name}");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|field| hide(field, secrets)),
        _ => {}
    }
}

struct Setup {
    config_map: serde_json::Map<String, Value>,
    secrets: BTreeMap<String, String>,
    subscriptions: Vec<Value>,
}

/// The first golden case of every service type, with the recorder in the vendor's place.
fn setup(base: &str) -> Setup {
    let mut setup = Setup { config_map: Default::default(), secrets: BTreeMap::new(), subscriptions: Vec::new() };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../echion-services/tests/it/golden");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap().replace("BASE", base);
        let fixture = to_json(&yaml::parse(&text.replace("HOST", base.trim_start_matches("http://"))).unwrap());
        let case = &fixture["cases"][0];
        let (mut options, template) = (case["options"].clone(), &case["template"]);
        hide(&mut options, &mut setup.secrets);
        let recipient = case["recipient"].as_str().unwrap_or_default();
        let mut put = |key: String, value: &Value| setup.config_map.insert(key, value.to_string().into());
        put(format!("service.{kind}.my-{kind}"), &options);
        put(
            format!("template.{kind}"),
            if template.is_null() { &fixture["cases"][0]["templates"][0] } else { template },
        );
        put(
            format!("trigger.on-{kind}"),
            &json!([{ "when": "app.status.health.status == 'Degraded'", "send": [kind] }]),
        );
        let to = json!([{ "service": format!("my-{kind}"), "recipients": [recipient] }]);
        setup.subscriptions.push(json!({ "trigger": [format!("on-{kind}")], "destinations": to }));
    }
    // Keys that sign are used, not sent; one that is none shows that it is not quoted in the error either.
    for name in ["github-private-key", "google-json-private-key"] {
        setup.secrets.insert(name.to_owned(), format!("{MARK}key"));
    }
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn no_marked_secret_appears_anywhere() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    let space = Space::create(&servers, "secrecy").await;
    let setup = setup(&format!("http://{}", recorder.address));
    assert!(setup.subscriptions.len() > 25 && setup.secrets.len() > 25);
    space.configure(Value::Object(setup.config_map)).await;
    space.secret(json!(setup.secrets)).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = format!("sqlite:{}", folder.path().join("ledger.sqlite").display());
    let flags = ["--leader-election", "off", "--loglevel", "debug", "--ledger", &ledger];
    let mut controller = Controller::start(&servers.admin("secrecy"), &flags).await;
    // Vendors that quote all that they were sent, under answers of every class.
    let echo = |status: u16, pause: &str| {
        let headers = vec![("retry-after".to_owned(), pause.to_owned())];
        recorder.rules(vec![Rule { status, headers, echo: true, ..Rule::default() }]);
    };
    echo(500, "1");
    let annotations = json!({ "notifications.argoproj.io/subscriptions": json!(setup.subscriptions).to_string() });
    let app = json!({
        "metadata": { "annotations": annotations },
        "spec": { "project": "default", "source": { "repoURL": "https://github.com/example/guestbook.git" } },
        "status": {
            "health": { "status": "Degraded" },
            "sync": { "status": "Synced", "revision": "53e28ff20cc530b9ada2173fbbd64d48338583ba" },
            "reconciledAt": "2026-11-20T08:00:01Z",
            "operationState": { "phase": "Succeeded", "finishedAt": "2026-11-20T08:00:00Z" },
        },
    });
    space.create_app("guestbook", app).await;
    for (status, pause) in [(500, "1"), (429, "1"), (200, "0"), (404, "0")] {
        echo(status, pause);
        let seen = recorder.count();
        recorder.wait_for(seen + 20, Duration::from_secs(8)).await;
        recorder.settle(Duration::from_millis(400)).await;
    }
    let received = recorder.received();
    let marked = |text: &str| text.contains(MARK);
    let sent = received.iter().filter(|r| marked(&format!("{r:?}"))).count();
    assert!(sent > 20, "only {sent} of {} requests held a secret", received.len());
    let metrics = controller.get("/metrics").await.1;
    let events = format!("{:?}", events(&space).await);
    let annotations = format!("{:?}", space.api("applications").get("guestbook").await.unwrap().metadata.annotations);
    controller.stop();
    let mut command = Command::new(env!("CARGO_BIN_EXE_echion"));
    let list =
        command.args(["deliveries", "list", "--limit", "0", "-o", "json", "--ledger", &ledger]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("my-slack") && events.contains("parked") && metrics.contains("my-slack"), "{list}\n{events}");
    let log = controller.log().join("\n");
    for (name, text) in
        [("log", log), ("metrics", metrics), ("Events", events), ("annotation", annotations), ("ledger", list)]
    {
        let line = text.lines().find(|line| marked(line)).map(|line| {
            let at = line.find(MARK).unwrap_or(0);
            line[at.saturating_sub(200)..(at + 100).min(line.len())].to_owned()
        });
        assert_eq!(line, None, "{name}");
    }
}
