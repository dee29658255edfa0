//! Pauses between attempts.

use std::time::Duration;

/// How long a server is left alone at least that has too much to do.
pub(crate) const BUSY: Duration = Duration::from_secs(1);

/// Waits longer after each failure, up to five seconds: a restarted API server is found again quickly, and not flooded meanwhile.
pub(crate) fn pause(failures: u32) -> Duration {
    Duration::from_millis(100_u64 << failures.min(6)).min(Duration::from_secs(5))
}
