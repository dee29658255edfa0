//! The queue of each channel, and the order in it.

use super::*;

pub(super) async fn queues_name_every_channel_and_its_first_due(ledger: L<'_>) {
    assert!(ledger.queues().await.unwrap().is_empty());
    for (name, channel, now) in [("a", "s/b", 9), ("b", "s/b", 5), ("c", "s/a", 7), ("d", "t", 1)] {
        put(ledger, name, channel, &format!("{name}{channel}"), now).await;
    }
    let read = |queues: Vec<echion_model::Queue>| -> Vec<(String, i64)> {
        queues.into_iter().map(|queue| (queue.channel, queue.due)).collect()
    };
    let all = [("s/a".to_owned(), 7), ("s/b".to_owned(), 5), ("t".to_owned(), 1)];
    assert_eq!(read(ledger.queues().await.unwrap()), all);
    assert_eq!(ledger.next_due("s/b").await.unwrap(), Some(5));
    assert_eq!(ledger.next_due("s").await.unwrap(), None);
    // What is on its way is not due, and what has ended neither.
    let taken = take(ledger, "t", 1).await;
    assert_eq!(ledger.next_due("t").await.unwrap(), None);
    assert_eq!(read(ledger.queues().await.unwrap()), all[..2]);
    finish(ledger, &taken, delivered(), None, 2).await;
    assert_eq!(read(ledger.queues().await.unwrap()), all[..2]);
}

pub(super) async fn claims_come_in_order_and_are_exclusive(ledger: L<'_>) {
    for (name, now) in [("a", 3), ("b", 1), ("c", 2), ("d", 1), ("e", 10)] {
        put(ledger, name, "s/a", name, now).await;
    }
    put(ledger, "a", "s/b", "other", 0).await;
    // By the time they are due, and of those that are due together by age.
    assert_eq!(
        ledger.claim(5, "s/a", 2).await.unwrap().iter().map(|d| d.intent.state_key.as_str()).collect::<Vec<_>>(),
        ["b", "d"]
    );
    assert_eq!(keys(ledger, "s/a", 5).await, ["c", "a"]);
    assert!(keys(ledger, "s/a", 5).await.is_empty());
    let last = take(ledger, "s/a", 10).await;
    assert_eq!((last.attempts, last.first_attempt), (1, Some(10)));
    assert_eq!(keys(ledger, "s/b", 10).await, ["other"]);
}

pub(super) async fn of_one_resource_and_channel_only_the_oldest_is_claimed(ledger: L<'_>) {
    for (name, key) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")] {
        put(ledger, name, "s/a", key, 0).await;
        put(ledger, name, "s/b", &format!("{key}b"), 0).await;
    }
    let first = ledger.claim(0, "s/a", 100).await.unwrap();
    assert_eq!(first.iter().map(|d| d.intent.state_key.as_str()).collect::<Vec<_>>(), ["a1", "b1"]);
    assert!(keys(ledger, "s/a", 99).await.is_empty());
    // Another channel does not wait for it.
    assert_eq!(keys(ledger, "s/b", 0).await, ["a1b", "b1b"]);
    finish(ledger, &first[0], delivered(), None, 1).await;
    assert_eq!(keys(ledger, "s/a", 1).await, ["a2"]);
}

pub(super) async fn what_is_given_back_was_never_attempted(ledger: L<'_>) {
    for key in ["a1", "a2"] {
        put(ledger, "a", "s/a", key, 0).await;
    }
    let before = ledger.list(&Filter::default()).await.unwrap();
    let taken = take(ledger, "s/a", 4).await;
    ledger.release(&taken.id).await.unwrap();
    assert_eq!(ledger.list(&Filter::default()).await.unwrap(), before);
    // Twice is no more than once, and the order is what it was.
    ledger.release(&taken.id).await.unwrap();
    assert_eq!(ledger.list(&Filter::default()).await.unwrap(), before);
    assert_eq!(keys(ledger, "s/a", 4).await, ["a1"]);
    assert!(ledger.spent("s/a", -1).await.unwrap().is_empty());
}

pub(super) async fn a_delivery_that_arrived_has_ended(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    let taken = take(ledger, "s/a", 3).await;
    finish(ledger, &taken, delivered(), None, 5).await;
    let ended = get(ledger, &taken.id).await;
    assert_eq!((ended.status, ended.due, ended.attempts, ended.first_attempt), (Status::Delivered, None, 1, Some(3)));
    assert_eq!((ended.class.as_str(), ended.detail.as_str(), ended.hint.as_str()), ("delivered", "HTTP 200", ""));
    assert_eq!(ledger.spent("s/a", 4).await.unwrap(), [5]);
    assert_eq!(ledger.counts().await.unwrap(), Counts::default());
}

pub(super) async fn a_retry_holds_back_what_is_behind_it(ledger: L<'_>) {
    for (name, key) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        put(ledger, name, "s/a", key, 0).await;
    }
    let taken = take(ledger, "s/a", 0).await;
    finish(ledger, &taken, retry(100), None, 1).await;
    let failed = get(ledger, &taken.id).await;
    assert_eq!((failed.status, failed.due, failed.class.as_str()), (Status::Pending, Some(100), "retryable"));
    assert_eq!((failed.detail.as_str(), failed.hint.as_str()), ("out of order", ""));
    assert_eq!(keys(ledger, "s/a", 50).await, ["b1"]);
    // Also what comes later, and the channel is not asked to look before.
    put(ledger, "a", "s/a", "a3", 60).await;
    assert_eq!(ledger.next_due("s/a").await.unwrap(), Some(100));
    let again = take(ledger, "s/a", 100).await;
    assert_eq!((again.intent.state_key.as_str(), again.attempts, again.first_attempt), ("a1", 2, Some(0)));
    finish(ledger, &again, delivered(), None, 101).await;
    assert_eq!(keys(ledger, "s/a", 101).await, ["a2"]);
}

pub(super) async fn a_pause_keeps_the_place_in_the_queue(ledger: L<'_>) {
    for (name, key) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
        put(ledger, name, "s/a", key, 0).await;
    }
    let taken = take(ledger, "s/a", 0).await;
    let limited = |due| Outcome::Retry { due, error: SendError::rate_limited("429", Duration::from_millis(50)) };
    finish(ledger, &taken, limited(60), Some(60), 10).await;
    assert_eq!(ledger.pauses(10).await.unwrap(), [("s/a".to_owned(), 60)].into());
    assert!(ledger.pauses(60).await.unwrap().is_empty());
    assert_eq!(get(ledger, &taken.id).await.due, Some(0));
    let again = take(ledger, "s/a", 60).await;
    assert_eq!((again.intent.state_key.as_str(), again.attempts), ("a1", 2));
    // A shorter pause does not end a longer one.
    finish(ledger, &again, limited(55), Some(55), 30).await;
    assert_eq!(ledger.pauses(10).await.unwrap()["s/a"], 60);
}

pub(super) async fn what_is_parked_for_good_lets_others_pass(ledger: L<'_>) {
    let first = park(ledger, "a", "s/a", "a1").await;
    let parked = get(ledger, &first).await;
    assert_eq!((parked.status, parked.due, parked.class.as_str()), (Status::Parked, None, "rejected"));
    assert_eq!((parked.detail.as_str(), parked.hint.as_str()), ("bad body", "correct it"));
    put(ledger, "a", "s/a", "a2", 5).await;
    assert_eq!(keys(ledger, "s/a", 5).await, ["a2"]);
    assert_eq!(ledger.counts().await.unwrap(), Counts { pending: 1, parked: 1 });
}

pub(super) async fn what_is_parked_with_a_time_goes_first_once_more(ledger: L<'_>) {
    let first = put(ledger, "a", "s/a", "a1", 0).await;
    let taken = take(ledger, "s/a", 0).await;
    finish(ledger, &taken, attention(Some(1000)), None, 1).await;
    assert_eq!((get(ledger, &first).await.due, ledger.next_due("s/a").await.unwrap()), (Some(1000), Some(1000)));
    put(ledger, "a", "s/a", "a2", 20).await;
    let again = take(ledger, "s/a", 20).await;
    assert_eq!(again.id, first);
    // While it is on its way nothing overtakes it; when it is parked again, the next one passes.
    assert!(keys(ledger, "s/a", 20).await.is_empty());
    finish(ledger, &again, attention(Some(2000)), None, 21).await;
    let second = take(ledger, "s/a", 21).await;
    assert_eq!(second.intent.state_key, "a2");
    // The older one is not overtaken by the retry of the newer one.
    finish(ledger, &second, attention(Some(500)), None, 22).await;
    assert_eq!(take(ledger, "s/a", 500).await.id, first);
}
