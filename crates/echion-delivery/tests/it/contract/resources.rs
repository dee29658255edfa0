//! Annotations, resources, and what people ask.

use super::*;

pub(super) async fn the_annotation_holds_what_has_arrived(ledger: L<'_>) {
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

pub(super) async fn changes_that_are_not_written_are_counted(ledger: L<'_>) {
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

pub(super) async fn resources_are_known_absent_and_forgotten(ledger: L<'_>) {
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

pub(super) async fn resources_without_a_group_are_adopted(ledger: L<'_>) {
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

pub(super) async fn deliveries_are_counted_listed_and_found(ledger: L<'_>) {
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

pub(super) async fn old_history_is_forgotten(ledger: L<'_>) {
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

pub(super) async fn memories_end(ledger: L<'_>) {
    ledger.remember("s/a", "1", 0, SECOND).await.unwrap();
    ledger.remember("s/a", "2", 0, SECOND).await.unwrap();
    assert_eq!(ledger.recall("s/a", 999).await.unwrap().as_deref(), Some("2"));
    assert_eq!(ledger.recall("s/a", 1000).await.unwrap(), None);
    ledger.verify().await.unwrap();
}
