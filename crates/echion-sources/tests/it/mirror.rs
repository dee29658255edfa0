//! How the state of resources is written back.

use echion_model::{ResourceId, Source as _, StateMirror as _, Written};
use echion_sources::kubernetes::{Kinds, KubernetesMirror, KubernetesSource, ResourceKind, Scope};
use futures::StreamExt as _;
use serde_json::json;

use crate::api::{Answer, Script};

fn id(group: &str, kind: &str, namespace: &str) -> ResourceId {
    ResourceId { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: "a".into() }
}

#[tokio::test(start_paused = true)]
async fn one_annotation_is_patched_and_refusals_differ_from_failures() {
    let done = || Answer::text(json!({"metadata": {"name": "a"}}).to_string());
    let script = Script::new([
        done(),
        done(),
        Answer::status(409, "the uid is another"),
        Answer::status(422, "spec.project: Required value"),
        Answer::status(500, "etcd is down"),
    ]);
    let kinds = Kinds::default();
    let _source = KubernetesSource::new(script.client(), ResourceKind::application(), Scope::Cluster).kinds(&kinds);
    let mirror = KubernetesMirror::new(script.client(), &kinds, "example.com/state");
    let app = id("argoproj.io", "Application", "argocd");
    assert_eq!(mirror.write(&app, "u", Some("{}")).await, Written::Done);
    assert_eq!(mirror.write(&app, "", None).await, Written::Done);
    assert_eq!(mirror.write(&app, "u", None).await, Written::Gone);
    let Written::Refused(why) = mirror.write(&app, "u", None).await else { panic!("not refused") };
    assert!(why.starts_with("the API server answered 422: spec.project: Required value; "), "{why}");
    let failed = Written::Failed("the API server answered 500: etcd is down".to_owned());
    assert_eq!(mirror.write(&app, "u", None).await, failed);
    let failed = Written::Failed("the API server does not answer".to_owned());
    assert_eq!(mirror.write(&app, "u", None).await, failed);

    let requests = script.requests();
    assert_eq!(requests[0].method, "PATCH");
    assert_eq!(requests[0].path, "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/a");
    assert_eq!(requests[0].body, json!({"metadata": {"uid": "u", "annotations": {"example.com/state": "{}"}}}));
    assert_eq!(requests[1].body, json!({"metadata": {"annotations": {"example.com/state": null}}}));
}

#[tokio::test(start_paused = true)]
async fn the_address_of_a_kind_is_learned_from_its_objects() {
    let listed = json!({
        "items": [{"apiVersion": "app.k8s.io/v1beta1", "kind": "Application", "metadata": {"name": "a", "namespace": "n"}}],
        "metadata": {"resourceVersion": "7"},
    });
    let script = Script::new([
        Answer::text("{}"),
        Answer::text(listed.to_string()),
        Answer::text(json!({"metadata": {"name": "a"}}).to_string()),
    ]);
    let kinds = Kinds::default();
    let argo = KubernetesSource::new(script.client(), ResourceKind::application(), Scope::Cluster).kinds(&kinds);
    let kind: ResourceKind = "app.k8s.io/v1beta1/applications:thing".parse().unwrap();
    let source = KubernetesSource::new(script.client(), kind, Scope::Cluster).kinds(&kinds);
    assert_eq!((source.name(), source.variable(), argo.variable()), ("applications", "thing", "app"));
    let mirror = KubernetesMirror::new(script.client(), &kinds, "x");
    let other = id("app.k8s.io", "Application", "n");
    let unseen = Written::Failed("no object of kind Application has been observed yet".to_owned());
    assert_eq!(mirror.write(&other, "", None).await, unseen);
    let unwatched = Written::Refused("the kind Pod is not watched; watch it with `--resource`".to_owned());
    assert_eq!(mirror.write(&id("", "Pod", "n"), "", None).await, unwatched);
    let _: Vec<_> = source.observe().take(3).collect().await;
    assert_eq!(mirror.write(&other, "", None).await, Written::Done);
    assert_eq!(script.requests()[2].path, "/apis/app.k8s.io/v1beta1/namespaces/n/applications/a");
}
