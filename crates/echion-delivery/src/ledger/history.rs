//! What people ask about deliveries.

use async_trait::async_trait;
use echion_model::{Attempt, Counts, Delivery, DeliveryId, Filter, History, LedgerError, Status};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{SqlLedger, failed, read_damaged, read_delivery, sql};

#[async_trait]
impl History for SqlLedger {
    async fn counts(&self) -> Result<Counts, LedgerError> {
        let rows =
            sqlx::query(sql::COUNTS).fetch_all(&self.pool()).await.map_err(failed("count the deliveries that wait"))?;
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

    async fn list(&self, filter: &Filter) -> Result<Vec<Delivery>, LedgerError> {
        let limit = if filter.limit == 0 { i64::MAX } else { i64::from(filter.limit) };
        let rows = sqlx::query(
            "SELECT * FROM delivery WHERE ($1 = '' OR status = $1) AND ($2 IS NULL OR service = $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(filter.status.map_or("", Status::as_str))
        .bind(filter.service.as_deref())
        .bind(limit)
        .fetch_all(&self.pool())
        .await
        .map_err(failed("list deliveries"))?;
        Ok(rows.iter().map(|row| read_delivery(row).unwrap_or_else(|_| read_damaged(row))).collect())
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, LedgerError> {
        let row = sqlx::query("SELECT * FROM delivery WHERE id = $1")
            .bind(&id.0)
            .fetch_optional(&self.pool())
            .await
            .map_err(failed(format!("read the delivery {id}")))?;
        row.as_ref().map(read_delivery).transpose()
    }

    async fn attempts(&self, id: &DeliveryId) -> Result<Vec<Attempt>, LedgerError> {
        let rows = sqlx::query(
            "SELECT started, finished, outcome, detail FROM attempt WHERE delivery = $1 AND finished IS NOT NULL ORDER BY started",
        )
        .bind(&id.0)
        .fetch_all(&self.pool())
        .await
        .map_err(failed(format!("read the attempts of {id}")))?;
        let text = |row: &SqliteRow, name: &str| row.get::<Option<String>, _>(name).unwrap_or_default();
        let attempt = |row: &SqliteRow| Attempt {
            started: row.get("started"),
            finished: row.get("finished"),
            outcome: text(row, "outcome"),
            detail: text(row, "detail"),
        };
        Ok(rows.iter().map(attempt).collect())
    }

    async fn prune(&self, before: i64) -> Result<(), LedgerError> {
        let error = || failed("forget old deliveries");
        let mut tx = self.begin().await.map_err(error())?;
        for sql in sql::PRUNE {
            sqlx::query(sql).bind(before).execute(&mut *tx).await.map_err(error())?;
        }
        tx.commit().await.map_err(error())
    }

    async fn verify(&self) -> Result<(), LedgerError> {
        self.verify_file().await
    }

    fn is_durable(&self) -> bool {
        self.durable
    }
}
