//! What makes a parked delivery due again.

use super::*;

pub(super) async fn deliveries_move_with_their_channel(ledger: L<'_>) {
    put(ledger, "a", "s/a", "a1", 0).await;
    let done = take(ledger, "s/a", 0).await;
    finish(ledger, &done, delivered(), None, 0).await;
    put(ledger, "a", "s/a", "a2", 0).await;
    put(ledger, "a", "s/b", "b1", 0).await;
    let router = |key: &RouteKey| (key.destination.recipient.eq("a").then(|| "moved".to_owned()), version("1", "1"));
    assert_eq!(ledger.reroute(&router, 1).await.unwrap(), Rerouted::default());
    assert_eq!(ledger.next_due("s/a").await.unwrap(), None);
    assert_eq!(keys(ledger, "moved", 1).await, ["a2"]);
    // One without a route stays where it is, and so does what has arrived.
    assert_eq!(keys(ledger, "s/b", 1).await, ["b1"]);
    assert_eq!(get(ledger, &done.id).await.intent.channel, "s/a");
}

pub(super) async fn a_changed_service_revives_what_is_parked(ledger: L<'_>) {
    let id = park(ledger, "a", "s/a", "k").await;
    put(ledger, "b", "s/a", "waits", 0).await;
    let waits = take(ledger, "s/a", 0).await;
    finish(ledger, &waits, retry(500), None, 1).await;
    let same = |_: &RouteKey| (Some("s/a".to_owned()), version("1", "1"));
    assert_eq!(ledger.reroute(&same, 10).await.unwrap().revived, 0);
    assert_eq!(get(ledger, &id).await.status, Status::Parked);
    let changed = |_: &RouteKey| (Some("s/a".to_owned()), version("2", "1"));
    assert_eq!(ledger.reroute(&changed, 20).await.unwrap(), Rerouted { revived: 1, outdated: Vec::new() });
    let revived = get(ledger, &id).await;
    assert_eq!((revived.status, revived.due, revived.first_attempt), (Status::Pending, Some(20), None));
    // What waits for its retry need not wait for it.
    assert_eq!(get(ledger, &waits.id).await.due, Some(20));
}

pub(super) async fn changed_templates_are_reported_once(ledger: L<'_>) {
    let a = park(ledger, "a", "s/a", "a").await;
    let b = park(ledger, "b", "moved", "b").await;
    let router = |_: &RouteKey| (Some("moved".to_owned()), version("2", "2"));
    let mut want = vec![a.clone(), b];
    want.sort_unstable();
    // They move as well, which makes them look like others that are there already.
    let rerouted = ledger.reroute(&router, 10).await.unwrap();
    assert_eq!(rerouted, Rerouted { revived: 0, outdated: want.clone() });
    assert_eq!(get(ledger, &a).await.status, Status::Parked);
    // Until they are rendered again.
    assert_eq!(ledger.reroute(&router, 11).await.unwrap().outdated, want);
    ledger.render_again(&a, &Notification::default(), &version("2", "2"), 12).await.unwrap();
    assert_eq!(ledger.reroute(&router, 13).await.unwrap().outdated, want[1..]);
}

pub(super) async fn what_was_never_attempted_is_not_revived(ledger: L<'_>) {
    let id = put(ledger, "a", "s/a", "k", 50).await;
    let router = |_: &RouteKey| (Some("s/a".to_owned()), version("1", "1"));
    assert_eq!(ledger.reroute(&router, 10).await.unwrap(), Rerouted::default());
    assert_eq!(get(ledger, &id).await.due, Some(50));
    // Attempted while there was no such service: there is one now.
    let taken = take(ledger, "s/a", 50).await;
    let finished = Finished {
        id: id.clone(),
        channel: "s/a".into(),
        outcome: attention(None),
        version: Version::default(),
        pause: None,
    };
    ledger.finish(&finished, 51).await.unwrap();
    assert_eq!(ledger.reroute(&router, 52).await.unwrap(), Rerouted { revived: 1, outdated: Vec::new() });
    assert_eq!(taken.id, id);
}

pub(super) async fn parked_deliveries_are_redelivered_by_the_beginning_of_their_id(ledger: L<'_>) {
    let id = park(ledger, "a", "s/a", "a").await;
    // With a single delivery any pattern would find it.
    for text in ["%", "_", &format!("%{}", id.0), &format!("{}%", &id.0[..8]), &id.0.replace('-', "_"), "x"] {
        assert_eq!(ledger.redeliver(&Selection::Id(text.to_owned()), 5).await.unwrap(), 0, "{text}");
    }
    let other = park(ledger, "b", "s/a", "b").await;
    let common = id.0.chars().zip(other.0.chars()).take_while(|(a, b)| a == b).count();
    let by = |length: usize| Selection::Id(id.0[..length].to_owned());
    assert_eq!(ledger.redeliver(&by(common), 5).await.unwrap(), 0);
    assert_eq!(ledger.redeliver(&by(common + 1), 5).await.unwrap(), 1);
    let again = get(ledger, &id).await;
    assert_eq!((again.status, again.due, again.first_attempt), (Status::Pending, Some(5), None));
    assert_eq!(get(ledger, &other).await.status, Status::Parked);
    // What is not parked is left alone.
    assert_eq!(ledger.redeliver(&by(36), 5).await.unwrap(), 0);
    assert_eq!(ledger.redeliver(&Selection::Id(other.0.to_uppercase()), 5).await.unwrap(), 1);
}

pub(super) async fn parked_deliveries_are_redelivered_by_service(ledger: L<'_>) {
    for (name, channel) in [("a", "s/a"), ("b", "s/b"), ("c", "t/a"), ("d", "%/a")] {
        park(ledger, name, channel, name).await;
    }
    let of = |service: &str| Selection::Parked { service: Some(service.to_owned()) };
    assert_eq!(ledger.redeliver(&of("s"), 5).await.unwrap(), 2);
    assert_eq!(ledger.redeliver(&of("s"), 5).await.unwrap(), 0);
    assert_eq!(ledger.redeliver(&of("%"), 5).await.unwrap(), 1);
    assert_eq!(ledger.redeliver(&Selection::Parked { service: None }, 5).await.unwrap(), 1);
    assert_eq!(ledger.counts().await.unwrap(), Counts { pending: 4, parked: 0 });
}

pub(super) async fn another_rendering_is_put_into_what_is_parked(ledger: L<'_>) {
    let id = park(ledger, "a", "s/a", "k").await;
    let text = |message: &str| Notification { message: message.into(), ..Notification::default() };
    ledger.render_again(&id, &text("new"), &version("2", "2"), 9).await.unwrap();
    let again = get(ledger, &id).await;
    assert_eq!((again.status, again.due, again.intent.notification.clone()), (Status::Pending, Some(9), text("new")));
    // Only what is parked.
    ledger.render_again(&id, &text("newer"), &version("2", "2"), 9).await.unwrap();
    assert_eq!(get(ledger, &id).await.intent.notification, text("new"));
}

pub(super) async fn a_channel_that_works_again_takes_up_what_waits(ledger: L<'_>) {
    for (name, channel) in [("a", "s/a"), ("b", "s/b")] {
        put(ledger, name, channel, name, 0).await;
        let taken = take(ledger, channel, 0).await;
        finish(ledger, &taken, attention(Some(1000)), None, 1).await;
    }
    // What is refused is refused again.
    let refused = park(ledger, "c", "s/a", "c").await;
    assert_eq!(ledger.heal("s/a", 50).await.unwrap(), 1);
    assert_eq!(keys(ledger, "s/a", 50).await, ["a"]);
    assert_eq!(get(ledger, &refused).await.due, None);
    assert_eq!(ledger.next_due("s/b").await.unwrap(), Some(1000));
}

pub(super) async fn what_was_given_up_is_taken_up_once(ledger: L<'_>) {
    let up = |error| Outcome::Parked { due: None, error };
    let errors = [
        SendError::retryable("x"),
        SendError::rate_limited("429", SECOND),
        SendError::quota_exhausted("used up", SECOND),
        SendError::attention("no robot", "create one"),
        SendError::unknown("broke off"),
        SendError::rejected("bad body", "correct it"),
    ];
    for (i, error) in errors.iter().enumerate() {
        put(ledger, &format!("r{i}"), "s/a", &format!("k{i}"), 0).await;
        let taken = take(ledger, "s/a", 0).await;
        finish(ledger, &taken, up(error.clone()), None, 1).await;
    }
    // What may have arrived is not sent again without being asked for, and what is refused is not either.
    assert_eq!(ledger.heal("s/a", 50).await.unwrap(), 4);
    let again = ledger.claim(50, "s/a", 9).await.unwrap();
    assert_eq!(again.iter().map(|d| d.intent.state_key.as_str()).collect::<Vec<_>>(), ["k0", "k1", "k2", "k3"]);
    assert!(again.iter().all(|delivery| delivery.first_attempt == Some(50)));
    for delivery in &again {
        finish(ledger, delivery, up(SendError::retryable("x")), None, 51).await;
    }
    assert_eq!(ledger.heal("s/a", 60).await.unwrap(), 0);
}
