//! What services remember, next to the deliveries in the ledger.

use std::time::Duration;

use async_trait::async_trait;
use echion_model::{LedgerError, Memory};
use sqlx::Row as _;

use super::{SqlLedger, failed};
use crate::budget::millis;

#[async_trait]
impl Memory for SqlLedger {
    async fn recall(&self, key: &str, now: i64) -> Result<Option<String>, LedgerError> {
        let row = sqlx::query("SELECT value FROM memory WHERE key = $1 AND expires > $2")
            .bind(key)
            .bind(now)
            .fetch_optional(&self.pool())
            .await
            .map_err(failed(format!("recall {key}")))?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn remember(&self, key: &str, value: &str, now: i64, keep: Duration) -> Result<(), LedgerError> {
        let error = || failed(format!("remember {key}"));
        let mut tx = self.begin().await.map_err(error())?;
        sqlx::query(
            "INSERT INTO memory (key, value, expires) VALUES ($1, $2, $3) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires",
        )
        .bind(key)
        .bind(value)
        .bind(now.saturating_add(millis(keep)))
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        tx.commit().await.map_err(error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_remembered_outlives_a_restart_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let ledger = SqlLedger::open(&path).await.unwrap();
        ledger.remember("slack/a", "1", 0, Duration::from_secs(1)).await.unwrap();
        ledger.remember("slack/a", "2", 0, Duration::from_secs(1)).await.unwrap();
        drop(ledger);
        let ledger = SqlLedger::open(&path).await.unwrap();
        assert_eq!(ledger.recall("slack/a", 999).await.unwrap().as_deref(), Some("2"));
        assert_eq!(ledger.recall("slack/a", 1000).await.unwrap(), None);
        assert_eq!(ledger.recall("slack/b", 0).await.unwrap(), None);
    }
}
