//! What was decided is recorded, once.

use super::*;

pub(super) async fn a_delivery_is_recorded_once_for_each_state_key(ledger: L<'_>) {
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

pub(super) async fn a_key_that_is_cleared_can_be_recorded_again(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    let clear = StateChange { set: BTreeMap::new(), clear: vec!["k".to_owned()] };
    ledger.record(&resource_of("a", "u"), &clear, &[], 0).await.unwrap();
    assert_eq!(ledger.state(&resource_of("a", "u")).await.unwrap(), Some(BTreeMap::new()));
    put(ledger, "a", "s/a", "k", 0).await;
}

pub(super) async fn a_new_uid_starts_without_history(ledger: L<'_>) {
    put(ledger, "a", "s/a", "k", 0).await;
    assert_eq!(ledger.state(&resource_of("a", "new")).await.unwrap(), None);
    let recorded = ledger.record(&resource_of("a", "new"), &set(&["k"]), &[intent("k", "s/a")], 1).await.unwrap();
    assert_eq!(recorded.len(), 1);
    assert_eq!(ledger.state(&resource_of("a", "u")).await.unwrap(), None);
    // What was decided about the old object goes on.
    assert_eq!(ledger.counts().await.unwrap().pending, 2);
}

pub(super) async fn the_oldest_state_keys_are_forgotten_beyond_a_thousand(ledger: L<'_>) {
    let keys = (0..1003).map(|i| (format!("k{i}"), i)).collect();
    ledger.record(&resource_of("a", "u"), &StateChange { set: keys, clear: Vec::new() }, &[], 0).await.unwrap();
    let state = ledger.state(&resource_of("a", "u")).await.unwrap().unwrap();
    assert_eq!((state.len(), state.values().min()), (1000, Some(&3)));
}
