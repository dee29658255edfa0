//! What is remembered of attempts.

use super::*;

pub(super) async fn an_unknown_end_is_counted(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    for n in 1..3 {
        let taken = take(ledger, "s/a", n).await;
        finish(ledger, &taken, Outcome::Retry { due: n + 1, error: SendError::unknown("broke off") }, None, n).await;
        assert_eq!(i64::from(get(ledger, &taken.id).await.unknown), n);
    }
    let taken = take(ledger, "s/a", 9).await;
    finish(ledger, &taken, rejected(), None, 9).await;
    ledger.redeliver(&Selection::Parked { service: None }, 10).await.unwrap();
    assert_eq!(get(ledger, &taken.id).await.unknown, 0);
}

pub(super) async fn the_end_of_something_unknown_changes_nothing(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    let mut taken = take(ledger, "s/a", 0).await;
    taken.id.0 = "00000000-0000-7000-8000-000000000000".into();
    finish(ledger, &taken, delivered(), None, 1).await;
    ledger.release(&taken.id).await.unwrap();
    assert!(ledger.delivery(&taken.id).await.unwrap().is_none());
    assert!(ledger.spent("s/a", -1).await.unwrap().is_empty());
}

pub(super) async fn attempts_count_against_the_budget_from_their_end(ledger: L<'_>) {
    for (name, at) in [("a", 10), ("b", 20), ("c", 30)] {
        put(ledger, name, "s/a", name, 0).await;
        let taken = take(ledger, "s/a", 5).await;
        finish(ledger, &taken, if at == 20 { rejected() } else { delivered() }, None, at).await;
    }
    assert_eq!(ledger.spent("s/a", 0).await.unwrap(), [10, 20, 30]);
    assert_eq!(ledger.spent("s/a", 10).await.unwrap(), [20, 30]);
    assert!(ledger.spent("s/b", 0).await.unwrap().is_empty());
}

pub(super) async fn attempts_that_were_cut_off_are_due_and_on_record(ledger: L<'_>) {
    for (name, key) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("c", "c1")] {
        put(ledger, name, "s/a", key, 0).await;
    }
    let taken = ledger.claim(5, "s/a", 2).await.unwrap();
    assert_eq!(ledger.recover(9).await.unwrap(), 2);
    let cut = get(ledger, &taken[0].id).await;
    assert_eq!((cut.status, cut.class.as_str(), cut.attempts), (Status::Pending, "interrupted", 1));
    assert_eq!(ledger.spent("s/a", 8).await.unwrap(), [9, 9]);
    assert_eq!(keys(ledger, "s/a", 9).await, ["a1", "b1", "c1"]);
    ledger.recover(10).await.unwrap();
    assert_eq!(ledger.recover(11).await.unwrap(), 0);
}

pub(super) async fn a_clock_that_is_set_shifts_what_waits(ledger: L<'_>) {
    put(ledger, "a", "s/a", "a", 0).await;
    let taken = take(ledger, "s/a", 0).await;
    finish(ledger, &taken, Outcome::Retry { due: 900, error: SendError::rate_limited("429", SECOND) }, Some(900), 10)
        .await;
    let seen = async || {
        let delivery = get(ledger, &taken.id).await;
        (delivery.due.unwrap(), delivery.first_attempt.unwrap(), ledger.pauses(-10_000).await.unwrap()["s/a"])
    };
    let (due, first, pause) = seen().await;
    ledger.shift(-500).await.unwrap();
    assert_eq!(seen().await, (due - 500, first - 500, pause - 500));
    // Forward nothing comes later, and nothing is older.
    ledger.shift(700).await.unwrap();
    assert_eq!(seen().await, (due - 500, first + 200, pause - 500));
}

pub(super) async fn what_lies_too_far_ahead_is_pulled_back(ledger: L<'_>) {
    for name in ["far", "near"] {
        put(ledger, name, "s/a", name, 0).await;
    }
    let taken = ledger.claim(0, "s/a", 2).await.unwrap();
    finish(ledger, &taken[0], retry(900), None, 1).await;
    finish(ledger, &taken[1], retry(90), None, 1).await;
    put(ledger, "c", "s/b", "c", 0).await;
    let limited = take(ledger, "s/b", 0).await;
    finish(ledger, &limited, Outcome::Retry { due: 900, error: SendError::rate_limited("429", SECOND) }, Some(900), 1)
        .await;
    assert_eq!(ledger.pull_back(100, 10).await.unwrap(), 2);
    assert_eq!(get(ledger, &taken[0].id).await.due, Some(10));
    assert_eq!(get(ledger, &taken[1].id).await.due, Some(90));
    assert!(ledger.pauses(10).await.unwrap().is_empty());
    assert_eq!(ledger.pull_back(100, 10).await.unwrap(), 0);
}
