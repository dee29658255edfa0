//! What a source asks of an API server, and what it makes of its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use echion_model::{Observation, Observations, ResourceId, Source as _};
use echion_sources::kubernetes::{Kinds, KubernetesSource, ResourceKind, Scope};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{Answer, Part, Script};

const PATH: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";
const WATCH: &str = "watch=true&allowWatchBookmarks=true&timeoutSeconds=290";

fn source(script: &Script) -> KubernetesSource {
    KubernetesSource::new(script.client(), ResourceKind::application(), Scope::Namespace("argocd".to_owned()))
}

fn version(minor: &str) -> Answer {
    Answer::text(json!({"major": "1", "minor": minor}).to_string())
}

fn app(name: &str, version: u32) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "uid": format!("uid-{name}"), "resourceVersion": version.to_string()},
        "spec": {"text": "}]\"\\"},
    })
}

fn list(version: u32, next: &str, items: &[Value]) -> Answer {
    let metadata = json!({"resourceVersion": version.to_string(), "continue": next});
    Answer::text(json!({"kind": "ApplicationList", "items": items, "metadata": metadata}).to_string())
}

fn event(r#type: &str, object: &Value) -> Value {
    json!({"type": r#type, "object": object})
}

fn bookmark(version: u32) -> Value {
    event("BOOKMARK", &json!({"kind": "Application", "metadata": {"resourceVersion": version.to_string()}}))
}

fn list_end(version: u32) -> Value {
    let annotations = json!({"k8s.io/initial-events-end": "true"});
    let metadata = json!({"resourceVersion": version.to_string(), "annotations": annotations});
    event("BOOKMARK", &json!({"kind": "Application", "metadata": metadata}))
}

fn gone() -> Value {
    let text = "too old resource version: 3 (12)";
    event("ERROR", &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": text}))
}

fn describe(observation: &Observation) -> String {
    match observation {
        Observation::Listing => "listing".to_owned(),
        Observation::Seen(resource) => {
            let version = resource.object.at(&["metadata", "resourceVersion"]).unwrap();
            format!("{} at {}", resource.id, version.as_str().unwrap())
        }
        Observation::Complete => "complete".to_owned(),
        Observation::Gone(id) => format!("{id} gone"),
        Observation::Failed(error) if error.refused => format!("refused: {}", error.text),
        Observation::Failed(error) => format!("failed: {}", error.text),
    }
}

async fn observe(stream: &mut Observations, count: usize) -> Vec<String> {
    stream.take(count).map(|observation| describe(&observation)).collect().await
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_from_memory_and_a_watch_continues_it() {
    let script = Script::new([
        version("20"),
        list(7, "", &[app("a", 1), app("b", 2)]),
        Answer::watch([
            &event("MODIFIED", &app("a", 8)),
            &event("DELETED", &app("b", 9)),
            &event("ADDED", &app("c", 10)),
        ]),
    ]);
    let observed = observe(&mut source(&script).labels("team=x,y!=z").observe(), 7).await;
    let expected =
        ["listing", "argocd/a at 1", "argocd/b at 2", "complete", "argocd/a at 8", "argocd/b gone", "argocd/c at 10"];
    assert_eq!(observed, expected);
    let labels = "labelSelector=team=x,y!=z";
    assert_eq!(
        script.asked(),
        [
            "/version?".to_owned(),
            format!("{PATH}?resourceVersion=0&limit=500&{labels}"),
            format!("{PATH}?{WATCH}&resourceVersion=7&{labels}"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_may_end_anywhere_and_the_next_one_follows() {
    let page = |items: &str, metadata: &str| format!("{{\"items\":[{items}],{metadata}}}");
    let first = page(&app("a", 1).to_string(), r#""metadata":{"resourceVersion":"7","continue":"to&ken"}"#);
    let parts = first.into_bytes().into_iter().map(|byte| Part::Bytes(Bytes::from(vec![byte])));
    let script = Script::new([version("20"), Answer::of(parts), list(7, "", &[app("b", 2)])]);
    let observed = observe(&mut source(&script).observe(), 4).await;
    assert_eq!(observed, ["listing", "argocd/a at 1", "argocd/b at 2", "complete"]);
    assert_eq!(script.asked().last().unwrap(), &format!("{PATH}?limit=500&continue=to&ken"));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_has_expired_begins_the_list_again() {
    let script = Script::new([
        version("20"),
        list(7, "token", &[app("a", 1)]),
        Answer::status(410, "the provided continue parameter is too old"),
        list(9, "", &[app("b", 2)]),
    ]);
    let observed = observe(&mut source(&script).observe(), 5).await;
    assert_eq!(observed, ["listing", "argocd/a at 1", "listing", "argocd/b at 2", "complete"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_in_the_middle_is_asked_for_in_pages() {
    let half = r#"{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a","resourceVersion":"1"}},"#;
    for (end, reason) in [
        (vec![Part::Break], "connection reset"),
        (vec![], "cannot list: the list ended in the middle"),
        (vec![Part::Hang], "cannot list: nothing was received for 60 s"),
        (vec![Part::Bytes("<html>".into())], "cannot list: the answer is not a list of objects, at `<html>`"),
    ] {
        let parts = [vec![Part::Bytes(half.into())], end].concat();
        let script = Script::new([version("20"), Answer::of(parts), list(9, "", &[])]);
        let observed = observe(&mut source(&script).observe(), 5).await;
        assert_eq!(observed[..2], ["listing", "a at 1"]);
        assert!(observed[2].contains(reason), "{}", observed[2]);
        assert_eq!(observed[3..], ["listing", "complete"]);
        assert_eq!(script.asked().last().unwrap(), &format!("{PATH}?limit=500"));
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_is_received_than_is_asked_for() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let item = app("a", 1).to_string();
    let items = stream::iter(0..100_000).map(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Part::Bytes(format!("{item},").into())
    });
    let begin = stream::iter([Part::Bytes(r#"{"metadata":{"resourceVersion":"7"},"items":["#.into())]);
    let answer = Answer { body: begin.chain(items).boxed(), ..Answer::of([]) };
    let script = Script::new([version("20"), answer]);
    let mut observations = source(&script).observe();
    observe(&mut observations, 1001).await;
    assert_eq!(sent.load(Ordering::Relaxed), 1000);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_does_not_hide_the_others() {
    let deep = format!(r#"{{"metadata":{{"name":"deep"}},"a":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let text = format!(r#"{{"metadata":{{"resourceVersion":"7"}},"items":[{deep},{}]}}"#, app("b", 2));
    let event = format!("{{\"type\":\"ADDED\",\"object\":{deep}}}\n{}\n", event("ADDED", &app("c", 3)));
    let watch = Answer::of([Part::Bytes(event.into()), Part::Hang]);
    let script = Script::new([version("20"), Answer::text(text), watch]);
    let observed = observe(&mut source(&script).observe(), 6).await;
    assert!(observed[1].starts_with("failed: cannot read an object of the list: "), "{}", observed[1]);
    assert_eq!(observed[2..4], ["argocd/b at 2", "complete"]);
    assert!(observed[4].starts_with("failed: cannot read an event: "), "{}", observed[4]);
    assert_eq!(observed[5], "argocd/c at 3");
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_is_the_beginning_of_its_watch() {
    let script = Script::new([
        version("32+"),
        Answer::watch([
            &event("ADDED", &app("a", 1)),
            &event("ADDED", &app("b", 2)),
            &list_end(7),
            &event("MODIFIED", &app("b", 8)),
        ]),
    ]);
    let observed = observe(&mut source(&script).observe(), 5).await;
    assert_eq!(observed, ["listing", "argocd/a at 1", "argocd/b at 2", "complete", "argocd/b at 8"]);
    let expected = format!("{PATH}?{WATCH}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    assert_eq!(script.asked(), ["/version?", expected.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_streaming_lists_is_not_asked_again() {
    for code in [400, 422] {
        let refusal =
            Answer::status(code, "sendInitialEvents is forbidden unless the WatchList feature gate is enabled");
        let script = Script::new([version("33"), refusal, list(7, "", &[]), Answer::watch([]), list(8, "", &[])]);
        let source = source(&script);
        let mut first = source.observe();
        assert_eq!(observe(&mut first, 2).await, ["listing", "complete"]);
        // The watch of the first one is not asked for, since nothing asks for more of it.
        drop(first);
        let mut second = source.observe();
        let watched = tokio::time::timeout(Duration::from_secs(1), observe(&mut second, 2)).await;
        drop(watched);
        let asked = script.asked();
        assert_eq!(asked.iter().filter(|url| url.contains("sendInitialEvents")).count(), 1);
        assert_eq!(asked[2], format!("{PATH}?resourceVersion=0&limit=500"));
        // It must not be older than what has been observed.
        assert_eq!(asked[3], format!("{PATH}?resourceVersion=7"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_that_breaks_becomes_an_ordinary_one() {
    let half = Answer::of([Part::Bytes(format!("{}\n", event("ADDED", &app("a", 1))).into())]);
    let script = Script::new([version("32"), half, list(7, "", &[])]);
    let observed = observe(&mut source(&script).observe(), 5).await;
    let failure = "failed: cannot list: the list ended in the middle";
    assert_eq!(observed, ["listing", "argocd/a at 1", failure, "listing", "complete"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_continues_where_it_ended_and_a_bookmark_moves_that_place() {
    let lines = |events: &[Value], cut: &str| -> Part {
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        Part::Bytes(format!("{lines}{cut}").into())
    };
    let script = Script::new([
        version("20"),
        list(7, "", &[]),
        Answer::of([lines(&[event("ADDED", &app("a", 8))], "")]),
        Answer::of([lines(&[bookmark(12)], r#"{"type":"ADD"#), Part::Break]),
        Answer::of([lines(&[event("ADDED", &app("b", 13))], ""), Part::Hang]),
        Answer::watch([&event("ADDED", &app("c", 14))]),
    ]);
    let started = Instant::now();
    let observed = observe(&mut source(&script).observe(), 5).await;
    assert_eq!(observed, ["listing", "complete", "argocd/a at 8", "argocd/b at 13", "argocd/c at 14"]);
    let versions: Vec<String> =
        script.asked()[2..].iter().map(|url| url.rsplit_once('=').unwrap().1.to_owned()).collect();
    assert_eq!(versions, ["7", "8", "12", "13"]);
    // The third one fell silent without an end.
    assert_eq!(started.elapsed().as_secs(), 320);
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_history_is_gone_lists_again() {
    for refusal in [Answer::watch([&gone()]), Answer::status(410, "too old resource version")] {
        let script = Script::new([version("20"), list(7, "", &[app("a", 1)]), refusal, list(12, "", &[])]);
        let observed = observe(&mut source(&script).observe(), 5).await;
        assert_eq!(observed, ["listing", "argocd/a at 1", "complete", "listing", "complete"]);
        assert_eq!(script.asked().last().unwrap(), &format!("{PATH}?resourceVersion=7"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_always_gone_is_reported_and_asked_for_ever_more_slowly() {
    let rounds = (0..12).flat_map(|_| [list(7, "", &[]), Answer::watch([&gone()])]);
    let script = Script::new(std::iter::once(version("20")).chain(rounds));
    let started = Instant::now();
    let observed = observe(&mut source(&script).observe(), 2 + 11 * 3).await;
    assert_eq!(observed[..4], ["listing", "complete", "listing", "complete"]);
    assert!(observed[4].starts_with("failed: cannot watch: the API server answered 410: too old"), "{}", observed[4]);
    assert!(started.elapsed() > Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_server_does_not_know_is_replaced_by_a_list_from_etcd() {
    let script = Script::new([
        version("20"),
        list(700, "", &[]),
        Answer::status(410, "gone"),
        Answer::status(504, "Too large resource version: 700, current: 5"),
        list(5, "", &[]),
        Answer::watch([&event("ADDED", &app("a", 6))]),
    ]);
    let observed = observe(&mut source(&script).observe(), 5).await;
    assert_eq!(observed, ["listing", "complete", "listing", "complete", "argocd/a at 6"]);
    assert_eq!(script.asked()[4], format!("{PATH}?limit=500"));
    assert!(script.asked()[5].ends_with("resourceVersion=5"));
}

#[tokio::test(start_paused = true)]
async fn refusals_differ_from_failures_and_both_are_followed_by_growing_pauses() {
    let script = Script::new([
        Answer::status(500, "etcd is down"),
        version("20"),
        Answer::status(403, "applications is forbidden"),
        Answer { status: 404, ..Answer::text("404 page not found\n") },
        Answer { status: 429, ..Answer::text("Too many requests") }.header("retry-after", "7"),
        Answer { status: 429, ..Answer::text("Too many requests") },
        list(7, "", &[]),
    ]);
    let mut observations = source(&script).observe();
    let mut waited = Vec::new();
    for expected in [
        "failed: cannot list: the API server answered 500: etcd is down",
        "refused: cannot list: the API server forbids it: applications is forbidden",
        "refused: cannot list: the API server answered 404: 404 page not found",
        "failed: cannot list: the API server answered 429: Too many requests",
        "failed: cannot list: the API server answered 429: Too many requests",
        "listing",
    ] {
        let started = Instant::now();
        assert_eq!(observe(&mut observations, 1).await, [expected]);
        waited.push(started.elapsed().as_millis());
    }
    assert_eq!(waited, [0, 100, 200, 400, 7000, 1600]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_forbidden_is_tried_again_without_listing() {
    let script = Script::new([
        version("20"),
        list(7, "", &[]),
        Answer::status(403, "no"),
        Answer::status(500, "no"),
        // It ends at once and without an event, which is no failure, but no reason to hurry either.
        Answer::of([]),
        Answer::watch([&event("ADDED", &app("a", 8))]),
    ]);
    let observed = observe(&mut source(&script).observe(), 5).await;
    let refused = "refused: cannot watch: the API server forbids it: no";
    let failed = "failed: cannot watch: the API server answered 500: no";
    assert_eq!(observed, ["listing", "complete", refused, failed, "argocd/a at 8"]);
}

#[tokio::test(start_paused = true)]
async fn objects_without_a_kind_get_the_one_of_their_list() {
    let pod = json!({"metadata": {"name": "a", "resourceVersion": "1"}});
    let text = |kind: &str| {
        let list = json!({"apiVersion": "v1", "items": [pod], "metadata": {"resourceVersion": "7"}});
        format!("{{{kind}{}", &list.to_string()[1..])
    };
    for (kind, name) in [(r#""kind":"PodList","#, "Pod"), ("", "pods")] {
        let script = Script::new([version("20"), Answer::text(text(kind))]);
        let (kinds, pods) = (Kinds::default(), "/v1/pods".parse::<ResourceKind>().unwrap());
        let id = ResourceId { group: String::new(), kind: name.into(), namespace: String::new(), name: "a".into() };
        assert_eq!(kinds.get(&id), None);
        let source = KubernetesSource::new(script.client(), pods.clone(), Scope::Cluster).kinds(&kinds);
        let mut observations = source.observe();
        observations.next().await;
        let Some(Observation::Seen(resource)) = observations.next().await else { panic!("nothing seen") };
        assert_eq!(resource.id, id);
        assert_eq!(resource.object.at(&["kind"]).unwrap().as_str(), Some(name));
        assert_eq!(resource.object.at(&["apiVersion"]).unwrap().as_str(), Some("v1"));
        assert_eq!(kinds.get(&id), Some(pods));
        assert_eq!(script.asked()[1], "/api/v1/pods?resourceVersion=0&limit=500");
    }
}

#[tokio::test(start_paused = true)]
async fn one_resource_is_read_by_its_name() {
    let script = Script::new([
        Answer::text(app("a", 3).to_string()),
        Answer::status(404, "not found"),
        Answer::status(403, "no"),
        Answer::status(500, "no"),
    ]);
    let source = source(&script);
    let id = ResourceId {
        group: "argoproj.io".into(),
        kind: "Application".into(),
        namespace: "argocd".into(),
        name: "a".into(),
    };
    let resource = source.get(&id).await.unwrap().unwrap();
    assert_eq!((&resource.id, resource.uid.as_str()), (&id, "uid-a"));
    assert!(source.get(&id).await.unwrap().is_none());
    let error = source.get(&id).await.unwrap_err();
    assert_eq!(error.text, "cannot read argocd/a: the API server forbids it: no");
    assert!(error.refused);
    assert!(!source.get(&id).await.unwrap_err().refused);
    // No answer at all.
    assert_eq!(source.get(&id).await.unwrap_err().text, "cannot read argocd/a: the API server does not answer");
    assert_eq!(script.asked()[0], format!("{PATH}/a?"));
}
