//! What was decided about resources.

use std::collections::BTreeSet;

use async_trait::async_trait;
use echion_model::{DeliveryId, Intent, Known, LedgerError, Resource, ResourceId, State, StateChange, States};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{SqlLedger, failed, read_resource, sql};

/// How many state keys of a resource are kept. The annotation holds the newest hundred of them.
const KEPT_KEYS: i64 = 1000;

#[async_trait]
impl States for SqlLedger {
    async fn state(&self, resource: &Resource) -> Result<Option<State>, LedgerError> {
        let error = || failed(format!("read the state of {}", resource.id));
        let key = resource.id.key();
        let rows = sqlx::query(
            "SELECT s.key, s.since FROM resource r LEFT JOIN state s ON s.resource = r.resource \
             WHERE r.resource = $1 AND r.uid = $2",
        )
        .bind(&key)
        .bind(&resource.uid)
        .fetch_all(&self.pool())
        .await
        .map_err(error())?;
        // A resource without keys is one row without a key.
        let entry = |row: &SqliteRow| Some((row.get::<Option<String>, _>(0)?, row.get(1)));
        Ok((!rows.is_empty()).then(|| rows.iter().filter_map(entry).collect()))
    }

    async fn record(
        &self,
        resource: &Resource,
        change: &StateChange,
        intents: &[Intent],
        now: i64,
    ) -> Result<Vec<DeliveryId>, LedgerError> {
        let error = || failed(format!("record what was decided about {}", resource.id));
        let id = resource.id.key();
        let mut tx = self.begin().await.map_err(error())?;
        // A new uid under an old name is a new object: notifications about the old one do not count.
        sqlx::query(
            "DELETE FROM state WHERE resource = $1 AND NOT EXISTS \
             (SELECT 1 FROM resource WHERE resource = $1 AND uid = $2)",
        )
        .bind(&id)
        .bind(&resource.uid)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        sqlx::query(
            "INSERT INTO resource (resource, uid, unwritten) VALUES ($1, $2, $3) ON CONFLICT (resource) DO UPDATE SET \
             uid = excluded.uid, absent_since = NULL, unwritten = CASE WHEN uid = excluded.uid \
             THEN unwritten + excluded.unwritten ELSE excluded.unwritten END",
        )
        .bind(&id)
        .bind(&resource.uid)
        .bind(i64::from(!change.clear.is_empty()))
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        for key in &change.clear {
            sqlx::query("DELETE FROM state WHERE resource = $1 AND key = $2")
                .bind(&id)
                .bind(key)
                .execute(&mut *tx)
                .await
                .map_err(error())?;
        }
        let mut fresh = BTreeSet::new();
        for (key, since) in &change.set {
            let done =
                sqlx::query("INSERT INTO state (resource, key, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                    .bind(&id)
                    .bind(key)
                    .bind(since)
                    .execute(&mut *tx)
                    .await
                    .map_err(error())?;
            if done.rows_affected() > 0 {
                fresh.insert(key.as_str());
            }
        }
        let (mut ids, mut channels) = (Vec::new(), BTreeSet::new());
        for intent in intents.iter().filter(|intent| fresh.contains(intent.state_key.as_str())) {
            let delivery = Uuid::now_v7().to_string();
            let encode = |value: Result<String, serde_json::Error>| value.map_err(failed("encode a delivery"));
            sqlx::query(sql::RECORD)
                .bind(&delivery)
                .bind(&id)
                .bind(&intent.owner)
                .bind(&intent.destination.service)
                .bind(&intent.destination.recipient)
                .bind(encode(serde_json::to_string(&intent.templates))?)
                .bind(&intent.channel)
                .bind(&intent.state_key)
                .bind(encode(serde_json::to_string(intent))?)
                .bind(now)
                .bind(&resource.uid)
                .execute(&mut *tx)
                .await
                .map_err(error())?;
            if channels.insert(intent.channel.as_str()) {
                sqlx::query(sql::RECORD_AFTER)
                    .bind(&intent.channel)
                    .bind(&id)
                    .bind(&delivery)
                    .bind(now)
                    .execute(&mut *tx)
                    .await
                    .map_err(error())?;
            }
            ids.push(DeliveryId(delivery));
        }
        // Revisions come without end; the oldest are forgotten.
        sqlx::query(
            "DELETE FROM state WHERE resource = $1 AND key IN \
             (SELECT key FROM state WHERE resource = $1 ORDER BY since DESC LIMIT -1 OFFSET $2)",
        )
        .bind(&id)
        .bind(KEPT_KEYS)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        tx.commit().await.map_err(error())?;
        Ok(ids)
    }

    async fn known(&self, group: &str, kind: &str) -> Result<Vec<Known>, LedgerError> {
        let prefix = format!("{group}/{kind}/");
        // `0` is the character after `/`.
        let rows = sqlx::query("SELECT resource, absent_since FROM resource WHERE resource >= $1 AND resource < $2")
            .bind(&prefix)
            .bind(format!("{group}/{kind}0"))
            .fetch_all(&self.pool())
            .await
            .map_err(failed("list the resources that have a state"))?;
        rows.iter().map(|row| Ok(Known { id: read_resource(row.get(0))?, absent_since: row.get(1) })).collect()
    }

    async fn adopt(&self, group: &str, kind: &str) -> Result<(), LedgerError> {
        let error = || failed(format!("give the {kind} resources of an older ledger their group"));
        let (from, until) = (format!("?/{kind}/"), format!("?/{kind}0"));
        let mut tx = self.begin().await.map_err(error())?;
        for sql in [
            "UPDATE OR IGNORE resource SET resource = $3 || substr(resource, 2) WHERE resource >= $1 AND resource < $2",
            "UPDATE OR IGNORE state SET resource = $3 || substr(resource, 2) WHERE resource >= $1 AND resource < $2",
            "UPDATE delivery SET resource = $3 || substr(resource, 2) WHERE resource >= $1 AND resource < $2",
        ] {
            sqlx::query(sql).bind(&from).bind(&until).bind(group).execute(&mut *tx).await.map_err(error())?;
        }
        tx.commit().await.map_err(error())
    }

    async fn absent(&self, resources: &[ResourceId], since: Option<i64>) -> Result<(), LedgerError> {
        let error = || failed("note which resources their source no longer has");
        let mut tx = self.begin().await.map_err(error())?;
        for id in resources {
            sqlx::query("UPDATE resource SET absent_since = $2 WHERE resource = $1")
                .bind(id.key())
                .bind(since)
                .execute(&mut *tx)
                .await
                .map_err(error())?;
        }
        tx.commit().await.map_err(error())
    }

    async fn forget(&self, resource: &ResourceId) -> Result<(), LedgerError> {
        let error = || failed(format!("forget {resource}"));
        let mut tx = self.begin().await.map_err(error())?;
        for sql in ["DELETE FROM state WHERE resource = $1", "DELETE FROM resource WHERE resource = $1"] {
            sqlx::query(sql).bind(resource.key()).execute(&mut *tx).await.map_err(error())?;
        }
        tx.commit().await.map_err(error())
    }
}
