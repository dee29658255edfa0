//! Many Applications change at once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::Controller;
use crate::recorder::{Received, Recorder};
use crate::servers::{Space, shared};

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

fn by_body(received: &[Received]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for request in received {
        *count.entry(request.body.clone()).or_insert(0) += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_config_map_tells_a_deployment_once() {
    let servers = shared().await;
    let space = Space::create(&servers, "seed").await;
    let recorder = Recorder::start().await;
    recorder.rules(vec![crate::recorder::Rule {
        status: 200,
        body: r#"{"errcode":0,"errmsg":"ok"}"#.to_owned(),
        ..Default::default()
    }]);
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
