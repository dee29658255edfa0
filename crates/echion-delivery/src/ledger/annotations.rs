//! What is written back to where resources come from.

use async_trait::async_trait;
use echion_model::{Annotations, LedgerError, Mirror, ResourceId, State};
use sqlx::Row as _;

use super::{SqlLedger, failed, read_resource};

#[async_trait]
impl Annotations for SqlLedger {
    async fn acknowledged(&self, resource: &ResourceId) -> Result<State, LedgerError> {
        // A key without a delivery was imported; of several deliveries the last one counts.
        let rows = sqlx::query(
            "SELECT key, since FROM state s WHERE resource = $1 AND 'delivered' = COALESCE( \
             (SELECT status FROM delivery d WHERE d.resource = s.resource AND d.state_key = s.key \
             ORDER BY d.id DESC LIMIT 1), 'delivered')",
        )
        .bind(resource.key())
        .fetch_all(&self.pool())
        .await
        .map_err(failed(format!("read what has been delivered about {resource}")))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn mirrored(&self, resource: &ResourceId) -> Result<Option<Mirror>, LedgerError> {
        let row = sqlx::query("SELECT uid, mirrored, unwritten FROM resource WHERE resource = $1")
            .bind(resource.key())
            .fetch_optional(&self.pool())
            .await
            .map_err(failed(format!("read what was written into {resource}")))?;
        Ok(row.map(|row| Mirror { uid: row.get(0), annotation: row.get(1), unwritten: row.get(2) }))
    }

    async fn mirror(&self, resource: &ResourceId, annotation: &str, written: i64) -> Result<(), LedgerError> {
        sqlx::query("UPDATE resource SET mirrored = $2, unwritten = MAX(unwritten - $3, 0) WHERE resource = $1")
            .bind(resource.key())
            .bind(annotation)
            .bind(written)
            .execute(&self.pool())
            .await
            .map_err(failed(format!("note what was written into {resource}")))?;
        Ok(())
    }

    async fn unwritten(&self) -> Result<Vec<ResourceId>, LedgerError> {
        let rows = sqlx::query("SELECT resource FROM resource WHERE unwritten > 0")
            .fetch_all(&self.pool())
            .await
            .map_err(failed("list the resources whose annotation is to be written"))?;
        rows.iter().map(|row| read_resource(row.get(0))).collect()
    }
}
