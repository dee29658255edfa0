//! With a durable ledger, what waits for its next attempt outlives whoever decided it.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::controller::Controller;
use crate::recorder::{Recorder, Rule};
use crate::servers::{Space, shared};

const LIMIT: Duration = Duration::from_secs(30);

/// Deliveries that wait.
const WAITING: usize = 20;

/// What happens to the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is asked to end.
    Ends,
    /// It is killed.
    Dies,
    /// Somebody else holds the Lease for some time.
    IsNotTheLeader,
}

/// Nothing is dispatched before the configuration has been read once, so nothing is parked for want of it.
async fn pending_deliveries_survive(fate: Fate, namespace: &str) {
    let servers = shared().await;
    let recorder = Recorder::start().await;
    recorder.rules(vec![Rule { status: 503, ..Rule::default() }]);
    let space = Space::create(&servers, namespace).await;
    space
        .configure(json!({
            "service.webhook.wh": format!("url: http://{}/hook\n", recorder.address),
            "template.t": "webhook:\n  wh:\n    method: POST\n    body: '{{.app.metadata.name}}'\n",
            "trigger.on-degraded": "- when: app.status.health.status == 'Degraded'\n  send: [t]\n",
            "subscriptions": "- recipients: [wh]\n  triggers: [on-degraded]\n",
        }))
        .await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let (kubeconfig, flags) = (servers.admin(namespace), ["--ledger", ledger.as_str()]);
    let mut controller = Controller::start(&kubeconfig, &flags).await;
    let degraded = json!({ "status": { "health": { "status": "Degraded" } } });
    let names: BTreeSet<String> = (0..WAITING).map(|n| format!("app-{n:02}")).collect();
    for name in &names {
        space.create_app(name, degraded.clone()).await;
    }
    let bodies = || recorder.received().into_iter().map(|request| request.body).collect::<Vec<String>>();
    until("attempted", || names.iter().all(|name| bodies().contains(name))).await;
    let parked = |controller: &Controller| controller.log().iter().filter(|line| line.contains("Parked")).count();
    let leases: Api<Lease> = Api::namespaced(space.client.clone(), namespace);
    match fate {
        Fate::Ends => assert_eq!(controller.stop(), Some(0)),
        Fate::Dies => controller.kill(),
        Fate::IsNotTheLeader => {
            let other = json!({ "spec": { "holderIdentity": "somebody else" } });
            leases.patch("echion-notifications", &PatchParams::default(), &Patch::Merge(other)).await.unwrap();
            controller.logged("no longer leads", LIMIT).await;
        }
    }
    recorder.rules(Vec::new());
    recorder.take();
    if fate == Fate::IsNotTheLeader {
        leases.delete("echion-notifications", &DeleteParams::default()).await.unwrap();
        let leads = || controller.log().iter().filter(|line| line.contains("this replica leads")).count() == 2;
        until("elected again", leads).await;
    } else {
        assert_eq!(parked(&controller), 0);
        // Everything is due when the next one starts: after so few attempts the pauses are short.
        sleep(Duration::from_secs(4)).await;
        controller = Controller::start(&kubeconfig, &flags).await;
    }
    until("delivered", || names.iter().all(|name| bodies().contains(name))).await;
    // The last one shows that no more is on its way.
    space.create_app("last", degraded).await;
    until("delivered the last one", || bodies().iter().any(|body| body == "last")).await;
    assert_eq!(parked(&controller), 0, "{}", controller.log().join("\n"));
    // What was on its way when it died may have arrived; nothing else comes twice.
    if fate != Fate::Dies {
        assert_eq!(bodies().len(), WAITING + 1, "{:?}", bodies());
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < 2 * LIMIT, "never {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_deliveries_survive_a_restart_of_the_controller_with_a_durable_ledger() {
    pending_deliveries_survive(Fate::Ends, "pending-ends").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_deliveries_survive_a_kill_of_the_controller_with_a_durable_ledger() {
    pending_deliveries_survive(Fate::Dies, "pending-dies").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_deliveries_survive_the_loss_of_the_lease_with_a_durable_ledger() {
    pending_deliveries_survive(Fate::IsNotTheLeader, "pending-lease").await;
}
