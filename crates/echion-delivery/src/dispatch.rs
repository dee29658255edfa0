//! The dispatcher: takes what is due, channel by channel, keeps budgets, hands it to services, records what came of it.

mod landing;
mod parts;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use echion_model::{
    Channel, Delivery, DeliveryId, LedgerError, Message, Receipt, SendError, Service, SharedLedger, Version,
};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

use crate::ahead::RunAhead;
use crate::budget::{Slot, Spent, millis};
use crate::lane::Lanes;
use crate::policy::LONGEST_PAUSE;
use landing::Landed;
pub use parts::{AttemptReporter, Attempted, Clock, Route, Routes, Totals, Waker};

/// Deliveries taken at once for one channel.
const BATCH: u32 = 16;

/// A service that neither answers nor times out by itself is given up on.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(90);

/// How often the ledger is read although nothing happened: another process may have made deliveries due.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How long attempts that are on their way may take when the dispatcher is to end.
const END_GRACE: Duration = Duration::from_secs(5);

/// How long the wait is before a ledger that failed is tried again, and for how long it is.
const LEDGER_RETRY: Duration = Duration::from_secs(1);
const LEDGER_PATIENCE: Duration = Duration::from_secs(60);

/// How long what was delivered is kept, and how often what is older is forgotten.
const HISTORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const PRUNE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// A step of the clock that is more than imprecision.
const CLOCK_STEP: i64 = 5_000;

/// Empties the outbox, one channel next to the other.
pub struct Dispatcher {
    ledger: SharedLedger,
    routes: Routes,
    clock: Clock,
    waker: Arc<Waker>,
    ahead: Option<Arc<RunAhead>>,
    reporter: Arc<dyn AttemptReporter>,
    totals: Mutex<Totals>,
}

/// An attempt on its way.
struct Flight {
    delivery: Delivery,
    channel: Channel,
    lane: String,
    version: Version,
}

#[derive(Default)]
struct Work {
    tasks: JoinSet<Result<Receipt, SendError>>,
    flights: HashMap<Id, Flight>,
    landed: Vec<Landed>,
    /// Claimed, not attempted, and not given back yet, because the ledger failed.
    unreleased: Vec<DeliveryId>,
    lanes: Lanes,
    /// Channels that wait until less is ahead of the annotations.
    held: BTreeSet<String>,
    /// When the ledger is tried again, and since when it has failed.
    broken: Option<(i64, i64)>,
    polled: Option<i64>,
    pruned: Option<i64>,
    clocks: Option<(i64, Instant)>,
}

impl Work {
    fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.landed.is_empty()
    }
}

impl Dispatcher {
    /// A dispatcher over a ledger. It begins with [`run`](Self::run), which must not be before the configuration has been read: what has no
    /// service is parked.
    pub fn new(ledger: SharedLedger, routes: Routes, clock: Clock, reporter: Arc<dyn AttemptReporter>) -> Self {
        let (waker, totals) = (Arc::default(), Mutex::default());
        Self { ledger, routes, clock, waker, ahead: None, reporter, totals }
    }

    /// The same, never further ahead of the annotations than this allows.
    #[must_use]
    pub fn bounded_by(self, ahead: Arc<RunAhead>) -> Self {
        Self { ahead: Some(ahead), ..self }
    }

    /// To be woken whenever something was recorded.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// How attempts ended so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Dispatches until `stop` is true, then lets the attempts that are on their way end, for some seconds.
    ///
    /// # Errors
    /// When the ledger fails for a minute, or was replaced by another one: without it nothing may be sent.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<(), LedgerError> {
        let mut work = Work::default();
        loop {
            let next = self.turn(&mut work).await?;
            // Only waiting is in `select!`: what has ended must be recorded, whatever else happens meanwhile.
            let ended = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.waiting(!work.held.is_empty(), next) => continue,
                Some(ended) = work.tasks.join_next_with_id() => ended,
            };
            self.land(&mut work, ended).await;
        }
        let deadline = Instant::now() + END_GRACE;
        while !work.is_idle() {
            match timeout_at(deadline, work.tasks.join_next_with_id()).await {
                Ok(Some(ended)) => self.land(&mut work, ended).await,
                Ok(None) => {
                    if timeout_at(deadline, tokio::time::sleep(LEDGER_RETRY / 4)).await.is_err() {
                        break;
                    }
                    self.record_landed(&mut work).await;
                }
                // The next start finds them interrupted.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Dispatches until nothing is on its way and nothing is due before `deadline` (milliseconds since 1970).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn drain(&self, deadline: i64) -> Result<(), LedgerError> {
        let mut work = Work::default();
        loop {
            let next = self.turn(&mut work).await?;
            let due = work.lanes.next().filter(|_| work.broken.is_none());
            // What is held back waits for whoever writes annotations, but not beyond the deadline.
            let held = !work.held.is_empty() && (self.clock)() < deadline;
            if work.is_idle() && work.broken.is_none() && !held && due.is_none_or(|due| due > deadline) {
                return Ok(());
            }
            let ended = tokio::select! {
                () = self.waiting(!work.held.is_empty(), next) => continue,
                Some(ended) = work.tasks.join_next_with_id() => ended,
            };
            self.land(&mut work, ended).await;
        }
    }

    /// Waits for the next thing to do that is not the end of an attempt.
    async fn waiting(&self, held: bool, next: i64) {
        let now = (self.clock)();
        let wait = Duration::from_millis(u64::try_from(next.saturating_sub(now)).unwrap_or(0));
        tokio::select! {
            () = self.waker.notify.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = async {
                match &self.ahead {
                    Some(ahead) if held => ahead.freed().await,
                    _ => std::future::pending().await,
                }
            } => {}
        }
    }

    /// Does everything that can be done now. Gives the time of the next turn.
    async fn turn(&self, work: &mut Work) -> Result<i64, LedgerError> {
        let now = (self.clock)();
        if let Some((again, _)) = work.broken
            && again > now
        {
            return Ok(again);
        }
        match self.advance(work, now).await {
            Ok(()) => work.broken = None,
            Err(error) => {
                self.ledger.verify().await?;
                let since = work.broken.map_or(now, |(_, since)| since);
                if now.saturating_sub(since) > millis(LEDGER_PATIENCE) {
                    return Err(error);
                }
                if work.broken.is_none() {
                    self.reporter.ledger_failed(&error);
                }
                let again = now.saturating_add(millis(LEDGER_RETRY));
                work.broken = Some((again, since));
                return Ok(again);
            }
        }
        let poll = now.saturating_add(millis(POLL_INTERVAL));
        Ok(work.lanes.next().map_or(poll, |at| at.min(poll)))
    }

    async fn advance(&self, work: &mut Work, now: i64) -> Result<(), LedgerError> {
        // Before anything is sent: out of a file that was removed another process may be delivering by now.
        self.ledger.verify().await?;
        self.record_landed(work).await;
        if let Some(landed) = work.landed.first() {
            let what = format!("record the outcome of {}", landed.finished.id);
            return Err(LedgerError { what, cause: "the ledger did not take it".into() });
        }
        while let Some(id) = work.unreleased.last() {
            self.ledger.release(id).await?;
            work.unreleased.pop();
        }
        if work.polled.is_none() {
            self.ledger.recover(now).await?;
            self.ledger.pull_back(now.saturating_add(2 * millis(LONGEST_PAUSE)), now).await?;
            work.lanes.pause(self.ledger.pauses(now).await?);
        }
        self.follow_clock(work, now).await?;
        let reconfigured = self.waker.reconfigured.swap(false, std::sync::atomic::Ordering::AcqRel);
        if reconfigured {
            work.lanes.each().for_each(|lane| lane.settings = None);
        }
        let due =
            |at: Option<i64>, every: Duration| at.is_none_or(|at| now.saturating_sub(at) >= millis(every) || at > now);
        if reconfigured || due(work.polled, POLL_INTERVAL) {
            for queue in self.ledger.queues().await? {
                work.lanes.serve_by(&queue.channel, queue.due);
            }
            work.polled = Some(now);
        }
        if due(work.pruned, PRUNE_INTERVAL) {
            self.ledger.prune(now.saturating_sub(millis(HISTORY))).await?;
            work.pruned = Some(now);
        }
        let recorded = std::mem::take(&mut *self.waker.channels.lock().unwrap_or_else(PoisonError::into_inner));
        for channel in recorded.iter().chain(&std::mem::take(&mut work.held)) {
            work.lanes.serve_by(channel, now);
        }
        while let Some(name) = work.lanes.take_due(now) {
            if let Err(error) = self.serve(work, &name, now).await {
                work.lanes.serve_by(&name, now);
                return Err(error);
            }
        }
        Ok(())
    }

    /// After the clock was set back, nothing waits longer than it would have; after it was set forward, nothing is older.
    async fn follow_clock(&self, work: &mut Work, now: i64) -> Result<(), LedgerError> {
        let instant = Instant::now();
        let Some((then, since)) = work.clocks.replace((now, instant)) else { return Ok(()) };
        let step = now.saturating_sub(then).saturating_sub(millis(instant.duration_since(since)));
        if step.saturating_abs() > CLOCK_STEP {
            // A machine that slept has not failed meanwhile.
            self.ledger.shift(step).await?;
        }
        if step < -CLOCK_STEP {
            self.ledger.pull_back(now.saturating_add(millis(LONGEST_PAUSE)), now).await?;
            for lane in work.lanes.each() {
                lane.paused_until = lane.paused_until.saturating_add(step);
                lane.healed = lane.healed.map(|at| at.saturating_add(step));
                if let Some(spent) = &mut lane.spent {
                    spent.pull_back(now);
                }
            }
            for queue in self.ledger.queues().await? {
                work.lanes.serve_by(&queue.channel, now);
            }
        }
        Ok(())
    }

    /// Starts what may start now on one channel.
    async fn serve(&self, work: &mut Work, name: &str, now: i64) -> Result<(), LedgerError> {
        let lane = work.lanes.lane(name);
        if lane.paused_until > now {
            let until = lane.paused_until;
            return self.serve_later(work, name, until).await;
        }
        // Until the first delivery tells what the channel is like, one is taken.
        let mut room = lane.settings.as_ref().map_or(1, |c| c.concurrency.clamp(1, BATCH)).saturating_sub(lane.load);
        if room == 0 {
            // The end of an attempt makes room.
            return Ok(());
        }
        if let Some(budget) = lane.settings.as_ref().and_then(|settings| settings.budget) {
            match self.slot(work, name, budget, now).await? {
                Slot::Free => room = 1,
                Slot::At(at) => return self.serve_later(work, name, at).await,
                Slot::AfterNext => return Ok(()),
            }
        }
        if let Some(ahead) = &self.ahead {
            room = room.min(ahead.room(u32::try_from(work.flights.len()).unwrap_or(u32::MAX)));
            if room == 0 {
                work.held.insert(name.to_owned());
                return Ok(());
            }
        }
        let claimed = self.ledger.claim(now, name, room).await?;
        if claimed.is_empty() {
            match self.ledger.next_due(name).await? {
                Some(due) if due > now => work.lanes.serve_by(name, due),
                // It waits for an older one about the same resource, whose end serves the channel.
                Some(_) if work.lanes.lane(name).load > 0 => {}
                Some(_) => work.lanes.serve_by(name, now.saturating_add(millis(LEDGER_RETRY))),
                None => {}
            }
            return Ok(());
        }
        for delivery in claimed {
            let id = delivery.id.clone();
            if let Err(error) = self.start(work, name, delivery, now).await {
                // Left as it is, it would never be taken again.
                work.unreleased.push(id);
                return Err(error);
            }
        }
        work.lanes.serve_by(name, now);
        Ok(())
    }

    /// Serves a channel at this time at the earliest, if it has anything to deliver.
    async fn serve_later(&self, work: &mut Work, name: &str, at: i64) -> Result<(), LedgerError> {
        if let Some(due) = self.ledger.next_due(name).await? {
            work.lanes.serve_by(name, due.max(at));
        }
        Ok(())
    }

    async fn slot(
        &self,
        work: &mut Work,
        name: &str,
        budget: echion_model::Budget,
        now: i64,
    ) -> Result<Slot, LedgerError> {
        if work.lanes.lane(name).spent.is_none() {
            let ends = self.ledger.spent(name, Spent::since(budget, now)).await?;
            work.lanes.lane(name).spent = Some(Spent::new(ends, now));
        }
        Ok(work.lanes.lane(name).spent.as_mut().map_or(Slot::Free, |spent| spent.slot(budget, now)))
    }

    /// Starts the attempt at a delivery that was taken. When it fails, no attempt was started.
    async fn start(&self, work: &mut Work, name: &str, delivery: Delivery, now: i64) -> Result<(), LedgerError> {
        let key = delivery.intent.route();
        let Some(Route { service, version }) = (self.routes)(&key) else {
            let service = &key.destination.service;
            let error = SendError::attention(
                format!("no service `{service}` is configured"),
                format!("configure `service.<type>.{service}`; the delivery goes out by itself then"),
            );
            let channel = Channel {
                name: name.to_owned(),
                budget: None,
                concurrency: 1,
                retry: echion_model::Retry::default(),
                idempotent: true,
            };
            let flight = Flight { delivery, channel, lane: name.to_owned(), version: Version::default() };
            work.lanes.lane(name).load += 1;
            self.landed(work, flight, Err(error));
            self.record_landed(work).await;
            return Ok(());
        };
        let channel = Channel::of(&*service, &key);
        let lane = work.lanes.lane(name);
        if lane.settings.is_none() {
            lane.settings = Some(channel.clone());
            if let Some(budget) = channel.budget
                && self.slot(work, name, budget, now).await? != Slot::Free
            {
                return self.ledger.release(&delivery.id).await;
            }
        }
        let lane = work.lanes.lane(name);
        lane.load += 1;
        if let Some(spent) = &mut lane.spent {
            spent.begin(now);
        }
        let span = tracing::info_span!("attempt", resource = %delivery.resource, delivery = %delivery.id, channel = name, attempt = delivery.attempts);
        let attempt = attempt(service, delivery.clone(), now, Arc::clone(&self.ledger)).instrument(span);
        let task = work.tasks.spawn(attempt);
        work.flights.insert(task.id(), Flight { delivery, channel, lane: name.to_owned(), version });
        Ok(())
    }
}

/// One attempt.
async fn attempt(
    service: Arc<dyn Service>,
    delivery: Delivery,
    now: i64,
    memory: SharedLedger,
) -> Result<Receipt, SendError> {
    let message = Message {
        notification: &delivery.intent.notification,
        recipient: &delivery.intent.destination.recipient,
        id: &delivery.id,
        now,
        memory: &*memory,
    };
    match timeout(ATTEMPT_TIMEOUT, service.send(message)).await {
        Ok(sent) => sent,
        Err(_) => Err(SendError::unknown(format!("no end after {} seconds", ATTEMPT_TIMEOUT.as_secs()))),
    }
}
