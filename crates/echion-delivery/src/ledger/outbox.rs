//! Deliveries on their way: the queue of each channel.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use echion_model::{
    Delivery, DeliveryId, Destination, Finished, Intent, LedgerError, Notification, Outbox, Outcome, Queue, Rerouted,
    RouteKey, Router, Selection, SendErrorKind, Status, Version,
};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{SqlLedger, failed, read_delivery, sql};

/// Makes parked deliveries due as if they were new: somebody has just changed something, or said that they matter.
macro_rules! revive {
    ($($condition:expr),+) => {
        concat!(
            "UPDATE delivery SET status = 'pending', due = $1, ended = NULL, first_attempt = NULL, unknown = 0 ",
            "WHERE status <> 'delivered' AND status = 'parked' AND claimed IS NULL AND ",
            $($condition),+
        )
    };
}

/// Deliveries with the same needs, which have all been attempted with the same version of the configuration.
macro_rules! alike {
    () => {
        "owner = $2 AND service = $3 AND recipient = $4 AND templates = $5 AND channel = $6 \
         AND service_version IS $7 AND template_version IS $8"
    };
}

pub(super) const REVIVE_ALIKE: &str = revive!(alike!());

pub(super) const OUTDATED_ALIKE: &str =
    concat!("SELECT id FROM delivery WHERE status <> 'delivered' AND status = 'parked' AND $1 = $1 AND ", alike!());

#[async_trait]
impl Outbox for SqlLedger {
    async fn queues(&self) -> Result<Vec<Queue>, LedgerError> {
        let rows = sqlx::query(sql::QUEUES)
            .fetch_all(&self.pool())
            .await
            .map_err(failed("read which channels have something to deliver"))?;
        let queue = |row: &SqliteRow| Some(Queue { channel: row.get(0), due: row.get::<Option<i64>, _>(1)? });
        Ok(rows.iter().filter_map(queue).collect())
    }

    async fn next_due(&self, channel: &str) -> Result<Option<i64>, LedgerError> {
        sqlx::query_scalar(sql::NEXT_DUE)
            .bind(channel)
            .fetch_optional(&self.pool())
            .await
            .map_err(failed("read when the next delivery is due"))
    }

    async fn claim(&self, now: i64, channel: &str, count: u32) -> Result<Vec<Delivery>, LedgerError> {
        let rows = sqlx::query(sql::CLAIM)
            .bind(now)
            .bind(channel)
            .bind(count)
            .fetch_all(&self.pool())
            .await
            .map_err(failed(format!("take deliveries of {channel}")))?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            match read_delivery(row) {
                Ok(delivery) => claimed.push(delivery),
                // One row that somebody has damaged must not stop the others of its channel.
                Err(error) => self.set_aside(row.get("id"), &error, now).await?,
            }
        }
        claimed.sort_by(|a, b| (a.due, &a.id).cmp(&(b.due, &b.id)));
        Ok(claimed)
    }

    async fn finish(&self, finished: &Finished, now: i64) -> Result<(), LedgerError> {
        let Finished { id, channel, outcome, version, pause } = finished;
        let error = || failed(format!("record the outcome of {id}"));
        let (status, due) = match outcome {
            Outcome::Delivered(_) => (Status::Delivered, None),
            Outcome::Retry { due, .. } => (Status::Pending, Some(*due)),
            Outcome::Parked { due, .. } => (Status::Parked, *due),
        };
        let (detail, hint) = match outcome {
            Outcome::Delivered(receipt) => (receipt.answer.as_str(), ""),
            Outcome::Retry { error, .. } | Outcome::Parked { error, .. } => {
                (error.reason.as_str(), error.hint.as_str())
            }
        };
        let unknown = outcome.error().is_some_and(|error| error.kind == SendErrorKind::Unknown);
        let mut tx = self.begin().await.map_err(error())?;
        sqlx::query(sql::FINISH_ATTEMPT)
            .bind(&id.0)
            .bind(channel)
            .bind(now)
            .bind(outcome.class())
            .bind(detail)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        let row = sqlx::query(sql::FINISH)
            .bind(&id.0)
            .bind(status.as_str())
            .bind(due)
            .bind(outcome.class())
            .bind(detail)
            .bind(hint)
            .bind(i64::from(unknown))
            .bind(&version.service)
            .bind(&version.templates)
            .bind(now)
            .bind(pause.is_some())
            .fetch_optional(&mut *tx)
            .await
            .map_err(error())?;
        let Some(row) = row else { return tx.commit().await.map_err(error()) };
        let (resource, queue): (String, String) = (row.get(0), row.get(1));
        // Those behind it wait as long as it does, and no longer.
        let follow = match (status, due) {
            (Status::Pending, Some(_)) if pause.is_none() => sql::FOLLOW_LATER,
            _ => sql::FOLLOW_SOONER,
        };
        sqlx::query(follow)
            .bind(&queue)
            .bind(&resource)
            .bind(&id.0)
            .bind(due.filter(|_| status == Status::Pending).unwrap_or(now))
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        match (status, due) {
            (Status::Delivered, _) => {
                sqlx::query(sql::UNWRITTEN).bind(&resource).execute(&mut *tx).await.map_err(error())?;
            }
            (Status::Parked, Some(due)) => {
                sqlx::query(sql::PRECEDE)
                    .bind(&queue)
                    .bind(&resource)
                    .bind(&id.0)
                    .bind(due)
                    .execute(&mut *tx)
                    .await
                    .map_err(error())?;
            }
            _ => {}
        }
        if let Some(until) = pause {
            sqlx::query(
                "INSERT INTO channel (name, paused_until) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET \
                 paused_until = MAX(paused_until, excluded.paused_until)",
            )
            .bind(channel)
            .bind(until)
            .execute(&mut *tx)
            .await
            .map_err(error())?;
        }
        tx.commit().await.map_err(error())
    }

    async fn release(&self, id: &DeliveryId) -> Result<(), LedgerError> {
        sqlx::query(
            "UPDATE delivery SET claimed = NULL, attempts = attempts - 1, \
             first_attempt = CASE WHEN attempts = 1 THEN NULL ELSE first_attempt END WHERE id = $1 AND claimed IS NOT NULL",
        )
        .bind(&id.0)
        .execute(&self.pool())
        .await
        .map_err(failed(format!("give back {id}")))?;
        Ok(())
    }

    async fn pauses(&self, now: i64) -> Result<BTreeMap<String, i64>, LedgerError> {
        let rows = sqlx::query("SELECT name, paused_until FROM channel WHERE paused_until > $1")
            .bind(now)
            .fetch_all(&self.pool())
            .await
            .map_err(failed("read which channels pause"))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn spent(&self, channel: &str, since: i64) -> Result<Vec<i64>, LedgerError> {
        sqlx::query_scalar(sql::SPENT)
            .bind(channel)
            .bind(since)
            .fetch_all(&self.pool())
            .await
            .map_err(failed("read what a channel has spent"))
    }

    async fn recover(&self, now: i64) -> Result<u64, LedgerError> {
        let error = || failed("read which attempts were interrupted");
        let mut tx = self.begin().await.map_err(error())?;
        sqlx::query(
            "INSERT INTO attempt (delivery, channel, started, finished, outcome, detail) \
             SELECT id, channel, claimed, $1, 'interrupted', '' FROM delivery WHERE claimed IS NOT NULL \
             ON CONFLICT DO NOTHING",
        )
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        let done = sqlx::query(
            "UPDATE delivery SET claimed = NULL, class = 'interrupted', detail = 'the process ended during the attempt', \
             due = MIN(COALESCE(due, $1), $1) WHERE claimed IS NOT NULL",
        )
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        tx.commit().await.map_err(error())?;
        Ok(done.rows_affected())
    }

    async fn pull_back(&self, latest: i64, now: i64) -> Result<u64, LedgerError> {
        let error = || failed("make due what lies too far ahead");
        let mut tx = self.begin().await.map_err(error())?;
        let mut count = 0;
        for sql in [
            "UPDATE delivery SET due = $2 WHERE due > $1",
            "UPDATE delivery SET first_attempt = $2 WHERE first_attempt > $1 AND status <> 'delivered'",
            "UPDATE channel SET paused_until = $2 WHERE paused_until > $1",
            "UPDATE attempt SET finished = $2 WHERE finished > $1",
        ] {
            let done = sqlx::query(sql).bind(latest).bind(now).execute(&mut *tx).await.map_err(error())?;
            count += done.rows_affected();
        }
        tx.commit().await.map_err(error())?;
        Ok(count)
    }

    async fn shift(&self, step: i64) -> Result<(), LedgerError> {
        let error = || failed("follow the clock");
        let mut tx = self.begin().await.map_err(error())?;
        for sql in [
            "UPDATE delivery SET first_attempt = first_attempt + $1 \
             WHERE status <> 'delivered' AND due IS NOT NULL AND first_attempt IS NOT NULL",
            // What is due stays due when the clock is set forward.
            "UPDATE delivery SET due = due + MIN($1, 0) WHERE due IS NOT NULL",
            "UPDATE channel SET paused_until = paused_until + MIN($1, 0)",
        ] {
            sqlx::query(sql).bind(step).execute(&mut *tx).await.map_err(error())?;
        }
        tx.commit().await.map_err(error())
    }

    async fn reroute(&self, router: Router<'_>, now: i64) -> Result<Rerouted, LedgerError> {
        let error = || failed("follow the new configuration");
        let mut tx = self.begin().await.map_err(error())?;
        let rows = sqlx::query(
            "SELECT DISTINCT owner, service, recipient, templates, channel, service_version, template_version \
             FROM delivery WHERE status <> 'delivered'",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(error())?;
        let mut rerouted = Rerouted::default();
        // Rows that moved may look like others afterwards, and be found again.
        let mut outdated = BTreeSet::new();
        for row in &rows {
            let text = |name: &str| row.get::<Option<String>, _>(name);
            let templates = text("templates").unwrap_or_default();
            let destination = Destination {
                service: text("service").unwrap_or_default(),
                recipient: text("recipient").unwrap_or_default(),
            };
            let key = RouteKey {
                owner: text("owner").unwrap_or_default(),
                templates: serde_json::from_str(&templates).unwrap_or_default(),
                destination,
            };
            let (channel, version) = router(&key);
            let old = Version {
                service: text("service_version").unwrap_or_else(|| version.service.clone()),
                // Nothing is known of the templates of what has only been attempted without a service.
                templates: text("template_version")
                    .filter(|known| !known.is_empty())
                    .unwrap_or_else(|| version.templates.clone()),
            };
            let channel = channel.or_else(|| text("channel")).unwrap_or_default();
            let moved = text("channel").as_deref() != Some(channel.as_str());
            if !moved && old == version && text("service_version").is_some() {
                continue;
            }
            if old.templates != version.templates {
                let ids =
                    alike(sqlx::query(OUTDATED_ALIKE).bind(now), row).fetch_all(&mut *tx).await.map_err(error())?;
                outdated.extend(ids.iter().map(|row| row.get::<String, _>(0)));
            } else if old.service != version.service {
                let done = alike(sqlx::query(REVIVE_ALIKE).bind(now), row).execute(&mut *tx).await.map_err(error())?;
                rerouted.revived += done.rows_affected();
                // What waits for its retry need not wait for it: the cause may be gone.
                let sql = concat!(
                    "UPDATE delivery SET due = MIN(due, $1) WHERE status <> 'delivered' AND status = 'pending' \
                     AND due IS NOT NULL AND ",
                    alike!()
                );
                alike(sqlx::query(sql).bind(now), row).execute(&mut *tx).await.map_err(error())?;
            }
            let sql = concat!(
                "UPDATE delivery SET channel = $9, service_version = COALESCE(service_version, $10), \
                 template_version = COALESCE(template_version, $11) WHERE status <> 'delivered' AND $1 = $1 AND ",
                alike!()
            );
            let moved = alike(sqlx::query(sql).bind(now), row).bind(&channel).bind(&version.service);
            moved.bind(&version.templates).execute(&mut *tx).await.map_err(error())?;
        }
        tx.commit().await.map_err(error())?;
        rerouted.outdated = outdated.into_iter().map(DeliveryId).collect();
        Ok(rerouted)
    }

    async fn redeliver(&self, selection: &Selection, now: i64) -> Result<u64, LedgerError> {
        let error = || failed("make deliveries due again");
        let done = match selection {
            Selection::Id(prefix) => {
                // No pattern: `%` and `_` are characters like any other. Ids are written in lower case.
                let sql = revive!(
                    "substr(id, 1, length($2)) = $2 AND id >= $2 \
                     AND 1 = (SELECT COUNT(*) FROM delivery WHERE id >= $2 AND substr(id, 1, length($2)) = $2)"
                );
                sqlx::query(sql).bind(now).bind(prefix.to_ascii_lowercase()).execute(&self.pool()).await
            }
            Selection::Parked { service } => {
                let sql = revive!("($2 IS NULL OR service = $2)");
                sqlx::query(sql).bind(now).bind(service.as_deref()).execute(&self.pool()).await
            }
        };
        Ok(done.map_err(error())?.rows_affected())
    }

    async fn render_again(
        &self,
        id: &DeliveryId,
        notification: &Notification,
        version: &Version,
        now: i64,
    ) -> Result<(), LedgerError> {
        let error = || failed(format!("render {id} again"));
        let mut tx = self.begin().await.map_err(error())?;
        let text: Option<String> = sqlx::query_scalar("SELECT intent FROM delivery WHERE id = $1")
            .bind(&id.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(error())?;
        let Some(text) = text else { return Ok(()) };
        let mut intent: Intent = serde_json::from_str(&text).map_err(failed("read back a delivery"))?;
        intent.notification.clone_from(notification);
        let text = serde_json::to_string(&intent).map_err(failed("encode a delivery"))?;
        sqlx::query(
            "UPDATE delivery SET status = 'pending', due = $1, ended = NULL, first_attempt = NULL, unknown = 0, \
             intent = $2, service_version = $3, template_version = $4 \
             WHERE id = $5 AND status = 'parked' AND claimed IS NULL",
        )
        .bind(now)
        .bind(text)
        .bind(&version.service)
        .bind(&version.templates)
        .bind(&id.0)
        .execute(&mut *tx)
        .await
        .map_err(error())?;
        tx.commit().await.map_err(error())
    }

    async fn heal(&self, channel: &str, now: i64) -> Result<u64, LedgerError> {
        let error = || failed(format!("retry what is parked for {channel}"));
        let mut tx = self.begin().await.map_err(error())?;
        let mut count = 0;
        for sql in sql::HEAL {
            let done = sqlx::query(sql).bind(now).bind(channel).execute(&mut *tx).await.map_err(error())?;
            count += done.rows_affected();
        }
        tx.commit().await.map_err(error())?;
        Ok(count)
    }
}

impl SqlLedger {
    /// Parks a row that cannot be read.
    async fn set_aside(&self, id: &str, error: &LedgerError, now: i64) -> Result<(), LedgerError> {
        sqlx::query(
            "UPDATE delivery SET status = 'parked', due = NULL, claimed = NULL, ended = $2, class = 'rejected', \
             detail = $3, hint = 'its row in the ledger is damaged' WHERE id = $1",
        )
        .bind(id)
        .bind(now)
        .bind(format!("{error}: {}", error.cause))
        .execute(&self.pool())
        .await
        .map_err(failed(format!("park {id}, which cannot be read")))?;
        Ok(())
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Binds what `alike!` asks for, from a row that has it.
fn alike<'q>(query: Query<'q>, row: &SqliteRow) -> Query<'q> {
    ["owner", "service", "recipient", "templates", "channel", "service_version", "template_version"]
        .into_iter()
        .fold(query, |query, name| query.bind(row.get::<Option<String>, _>(name)))
}
