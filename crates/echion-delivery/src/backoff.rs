//! When a failed delivery is tried again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use echion_model::{DeliveryId, Retry};

/// The wait after attempt number `attempt` (from 1): doubling from the minimum to the maximum, a quarter more or less, so that
/// deliveries that failed together do not come back together. The jitter follows from the id: no state, and tests can repeat it.
pub(crate) fn wait(retry: &Retry, id: &DeliveryId, attempt: u32) -> Duration {
    let doubled = retry.min.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(30)));
    let base = doubled.min(retry.max);
    let mut hasher = DefaultHasher::new();
    (id, attempt).hash(&mut hasher);
    let per_mille = 750 + u32::try_from(hasher.finish() % 501).unwrap_or(0);
    (base / 1000).saturating_mul(per_mille)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_with_a_quarter_of_jitter() {
        let retry = Retry { min: Duration::from_secs(1), max: Duration::from_secs(60), ..Retry::default() };
        let id = DeliveryId("a".into());
        for (attempt, seconds) in [(1, 1.0), (2, 2.0), (3, 4.0), (7, 60.0), (1000, 60.0)] {
            let got = wait(&retry, &id, attempt).as_secs_f64();
            assert!((seconds * 0.75..=seconds * 1.25).contains(&got), "attempt {attempt}: {got}");
        }
    }
}
