//! How much of a vendor's rate is spent.

use std::collections::VecDeque;
use std::time::Duration;

use echion_model::Budget;

/// The attempts of the last window. It is filled from the ledger at start, so a restart does not refill the budget.
#[derive(Debug, Default)]
pub(crate) struct Spent(VecDeque<i64>);

impl Spent {
    pub(crate) fn new(started: Vec<i64>) -> Self {
        Self(started.into())
    }

    /// When the next attempt fits: now or later.
    pub(crate) fn next_slot(&mut self, budget: Budget, now: i64) -> i64 {
        let window = millis(budget.window);
        while self.0.front().is_some_and(|started| started.saturating_add(window) <= now) {
            self.0.pop_front();
        }
        let count = budget.count.max(1) as usize;
        match self.0.len().checked_sub(count).and_then(|at| self.0.get(at)) {
            Some(started) => started.saturating_add(window),
            None => now,
        }
    }

    pub(crate) fn spend(&mut self, now: i64) {
        self.0.push_back(now);
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_holds_more_than_the_budget() {
        let budget = Budget { count: 20, window: Duration::from_secs(60) };
        let mut spent = Spent::default();
        let mut now = 0;
        let mut sent = Vec::new();
        for _ in 0..100 {
            now = spent.next_slot(budget, now).max(now);
            spent.spend(now);
            sent.push(now);
        }
        for window in sent.windows(21) {
            assert!(window[20] - window[0] >= 60_000, "{window:?}");
        }
    }

    #[test]
    fn what_was_spent_before_a_restart_counts() {
        let budget = Budget { count: 2, window: Duration::from_secs(60) };
        let mut spent = Spent::new(vec![1_000, 2_000]);
        assert_eq!(spent.next_slot(budget, 3_000), 61_000);
    }
}
