//! How much of a vendor's rate is spent, by the vendor's count.

use std::collections::VecDeque;
use std::time::Duration;

use echion_model::Budget;

/// The vendor counts when a request arrives, and arrival is only known to lie before its response. So an attempt counts from its end, and
/// clocks may differ by this much.
const MARGIN: Duration = Duration::from_millis(1000);

/// The attempts of the last two windows, by their end. They are read back from the ledger at start, so a restart does not refill the
/// budget.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    ends: VecDeque<i64>,
    /// When the last attempt began.
    last: Option<i64>,
    on_their_way: u32,
}

/// Whether another attempt fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Free,
    /// From this time on.
    At(i64),
    /// When one of those on their way has ended.
    AfterNext,
}

impl Spent {
    /// How far back attempts count: a window of the budget, and one more to know a burst.
    pub(crate) fn since(budget: Budget, now: i64) -> i64 {
        now.saturating_sub(2 * window(budget))
    }

    pub(crate) fn new(ends: Vec<i64>, now: i64) -> Self {
        let ends: VecDeque<i64> = ends.into_iter().map(|end| end.min(now)).collect();
        Self { last: ends.back().copied(), ends, on_their_way: 0 }
    }

    /// Whether the next attempt fits now. After a first burst attempts are spread evenly, so that the budget is never used up at once
    /// again.
    pub(crate) fn slot(&mut self, budget: Budget, now: i64) -> Slot {
        let window = window(budget);
        while self.ends.front().is_some_and(|end| end.saturating_add(2 * window) <= now) {
            self.ends.pop_front();
        }
        let count = budget.count.max(1) as usize;
        let way = self.on_their_way as usize;
        if way >= count {
            return Slot::AfterNext;
        }
        let mut at = now;
        // The attempt whose end makes room for this one.
        if let Some(end) = (self.ends.len() + way).checked_sub(count).and_then(|index| self.ends.get(index)) {
            at = at.max(end.saturating_add(window));
        }
        if self.ends.len() + way >= count
            && let Some(last) = self.last
        {
            at = at.max(last.saturating_add(window / i64::from(budget.count.max(1))));
        }
        if at > now { Slot::At(at) } else { Slot::Free }
    }

    pub(crate) fn begin(&mut self, now: i64) {
        self.on_their_way += 1;
        self.last = Some(now);
    }

    pub(crate) fn end(&mut self, now: i64) {
        self.on_their_way = self.on_their_way.saturating_sub(1);
        self.ends.push_back(now);
    }

    /// The clock was set back: what lies ahead counts from now.
    pub(crate) fn pull_back(&mut self, now: i64) {
        self.ends.iter_mut().for_each(|end| *end = (*end).min(now));
        self.last = self.last.map(|last| last.min(now));
    }
}

fn window(budget: Budget) -> i64 {
    millis(budget.window.saturating_add(MARGIN))
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { count: 20, window: Duration::from_secs(60) };

    /// When `count` attempts begin and end that take `takes(n)` milliseconds, `wide` at once.
    fn run(spent: &mut Spent, start: i64, count: usize, wide: usize, takes: impl Fn(usize) -> i64) -> Vec<(i64, i64)> {
        let (mut now, mut done, mut way) = (start, Vec::new(), Vec::<(i64, i64)>::new());
        while done.len() < count {
            way.sort_by_key(|(_, end)| *end);
            let next = way.first().map(|(_, end)| *end);
            if next.is_some_and(|end| end <= now) {
                let ended = way.remove(0);
                spent.end(ended.1);
                done.push(ended);
                continue;
            }
            let slot = if way.len() < wide && done.len() + way.len() < count {
                spent.slot(BUDGET, now)
            } else {
                Slot::AfterNext
            };
            now = match (slot, next) {
                (Slot::Free, _) => {
                    spent.begin(now);
                    way.push((now, now + takes(done.len() + way.len())));
                    now
                }
                (Slot::At(at), Some(end)) => at.min(end),
                (Slot::At(at), None) => at,
                (Slot::AfterNext, Some(end)) => end,
                (Slot::AfterNext, None) => panic!("it waits for nothing"),
            };
        }
        done.sort_unstable();
        done
    }

    /// Whenever in an attempt the vendor counts it, no minute holds more than twenty.
    #[test]
    fn no_window_of_the_vendor_holds_more_than_the_budget() {
        for wide in [1, 4, 30] {
            let attempts =
                run(&mut Spent::default(), 0, 100, wide, |n| if n == 0 { 600 } else { 5 + (n as i64 % 7) * 40 });
            for arrival in
                [|(begin, _): &(i64, i64)| *begin, |(_, end): &(i64, i64)| *end, |(b, e): &(i64, i64)| (b + e) / 2]
            {
                // The worst case: what counts late at first counts early afterwards.
                for window in attempts.windows(21) {
                    let first = window[..20].iter().map(|(_, end)| *end).min().unwrap();
                    assert!(arrival(&window[20]).max(window[20].0) - first >= 60_000, "{window:?}");
                }
            }
        }
    }

    #[test]
    fn a_first_burst_goes_at_once_and_later_ones_are_spread() {
        let attempts = run(&mut Spent::default(), 0, 60, 1, |_| 10);
        let begins: Vec<i64> = attempts.iter().map(|(begin, _)| *begin).collect();
        assert!(begins[19] < 1000, "{begins:?}");
        assert!((61_000..62_000).contains(&begins[20]), "{begins:?}");
        assert!(begins[20..].windows(2).all(|pair| pair[1] - pair[0] >= 3_000), "{begins:?}");
        assert!(begins[59] < 190_000, "the rate is used: {begins:?}");
    }

    #[test]
    fn what_was_spent_before_a_restart_counts_and_the_rest_is_spread() {
        let mut spent = Spent::new((0..20).collect(), 30_000);
        assert_eq!(spent.slot(BUDGET, 30_000), Slot::At(61_000));
        assert_eq!(spent.slot(BUDGET, 61_000), Slot::Free);
        spent.begin(61_000);
        spent.end(61_001);
        assert_eq!(spent.slot(BUDGET, 61_100), Slot::At(64_050));
    }

    /// After the clock was set back, attempts that seem to lie ahead do not stop the channel for as long.
    #[test]
    fn attempts_that_lie_ahead_count_from_now() {
        let spent = Spent::new(vec![3_600_000; 20], 0);
        assert!(spent.ends.iter().all(|end| *end == 0));
        let mut spent = Spent::default();
        (0..20).for_each(|_| {
            spent.begin(3_600_000);
            spent.end(3_600_000);
        });
        spent.pull_back(0);
        assert_eq!(spent.slot(BUDGET, 0), Slot::At(61_000));
    }
}
