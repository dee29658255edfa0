//! The generated rights are enough: the controller as a user who has exactly these.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::controller::Controller;
use crate::recorder::Recorder;
use crate::servers::{Servers, Space, resource, shared};

const LIMIT: Duration = Duration::from_secs(20);

/// The objects of a file below `deploy/kustomize`.
pub(crate) fn manifest(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kustomize").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let documents = echion_model::yaml::parse_all(&text).unwrap();
    let json = |node: &echion_model::yaml::Node| {
        let object: echion_value::Value = node.to_value();
        serde_json::from_slice(&echion_value::json::marshal(&object).unwrap()).unwrap()
    };
    documents.iter().map(json).collect()
}

fn api(space: &Space, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind));
    if kind.starts_with("Cluster") {
        Api::all_with(space.client.clone(), &resource)
    } else {
        Api::namespaced_with(space.client.clone(), &space.namespace, &resource)
    }
}

/// The user `plain`, who may do nothing but what these objects say.
struct Plain(Space);

impl Plain {
    async fn may(servers: &Servers, namespace: &str, objects: Vec<Value>) -> Self {
        let plain = Self(Space::create(servers, namespace).await);
        // Rights in the whole cluster must not outlive their test.
        for kind in ["ClusterRole", "ClusterRoleBinding"] {
            let ours = ListParams::default().labels("app.kubernetes.io/name=echion");
            api(&plain.0, kind).delete_collection(&DeleteParams::default(), &ours).await.unwrap();
        }
        for mut object in objects {
            if object.get("subjects").is_some() {
                object["subjects"] =
                    json!([{ "kind": "User", "name": "plain", "apiGroup": "rbac.authorization.k8s.io" }]);
            }
            let api = api(&plain.0, object["kind"].as_str().unwrap());
            api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        }
        plain
    }
}

/// What a namespace's ConfigMap and Secret say: one webhook whose address needs the Secret, and one key that is broken.
async fn configure(space: &Space, recorder: &Recorder, who: &str) {
    space
        .configure(json!({
            "service.webhook.hook": format!("url: http://{}/$place", recorder.address),
            "template.notified": format!("webhook:\n  hook:\n    method: POST\n    body: '{who} {{{{.app.metadata.name}}}}'"),
            "trigger.on-done": "- when: app.status.phase == 'done'\n  send: [notified]",
            "trigger.broken": "[",
        }))
        .await;
    space.secret(json!({ "place": "from-the-secret" })).await;
}

/// A project that subscribes, and an Application of it in some namespace that is done.
async fn subscribe(home: &Space) {
    let subscription = json!({ "notifications.argoproj.io/subscribe.on-done.hook": "" });
    home.create_object("appprojects", "team", json!({ "metadata": { "annotations": subscription } })).await;
}

async fn done(space: &Space, name: &str) {
    let more = json!({ "spec": { "project": "team" }, "status": { "phase": "done" } });
    space.create_app(name, more).await;
}

/// The reasons of Events about an object, as soon as there are some.
pub(crate) async fn events(space: &Space, kind: &str, name: &str) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(space.client.clone(), &space.namespace);
    let start = Instant::now();
    loop {
        let all = api.list(&ListParams::default()).await.unwrap().items;
        let about = |event: &Event| {
            let regarding = event.regarding.clone().unwrap_or_default();
            regarding.kind.as_deref() == Some(kind) && regarding.name.as_deref() == Some(name)
        };
        let found: Vec<Event> = all.into_iter().filter(about).collect();
        if !found.is_empty() || start.elapsed() > LIMIT {
            return found;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// The state annotation, as soon as it is there.
async fn annotation(space: &Space, name: &str) -> Option<Vec<String>> {
    let start = Instant::now();
    loop {
        let notified = space.notified(name).await;
        if notified.is_some() || start.elapsed() > LIMIT {
            return notified;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn nothing_was_forbidden(controller: &Controller) {
    let log = controller.log();
    assert!(!log.iter().any(|line| line.contains("forbid")), "{}", log.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_the_stand_alone_base_is_enough() {
    let servers = shared().await;
    let mut objects = manifest("stand-alone/role.yaml");
    objects.extend(manifest("stand-alone/role-write.yaml"));
    let Plain(space) = Plain::may(&servers, "rbac-write", objects).await;
    let recorder = Recorder::start().await;
    configure(&space, &recorder, "home").await;
    subscribe(&space).await;
    let mut controller =
        Controller::start(&servers.kubeconfig("plain-token", "rbac-write"), &["--leader-election", "on"]).await;
    done(&space, "shop").await;
    let received = recorder.wait_for(1, LIMIT).await;
    assert_eq!((received[0].path.as_str(), received[0].body.as_str()), ("/from-the-secret", "home shop"));
    assert_eq!(annotation(&space, "shop").await.unwrap().len(), 1);
    assert!(!events(&space, "ConfigMap", "argocd-notifications-cm").await.is_empty());
    nothing_was_forbidden(&controller);
    assert_eq!(controller.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_patch_annotations_are_only_read() {
    let servers = shared().await;
    let Plain(space) = Plain::may(&servers, "rbac-read", manifest("stand-alone/role.yaml")).await;
    let recorder = Recorder::start().await;
    configure(&space, &recorder, "home").await;
    subscribe(&space).await;
    let mut controller =
        Controller::start(&servers.kubeconfig("plain-token", "rbac-read"), &["--annotations=read"]).await;
    done(&space, "shop").await;
    assert_eq!(recorder.wait_for(1, LIMIT).await.len(), 1);
    // What would be written is written before the end.
    assert_eq!(controller.stop(), Some(0));
    assert_eq!(space.notified("shop").await, None);
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_for_all_namespaces_is_enough() {
    let servers = shared().await;
    let files = ["stand-alone/role", "stand-alone/role-write", "components/all-namespaces/role"];
    let mut objects: Vec<Value> = files.iter().flat_map(|file| manifest(&format!("{file}.yaml"))).collect();
    objects.extend(manifest("components/all-namespaces/role-write.yaml"));
    let Plain(home) = Plain::may(&servers, "rbac-all", objects).await;
    let team = Space::create(&servers, "rbac-all-team").await;
    let recorder = Recorder::start().await;
    configure(&home, &recorder, "home").await;
    subscribe(&home).await;
    let kubeconfig = servers.kubeconfig("plain-token", "rbac-all");
    let mut controller = Controller::start(&kubeconfig, &["--application-namespaces=rbac-all*"]).await;
    done(&team, "shop").await;
    assert_eq!(recorder.wait_for(1, LIMIT).await[0].body, "home shop");
    assert_eq!(annotation(&team, "shop").await.unwrap().len(), 1);
    nothing_was_forbidden(&controller);
    assert_eq!(controller.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_for_self_service_is_enough() {
    let servers = shared().await;
    let files = ["stand-alone/role", "stand-alone/role-write", "components/all-namespaces/role"];
    let more = ["components/all-namespaces/role-write", "components/self-service/role"];
    let files = files.iter().chain(&more).map(|file| manifest(&format!("{file}.yaml")));
    let Plain(home) = Plain::may(&servers, "rbac-self", files.flatten().collect()).await;
    let team = Space::create(&servers, "rbac-self-team").await;
    let recorder = Recorder::start().await;
    configure(&home, &recorder, "home").await;
    configure(&team, &recorder, "team").await;
    subscribe(&home).await;
    let kubeconfig = servers.kubeconfig("plain-token", "rbac-self");
    let flags =
        ["--application-namespaces=rbac-self*", "--self-service-notification-enabled", "--self-service-egress=any"];
    let mut controller = Controller::start(&kubeconfig, &flags).await;
    done(&team, "shop").await;
    let mut received: Vec<String> =
        recorder.wait_for(2, LIMIT).await.into_iter().map(|r| format!("{} {}", r.path, r.body)).collect();
    received.sort();
    assert_eq!(received, ["/from-the-secret home shop", "/from-the-secret team shop"]);
    assert!(!events(&team, "ConfigMap", "argocd-notifications-cm").await.is_empty());
    nothing_was_forbidden(&controller);
    assert_eq!(controller.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_of_the_examples_are_enough() {
    let servers = shared().await;
    let files = ["stand-alone/role", "stand-alone/role-write", "components/rollouts/role"];
    let mut objects: Vec<Value> = files.iter().flat_map(|file| manifest(&format!("{file}.yaml"))).collect();
    objects.extend(manifest("components/applicationsets/role.yaml"));
    let Plain(space) = Plain::may(&servers, "rbac-kinds", objects).await;
    let recorder = Recorder::start().await;
    space
        .configure(json!({
            "service.webhook.hook": format!("url: http://{}", recorder.address),
            "template.rollout": "webhook:\n  hook:\n    method: POST\n    body: 'rollout {{.rollout.metadata.name}}'",
            "template.appset": "webhook:\n  hook:\n    method: POST\n    body: 'appset {{.appset.metadata.name}}'",
            "trigger.on-rollout": "- when: rollout.status.phase == 'Healthy'\n  send: [rollout]",
            "trigger.on-appset": "- when: appset.status.phase == 'Healthy'\n  send: [appset]",
        }))
        .await;
    space.secret(json!({})).await;
    let kubeconfig = servers.kubeconfig("plain-token", "rbac-kinds");
    let flags = ["--resource", "argoproj.io/v1alpha1/rollouts", "--resource", "argoproj.io/v1alpha1/applicationsets"];
    let mut controller = Controller::start(&kubeconfig, &flags).await;
    for (plural, trigger) in [("rollouts", "on-rollout"), ("applicationsets", "on-appset")] {
        let subscription = json!({ format!("notifications.argoproj.io/subscribe.{trigger}.hook"): "" });
        let more = json!({ "metadata": { "annotations": subscription }, "status": { "phase": "Healthy" } });
        space.create_object(plural, "shop", more).await;
    }
    let mut bodies: Vec<String> = recorder.wait_for(2, LIMIT).await.into_iter().map(|r| r.body).collect();
    bodies.sort();
    assert_eq!(bodies, ["appset shop", "rollout shop"]);
    assert_eq!(controller.stop(), Some(0));
    for plural in ["rollouts", "applicationsets"] {
        let object = space.api(plural).get("shop").await.unwrap();
        let annotations = object.metadata.annotations.unwrap();
        assert!(
            annotations.contains_key("notified.notifications.argoproj.io"),
            "{} {annotations:?}",
            resource(plural).kind
        );
    }
    nothing_was_forbidden(&controller);
}

/// Contract 7.3: the role of an existing installation knows neither Leases nor Events.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_role_of_argo_cd_notifications_everything_works_and_what_is_missing_is_reported_once() {
    let servers = shared().await;
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    let mut objects = manifest("stand-alone/role.yaml");
    objects[0]["rules"] = json!([
        rule("argoproj.io", &["applications", "appprojects"], &["get", "list", "watch", "update", "patch"]),
        rule("", &["configmaps", "secrets"], &["list", "watch"]),
    ]);
    let Plain(space) = Plain::may(&servers, "rbac-argo-cd", objects).await;
    let recorder = Recorder::start().await;
    configure(&space, &recorder, "home").await;
    subscribe(&space).await;
    let mut controller = Controller::start(&servers.kubeconfig("plain-token", "rbac-argo-cd"), &[]).await;
    done(&space, "shop").await;
    assert_eq!(recorder.wait_for(1, LIMIT).await.len(), 1);
    assert_eq!(annotation(&space, "shop").await.unwrap().len(), 1);
    // A second diagnostic would be a second Event.
    space.configure(json!({ "trigger.broken-too": "[" })).await;
    controller.logged("broken-too", LIMIT).await;
    assert_eq!(controller.stop(), Some(0));
    let log = controller.log();
    let refused: Vec<&String> = log.iter().filter(|line| line.contains("forbid")).collect();
    assert_eq!(refused.len(), 2, "{refused:#?}");
    assert!(refused.iter().any(|line| line.contains("leases")) && refused.iter().any(|line| line.contains("events")));
}
