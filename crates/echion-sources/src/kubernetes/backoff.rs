//! Pauses between attempts.

use std::time::Duration;

/// How long a server is left alone at least that has too much to do.
pub(crate) const BUSY: Duration = Duration::from_secs(1);

/// Waits longer after each failure, up to five seconds: a restarted API server is found again quickly, and not flooded meanwhile.
pub(crate) fn pause(failures: u32) -> Duration {
    echion_model::backoff(Duration::from_millis(100), Duration::from_secs(5), failures)
}
