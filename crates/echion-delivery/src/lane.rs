//! What the dispatcher knows of the channels it serves, and when to serve which.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use echion_model::Channel;

use crate::budget::Spent;

/// One channel at work.
#[derive(Debug)]
pub(crate) struct Lane {
    /// As the configuration has it; `None` until the first delivery tells.
    pub(crate) settings: Option<Channel>,
    /// Attempts on their way.
    pub(crate) load: u32,
    /// Nothing is sent before this time.
    pub(crate) paused_until: i64,
    /// What is spent of the budget; `None` until it is read from the ledger, or where there is none.
    pub(crate) spent: Option<Spent>,
    /// The last attempt failed, or none has been made yet.
    pub(crate) failing: bool,
    /// When parked deliveries were last retried because the channel works again.
    pub(crate) healed: Option<i64>,
    /// How long they are not retried again after that.
    pub(crate) heal_wait: Duration,
    /// When it is served next.
    at: Option<i64>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            settings: None,
            load: 0,
            paused_until: 0,
            spent: None,
            failing: true,
            healed: None,
            heal_wait: Duration::ZERO,
            at: None,
        }
    }
}

/// All channels, by the time at which they are to be served.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_name: HashMap<String, Lane>,
    schedule: BTreeSet<(i64, String)>,
}

impl Lanes {
    pub(crate) fn lane(&mut self, name: &str) -> &mut Lane {
        self.by_name.entry(name.to_owned()).or_default()
    }

    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.by_name.values_mut()
    }

    /// The channel is served at this time at the latest.
    pub(crate) fn serve_by(&mut self, name: &str, at: i64) {
        let lane = self.lane(name);
        let before = lane.at;
        if before.is_some_and(|before| before <= at) {
            return;
        }
        lane.at = Some(at);
        if let Some(before) = before {
            self.schedule.remove(&(before, name.to_owned()));
        }
        self.schedule.insert((at, name.to_owned()));
    }

    /// Takes the first channel that is to be served by now.
    pub(crate) fn take_due(&mut self, now: i64) -> Option<String> {
        if self.schedule.first().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, name) = self.schedule.pop_first()?;
        self.lane(&name).at = None;
        Some(name)
    }

    /// When the next channel is to be served.
    pub(crate) fn next(&self) -> Option<i64> {
        self.schedule.first().map(|(at, _)| *at)
    }

    /// Takes up pauses that the ledger knows.
    pub(crate) fn pause(&mut self, pauses: BTreeMap<String, i64>) {
        for (name, until) in pauses {
            self.lane(&name).paused_until = until;
        }
    }
}
