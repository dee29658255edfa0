//! The rules of dispatching one channel.

use echion_model::{Outbox as _, Selection};
use tokio::sync::watch;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_hung_channel_does_not_delay_another() {
    let mut bench = Bench::new().await;
    let hung = bench.service("hung", &[Do::TakeAfter(80 * SECOND)]);
    let fine = bench.service("fine", &[Do::Take, Do::Fail]);
    bench.record("a", "hung", "1").await;
    bench.record("a", "fine", "2").await;
    bench.record("b", "fine", "3").await;
    assert_eq!(bench.drain(MINUTE).await, totals(3, 1, 0));
    assert_eq!(hung.times(), [0]);
    // Both at once, and the one that failed again after its own wait, not after the hung one.
    let times = fine.times();
    assert_eq!((times.len(), times[0], times[1]), (3, 0, 0));
    assert!((750..=1250).contains(&times[2]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_delivers_what_is_about_one_resource_in_order() {
    let mut bench = Bench::new().await;
    let slow = Do::TakeAfter(Duration::from_secs(2));
    let fake = bench.service("s", &[slow, slow, slow]);
    for (resource, text) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")] {
        bench.record(resource, "s", text).await;
    }
    assert_eq!(bench.drain(MINUTE).await.delivered, 5);
    assert_eq!(fake.came()[..2], [("a1".to_owned(), 0), ("b1".to_owned(), 0)]);
    for resource in ["a", "b"] {
        let texts: Vec<_> = fake.texts().into_iter().filter(|text| text.starts_with(resource)).collect();
        assert!(texts.is_sorted(), "{texts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_must_pause_pauses_and_the_others_go_on() {
    let mut bench = Bench::new().await;
    let resting = bench.service_with("resting", &[Do::Limit(10 * MINUTE)], |channel| channel.concurrency = 1);
    let other = bench.service("other", &[]);
    for i in 0..3 {
        bench.record(&format!("r{i}"), "resting", &i.to_string()).await;
        bench.record(&format!("r{i}"), "other", &i.to_string()).await;
    }
    assert_eq!(bench.drain(MINUTE).await, totals(3, 1, 0));
    assert_eq!((resting.times(), other.times()), (vec![0], vec![0, 0, 0]));
    // Another process waits as well, and then everything goes in order.
    assert_eq!(bench.drain(20 * MINUTE).await, totals(3, 0, 0));
    assert_eq!(resting.times(), [0, 600_000, 600_000, 600_000]);
    assert_eq!(resting.texts(), ["0", "0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_dispatcher_keeps_the_budget_of_the_old_one() {
    let mut bench = Bench::new().await;
    let budget = Budget { count: 3, window: MINUTE };
    let fake = bench.service_with("s", &[], |channel| channel.budget = Some(budget));
    for i in 0..7 {
        bench.record(&format!("r{i}"), "s", &i.to_string()).await;
    }
    assert_eq!(bench.drain(Duration::from_secs(5)).await.delivered, 3);
    assert_eq!(bench.drain(Duration::from_secs(5)).await.delivered, 0);
    assert_eq!(bench.drain(10 * MINUTE).await.delivered, 4);
    // After the first burst they are spread: a third of the window apart, by the vendor's clock and a margin.
    assert_eq!(fake.times(), [0, 0, 0, 61_000, 81_333, 101_666, 122_000]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_repeated_with_growing_waits_until_it_succeeds() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[Do::Fail, Do::Fail, Do::Fail, Do::Fail]);
    bench.record("a", "s", "x").await;
    assert_eq!(bench.drain(MINUTE).await, totals(1, 4, 0));
    let times = fake.times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, want) in waits.iter().zip([1000, 2000, 4000, 8000]) {
        assert!((want * 3 / 4..=want * 5 / 4 + 1).contains(wait), "{waits:?}");
    }
    assert_eq!(bench.list(Status::Delivered).await[0].attempts, 5);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_too_old_is_parked() {
    let mut bench = Bench::new().await;
    let fake = bench.service_with("s", &[Do::Fail; 1000], |channel| channel.retry.give_up_after = 10 * MINUTE);
    bench.record("a", "s", "x").await;
    let totals = bench.drain(60 * MINUTE).await;
    assert_eq!((totals.delivered, totals.parked), (0, 1));
    let parked = bench.list(Status::Parked).await;
    assert!(parked[0].detail.starts_with("given up after "), "{}", parked[0].detail);
    assert!(parked[0].detail.ends_with("out of order") && !parked[0].hint.is_empty());
    let last = fake.times().last().copied().unwrap();
    assert!((600_000..=1_000_000).contains(&last), "{last}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_parked_at_once_and_can_be_delivered_again() {
    let mut bench = Bench::new().await;
    bench.service("s", &[Do::Refuse]);
    bench.record("a", "s", "x").await;
    assert_eq!(bench.drain(MINUTE).await, totals(0, 0, 1));
    let parked = bench.list(Status::Parked).await.remove(0);
    assert_eq!((parked.detail.as_str(), parked.hint.as_str()), ("bad body", "correct it"));
    let selection = Selection::Id(parked.id.0[..30].to_owned());
    assert_eq!(bench.ledger.redeliver(&selection, (bench.clock)()).await.unwrap(), 1);
    assert_eq!(bench.drain(MINUTE).await, totals(1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_is_tried_again() {
    let mut bench = Bench::new().await;
    let fake = bench.service_with("s", &[Do::Panic], |channel| channel.concurrency = 1);
    bench.record("a", "s", "x").await;
    bench.record("b", "s", "y").await;
    assert_eq!(bench.drain(5 * MINUTE).await, totals(2, 1, 0));
    assert_eq!(fake.texts(), ["x", "y", "x"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_for_a_service_that_does_not_exist_is_parked() {
    let mut bench = Bench::new().await;
    let fake = bench.service("s", &[]);
    // More than are read at once.
    for i in 0..150 {
        bench.record(&format!("r{i}"), "gone", "x").await;
    }
    bench.record("a", "s", "y").await;
    assert_eq!(bench.drain(Duration::ZERO).await, totals(1, 0, 150));
    assert_eq!(fake.texts(), ["y"]);
    let parked = bench.list(Status::Parked).await;
    assert_eq!(parked[0].detail, "no service `gone` is configured");
    assert!(parked[0].hint.contains("service.<type>.gone"), "{}", parked[0].hint);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_nothing_falls_due_before_its_deadline() {
    let mut bench = Bench::new().await;
    bench.drain(MINUTE).await;
    assert_eq!(bench.millis(), 0);
    bench.service("s", &[Do::Fail, Do::Fail, Do::Fail, Do::Fail, Do::Fail]);
    bench.record("a", "s", "x").await;
    // Waits of about 1, 2, 4 and 8 seconds: the fourth does not fit.
    let totals = bench.drain(Duration::from_secs(10)).await;
    assert_eq!((totals.delivered, totals.parked), (0, 0));
    assert!(bench.millis() < 10_000, "{}", bench.millis());
    let waiting = bench.list(Status::Pending).await;
    assert_eq!(u64::from(waiting[0].attempts), totals.retried);
    assert!(waiting[0].due.unwrap() > START + 10_000);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_recorded_although_something_happens_meanwhile() {
    let mut bench = Bench::new().await;
    let mut ledger = Held::open().await;
    ledger.slow = Duration::from_millis(50);
    bench.ledger = Arc::new(ledger);
    let fake = bench.service("s", &[]);
    bench.record("a", "s", "x").await;
    let dispatcher = Arc::new(bench.dispatcher());
    let (stop, stopping) = watch::channel(false);
    let waker = dispatcher.waker();
    let running = tokio::spawn({
        let dispatcher = Arc::clone(&dispatcher);
        async move { dispatcher.run(stopping).await }
    });
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(7)).await;
        waker.recorded(["s/"]);
    }
    stop.send(true).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(fake.texts(), ["x"]);
    assert_eq!(dispatcher.totals(), totals(1, 0, 0));
}

/// It ends within ten seconds, whatever a service does; the rest is found interrupted at the next start.
#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_on_its_way_but_not_for_ever() {
    for (takes, delivered) in [(5, 1), (20, 0)] {
        let mut bench = Bench::new().await;
        bench.service_with("s", &[Do::TakeAfter(takes * SECOND)], |channel| channel.concurrency = 1);
        bench.record("a", "s", "x").await;
        bench.record("b", "s", "y").await;
        let dispatcher = bench.dispatcher();
        let (stop, stopping) = watch::channel(false);
        let asking = async {
            tokio::time::sleep(SECOND).await;
            stop.send(true).unwrap();
        };
        let (ended, ()) = tokio::join!(dispatcher.run(stopping), asking);
        ended.unwrap();
        assert_eq!(dispatcher.totals(), totals(delivered, 0, 0));
        assert!(bench.millis() < 10_000, "{}", bench.millis());
        assert_eq!(bench.list(Status::Pending).await.len() as u64, 2 - delivered);
    }
}
