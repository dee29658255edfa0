//! What outlives failures, restarts, clocks that step and ledgers that are busy.

use echion_model::{Outbox as _, Selection};

use super::*;

/// The last word in the chat is the last thing that happened.
#[tokio::test(start_paused = true)]
async fn a_stale_failure_does_not_arrive_after_the_success() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Fail, Do::Fail]);
    bench.record("a", "s", "Failed").await;
    bench.drain(Duration::ZERO).await;
    bench.record("a", "s", "Succeeded").await;
    bench.record("b", "s", "other").await;
    // The second refusal hits the message about `b`, which nothing holds back.
    assert_eq!(bench.drain(MINUTE).await, totals(3, 1, 0));
    let texts: Vec<String> = fake.texts().into_iter().filter(|text| text != "other").collect();
    assert_eq!(texts, ["Failed", "Failed", "Succeeded"]);
    assert_eq!(fake.when("other"), 0);
}

/// Credentials that somebody repairs are tried again by themselves, and in order.
#[tokio::test(start_paused = true)]
async fn what_somebody_must_repair_heals_by_itself_in_order() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Forbid; 4]);
    bench.record("a", "s", "first").await;
    bench.record("b", "s", "other").await;
    assert_eq!(bench.drain(SECOND).await, totals(0, 0, 2));
    assert_eq!(bench.list(Status::Parked).await.len(), 2);
    bench.record("a", "s", "second").await;
    assert_eq!(bench.drain(10 * MINUTE).await.delivered, 3);
    let texts: Vec<String> = fake.texts().into_iter().filter(|text| text != "other").collect();
    assert!(texts.is_sorted_by(|a, b| a == b || a == "first" || b == "first") && texts.last().unwrap() == "second");
    let last = |text: &str| fake.came().iter().rev().find(|(came, _)| came == text).unwrap().1;
    assert!(last("first") <= last("second"), "{:?}", fake.came());
    // The first that works again takes the others with it.
    assert!(fake.times().iter().all(|at| *at < 200_000), "{:?}", fake.came());
}

/// It waits for somebody to change something, and somebody did.
#[tokio::test(start_paused = true)]
async fn what_is_parked_goes_out_when_its_service_changes() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Refuse]);
    bench.record("a", "s", "x").await;
    bench.drain(MINUTE).await;
    let reroute = |bench: &Bench| {
        let (route, ledger, now) = (bench.route(), Arc::clone(&bench.ledger), (bench.clock)());
        async move {
            let router = move |key: &RouteKey| match route(key) {
                Some(Route { service, version }) => (Some(Channel::of(&*service, key).name), version),
                None => (None, Version::default()),
            };
            ledger.reroute(&router, now).await.unwrap()
        }
    };
    assert_eq!(reroute(&bench).await.revived, 0);
    assert_eq!(bench.drain(MINUTE).await, totals(0, 0, 0));
    bench.services.lock().unwrap().get_mut("s").unwrap().1 = "2".to_owned();
    assert_eq!(reroute(&bench).await.revived, 1);
    assert_eq!(bench.drain(MINUTE).await, totals(1, 0, 0));
    assert_eq!(fake.texts(), ["x", "x"]);
    // A service that is missing is waited for (H9).
    bench.record("a", "later", "y").await;
    assert_eq!(bench.drain(SECOND).await, totals(0, 0, 1));
    let later = bench.service("later", &[]);
    assert_eq!(reroute(&bench).await.revived, 1);
    assert_eq!(bench.drain(SECOND).await, totals(1, 0, 0));
    assert_eq!(later.texts(), ["y"]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_gets_another_name_takes_its_queue_with_it() {
    let mut bench = Bench::new().await;
    bench.service("s", &[Do::Fail]);
    bench.record("a", "s", "x").await;
    bench.drain(Duration::ZERO).await;
    let router = |_: &RouteKey| (Some("renamed".to_owned()), Version { service: "1".into(), templates: "1".into() });
    bench.ledger.reroute(&router, (bench.clock)()).await.unwrap();
    assert_eq!(bench.list(Status::Pending).await[0].intent.channel, "renamed");
    assert_eq!(bench.ledger.next_due("s/").await.unwrap(), None);
}

/// A restart does not make a vendor's ban worse.
#[tokio::test(start_paused = true)]
async fn a_pause_holds_after_a_restart_also_for_what_is_recorded_then() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Limit(10 * MINUTE)]);
    bench.record("a", "s", "x").await;
    bench.drain(Duration::ZERO).await;
    bench.record("b", "s", "y").await;
    assert_eq!(bench.drain(MINUTE).await, totals(0, 0, 0));
    assert_eq!(bench.drain(20 * MINUTE).await, totals(2, 0, 0));
    assert!(fake.times()[1..].iter().all(|at| *at >= 600_000), "{:?}", fake.came());
}

/// A machine that boots with a wrong clock does not fall silent until that time has come.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_delays_nothing() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Fail]);
    bench.record("a", "s", "x").await;
    bench.drain(Duration::ZERO).await;
    // It was eight hours ahead, and is corrected while nothing runs.
    bench.step.store(-8 * 3_600_000, Ordering::Relaxed);
    assert_eq!(bench.drain(MINUTE).await, totals(1, 0, 0));
    // And while it runs.
    fake.does(&[Do::Limit(MINUTE)]);
    bench.record("b", "s", "y").await;
    let dispatcher = Arc::new(bench.dispatcher());
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn({
        let dispatcher = Arc::clone(&dispatcher);
        async move { dispatcher.run(stopping).await }
    });
    tokio::time::sleep(20 * SECOND).await;
    bench.step.store(-9 * 3_600_000 * 24, Ordering::Relaxed);
    // The minute that the vendor asked for, and not what the clock was set back by.
    tokio::time::sleep(MINUTE).await;
    stop.send(true).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(dispatcher.totals(), totals(1, 1, 0));
}

/// The attempt that a kill cut off stays visible, and what may be a double is counted.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_cut_off_is_retried_and_stays_visible() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::TakeAfter(60 * SECOND)]);
    bench.record("a", "s", "x").await;
    let killed = tokio::time::timeout(SECOND, bench.drain(MINUTE)).await;
    assert!(killed.is_err());
    assert_eq!(bench.drain(MINUTE).await, totals(1, 0, 0));
    assert_eq!(fake.texts(), ["x", "x"]);
    let attempted = bench.seen.attempts.lock().unwrap().clone();
    assert!(attempted[0].possible_duplicate && attempted[0].delivery.class == "interrupted");
    assert_eq!(bench.list(Status::Delivered).await[0].attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_fate_is_not_known_is_sent_three_times_and_then_parked_as_maybe_arrived() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Lose; 100]);
    bench.record("a", "s", "x").await;
    assert_eq!(bench.drain(24 * 60 * MINUTE).await, totals(0, 2, 1));
    assert_eq!(fake.texts().len(), 3);
    let parked = bench.list(Status::Parked).await.remove(0);
    assert!(parked.detail.starts_with("it may have arrived") && parked.class == "unknown", "{parked:?}");
    fake.does(&[]);
    assert_eq!(bench.ledger.redeliver(&Selection::Parked { service: None }, (bench.clock)()).await.unwrap(), 1);
    assert_eq!(bench.drain(MINUTE).await, totals(1, 0, 0));
}

/// What an outage of two days has parked goes out when the channel works again.
#[tokio::test(start_paused = true)]
async fn what_was_given_up_in_a_long_outage_is_delivered_after_it() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Fail; 2000]);
    for i in 0..5 {
        bench.record(&format!("r{i}"), "s", "x").await;
    }
    let day = 24 * 60 * MINUTE;
    assert_eq!(bench.drain(2 * day).await.parked, 5);
    fake.does(&[]);
    bench.record("new", "s", "y").await;
    assert_eq!(bench.drain(MINUTE).await, totals(6, 0, 0));
}

/// Somebody holds the database for a while; nothing is dropped and nothing doubled.
#[tokio::test(start_paused = true)]
async fn a_busy_ledger_is_waited_for() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[]);
    for i in 0..8 {
        bench.record(&format!("r{i}"), "s", &format!("{i}")).await;
    }
    bench.ledger.busy.store(20, Ordering::Relaxed);
    assert_eq!(bench.drain(5 * MINUTE).await, totals(8, 0, 0));
    assert_eq!(fake.texts().len(), 8);
    assert!(*bench.seen.failures.lock().unwrap() >= 1);
}

/// The service is corrected while an attempt with the wrong one is on its way: its end does not hide that.
#[tokio::test(start_paused = true)]
async fn what_ends_up_parked_after_its_service_has_changed_goes_out_again() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::RefuseAfter(10 * SECOND)]);
    bench.record("a", "s", "x").await;
    let services = Arc::clone(&bench.services);
    tokio::spawn(async move {
        tokio::time::sleep(5 * SECOND).await;
        services.lock().unwrap().get_mut("s").unwrap().1 = "2".to_owned();
    });
    assert_eq!(bench.drain(MINUTE).await, totals(1, 0, 1));
    assert_eq!(fake.texts(), ["x", "x"]);
}

/// A machine that sleeps for two days has not tried for two days.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_makes_nothing_older() {
    let mut bench = Bench::new().await;
    bench.service("s", &[Do::Fail; 10]);
    bench.record("a", "s", "x").await;
    let dispatcher = Arc::new(bench.dispatcher());
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn({
        let dispatcher = Arc::clone(&dispatcher);
        async move { dispatcher.run(stopping).await }
    });
    tokio::time::sleep(10 * SECOND).await;
    bench.step.store(2 * 24 * 3_600_000, Ordering::Relaxed);
    tokio::time::sleep(60 * MINUTE).await;
    stop.send(true).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(dispatcher.totals(), totals(1, 10, 0));
}
