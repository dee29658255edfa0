//! The ledger in a file: locks, removal, files of earlier versions.

use std::os::unix::fs::PermissionsExt as _;

use echion_delivery::SqlLedger;
use echion_model::{History as _, Outbox as _, States as _, Status};

use super::*;

fn resource(name: &str) -> Resource {
    let id = ResourceId {
        group: "argoproj.io".into(),
        kind: "Application".into(),
        namespace: "argocd".into(),
        name: name.into(),
    };
    Resource { id, uid: "u".into(), object: Default::default() }
}

async fn record(ledger: &SqlLedger, name: &str) {
    let change = StateChange { set: [("k".to_owned(), 7)].into(), clear: Vec::new() };
    ledger.record(&resource(name), &change, &[], 0).await.unwrap();
}

/// The lock is on the file, not on its name.
#[tokio::test]
async fn a_second_process_is_refused_under_any_name_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let link = folder.path().join("link.sqlite");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let first = SqlLedger::own(&path).await.unwrap();
    for name in [&path, &link] {
        let error = SqlLedger::own(name).await.unwrap_err();
        assert!(error.cause.to_string().contains("another process"), "{error}");
    }
    // Readers are welcome.
    SqlLedger::open(&link).await.unwrap().counts().await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(first);
    SqlLedger::own(&path).await.unwrap();
}

/// Rendered messages are in it.
#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_a_ledger() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let modes = || {
        let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        let mode =
            |entry: std::fs::DirEntry| (entry.file_name(), entry.metadata().unwrap().permissions().mode() & 0o777);
        let modes: Vec<_> = entries.map(mode).collect();
        assert!(modes.len() > 1, "the file and what SQLite puts next to it: {modes:?}");
        assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    };
    let owned = SqlLedger::own(&folder.path().join("owned")).await.unwrap();
    let opened = SqlLedger::open(&folder.path().join("opened")).await.unwrap();
    owned.prune(0).await.unwrap();
    opened.prune(0).await.unwrap();
    modes();
    std::fs::remove_file(folder.path().join("owned")).unwrap();
    owned.verify().await.unwrap();
    owned.prune(0).await.unwrap();
    modes();
}

/// A file that is deleted under the process comes back, with everything in it, and is locked again.
#[tokio::test]
async fn a_ledger_that_is_removed_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let ledger = SqlLedger::own(&path).await.unwrap();
    record(&ledger, "a").await;
    for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    ledger.verify().await.unwrap();
    assert!(SqlLedger::own(&path).await.is_err());
    record(&ledger, "b").await;
    drop(ledger);
    let ledger = SqlLedger::own(&path).await.unwrap();
    assert_eq!(ledger.known("argoproj.io", "Application").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_ledger_that_is_replaced_by_another_one_is_not_delivered_out_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let ledger = SqlLedger::own(&path).await.unwrap();
    let other = folder.path().join("other.sqlite");
    SqlLedger::open(&other).await.unwrap();
    std::fs::rename(&other, &path).unwrap();
    let error = ledger.verify().await.unwrap_err();
    assert!(error.cause.to_string().contains("replaced"), "{error}");
}

/// A file that version 0.1.0 wrote before channels were queues: three resources, one of a kind whose group it did not know, and deliveries
/// of every status.
#[tokio::test]
async fn a_ledger_of_an_earlier_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    std::fs::write(&path, include_bytes!("ledger-0003.sqlite")).unwrap();
    let ledger = SqlLedger::own(&path).await.unwrap();
    let state = ledger.state(&resource("a")).await.unwrap().unwrap();
    assert_eq!(state.keys().map(String::as_str).collect::<Vec<_>>(), ["k1", "k2"]);
    let list = ledger.list(&Filter::default()).await.unwrap();
    let read = |d: &Delivery| (d.status, d.resource.to_string(), d.intent.destination.to_string(), d.due);
    assert_eq!(
        list.iter().map(read).collect::<Vec<_>>(),
        [
            (Status::Parked, "argocd/c".to_owned(), "team-a-hook".to_owned(), None),
            (Status::Pending, "argocd/a".to_owned(), "slack:b".to_owned(), Some(5000)),
            (Status::Delivered, "argocd/a".to_owned(), "slack:a".to_owned(), None),
        ]
    );
    assert_eq!(list[0].intent.owner, "team-a");
    // What was parked by an earlier version stays parked until something changes.
    let router = |key: &RouteKey| {
        (Some(format!("x/{}", key.destination)), Version { service: "1".into(), templates: "1".into() })
    };
    assert_eq!(ledger.reroute(&router, 9).await.unwrap(), echion_model::Rerouted::default());
    assert_eq!(ledger.claim(6000, "x/slack:b", 9).await.unwrap().len(), 1);
    // The kind whose group was not known.
    assert!(ledger.known("apps", "Deployment").await.unwrap().is_empty());
    ledger.adopt("apps", "Deployment").await.unwrap();
    assert_eq!(ledger.known("apps", "Deployment").await.unwrap().len(), 1);
}
