//! The wall-clock budget of one evaluation.

use std::cell::Cell;
use std::time::Duration;

use echion_model::Ambient;

/// The longest that one condition or one text may take. It is generous: other budgets end nearly everything much earlier.
const LONGEST: Duration = Duration::from_secs(10);

/// Begins when it is first asked: what is over before that needs no clock.
pub(crate) struct Deadline<'w> {
    ambient: Option<&'w dyn Ambient>,
    end: Cell<Option<Duration>>,
}

impl<'w> Deadline<'w> {
    pub(crate) fn new(ambient: Option<&'w dyn Ambient>) -> Self {
        Self { ambient, end: Cell::new(None) }
    }

    /// Whether time is up. Without a ambient there is no time.
    pub(crate) fn is_over(&self) -> bool {
        let Some(ambient) = self.ambient else { return false };
        let now = ambient.elapsed();
        match self.end.get() {
            Some(end) => now >= end,
            None => {
                self.end.set(Some(now.saturating_add(LONGEST)));
                false
            }
        }
    }
}
