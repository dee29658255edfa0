//! The end of an attempt: what follows from it is recorded, and the channel goes on.

use std::sync::PoisonError;
use std::time::Duration;

use echion_model::{Finished, Outcome, Receipt, Selection, SendError, SendErrorKind};
use tokio::task::{Id, JoinError};

use super::{Attempted, Dispatcher, Flight, LEDGER_RETRY, Route, Work};
use crate::budget::millis;
use crate::policy;

/// How often at most parked deliveries are retried because their channel works again, and how seldom it becomes while the channel alternates.
const HEAL_INTERVAL: Duration = Duration::from_secs(5 * 60);
const HEAL_INTERVAL_MAX: Duration = Duration::from_secs(60 * 60);

/// An attempt that ended and is not recorded yet.
pub(super) struct Landed {
    pub(super) finished: Finished,
    attempted: Attempted,
    lane: String,
}

impl Dispatcher {
    /// Takes in an attempt that has ended, and all others that have ended by now, and records them.
    pub(super) async fn land(&self, work: &mut Work, ended: Result<(Id, Result<Receipt, SendError>), JoinError>) {
        let mut next = Some(ended);
        while let Some(ended) = next {
            let (id, sent) = match ended {
                Ok((id, sent)) => (id, sent),
                // A service that panics is a defect of ours; the message is not lost for it.
                Err(error) => (error.id(), Err(SendError::unknown("the service ended unexpectedly"))),
            };
            if let Some(flight) = work.flights.remove(&id) {
                self.landed(work, flight, sent);
            }
            next = work.tasks.try_join_next_with_id();
        }
        self.record_landed(work).await;
    }

    pub(super) fn landed(&self, work: &mut Work, flight: Flight, sent: Result<Receipt, SendError>) {
        let now = (self.clock)();
        let Flight { delivery, channel, lane, version } = flight;
        let (outcome, pause) = policy::outcome(sent, &channel, &delivery, now);
        let repeats = matches!(delivery.class.as_str(), "unknown" | "interrupted");
        let finished =
            Finished { id: delivery.id.clone(), channel: lane.clone(), outcome: outcome.clone(), version, pause };
        let attempted = Attempted { possible_duplicate: repeats && !channel.idempotent, delivery, outcome };
        work.landed.push(Landed { finished, attempted, lane });
    }

    /// Records what has ended. What the ledger does not take is kept until it does.
    pub(super) async fn record_landed(&self, work: &mut Work) {
        for landed in std::mem::take(&mut work.landed) {
            let now = (self.clock)();
            if let Err(error) = self.ledger.finish(&landed.finished, now).await {
                if work.broken.is_none() && work.landed.is_empty() {
                    self.reporter.ledger_failed(&error);
                }
                work.landed.push(landed);
                work.broken.get_or_insert((now.saturating_add(millis(LEDGER_RETRY)), now));
                continue;
            }
            let Landed { finished, attempted, lane: name } = landed;
            let lane = work.lanes.lane(&name);
            lane.load = lane.load.saturating_sub(1);
            if let Some(spent) = &mut lane.spent {
                spent.end(now);
            }
            lane.paused_until = lane.paused_until.max(finished.pause.unwrap_or(0));
            let heals = self.heals(work, &name, &attempted.outcome, now);
            work.lanes.serve_by(&name, now);
            self.count(&attempted.outcome);
            if matches!(attempted.outcome, Outcome::Delivered(_))
                && let Some(ahead) = &self.ahead
            {
                ahead.delivered(&attempted.delivery.resource);
            }
            self.reporter.attempted(&attempted);
            if self.is_outdated(&finished, &attempted)
                && let Err(error) = self.ledger.redeliver(&Selection::Id(finished.id.0.clone()), now).await
            {
                self.reporter.ledger_failed(&error);
            }
            if heals && let Err(error) = self.ledger.heal(&name, now).await {
                self.reporter.ledger_failed(&error);
                let lane = work.lanes.lane(&name);
                (lane.failing, lane.healed) = (true, None);
            }
        }
    }

    /// Whether the service has changed while an attempt was on its way that ended up parked: nothing else would notice.
    fn is_outdated(&self, finished: &Finished, attempted: &Attempted) -> bool {
        let changed = |route: Route| {
            route.version.service != finished.version.service && route.version.templates == finished.version.templates
        };
        matches!(finished.outcome, Outcome::Parked { .. })
            && (self.routes)(&attempted.delivery.intent.route()).is_some_and(changed)
    }

    /// Whether this end shows that a channel works again.
    fn heals(&self, work: &mut Work, name: &str, outcome: &Outcome, now: i64) -> bool {
        let lane = work.lanes.lane(name);
        match outcome {
            Outcome::Delivered(_) if lane.failing => {
                let since = lane.healed.map(|at| now.saturating_sub(at));
                if since.is_some_and(|since| since < millis(lane.heal_wait)) {
                    return false;
                }
                // A channel that keeps alternating retries what is parked more and more seldom; one that worked for a while begins anew.
                let soon = since.is_some_and(|since| since < 4 * millis(lane.heal_wait));
                lane.heal_wait = if soon { (2 * lane.heal_wait).min(HEAL_INTERVAL_MAX) } else { HEAL_INTERVAL };
                lane.failing = false;
                lane.healed = Some(now);
                true
            }
            _ => {
                let about_the_channel = outcome.error().is_some_and(|e| e.kind != SendErrorKind::Rejected);
                lane.failing |= about_the_channel;
                false
            }
        }
    }

    fn count(&self, outcome: &Outcome) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Delivered(_) => totals.delivered += 1,
            Outcome::Retry { .. } => totals.retried += 1,
            Outcome::Parked { .. } => totals.parked += 1,
        }
    }
}
