//! The statements that run for every delivery, or over all of them. Tests ask the database how it would run each of them: none may read
//! more rows than it has to, however long the ledger is.

/// One step of the index for each channel, however long its queue is.
pub(super) const QUEUES: &str = "WITH RECURSIVE names(name) AS ( \
       SELECT MIN(channel) FROM delivery WHERE due IS NOT NULL \
       UNION ALL \
       SELECT (SELECT MIN(channel) FROM delivery WHERE due IS NOT NULL AND channel > name) FROM names \
       WHERE name IS NOT NULL) \
     SELECT name, (SELECT due FROM delivery WHERE channel = name AND due IS NOT NULL AND claimed IS NULL \
                   ORDER BY due LIMIT 1) AS due FROM names WHERE name IS NOT NULL";

pub(super) const NEXT_DUE: &str =
    "SELECT due FROM delivery WHERE channel = $1 AND due IS NOT NULL AND claimed IS NULL ORDER BY due LIMIT 1";

pub(super) const CLAIM: &str = "UPDATE delivery SET claimed = $1, attempts = attempts + 1, first_attempt = COALESCE(first_attempt, $1) \
     WHERE id IN (SELECT d.id FROM delivery d \
       WHERE d.channel = $2 AND d.due IS NOT NULL AND d.due <= $1 AND d.claimed IS NULL \
       AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.channel = d.channel AND o.resource = d.resource \
         AND o.id < d.id AND o.due IS NOT NULL \
         AND (o.status = 'pending' OR o.claimed IS NOT NULL OR o.due <= $1)) \
       ORDER BY d.due, d.id LIMIT $3) \
     RETURNING *";

pub(super) const FINISH_ATTEMPT: &str = "INSERT INTO attempt (delivery, channel, started, finished, outcome, detail) \
     SELECT id, $2, COALESCE(claimed, $3), $3, $4, $5 FROM delivery WHERE id = $1 \
     ON CONFLICT (delivery, started) DO UPDATE SET finished = excluded.finished, outcome = excluded.outcome, \
     detail = excluded.detail";

/// A pause is the channel's: what was refused keeps its place in the queue.
pub(super) const FINISH: &str = "UPDATE delivery SET status = $2, \
     due = CASE WHEN $11 AND $2 = 'pending' THEN due ELSE $3 END, claimed = NULL, class = $4, detail = $5, \
     hint = $6, unknown = unknown + $7, service_version = $8, template_version = $9, \
     ended = CASE WHEN $2 = 'pending' THEN NULL ELSE $10 END WHERE id = $1 RETURNING resource, channel";

/// What is behind a delivery that waits for its retry waits as long.
pub(super) const FOLLOW_LATER: &str = "UPDATE delivery SET due = MAX(due, $4) WHERE channel = $1 AND resource = $2 AND id > $3 \
     AND due IS NOT NULL AND claimed IS NULL AND status = 'pending'";

/// What only waited for one that has ended need not wait any longer.
pub(super) const FOLLOW_SOONER: &str = "UPDATE delivery SET due = MIN(due, $4) WHERE channel = $1 AND resource = $2 AND id > $3 \
     AND due IS NOT NULL AND claimed IS NULL AND status = 'pending' AND attempts = 0";

/// Older ones that wait for somebody are not overtaken by this one's retry.
pub(super) const PRECEDE: &str = "UPDATE delivery SET due = MIN(due, $4) WHERE channel = $1 AND resource = $2 AND id < $3 \
     AND due IS NOT NULL AND claimed IS NULL AND status = 'parked'";

pub(super) const UNWRITTEN: &str = "UPDATE resource SET unwritten = unwritten + 1 WHERE resource = $1";

pub(super) const SPENT: &str = "SELECT finished FROM attempt WHERE channel = $1 AND finished > $2 ORDER BY finished";

/// What waits for somebody, and what was given up: that gets one more day, once. The condition that seems to be too much leads to the
/// partial index `delivery_open`.
pub(super) const HEAL: [&str; 2] = [
    "UPDATE delivery SET due = $1 WHERE channel = $2 AND status = 'parked' AND class = 'attention' \
     AND claimed IS NULL AND due > $1",
    "UPDATE delivery SET status = 'pending', due = $1, ended = NULL, first_attempt = NULL, revived = 1 \
     WHERE channel = $2 AND status <> 'delivered' AND status = 'parked' AND revived = 0 AND due IS NULL AND claimed IS NULL \
     AND class IN ('retryable', 'rate-limited', 'quota-exhausted', 'attention')",
];

/// A delivery, behind the older ones of its resource: after one that waits for its retry, it waits as long.
pub(super) const RECORD: &str = "INSERT INTO delivery \
     (id, resource, owner, service, recipient, templates, channel, state_key, intent, status, created, due, uid) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', $10, \
     MAX($10, COALESCE((SELECT MAX(o.due) FROM delivery o WHERE o.channel = $7 AND o.resource = $2 AND o.id < $1 \
       AND o.due IS NOT NULL AND o.status = 'pending'), $10)), $11)";

/// An older one that waits for somebody goes first once more, so that the order is kept should its cause be repaired.
pub(super) const RECORD_AFTER: &str = "UPDATE delivery SET due = $4 WHERE channel = $1 AND resource = $2 AND id < $3 AND due > $4 \
     AND status = 'parked' AND claimed IS NULL";

pub(super) const COUNTS: &str = "SELECT status, COUNT(*) FROM delivery WHERE status <> 'delivered' GROUP BY status";

pub(super) const PRUNE: [&str; 4] = [
    "DELETE FROM attempt WHERE finished < $1",
    "DELETE FROM delivery WHERE status = 'delivered' AND ended < $1",
    "DELETE FROM memory WHERE expires < $1",
    "DELETE FROM channel WHERE paused_until < $1",
];

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::super::SqlLedger;
    use super::*;

    /// How SQLite runs a statement, a line for each step.
    async fn plan(ledger: &SqlLedger, sql: &str) -> Vec<String> {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::query(explain).fetch_all(&ledger.pool()).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect()
    }

    /// Steps that read everything, or sort it. A recursive table and a list of a few are no tables of the ledger.
    fn wide(plan: &[String]) -> Vec<&String> {
        let harmless = ["SCAN names", "SCAN CONSTANT ROW"];
        plan.iter()
            .filter(|step| {
                let scan = step.starts_with("SCAN ") && !harmless.iter().any(|start| step.starts_with(start));
                scan || step.contains("TEMP B-TREE") || step.contains("AUTOMATIC")
            })
            .collect()
    }

    /// Every statement, and the steps that it must consist of.
    const INTENDED: [(&str, &str, &[&str]); 21] = [
        ("queues", QUEUES, &["delivery_queue (channel>?)", "delivery_queue (channel=? AND due>?)"]),
        ("next_due", NEXT_DUE, &["delivery_queue (channel=? AND due>?)"]),
        (
            "claim",
            CLAIM,
            &["delivery_queue (channel=? AND due>? AND due<?)", "delivery_order (channel=? AND resource=? AND id<?)"],
        ),
        ("finish: attempt", FINISH_ATTEMPT, &["sqlite_autoindex_delivery_1 (id=?)"]),
        ("finish", FINISH, &["sqlite_autoindex_delivery_1 (id=?)"]),
        ("finish: later", FOLLOW_LATER, &["delivery_order (channel=? AND resource=? AND id>?)"]),
        ("finish: sooner", FOLLOW_SOONER, &["delivery_order (channel=? AND resource=? AND id>?)"]),
        ("finish: before", PRECEDE, &["delivery_order (channel=? AND resource=? AND id<?)"]),
        ("finish: unwritten", UNWRITTEN, &["sqlite_autoindex_resource_1 (resource=?)"]),
        ("spent", SPENT, &["attempt_channel (channel=? AND finished>?)"]),
        ("heal", HEAL[0], &["(channel=?"]),
        ("heal: given up", HEAL[1], &["delivery_open (status=? AND channel=?)"]),
        ("record", RECORD, &["delivery_order (channel=? AND resource=? AND id<?)"]),
        ("record: after", RECORD_AFTER, &["delivery_order (channel=? AND resource=? AND id<?)"]),
        ("counts", COUNTS, &["delivery_open"]),
        ("prune attempts", PRUNE[0], &["attempt_finished (finished<?)"]),
        ("prune deliveries", PRUNE[1], &["delivery_ended (ended<?)"]),
        ("prune memory", PRUNE[2], &["memory_expires (expires<?)"]),
        ("prune pauses", PRUNE[3], &["channel"]),
        ("reroute: revive", super::super::outbox::REVIVE_ALIKE, &["(status=? AND channel=?)"]),
        ("reroute: outdated", super::super::outbox::OUTDATED_ALIKE, &["(status=? AND channel=?)"]),
    ];

    #[tokio::test]
    async fn every_statement_of_the_queue_uses_the_index_that_is_meant_for_it() {
        let ledger = SqlLedger::in_memory().await.unwrap();
        let mut wrong = Vec::new();
        for (name, sql, steps) in INTENDED {
            let plan = plan(&ledger, sql).await;
            // Counting goes through the index of what is not delivered; pauses are a few rows.
            let wide = if matches!(name, "counts" | "prune pauses") { Vec::new() } else { wide(&plan) };
            if !wide.is_empty() || !steps.iter().all(|step| plan.iter().any(|line| line.contains(step))) {
                wrong.push(format!("{name}: {plan:#?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The same question to ledgers that lack an index each: it must not be answered in the same way.
    #[tokio::test]
    async fn a_missing_index_is_noticed() {
        for (index, name) in [
            ("delivery_queue", "claim"),
            ("delivery_queue", "next_due"),
            ("delivery_queue", "queues"),
            ("delivery_order", "claim"),
            ("delivery_order", "finish: sooner"),
            ("delivery_open", "heal: given up"),
            ("delivery_ended", "prune deliveries"),
            ("attempt_finished", "prune attempts"),
            ("attempt_channel", "spent"),
            ("memory_expires", "prune memory"),
        ] {
            let ledger = SqlLedger::in_memory().await.unwrap();
            let drop = sqlx::AssertSqlSafe(format!("DROP INDEX {index}"));
            sqlx::query(drop).execute(&ledger.pool()).await.unwrap();
            let (_, sql, steps) = INTENDED.iter().find(|(known, ..)| *known == name).unwrap();
            let plan = plan(&ledger, sql).await;
            let intended = steps.iter().all(|step| plan.iter().any(|line| line.contains(step)));
            assert!(!wide(&plan).is_empty() || !intended, "{name} does not need {index}: {plan:#?}");
        }
    }
}
