//! What is refused until somebody corrects something is delivered when that has happened.

use std::time::Duration;

use serde_json::json;

use crate::controller::Controller;
use crate::recorder::{Recorder, Rule};
use crate::servers::{Space, shared};

/// Well before the first repetition of what was refused.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Whoever repairs the other end need not do anything here.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_delivered_as_soon_as_the_secret_is_corrected() {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    recorder.rules(vec![Rule { path: "/wrong".to_owned(), status: 401, ..Rule::default() }]);
    let space = Space::create(&servers, "corrected").await;
    space
        .configure(json!({
            "service.webhook.wh": format!("url: http://{}/$token\n", recorder.address),
            "template.t": "webhook:\n  wh:\n    method: POST\n    body: '{{.app.metadata.name}}'\n",
            "trigger.on-degraded": "- when: app.status.health.status == 'Degraded'\n  send: [t]\n",
            "subscriptions": "- recipients: [wh]\n  triggers: [on-degraded]\n",
        }))
        .await;
    space.secret(json!({ "token": "wrong" })).await;
    let controller = Controller::start(&servers.admin("corrected"), &["--leader-election", "off"]).await;
    let degraded = json!({ "status": { "health": { "status": "Degraded" } } });
    for name in ["a", "b"] {
        space.create_app(name, degraded.clone()).await;
    }
    recorder.wait_for(2, AT_ONCE).await;
    controller.logged("Parked", AT_ONCE).await;
    space.secret(json!({ "token": "right" })).await;
    let received = recorder.wait_for(4, AT_ONCE).await;
    let mut delivered: Vec<&str> =
        received.iter().filter(|request| request.path == "/right").map(|request| request.body.as_str()).collect();
    delivered.sort_unstable();
    assert_eq!(delivered, ["a", "b"], "{}", controller.log().join("\n"));
    controller.logged("parked deliveries are retried", AT_ONCE).await;
}
