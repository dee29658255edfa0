//! The ledger in SQL. One connection: SQLite has one writer anyway, and every method is short.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Counts, Delivery, DeliveryId, Filter, Intent, Ledger, LedgerError, Mirror, Outcome, Resource, ResourceId,
    SendErrorKind, State, StateChange, Status,
};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr as _};
use uuid::Uuid;

/// How long delivered messages and their attempts are kept.
const KEEP_HISTORY: i64 = 7 * 24 * 60 * 60 * 1000;

/// How many state keys of a resource are kept. The annotation holds the newest hundred of them.
const KEEP_STATE: i64 = 1000;

/// The queue a delivery stands in: its service, and whose it is.
fn queue(intent: &Intent) -> String {
    let service = &intent.destination.service;
    if intent.owner.is_empty() { service.clone() } else { format!("{}/{service}", intent.owner) }
}

/// A ledger in an SQLite file.
#[derive(Debug)]
pub struct SqlLedger {
    pub(crate) pool: SqlitePool,
}

impl SqlLedger {
    /// Opens the ledger in a file, which is created when it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a ledger.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        Self::connect(options, format!("open the ledger {}", path.display())).await
    }

    /// A ledger that is gone when the process ends.
    ///
    /// # Errors
    /// When SQLite refuses, which it has no reason to.
    pub async fn in_memory() -> Result<Self, LedgerError> {
        Self::connect(SqliteConnectOptions::new().in_memory(true), "open a ledger in memory".to_owned()).await
    }

    async fn connect(options: SqliteConnectOptions, what: String) -> Result<Self, LedgerError> {
        // WAL with full synchronisation: what is committed survives the process and the machine.
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(failed(what.clone()))?;
        let step = |version, name, sql: &'static str| {
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
        };
        let steps = vec![
            step(1, "ledger", include_str!("../migrations/0001_ledger.sql")),
            step(2, "memory", include_str!("../migrations/0002_memory.sql")),
            step(3, "mirror", include_str!("../migrations/0003_mirror.sql")),
        ];
        Migrator::with_migrations(steps).run(&pool).await.map_err(failed(what))?;
        Ok(Self { pool })
    }
}

pub(crate) fn failed<E: std::error::Error + Send + Sync + 'static>(
    what: impl Into<String>,
) -> impl FnOnce(E) -> LedgerError {
    let what = what.into();
    move |cause| LedgerError { what, cause: Box::new(cause) }
}

#[async_trait]
impl Ledger for SqlLedger {
    async fn state(&self, resource: &Resource) -> Result<Option<State>, LedgerError> {
        let error = || failed(format!("read the state of {}", resource.id));
        let id = &resource.id;
        let known = sqlx::query("SELECT uid FROM resource WHERE kind = ? AND namespace = ? AND name = ?")
            .bind(&id.kind)
            .bind(&id.namespace)
            .bind(&id.name)
            .fetch_optional(&self.pool)
            .await
            .map_err(error())?;
        if known.is_none_or(|row| row.get::<String, _>(0) != resource.uid) {
            return Ok(None);
        }
        let rows = sqlx::query("SELECT key, since FROM state WHERE kind = ? AND namespace = ? AND name = ?")
            .bind(&id.kind)
            .bind(&id.namespace)
            .bind(&id.name)
            .fetch_all(&self.pool)
            .await
            .map_err(error())?;
        Ok(Some(rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
    }

    async fn record(
        &self,
        resource: &Resource,
        change: &StateChange,
        intents: &[Intent],
        now: i64,
    ) -> Result<Vec<DeliveryId>, LedgerError> {
        let error = || failed(format!("record what was decided about {}", resource.id));
        let id = &resource.id;
        let mut tx = self.pool.begin().await.map_err(error())?;
        // A new uid under an old name is a new object: what the old one was told does not count.
        sqlx::query(
            "DELETE FROM state WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND NOT EXISTS \
             (SELECT 1 FROM resource WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND uid = ?4)",
        )
        .bind(&id.kind)
        .bind(&id.namespace)
        .bind(&id.name)
        .bind(&resource.uid)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        sqlx::query(
            "INSERT INTO resource (kind, namespace, name, uid) VALUES (?, ?, ?, ?) \
             ON CONFLICT (kind, namespace, name) DO UPDATE SET uid = excluded.uid",
        )
        .bind(&id.kind)
        .bind(&id.namespace)
        .bind(&id.name)
        .bind(&resource.uid)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        for key in &change.clear {
            sqlx::query("DELETE FROM state WHERE kind = ? AND namespace = ? AND name = ? AND key = ?")
                .bind(&id.kind)
                .bind(&id.namespace)
                .bind(&id.name)
                .bind(key)
                .execute(&mut *tx)
                .await
                .map_err(error())?;
        }
        let mut fresh = BTreeSet::new();
        for (key, since) in &change.set {
            let done = sqlx::query(
                "INSERT INTO state (kind, namespace, name, key, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(&id.kind)
            .bind(&id.namespace)
            .bind(&id.name)
            .bind(key)
            .bind(since)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
            if done.rows_affected() > 0 {
                fresh.insert(key.as_str());
            }
        }
        let mut ids = Vec::new();
        for intent in intents.iter().filter(|intent| fresh.contains(intent.state_key.as_str())) {
            let delivery = Uuid::now_v7().to_string();
            let text = serde_json::to_string(intent).map_err(failed("write down a delivery"))?;
            sqlx::query(
                "INSERT INTO delivery \
                 (id, kind, namespace, name, service, state_key, intent, status, attempts, created, due, detail, fix) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', 0, ?, ?, '', '')",
            )
            .bind(&delivery)
            .bind(&id.kind)
            .bind(&id.namespace)
            .bind(&id.name)
            .bind(queue(intent))
            .bind(&intent.state_key)
            .bind(text)
            .bind(now)
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
            ids.push(DeliveryId(delivery));
        }
        // Revisions come without end; the oldest are forgotten.
        sqlx::query(
            "DELETE FROM state WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND key IN \
             (SELECT key FROM state WHERE kind = ?1 AND namespace = ?2 AND name = ?3 ORDER BY since DESC LIMIT -1 OFFSET ?4)",
        )
        .bind(&id.kind)
        .bind(&id.namespace)
        .bind(&id.name)
        .bind(KEEP_STATE)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        tx.commit().await.map_err(error())?;
        Ok(ids)
    }

    async fn acknowledged(&self, resource: &ResourceId) -> Result<State, LedgerError> {
        // A key without a delivery was imported; of several deliveries the last one counts.
        let rows = sqlx::query(
            "SELECT key, since FROM state s WHERE kind = ? AND namespace = ? AND name = ? AND 'delivered' = COALESCE( \
             (SELECT status FROM delivery d WHERE d.kind = s.kind AND d.namespace = s.namespace AND d.name = s.name \
             AND d.state_key = s.key ORDER BY d.id DESC LIMIT 1), 'delivered')",
        )
        .bind(&resource.kind)
        .bind(&resource.namespace)
        .bind(&resource.name)
        .fetch_all(&self.pool)
        .await
        .map_err(failed(format!("read what {resource} was told")))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn mirrored(&self, resource: &ResourceId) -> Result<Option<Mirror>, LedgerError> {
        let row = sqlx::query("SELECT uid, mirrored FROM resource WHERE kind = ? AND namespace = ? AND name = ?")
            .bind(&resource.kind)
            .bind(&resource.namespace)
            .bind(&resource.name)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed(format!("read what was written into {resource}")))?;
        Ok(row.map(|row| Mirror { uid: row.get(0), annotation: row.get(1) }))
    }

    async fn mirror(&self, resource: &ResourceId, annotation: &str) -> Result<(), LedgerError> {
        sqlx::query("UPDATE resource SET mirrored = ? WHERE kind = ? AND namespace = ? AND name = ?")
            .bind(annotation)
            .bind(&resource.kind)
            .bind(&resource.namespace)
            .bind(&resource.name)
            .execute(&self.pool)
            .await
            .map_err(failed(format!("note what was written into {resource}")))?;
        Ok(())
    }

    async fn known(&self, kind: &str) -> Result<Vec<ResourceId>, LedgerError> {
        let rows = sqlx::query("SELECT namespace, name FROM resource WHERE kind = ?")
            .bind(kind)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list the resources that have a state"))?;
        let id = |row: &SqliteRow| ResourceId { kind: kind.to_owned(), namespace: row.get(0), name: row.get(1) };
        Ok(rows.iter().map(id).collect())
    }

    async fn counts(&self) -> Result<Counts, LedgerError> {
        let rows = sqlx::query("SELECT status, COUNT(*) FROM delivery WHERE status <> 'delivered' GROUP BY status")
            .fetch_all(&self.pool)
            .await
            .map_err(failed("count the deliveries that wait"))?;
        let mut counts = Counts::default();
        for row in rows {
            let count = u64::try_from(row.get::<i64, _>(1)).unwrap_or(0);
            match Status::parse(row.get(0)) {
                Some(Status::Pending) => counts.pending = count,
                Some(Status::Parked) => counts.parked = count,
                _ => {}
            }
        }
        Ok(counts)
    }

    async fn forget(&self, resource: &ResourceId) -> Result<(), LedgerError> {
        let error = || failed(format!("forget {resource}"));
        let mut tx = self.pool.begin().await.map_err(error())?;
        for sql in [
            "DELETE FROM state WHERE kind = ? AND namespace = ? AND name = ?",
            "DELETE FROM resource WHERE kind = ? AND namespace = ? AND name = ?",
        ] {
            sqlx::query(sql)
                .bind(&resource.kind)
                .bind(&resource.namespace)
                .bind(&resource.name)
                .execute(&mut *tx)
                .await
                .map_err(error())?;
        }
        tx.commit().await.map_err(error())
    }

    async fn due(&self, now: i64, limit: u32) -> Result<Vec<Delivery>, LedgerError> {
        let error = || failed("read the deliveries that are due");
        // Two narrow questions instead of a window over everything that waits: this runs after every attempt.
        let services = sqlx::query("SELECT DISTINCT service FROM delivery WHERE status = 'pending' AND due <= ?")
            .bind(now)
            .fetch_all(&self.pool)
            .await
            .map_err(error())?;
        let mut due = Vec::new();
        for service in services {
            let rows = sqlx::query(
                "SELECT * FROM delivery WHERE status = 'pending' AND service = ? AND due <= ? ORDER BY id LIMIT ?",
            )
            .bind(service.get::<String, _>(0))
            .bind(now)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(error())?;
            for row in &rows {
                due.push(read_delivery(row)?);
            }
        }
        due.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(due)
    }

    async fn next_due(&self, now: i64) -> Result<Option<i64>, LedgerError> {
        let row = sqlx::query("SELECT MIN(due) FROM delivery WHERE status = 'pending' AND due > ?")
            .bind(now)
            .fetch_one(&self.pool)
            .await
            .map_err(failed("read when the next delivery is due"))?;
        Ok(row.get(0))
    }

    async fn begin(&self, id: &DeliveryId, channel: &str, now: i64) -> Result<(), LedgerError> {
        let error = || failed(format!("note the beginning of an attempt at {id}"));
        let mut tx = self.pool.begin().await.map_err(error())?;
        sqlx::query("INSERT INTO attempt (delivery, channel, started) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(&id.0)
            .bind(channel)
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        sqlx::query("UPDATE delivery SET attempts = attempts + 1 WHERE id = ?")
            .bind(&id.0)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        tx.commit().await.map_err(error())
    }

    async fn finish(&self, id: &DeliveryId, outcome: &Outcome, now: i64) -> Result<(), LedgerError> {
        let error = || failed(format!("record the outcome of {id}"));
        let (status, due, detail, fix) = match outcome {
            Outcome::Delivered(receipt) => (Status::Delivered, now, receipt.answer.as_str(), ""),
            Outcome::Later { due, error } => (Status::Pending, *due, error.reason.as_str(), error.fix.as_str()),
            Outcome::Parked(error) => (Status::Parked, now, error.reason.as_str(), error.fix.as_str()),
        };
        let mut tx = self.pool.begin().await.map_err(error())?;
        sqlx::query("UPDATE delivery SET status = ?, due = ?, detail = ?, fix = ? WHERE id = ?")
            .bind(status.as_str())
            .bind(due)
            .bind(detail)
            .bind(fix)
            .bind(&id.0)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        sqlx::query("UPDATE attempt SET finished = ?, outcome = ?, detail = ? WHERE delivery = ? AND finished IS NULL")
            .bind(now)
            .bind(outcome.class())
            .bind(detail)
            .bind(&id.0)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        if let Outcome::Later { due, error: reason } = outcome
            && matches!(reason.kind, SendErrorKind::RateLimited { .. })
        {
            sqlx::query(
                "UPDATE delivery SET due = ?1 WHERE status = 'pending' AND due < ?1 \
                 AND service = (SELECT service FROM delivery WHERE id = ?2)",
            )
            .bind(due)
            .bind(&id.0)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        }
        if matches!(outcome, Outcome::Delivered(_)) {
            for sql in
                ["DELETE FROM attempt WHERE started < ?", "DELETE FROM delivery WHERE status = 'delivered' AND due < ?"]
            {
                sqlx::query(sql).bind(now.saturating_sub(KEEP_HISTORY)).execute(&mut *tx).await.map_err(error())?;
            }
        }
        tx.commit().await.map_err(error())
    }

    async fn attempts_since(&self, channel: &str, since: i64) -> Result<Vec<i64>, LedgerError> {
        let rows = sqlx::query("SELECT started FROM attempt WHERE channel = ? AND started > ? ORDER BY started")
            .bind(channel)
            .bind(since)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read what a channel has spent"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Delivery>, LedgerError> {
        let limit = if filter.limit == 0 { i64::MAX } else { i64::from(filter.limit) };
        let rows = sqlx::query("SELECT * FROM delivery WHERE ?1 = '' OR status = ?1 ORDER BY id DESC LIMIT ?2")
            .bind(filter.status.map_or("", Status::as_str))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list deliveries"))?;
        rows.iter().map(read_delivery).collect()
    }

    async fn redeliver(&self, id: &DeliveryId, now: i64) -> Result<bool, LedgerError> {
        // The age limit starts anew: somebody has just said that this one matters.
        let done = sqlx::query(
            "UPDATE delivery SET status = 'pending', due = ?1, created = ?1, attempts = 0 WHERE id = ?2 AND status = 'parked'",
        )
        .bind(now)
        .bind(&id.0)
        .execute(&self.pool)
        .await
        .map_err(failed(format!("re-deliver {id}")))?;
        Ok(done.rows_affected() > 0)
    }
}

fn read_delivery(row: &SqliteRow) -> Result<Delivery, LedgerError> {
    let intent: String = row.get("intent");
    let intent: Intent = serde_json::from_str(&intent).map_err(failed("read back a delivery"))?;
    Ok(Delivery {
        id: DeliveryId(row.get("id")),
        resource: ResourceId { kind: row.get("kind"), namespace: row.get("namespace"), name: row.get("name") },
        intent,
        status: Status::parse(row.get("status")).unwrap_or(Status::Parked),
        attempts: u32::try_from(row.get::<i64, _>("attempts")).unwrap_or(u32::MAX),
        created: row.get("created"),
        due: row.get("due"),
        detail: row.get("detail"),
        fix: row.get("fix"),
    })
}

#[cfg(test)]
mod tests {
    use echion_model::{Destination, Notification, Receipt, SendError};

    use super::*;

    fn resource(uid: &str) -> Resource {
        let id = ResourceId { kind: "Application".into(), namespace: "argocd".into(), name: "demo".into() };
        Resource { id, uid: uid.into(), object: Default::default() }
    }

    fn intent(key: &str, service: &str) -> Intent {
        Intent {
            trigger: "t".into(),
            condition: "[0].x".into(),
            owner: String::new(),
            state_key: key.into(),
            templates: vec!["a".into()],
            destination: Destination { service: service.into(), recipient: String::new() },
            notification: Notification { message: "hi".into(), ..Notification::default() },
        }
    }

    fn setting(keys: &[&str]) -> StateChange {
        StateChange { set: keys.iter().map(|k| ((*k).to_owned(), 7)).collect(), clear: Vec::new() }
    }

    #[tokio::test]
    async fn a_decision_is_recorded_once() {
        let ledger = SqlLedger::in_memory().await.unwrap();
        assert_eq!(ledger.state(&resource("u")).await.unwrap(), None);
        let change = setting(&["k1", "imported"]);
        let first = ledger.record(&resource("u"), &change, &[intent("k1", "s")], 100).await.unwrap();
        let again = ledger.record(&resource("u"), &change, &[intent("k1", "s")], 200).await.unwrap();
        assert_eq!((first.len(), again.len()), (1, 0));
        assert_eq!(ledger.state(&resource("u")).await.unwrap().unwrap().len(), 2);
        let due = ledger.due(100, 10).await.unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].intent, intent("k1", "s"));
    }

    #[tokio::test]
    async fn a_new_object_of_the_same_name_starts_without_history() {
        let ledger = SqlLedger::in_memory().await.unwrap();
        ledger.record(&resource("u1"), &setting(&["k"]), &[], 0).await.unwrap();
        assert_eq!(ledger.state(&resource("u2")).await.unwrap(), None);
        let ids = ledger.record(&resource("u2"), &setting(&["k"]), &[intent("k", "s")], 0).await.unwrap();
        assert_eq!(ids.len(), 1);
    }

    #[tokio::test]
    async fn a_pause_of_one_service_holds_back_only_that_service() {
        let ledger = SqlLedger::in_memory().await.unwrap();
        let intents = [intent("a", "x"), intent("b", "x"), intent("c", "y")];
        let ids = ledger.record(&resource(""), &setting(&["a", "b", "c"]), &intents, 0).await.unwrap();
        ledger.begin(&ids[0], "x", 1).await.unwrap();
        let error = SendError::rate_limited("slow down", Duration::from_secs(600));
        ledger.finish(&ids[0], &Outcome::Later { due: 600_001, error }, 1).await.unwrap();
        let due = ledger.due(1000, 10).await.unwrap();
        assert_eq!(due.iter().map(|d| d.id.clone()).collect::<Vec<_>>(), [ids[2].clone()]);
        assert_eq!(ledger.due(600_001, 10).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_long_queue_hides_no_other_service() {
        let ledger = SqlLedger::in_memory().await.unwrap();
        let mut intents: Vec<_> = (0..50).map(|i| intent(&format!("k{i}"), "hung")).collect();
        intents.push(intent("last", "fine"));
        let keys: Vec<_> = intents.iter().map(|i| i.state_key.clone()).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        ledger.record(&resource(""), &setting(&keys), &intents, 0).await.unwrap();
        let due = ledger.due(0, 2).await.unwrap();
        let services: Vec<_> = due.iter().map(|d| d.intent.destination.service.as_str()).collect();
        assert_eq!(services, ["hung", "hung", "fine"]);
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let ledger = SqlLedger::open(&path).await.unwrap();
        let ids = ledger.record(&resource("u"), &setting(&["k"]), &[intent("k", "s")], 5).await.unwrap();
        ledger.finish(&ids[0], &Outcome::Delivered(Receipt::default()), 6).await.unwrap();
        drop(ledger);
        let ledger = SqlLedger::open(&path).await.unwrap();
        assert!(ledger.state(&resource("u")).await.unwrap().unwrap().contains_key("k"));
        assert_eq!(ledger.list(&Filter::default()).await.unwrap()[0].status, Status::Delivered);
        assert_eq!(ledger.next_due(0).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_parked_delivery_can_be_made_due_again() {
        let ledger = SqlLedger::in_memory().await.unwrap();
        let ids = ledger.record(&resource(""), &setting(&["k"]), &[intent("k", "s")], 0).await.unwrap();
        let parked = Outcome::Parked(SendError::permanent("wrong token", "get another one"));
        ledger.finish(&ids[0], &parked, 1).await.unwrap();
        assert!(ledger.due(i64::MAX, 10).await.unwrap().is_empty());
        assert!(ledger.redeliver(&ids[0], 9).await.unwrap());
        assert!(!ledger.redeliver(&ids[0], 9).await.unwrap());
        assert_eq!(ledger.due(9, 10).await.unwrap().len(), 1);
    }
}
