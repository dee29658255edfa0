//! What follows from the end of an attempt: the retry rules of every class, as pure functions.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use echion_model::{Channel, Delivery, DeliveryId, Outcome, Receipt, Retry, SendError, SendErrorKind};

use crate::budget::millis;

/// The vendor's word on pauses is taken up to here.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// No attempt follows another one faster, whatever the vendor says.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Waits after attempts whose fate is not known, where a repeated one would be a second message: few, but far enough apart that a proxy
/// which restarts is back by then.
const UNKNOWN: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(2 * 60)];

/// Waits between attempts while somebody must act; the last one repeats.
const ATTENTION: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(5 * 60), Duration::from_secs(15 * 60), Duration::from_secs(60 * 60)];

/// The end of an attempt, and until when the whole channel must pause.
pub(crate) fn outcome(
    sent: Result<Receipt, SendError>,
    channel: &Channel,
    delivery: &Delivery,
    now: i64,
) -> (Outcome, Option<i64>) {
    let error = match sent {
        Ok(receipt) => return (Outcome::Delivered(receipt), None),
        Err(error) => error,
    };
    let own = backoff(&channel.retry, &delivery.id, delivery.attempts);
    let after = |wait: Duration| now.saturating_add(millis(wait.max(SHORTEST_WAIT)));
    let due = match error.kind {
        SendErrorKind::Rejected => return (Outcome::Parked { due: None, error }, None),
        SendErrorKind::Attention => {
            let at =
                usize::try_from(delivery.attempts.saturating_sub(1)).unwrap_or(usize::MAX).min(ATTENTION.len() - 1);
            let due = (!is_old(channel, delivery, now))
                .then(|| after(spread(ATTENTION[at], &delivery.id, delivery.attempts)));
            return (Outcome::Parked { due, error }, None);
        }
        SendErrorKind::Unknown if channel.idempotent => after(own),
        SendErrorKind::Unknown => match UNKNOWN.get(usize::try_from(delivery.unknown).unwrap_or(usize::MAX)) {
            Some(wait) => after(spread(*wait, &delivery.id, delivery.attempts)),
            None => {
                let reason = format!("it may have arrived, after {} attempts: {}", delivery.attempts, error.reason);
                let hint = "look whether it is there; `echion deliveries redeliver` sends it again";
                let error = SendError { reason, hint: hint.to_owned(), ..error };
                return (Outcome::Parked { due: None, error }, None);
            }
        },
        SendErrorKind::Retryable { retry_after } => {
            after(retry_after.map_or(own, |asked| asked.min(LONGEST_PAUSE).max(own)))
        }
        SendErrorKind::RateLimited { retry_after } | SendErrorKind::QuotaExhausted { retry_after } => {
            after(retry_after.min(LONGEST_PAUSE).max(own))
        }
    };
    let pause = error.kind.pause().map(|_| due);
    if is_old(channel, delivery, now) {
        let reason = format!("given up after {} attempts: {}", delivery.attempts, error.reason);
        let hint = match error.kind {
            SendErrorKind::Unknown => "look whether it is there; `echion deliveries redeliver` sends it again",
            _ => "it is sent once more when the channel works again, or with `echion deliveries redeliver`",
        };
        let error = SendError { reason, hint: hint.to_owned(), ..error };
        return (Outcome::Parked { due: None, error }, pause);
    }
    (Outcome::Retry { due, error }, pause)
}

/// Age counts from the first attempt: what only waited for its turn has not failed yet.
fn is_old(channel: &Channel, delivery: &Delivery, now: i64) -> bool {
    let age = now.saturating_sub(delivery.first_attempt.unwrap_or(now));
    age > millis(channel.retry.give_up_after)
}

/// The wait after attempt number `attempt` (from 1): doubling from the minimum to the maximum.
fn backoff(retry: &Retry, id: &DeliveryId, attempt: u32) -> Duration {
    spread(echion_model::backoff(retry.min, retry.max, attempt.saturating_sub(1)), id, attempt)
}

/// A quarter more or less, so that deliveries that failed together do not come back together. It follows from the id: no state, and
/// tests can repeat it.
fn spread(wait: Duration, id: &DeliveryId, attempt: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (id, attempt).hash(&mut hasher);
    let per_mille = 750 + u32::try_from(hasher.finish() % 501).unwrap_or(0);
    (wait / 1000).saturating_mul(per_mille)
}

#[cfg(test)]
mod tests {
    use echion_model::{Destination, Intent, Notification, ResourceId, Status};

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn channel() -> Channel {
        Channel { name: "c".into(), budget: None, concurrency: 1, retry: Retry::default(), idempotent: false }
    }

    fn delivery(attempts: u32, unknown: u32) -> Delivery {
        Delivery {
            id: DeliveryId("a".into()),
            resource: ResourceId { group: String::new(), kind: "K".into(), namespace: "n".into(), name: "r".into() },
            uid: String::new(),
            intent: Intent {
                trigger: "t".into(),
                condition: "c".into(),
                owner: String::new(),
                state_key: "k".into(),
                templates: Vec::new(),
                destination: Destination { service: "s".into(), recipient: String::new() },
                channel: "c".into(),
                notification: Notification::default(),
            },
            status: Status::Pending,
            attempts,
            unknown,
            created: -10 * DAY,
            first_attempt: Some(0),
            due: Some(0),
            class: String::new(),
            detail: String::new(),
            hint: String::new(),
        }
    }

    fn failed(error: SendError, attempts: u32, now: i64) -> (Outcome, Option<i64>) {
        outcome(Err(error), &channel(), &delivery(attempts, 0), now)
    }

    fn due(outcome: &Outcome) -> Option<i64> {
        match outcome {
            Outcome::Retry { due, .. } => Some(*due),
            Outcome::Parked { due, .. } => *due,
            Outcome::Delivered(_) => None,
        }
    }

    fn assert_about(got: Option<i64>, seconds: i64) {
        let got = got.expect("due");
        assert!((seconds * 750..=seconds * 1250).contains(&got), "{got} is not about {seconds} s");
    }

    #[test]
    fn waits_double_up_to_the_maximum_with_a_quarter_of_jitter() {
        for (attempts, seconds) in [(2, 2), (3, 4), (9, 256), (1000, 300)] {
            assert_about(due(&failed(SendError::retryable("x"), attempts, 0).0), seconds);
        }
    }

    /// A vendor that says `Retry-After: 0` is not asked again at once, and not for ever.
    #[test]
    fn a_pause_of_zero_is_no_shorter_than_the_own_backoff_and_ages() {
        let limited = || SendError::rate_limited("429", Duration::ZERO);
        let (first, pause) = failed(limited(), 1, 0);
        assert!(due(&first).unwrap() >= 1000 && pause == due(&first));
        assert_about(due(&failed(limited(), 5, 0).0), 16);
        assert!(matches!(failed(limited(), 400, DAY + 1).0, Outcome::Parked { due: None, .. }));
    }

    #[test]
    fn a_pause_is_taken_up_to_an_hour() {
        let (outcome, pause) = failed(SendError::rate_limited("429", Duration::from_secs(7200)), 1, 0);
        assert_eq!((due(&outcome), pause), (Some(3_600_000), Some(3_600_000)));
    }

    /// What somebody outside must repair is shown as parked at once, and heals by itself.
    #[test]
    fn attention_is_parked_at_once_and_retried_slowly_for_a_day() {
        for (attempts, seconds) in [(1, 60), (2, 300), (3, 900), (4, 3600), (20, 3600)] {
            let (outcome, pause) = failed(SendError::attention("401", "log in"), attempts, 0);
            assert!(matches!(outcome, Outcome::Parked { .. }) && pause.is_none());
            assert_about(due(&outcome), seconds);
        }
        let (outcome, _) = failed(SendError::attention("401", "log in"), 30, DAY + 1);
        assert!(matches!(outcome, Outcome::Parked { due: None, .. }));
    }

    #[test]
    fn a_message_that_is_refused_is_parked_until_something_changes() {
        let (outcome, _) = failed(SendError::rejected("bad body", "correct it"), 1, 0);
        assert!(matches!(outcome, Outcome::Parked { due: None, .. }));
    }

    /// A receiver that takes the message but does not answer gets it three times, not all day; one that restarts is back by then.
    #[test]
    fn an_unknown_fate_is_retried_twice_where_a_repetition_would_be_a_second_message() {
        let unknown = |attempts, unknown, idempotent| {
            let channel = Channel { idempotent, ..channel() };
            outcome(Err(SendError::unknown("broke off")), &channel, &delivery(attempts, unknown), 0).0
        };
        assert_about(due(&unknown(1, 0, false)), 10);
        assert_about(due(&unknown(2, 1, false)), 120);
        let Outcome::Parked { due: None, error } = unknown(3, 2, false) else { panic!("it is sent a fourth time") };
        assert!(error.reason.starts_with("it may have arrived, after 3 attempts"), "{}", error.reason);
        assert!(matches!(unknown(50, 49, true), Outcome::Retry { .. }));
    }

    /// What waited long for its turn has not failed yet.
    #[test]
    fn age_counts_from_the_first_attempt() {
        assert!(matches!(failed(SendError::retryable("x"), 1, DAY).0, Outcome::Retry { .. }));
        assert!(matches!(failed(SendError::retryable("x"), 9, DAY + 1).0, Outcome::Parked { due: None, .. }));
    }
}
