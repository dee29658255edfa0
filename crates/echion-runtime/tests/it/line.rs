//! Rules that concern the whole line.

use serde_json::json;

use super::*;

/// Twenty resources with a template that takes seconds, and a neighbour that does not wait for any of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_costly_template_delays_no_other_resource() {
    let keys = [
        ("trigger.t", "- {when: 'true', send: [m]}"),
        ("template.costly", "message: '{{range until 200}}{{derivePassword 1 \"long\" \"a\" \"b\" \"c\"}}{{end}}'"),
        ("trigger.costly", "- {when: 'true', send: [costly]}"),
        (
            "subscriptions",
            "- {recipients: [h7], triggers: [costly], selector: kind=costly}\n\
             - {recipients: [h7], triggers: [t], selector: kind!=costly}",
        ),
    ];
    let bench = Bench::new("h7", &keys).await;
    for n in 0..20 {
        bench.app(&format!("costly-{n}"), json!({ "kind": "costly" }));
    }
    let (stop, serving) = bench.serve();
    for n in 0..5 {
        let name = format!("quick-{n}");
        bench.app(&name, json!({}));
        // One costly evaluation takes seconds, twenty of them far more than a minute.
        let waited = bench.arrives(&name).await;
        assert!(waited < Duration::from_secs(3), "{name} waited {waited:?}");
    }
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
}

/// A template that cannot be rendered is tried again by fetching that one resource, never by listing all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_rendered_is_fetched_again_and_nothing_is_listed() {
    let keys = [
        (
            "template.m",
            "message: '{{if not (hasKey .app \"ready\")}}{{fail \"not yet\"}}{{end}}{{.app.metadata.name}}'",
        ),
        ("trigger.t", "- {when: app.metadata.name != '', send: [m]}"),
    ];
    let bench = Bench::new("k9", &keys).await;
    let id = bench.app("a", json!({}));
    let (stop, serving) = bench.serve();
    // A change that no condition reads is no reason to evaluate; the clock is, which runs sixty times as fast here.
    let ready = json!({ "kind": "Application", "metadata": { "name": "a" }, "ready": true });
    assert_eq!(bench.apps.put(ready), id);
    bench.arrives("a").await;
    assert_eq!(bench.apps.lists(), 1);
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
}

/// What is refused for good holds up nothing else, and does not count as ahead of the annotations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_that_are_refused_do_not_stop_the_others() {
    let mut bench = Bench::new("k2", &[]).await;
    let texts: Arc<Mutex<HashMap<ResourceId, String>>> = Arc::default();
    let mirror = Annotated { texts: Arc::clone(&texts), refuses: |id| id.name.starts_with("refused") };
    bench.mirror = Some(mirror);
    let (stop, serving) = bench.serve();
    for n in 0..40 {
        bench.app(&format!("refused-{n}"), json!({}));
    }
    let healthy: Vec<ResourceId> = (0..20).map(|n| bench.app(&format!("healthy-{n}"), json!({}))).collect();
    bench.arrives("healthy-19").await;
    let begin = tokio::time::Instant::now();
    while !healthy.iter().all(|id| texts.lock().unwrap().contains_key(id)) {
        assert!(begin.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
}

/// Deliveries of an earlier process wait for the configuration; they are not parked because there is none yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_dispatched_before_the_configuration_has_been_read() {
    let bench = Bench::new("k1", &[]).await;
    let id = bench.app("a", json!({}));
    let resource = bench.apps.get(&id).await.unwrap().unwrap();
    let change = echion_model::StateChange { set: [("k".to_owned(), 1)].into(), clear: Vec::new() };
    let intent = echion_model::Intent {
        trigger: "t".into(),
        condition: "c".into(),
        owner: String::new(),
        state_key: "k".into(),
        templates: vec!["m".into()],
        destination: echion_model::Destination { service: "k1".into(), recipient: String::new() },
        channel: "record/k1".into(),
        notification: echion_model::Notification { message: "early".into(), ..Default::default() },
    };
    let recorded = bench.ledger.record(&resource, &change, &[intent], 0).await.unwrap();
    // The API server is slow: everything else is there long before the configuration.
    let parts = bench.parts();
    let late = async { tokio::time::sleep(Duration::from_millis(300)).await };
    let configuration = futures::stream::once(late).flat_map(|()| futures::stream::empty()).chain(parts.configuration);
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(Driver::new(Parts { configuration: configuration.boxed(), ..parts }).serve(stopping));
    bench.arrives("early").await;
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
    // An attempt without a service would have been one more.
    assert_eq!(bench.ledger.delivery(&recorded[0]).await.unwrap().unwrap().attempts, 1);
}

/// What an earlier process has delivered and not written down is written at start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_that_an_earlier_process_did_not_write_are_caught_up() {
    let mut bench = Bench::new("k7", &[]).await;
    let id = bench.app("a", json!({}));
    // Without a mirror: as if it had been killed before it could write.
    let (stop, serving) = bench.serve();
    bench.arrives("a").await;
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
    let texts: Arc<Mutex<HashMap<ResourceId, String>>> = Arc::default();
    bench.mirror = Some(Annotated { texts: Arc::clone(&texts), refuses: |_| false });
    let (stop, serving) = bench.serve();
    let begin = tokio::time::Instant::now();
    while !texts.lock().unwrap().contains_key(&id) {
        assert!(begin.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.arrived(), ["a"]);
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
}

/// Leadership that comes back to the same process finds what it knew: nothing is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_term_over_the_same_ledger_sends_nothing_again() {
    let bench = Bench::new("terms", &[]).await;
    bench.app("a", json!({}));
    for term in ["b", "c"] {
        let (stop, serving) = bench.serve();
        bench.arrives("a").await;
        bench.app(term, json!({}));
        bench.arrives(term).await;
        stop.send(true).unwrap();
        serving.await.unwrap().unwrap();
    }
    assert_eq!(bench.arrived(), ["a", "b", "c"]);
}
