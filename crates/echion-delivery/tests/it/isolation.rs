//! One broken channel breaks only itself, also next to others of the same service.

use super::*;

/// What waits for the budget of one channel does not fill the queue of another.
#[tokio::test(start_paused = true)]
async fn sixty_waiting_for_one_channel_do_not_delay_another_of_the_same_service() {
    let mut bench = Bench::new().await;
    let budget = Some(Budget { count: 1, window: SECOND });
    let slack = bench.service_with("slack", &[], |channel| (channel.budget, channel.concurrency) = (budget, 1));
    for i in 0..60 {
        bench.record(&format!("r{i}"), "slack:a", &format!("a{i}")).await;
    }
    bench.record("r", "slack:b", "b").await;
    assert_eq!(bench.drain(5 * MINUTE).await, totals(61, 0, 0));
    assert_eq!(slack.when("b"), 0);
    assert!(slack.when("a59") > 60_000, "{}", slack.when("a59"));
}

/// A refusal for an hour concerns the channel that was refused, and nothing else of its service.
#[tokio::test(start_paused = true)]
async fn a_pause_of_one_channel_leaves_the_others_of_its_service_alone() {
    let mut bench = Bench::new().await;
    let slack = bench.service("slack", &[Do::Limit(60 * MINUTE)]);
    bench.record("r0", "slack:a", "a0").await;
    bench.drain(Duration::ZERO).await;
    for i in 1..30 {
        bench.record(&format!("r{i}"), "slack:a", &format!("a{i}")).await;
        bench.record(&format!("r{i}"), "slack:b", &format!("b{i}")).await;
    }
    assert_eq!(bench.drain(MINUTE).await, totals(29, 0, 0));
    assert!(slack.texts()[1..].iter().all(|text| text.starts_with('b')), "{:?}", slack.texts());
    assert_eq!(bench.drain(120 * MINUTE).await, totals(30, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_does_not_delay_another_of_the_same_service() {
    let mut bench = Bench::new().await;
    let slack = bench.service("slack", &[Do::TakeAfter(80 * SECOND); 4]);
    for i in 0..60 {
        bench.record(&format!("r{i}"), "slack:a", &format!("a{i}")).await;
    }
    let running = {
        let dispatcher = bench.dispatcher();
        let until = (bench.clock)() + 200_000;
        tokio::spawn(async move { dispatcher.drain(until).await })
    };
    tokio::time::sleep(SECOND).await;
    bench.record("r", "slack:b", "b").await;
    running.await.unwrap().unwrap();
    // It is found when the ledger is read the next time.
    assert!(slack.when("b") <= 6_000, "{}", slack.when("b"));
}

/// With a ledger that ends with the process, what a crash could double is bounded.
#[tokio::test(start_paused = true)]
async fn deliveries_run_at_most_so_many_ahead_of_the_annotations() {
    let mut bench = Bench::new().await;
    let ahead = Arc::new(RunAhead::new(16));
    bench.ahead = Some(Arc::clone(&ahead));
    let fakes: Vec<_> = (0..5).map(|i| bench.service(&format!("s{i}"), &[])).collect();
    let came = || fakes.iter().map(|fake| fake.came().len()).sum::<usize>();
    for i in 0..100 {
        bench.record(&format!("r{i}"), &format!("s{}", i % 5), "x").await;
    }
    let dispatcher = bench.dispatcher();
    let until = (bench.clock)() + 600_000;
    let running = tokio::spawn(async move { dispatcher.drain(until).await });
    tokio::time::sleep(MINUTE).await;
    assert_eq!(came(), 16);
    let written = |number: usize| {
        for i in 0..100 {
            let id = ResourceId {
                group: "argoproj.io".into(),
                kind: "Application".into(),
                namespace: "argocd".into(),
                name: format!("r{i}"),
            };
            if ahead.unwritten(&id) > 0 && number > 0 {
                ahead.written(&id, 1);
            }
        }
    };
    for _ in 0..20 {
        written(1);
        let before = came();
        tokio::time::sleep(MINUTE).await;
        assert!(came() - before <= 16);
    }
    running.await.unwrap().unwrap();
    assert_eq!(came(), 100);
}

/// What waits for annotations that are never written does not keep a drain beyond its deadline.
#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_deadline_although_deliveries_are_held_back() {
    let mut bench = Bench::new().await;
    bench.ahead = Some(Arc::new(RunAhead::new(1)));
    bench.service("s", &[]);
    for name in ["a", "b"] {
        bench.record(name, "s", name).await;
    }
    let drained = tokio::time::timeout(10 * MINUTE, bench.drain(MINUTE)).await;
    assert_eq!(drained.unwrap(), totals(1, 0, 0));
    assert_eq!(bench.list(Status::Pending).await.len(), 1);
}
