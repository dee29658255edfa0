//! What every backend of the ledger promises, by the ports' own words. A backend is a function that opens an empty ledger.

use echion_model::{Finished, Mirror, Rerouted, Selection};

use super::*;

/// A ledger, and the folder it lies in.
type Opened = (SharedLedger, Option<tempfile::TempDir>);

pub(crate) async fn file() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let ledger = echion_delivery::SqlLedger::own(&folder.path().join("ledger.sqlite")).await.unwrap();
    (Arc::new(ledger), Some(folder))
}

pub(crate) async fn memory() -> Opened {
    (Arc::new(echion_delivery::SqlLedger::in_memory().await.unwrap()), None)
}

/// Runs every rule against every backend.
macro_rules! contract {
    ([$($backend:ident),*] $rules:tt) => { $(contract!(@ $backend $rules);)* };
    (@ $backend:ident [$($rule:ident,)*]) => {
        mod $backend {
            $(#[tokio::test]
            async fn $rule() {
                let (ledger, _folder) = super::$backend().await;
                super::$rule(&*ledger).await;
            })*
        }
    };
}

contract!([file, memory] [
    a_delivery_is_recorded_once_for_each_state_key,
    a_key_that_is_cleared_can_be_recorded_again,
    a_new_uid_starts_without_history,
    the_oldest_state_keys_are_forgotten_beyond_a_thousand,
    queues_name_every_channel_and_its_first_due,
    claims_come_in_order_and_are_exclusive,
    of_one_resource_and_channel_only_the_oldest_is_claimed,
    what_is_given_back_was_never_attempted,
    a_delivery_that_arrived_has_ended,
    a_retry_holds_back_what_is_behind_it,
    a_pause_keeps_the_place_in_the_queue,
    what_is_parked_for_good_lets_others_pass,
    what_is_parked_with_a_time_goes_first_once_more,
    an_unknown_end_is_counted,
    the_end_of_something_unknown_changes_nothing,
    attempts_count_against_the_budget_from_their_end,
    attempts_that_were_cut_off_are_due_and_on_record,
    what_lies_too_far_ahead_is_pulled_back,
    deliveries_move_with_their_channel,
    a_changed_service_revives_what_is_parked,
    changed_templates_are_reported_once,
    what_was_never_attempted_is_not_revived,
    parked_deliveries_are_redelivered_by_the_beginning_of_their_id,
    parked_deliveries_are_redelivered_by_service,
    another_rendering_is_put_into_what_is_parked,
    a_channel_that_works_again_takes_up_what_waits,
    what_was_given_up_is_taken_up_once,
    the_annotation_holds_what_has_arrived,
    changes_that_are_not_written_are_counted,
    resources_are_known_absent_and_forgotten,
    resources_without_a_group_are_adopted,
    deliveries_are_counted_listed_and_found,
    old_history_is_forgotten,
    memories_end,
]);

type L<'a> = &'a dyn echion_model::Ledger;

pub(crate) fn resource_of(name: &str, uid: &str) -> Resource {
    let id = ResourceId {
        group: "argoproj.io".into(),
        kind: "Application".into(),
        namespace: "argocd".into(),
        name: name.into(),
    };
    Resource { id, uid: uid.into(), object: Default::default() }
}

pub(crate) fn intent(key: &str, channel: &str) -> Intent {
    let (service, recipient) = channel.split_once('/').unwrap_or((channel, ""));
    Intent {
        trigger: "t".into(),
        condition: "[0].x".into(),
        owner: String::new(),
        state_key: key.into(),
        templates: vec!["a".into()],
        destination: Destination { service: service.into(), recipient: recipient.into() },
        channel: channel.into(),
        notification: Notification { message: key.into(), ..Notification::default() },
    }
}

fn set(keys: &[&str]) -> StateChange {
    StateChange { set: keys.iter().map(|key| ((*key).to_owned(), 7)).collect(), clear: Vec::new() }
}

/// Records one delivery under a key of its own.
async fn put(ledger: L<'_>, name: &str, channel: &str, key: &str, now: i64) -> echion_model::DeliveryId {
    let ids = ledger.record(&resource_of(name, "u"), &set(&[key]), &[intent(key, channel)], now).await.unwrap();
    assert_eq!(ids.len(), 1);
    ids.into_iter().next().unwrap()
}

fn version(service: &str, templates: &str) -> Version {
    Version { service: service.into(), templates: templates.into() }
}

async fn finish(ledger: L<'_>, delivery: &Delivery, outcome: Outcome, pause: Option<i64>, now: i64) {
    let (id, channel) = (delivery.id.clone(), delivery.intent.channel.clone());
    ledger.finish(&Finished { id, channel, outcome, version: version("1", "1"), pause }, now).await.unwrap();
}

/// Claims the one delivery that can be claimed.
async fn take(ledger: L<'_>, channel: &str, now: i64) -> Delivery {
    let mut claimed = ledger.claim(now, channel, 1).await.unwrap();
    assert_eq!(claimed.len(), 1, "one delivery of {channel} is due at {now}");
    claimed.remove(0)
}

async fn keys(ledger: L<'_>, channel: &str, now: i64) -> Vec<String> {
    ledger.claim(now, channel, 100).await.unwrap().into_iter().map(|d| d.intent.state_key).collect()
}

async fn get(ledger: L<'_>, id: &echion_model::DeliveryId) -> Delivery {
    ledger.delivery(id).await.unwrap().unwrap()
}

fn delivered() -> Outcome {
    Outcome::Delivered(Receipt { answer: "HTTP 200".into() })
}

fn retry(due: i64) -> Outcome {
    Outcome::Retry { due, error: SendError::retryable("out of order") }
}

fn attention(due: Option<i64>) -> Outcome {
    Outcome::Parked { due, error: SendError::attention("no robot", "create one") }
}

fn rejected() -> Outcome {
    Outcome::Parked { due: None, error: SendError::rejected("bad body", "correct it") }
}

/// Records one delivery and parks it as refused.
async fn park(ledger: L<'_>, name: &str, channel: &str, key: &str) -> echion_model::DeliveryId {
    let id = put(ledger, name, channel, key, 0).await;
    let taken = take(ledger, channel, 0).await;
    assert_eq!(taken.id, id);
    finish(ledger, &taken, rejected(), None, 1).await;
    id
}

async fn a_delivery_is_recorded_once_for_each_state_key(ledger: L<'_>) {
    let resource = resource_of("a", "u");
    assert_eq!(ledger.state(&resource).await.unwrap(), None);
    let both = [intent("k", "s/a"), intent("k", "s/b"), intent("other", "s/a")];
    // Two deliveries account for one key; one whose key is not set is not recorded.
    assert_eq!(ledger.record(&resource, &set(&["k"]), &both, 5).await.unwrap().len(), 2);
    let again = StateChange { set: [("k".to_owned(), 99)].into(), clear: Vec::new() };
    assert!(ledger.record(&resource, &again, &both, 6).await.unwrap().is_empty());
    assert_eq!(ledger.state(&resource).await.unwrap().unwrap(), [("k".to_owned(), 7)].into());
    let list = ledger.list(&Filter::default()).await.unwrap();
    assert_eq!((list.len(), list[0].created, list[0].due, list[0].uid.as_str()), (2, 5, Some(5), "u"));
    assert_eq!((list[0].status, list[0].attempts, list[0].first_attempt), (Status::Pending, 0, None));
    // A resource without any key is known all the same.
    let bare = resource_of("bare", "u");
    ledger.record(&bare, &StateChange::default(), &[], 0).await.unwrap();
    assert_eq!(ledger.state(&bare).await.unwrap(), Some(BTreeMap::new()));
}

async fn a_key_that_is_cleared_can_be_recorded_again(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    let clear = StateChange { set: BTreeMap::new(), clear: vec!["k".to_owned()] };
    ledger.record(&resource_of("a", "u"), &clear, &[], 0).await.unwrap();
    assert_eq!(ledger.state(&resource_of("a", "u")).await.unwrap(), Some(BTreeMap::new()));
    put(ledger, "a", "s/a", "k", 0).await;
}

async fn a_new_uid_starts_without_history(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    assert_eq!(ledger.state(&resource_of("a", "new")).await.unwrap(), None);
    let recorded = ledger.record(&resource_of("a", "new"), &set(&["k"]), &[intent("k", "s/a")], 1).await.unwrap();
    assert_eq!(recorded.len(), 1);
    assert_eq!(ledger.state(&resource_of("a", "u")).await.unwrap(), None);
    // What was decided about the old object goes on.
    assert_eq!(ledger.counts().await.unwrap().pending, 2);
}

async fn the_oldest_state_keys_are_forgotten_beyond_a_thousand(ledger: L<'_>) {
    let keys = (0..1003).map(|i| (format!("k{i}"), i)).collect();
    ledger.record(&resource_of("a", "u"), &StateChange { set: keys, clear: Vec::new() }, &[], 0).await.unwrap();
    let state = ledger.state(&resource_of("a", "u")).await.unwrap().unwrap();
    assert_eq!((state.len(), state.values().min()), (1000, Some(&3)));
}

async fn queues_name_every_channel_and_its_first_due(ledger: L<'_>) {
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

async fn claims_come_in_order_and_are_exclusive(ledger: L<'_>) {
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

async fn of_one_resource_and_channel_only_the_oldest_is_claimed(ledger: L<'_>) {
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

async fn what_is_given_back_was_never_attempted(ledger: L<'_>) {
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

async fn a_delivery_that_arrived_has_ended(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    let taken = take(ledger, "s/a", 3).await;
    finish(ledger, &taken, delivered(), None, 5).await;
    let ended = get(ledger, &taken.id).await;
    assert_eq!((ended.status, ended.due, ended.attempts, ended.first_attempt), (Status::Delivered, None, 1, Some(3)));
    assert_eq!((ended.class.as_str(), ended.detail.as_str(), ended.hint.as_str()), ("delivered", "HTTP 200", ""));
    assert_eq!(ledger.spent("s/a", 4).await.unwrap(), [5]);
    assert_eq!(ledger.counts().await.unwrap(), Counts::default());
}

async fn a_retry_holds_back_what_is_behind_it(ledger: L<'_>) {
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

async fn a_pause_keeps_the_place_in_the_queue(ledger: L<'_>) {
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

async fn what_is_parked_for_good_lets_others_pass(ledger: L<'_>) {
    let first = park(ledger, "a", "s/a", "a1").await;
    let parked = get(ledger, &first).await;
    assert_eq!((parked.status, parked.due, parked.class.as_str()), (Status::Parked, None, "rejected"));
    assert_eq!((parked.detail.as_str(), parked.hint.as_str()), ("bad body", "correct it"));
    put(ledger, "a", "s/a", "a2", 5).await;
    assert_eq!(keys(ledger, "s/a", 5).await, ["a2"]);
    assert_eq!(ledger.counts().await.unwrap(), Counts { pending: 1, parked: 1 });
}

async fn what_is_parked_with_a_time_goes_first_once_more(ledger: L<'_>) {
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

async fn an_unknown_end_is_counted(ledger: L<'_>) {
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

async fn the_end_of_something_unknown_changes_nothing(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    let mut taken = take(ledger, "s/a", 0).await;
    taken.id.0 = "00000000-0000-7000-8000-000000000000".into();
    finish(ledger, &taken, delivered(), None, 1).await;
    ledger.release(&taken.id).await.unwrap();
    assert!(ledger.delivery(&taken.id).await.unwrap().is_none());
    assert!(ledger.spent("s/a", -1).await.unwrap().is_empty());
}

async fn attempts_count_against_the_budget_from_their_end(ledger: L<'_>) {
    for (name, at) in [("a", 10), ("b", 20), ("c", 30)] {
        put(ledger, name, "s/a", name, 0).await;
        let taken = take(ledger, "s/a", 5).await;
        finish(ledger, &taken, if at == 20 { rejected() } else { delivered() }, None, at).await;
    }
    assert_eq!(ledger.spent("s/a", 0).await.unwrap(), [10, 20, 30]);
    assert_eq!(ledger.spent("s/a", 10).await.unwrap(), [20, 30]);
    assert!(ledger.spent("s/b", 0).await.unwrap().is_empty());
}

async fn attempts_that_were_cut_off_are_due_and_on_record(ledger: L<'_>) {
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

async fn what_lies_too_far_ahead_is_pulled_back(ledger: L<'_>) {
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

async fn deliveries_move_with_their_channel(ledger: L<'_>) {
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

async fn a_changed_service_revives_what_is_parked(ledger: L<'_>) {
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

async fn changed_templates_are_reported_once(ledger: L<'_>) {
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

async fn what_was_never_attempted_is_not_revived(ledger: L<'_>) {
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

async fn parked_deliveries_are_redelivered_by_the_beginning_of_their_id(ledger: L<'_>) {
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

async fn parked_deliveries_are_redelivered_by_service(ledger: L<'_>) {
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

async fn another_rendering_is_put_into_what_is_parked(ledger: L<'_>) {
    let id = park(ledger, "a", "s/a", "k").await;
    let text = |message: &str| Notification { message: message.into(), ..Notification::default() };
    ledger.render_again(&id, &text("new"), &version("2", "2"), 9).await.unwrap();
    let again = get(ledger, &id).await;
    assert_eq!((again.status, again.due, again.intent.notification.clone()), (Status::Pending, Some(9), text("new")));
    // Only what is parked.
    ledger.render_again(&id, &text("newer"), &version("2", "2"), 9).await.unwrap();
    assert_eq!(get(ledger, &id).await.intent.notification, text("new"));
}

async fn a_channel_that_works_again_takes_up_what_waits(ledger: L<'_>) {
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

async fn what_was_given_up_is_taken_up_once(ledger: L<'_>) {
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

async fn the_annotation_holds_what_has_arrived(ledger: L<'_>) {
    let id = resource_of("a", "u").id;
    ledger.record(&resource_of("a", "u"), &set(&["imported"]), &[], 0).await.unwrap();
    for key in ["arrived", "waits"] {
        put(ledger, "a", &format!("s/{key}"), key, 0).await;
    }
    let taken = take(ledger, "s/arrived", 0).await;
    finish(ledger, &taken, delivered(), None, 1).await;
    let kept = |state: BTreeMap<String, i64>| state.into_keys().collect::<Vec<_>>();
    assert_eq!(kept(ledger.acknowledged(&id).await.unwrap()), ["arrived", "imported"]);
    // Of several deliveries under one key the last one counts.
    let clear = StateChange { set: BTreeMap::new(), clear: vec!["arrived".to_owned()] };
    ledger.record(&resource_of("a", "u"), &clear, &[], 2).await.unwrap();
    put(ledger, "a", "s/arrived", "arrived", 3).await;
    assert_eq!(kept(ledger.acknowledged(&id).await.unwrap()), ["imported"]);
}

async fn changes_that_are_not_written_are_counted(ledger: L<'_>) {
    let resource = resource_of("a", "u");
    assert_eq!(ledger.mirrored(&resource.id).await.unwrap(), None);
    let fresh = put(ledger, "a", "s/a", "k", 0).await;
    let mirror = |annotation: Option<&str>, unwritten| {
        Some(Mirror { uid: "u".into(), annotation: annotation.map(str::to_owned), unwritten })
    };
    assert_eq!(ledger.mirrored(&resource.id).await.unwrap(), mirror(None, 0));
    assert!(ledger.unwritten().await.unwrap().is_empty());
    let taken = take(ledger, "s/a", 0).await;
    assert_eq!(taken.id, fresh);
    finish(ledger, &taken, delivered(), None, 1).await;
    let clear = StateChange { set: BTreeMap::new(), clear: vec!["k".to_owned()] };
    ledger.record(&resource, &clear, &[], 2).await.unwrap();
    assert_eq!(ledger.mirrored(&resource.id).await.unwrap(), mirror(None, 2));
    assert_eq!(ledger.unwritten().await.unwrap(), std::slice::from_ref(&resource.id));
    ledger.mirror(&resource.id, "{}", 1).await.unwrap();
    assert_eq!(ledger.mirrored(&resource.id).await.unwrap(), mirror(Some("{}"), 1));
    ledger.mirror(&resource.id, "", 5).await.unwrap();
    assert_eq!(ledger.mirrored(&resource.id).await.unwrap(), mirror(Some(""), 0));
    assert!(ledger.unwritten().await.unwrap().is_empty());
}

async fn resources_are_known_absent_and_forgotten(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    put(ledger, "b", "s/a", "k", 0).await;
    let known = || async {
        let known = ledger.known("argoproj.io", "Application").await.unwrap();
        known.into_iter().map(|known| (known.id.name, known.absent_since)).collect::<Vec<_>>()
    };
    assert!(ledger.known("argoproj.io", "App").await.unwrap().is_empty());
    assert!(ledger.known("argoproj", "Application").await.unwrap().is_empty());
    ledger.absent(&[resource_of("a", "u").id, resource_of("never seen", "u").id], Some(9)).await.unwrap();
    assert_eq!(known().await, [("a".to_owned(), Some(9)), ("b".to_owned(), None)]);
    ledger.absent(&[resource_of("a", "u").id], None).await.unwrap();
    assert_eq!(known().await[0].1, None);
    // To be recorded is to be there again.
    ledger.absent(&[resource_of("a", "u").id], Some(9)).await.unwrap();
    ledger.record(&resource_of("a", "u"), &StateChange::default(), &[], 0).await.unwrap();
    assert_eq!(known().await[0].1, None);
    ledger.forget(&resource_of("a", "u").id).await.unwrap();
    assert_eq!(known().await, [("b".to_owned(), None)]);
    assert_eq!(ledger.state(&resource_of("a", "u")).await.unwrap(), None);
    assert_eq!(ledger.mirrored(&resource_of("a", "u").id).await.unwrap(), None);
    // Its deliveries go on.
    assert_eq!(ledger.claim(0, "s/a", 9).await.unwrap().len(), 2);
}

async fn resources_without_a_group_are_adopted(ledger: L<'_>) {
    let mut old = resource_of("a", "u");
    (old.id.group, old.id.kind) = ("?".into(), "Deployment".into());
    ledger.record(&old, &set(&["k"]), &[intent("k", "s/a")], 0).await.unwrap();
    ledger.adopt("apps", "Deploy").await.unwrap();
    assert!(ledger.known("apps", "Deploy").await.unwrap().is_empty());
    ledger.adopt("apps", "Deployment").await.unwrap();
    let mut new = old.clone();
    new.id.group = "apps".into();
    assert_eq!(ledger.known("apps", "Deployment").await.unwrap()[0].id, new.id);
    assert_eq!(ledger.state(&new).await.unwrap(), Some([("k".to_owned(), 7)].into()));
    assert_eq!(ledger.state(&old).await.unwrap(), None);
    assert_eq!(take(ledger, "s/a", 0).await.resource, new.id);
    ledger.adopt("apps", "Deployment").await.unwrap();
}

async fn deliveries_are_counted_listed_and_found(ledger: L<'_>) {
    let a = park(ledger, "a", "s/a", "a").await;
    let b = put(ledger, "b", "t/a", "b", 0).await;
    let c = put(ledger, "c", "s/a", "c", 0).await;
    let list = |status, service: Option<&str>, limit| {
        let filter = Filter { status, service: service.map(str::to_owned), limit };
        async move {
            let list = ledger.list(&filter).await.unwrap();
            list.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(list(None, None, 0).await, [c.clone(), b.clone(), a.clone()]);
    assert_eq!(list(None, None, 2).await, [c.clone(), b.clone()]);
    assert_eq!(list(Some(Status::Parked), None, 0).await, [a]);
    assert_eq!(list(Some(Status::Pending), Some("s"), 0).await, [c]);
    assert!(list(Some(Status::Delivered), None, 0).await.is_empty());
    assert_eq!(ledger.counts().await.unwrap(), Counts { pending: 2, parked: 1 });
    assert_eq!(get(ledger, &b).await.intent, intent("b", "t/a"));
}

async fn old_history_is_forgotten(ledger: L<'_>) {
    for (name, at) in [("old", 10), ("new", 20)] {
        put(ledger, name, "s/a", name, 0).await;
        let taken = take(ledger, "s/a", 0).await;
        finish(ledger, &taken, delivered(), None, at).await;
    }
    let parked = park(ledger, "p", "s/b", "p").await;
    let waits = put(ledger, "w", "s/c", "w", 0).await;
    ledger.prune(20).await.unwrap();
    let mut left: Vec<_> =
        ledger.list(&Filter::default()).await.unwrap().into_iter().map(|d| d.intent.state_key).collect();
    left.sort_unstable();
    assert_eq!(left, ["new", "p", "w"]);
    assert_eq!(ledger.spent("s/a", 0).await.unwrap(), [20]);
    assert!(get(ledger, &parked).await.id == parked && get(ledger, &waits).await.id == waits);
    // Its key stays acknowledged.
    assert_eq!(ledger.acknowledged(&resource_of("old", "u").id).await.unwrap().len(), 1);
}

async fn memories_end(ledger: L<'_>) {
    ledger.remember("s/a", "1", 0, SECOND).await.unwrap();
    ledger.remember("s/a", "2", 0, SECOND).await.unwrap();
    assert_eq!(ledger.recall("s/a", 999).await.unwrap().as_deref(), Some("2"));
    assert_eq!(ledger.recall("s/a", 1000).await.unwrap(), None);
    ledger.verify().await.unwrap();
}
