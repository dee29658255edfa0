//! The dispatcher: takes what is due, keeps budgets, hands it to services, records what came of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use echion_model::{
    Channel, Delivery, DeliveryId, Intent, Ledger, LedgerError, Message, Outcome, ResourceId, SendError, SendErrorKind,
    Service,
};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};

use crate::backoff;
use crate::budget::{Spent, millis};

/// Deliveries read at once for each service, beside those on their way.
const BATCH: u32 = 16;

/// A service that neither answers nor times out by itself is given up on.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often the ledger is read although nothing happened.
const GLANCE: Duration = Duration::from_secs(10);

/// The vendor's word on pauses is taken up to here.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Finds the service that a delivery is for; a reloaded configuration answers differently.
pub type Directory = Arc<dyn Fn(&Intent) -> Option<Arc<dyn Service>> + Send + Sync>;

/// The current time in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What happened to a delivery, for whoever prints or counts it.
#[derive(Clone, Debug)]
pub struct Event {
    /// The delivery as it was before the attempt.
    pub delivery: Delivery,
    /// What came of the attempt.
    pub outcome: Outcome,
}

/// How many attempts ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Taken by the vendor.
    pub delivered: u64,
    /// Failed, and to be tried again.
    pub retried: u64,
    /// Parked.
    pub parked: u64,
}

/// Empties the ledger, one channel beside the other.
pub struct Dispatcher {
    ledger: Arc<dyn Ledger>,
    directory: Directory,
    clock: Clock,
    wake: Arc<Notify>,
    report: Box<dyn Fn(&Event) + Send + Sync>,
    totals: Mutex<Totals>,
}

#[derive(Default)]
struct Flights {
    tasks: JoinSet<Event>,
    deliveries: HashSet<DeliveryId>,
    by_task: HashMap<Id, (Delivery, String)>,
    busy: HashSet<(String, ResourceId)>,
    load: HashMap<String, u32>,
    resting: HashMap<String, i64>,
    spent: HashMap<String, Spent>,
}

impl Dispatcher {
    /// A dispatcher over a ledger. `report` is called after every recorded attempt.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        directory: Directory,
        clock: Clock,
        report: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Self {
        Self {
            ledger,
            directory,
            clock,
            wake: Arc::new(Notify::new()),
            report: Box::new(report),
            totals: Mutex::default(),
        }
    }

    /// To be notified whenever something was recorded.
    #[must_use]
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// How attempts ended so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Dispatches until `stop` is notified, then lets the attempts that are on their way end.
    ///
    /// # Errors
    /// When the ledger fails: without it nothing may be sent.
    pub async fn run(&self, stop: Arc<Notify>) -> Result<(), LedgerError> {
        let mut flights = Flights::default();
        loop {
            // Another process may have made a delivery due again, which nobody tells us.
            let glance = (self.clock)().saturating_add(millis(GLANCE));
            let next = Some(self.launch(&mut flights).await?.map_or(glance, |next| next.min(glance)));
            // Only waiting stands in `select!`: what has ended must be recorded, whatever else happens meanwhile.
            let end = tokio::select! {
                () = stop.notified() => break,
                () = self.wake.notified() => continue,
                () = sleep_until(next, (self.clock)()) => continue,
                Some(end) = flights.tasks.join_next_with_id() => end,
            };
            self.land(&mut flights, end).await?;
        }
        while let Some(end) = flights.tasks.join_next_with_id().await {
            self.land(&mut flights, end).await?;
        }
        Ok(())
    }

    /// Dispatches until nothing is on its way and nothing falls due before `deadline` (milliseconds since 1970).
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn drain(&self, deadline: i64) -> Result<(), LedgerError> {
        let mut flights = Flights::default();
        loop {
            let next = self.launch(&mut flights).await?;
            if flights.deliveries.is_empty() && next.is_none_or(|due| due > deadline) {
                return Ok(());
            }
            let end = tokio::select! {
                () = sleep_until(next, (self.clock)()) => continue,
                Some(end) = flights.tasks.join_next_with_id() => end,
            };
            self.land(&mut flights, end).await?;
        }
    }

    /// Starts every attempt that may start now. Gives the time of the next one that may not; `None` when there is none.
    async fn launch(&self, flights: &mut Flights) -> Result<Option<i64>, LedgerError> {
        let now = (self.clock)();
        let mut next: Option<i64> = None;
        let mut later = |at: i64| next = Some(next.map_or(at, |n: i64| n.min(at)));
        // What is on its way is still due in the ledger, so room is left for it.
        let limit = BATCH + u32::try_from(flights.deliveries.len()).unwrap_or(BATCH);
        for delivery in self.ledger.due(now, limit).await? {
            if flights.deliveries.contains(&delivery.id) {
                continue;
            }
            let name = &delivery.intent.destination.service;
            let Some(service) = (self.directory)(&delivery.intent) else {
                let error = SendError::permanent(
                    format!("no service `{name}` is configured any more"),
                    format!("configure `service.<type>.{name}`, then re-deliver"),
                );
                self.ledger.begin(&delivery.id, name, now).await?;
                self.settle(delivery, Outcome::Parked(error)).await?;
                // It may have stood in front of others that are due.
                later(now);
                continue;
            };
            let mut channel = service.channel(&delivery.intent.destination.recipient);
            let owner = &delivery.intent.owner;
            if !owner.is_empty() {
                // Whoever configures a namespace has budgets of their own.
                channel.name = format!("{owner}/{}", channel.name);
            }
            if let Some(until) = flights.resting.get(&channel.name).copied().filter(|until| *until > now) {
                later(until);
                continue;
            }
            let load = flights.load.get(&channel.name).copied().unwrap_or(0);
            let place = (channel.name.clone(), delivery.resource.clone());
            // The landing of whatever is in the way wakes the loop.
            if load >= channel.concurrency.max(1) || flights.busy.contains(&place) {
                continue;
            }
            if let Some(budget) = channel.budget {
                if !flights.spent.contains_key(&channel.name) {
                    let since = now.saturating_sub(millis(budget.window));
                    let started = self.ledger.attempts_since(&channel.name, since).await?;
                    flights.spent.insert(channel.name.clone(), Spent::new(started));
                }
                let spent = flights.spent.entry(channel.name.clone()).or_default();
                let slot = spent.next_slot(budget, now);
                if slot > now {
                    later(slot);
                    continue;
                }
                spent.spend(now);
            }
            self.ledger.begin(&delivery.id, &channel.name, now).await?;
            *flights.load.entry(channel.name.clone()).or_default() += 1;
            flights.busy.insert(place);
            flights.deliveries.insert(delivery.id.clone());
            let name = channel.name.clone();
            let task = flights.tasks.spawn(attempt(
                service,
                channel,
                delivery.clone(),
                Arc::clone(&self.clock),
                Arc::clone(&self.ledger),
            ));
            flights.by_task.insert(task.id(), (delivery, name));
        }
        // What is due and was not started waits for a slot, which is in `next`, or for a landing.
        if let Some(due) = self.ledger.next_due(now).await? {
            next = Some(next.map_or(due, |n| n.min(due)));
        }
        Ok(next)
    }

    /// Records an attempt that has ended, and all others that have ended by now.
    async fn land(&self, flights: &mut Flights, end: Result<(Id, Event), JoinError>) -> Result<(), LedgerError> {
        self.landed(flights, end).await?;
        while let Some(next) = flights.tasks.try_join_next_with_id() {
            self.landed(flights, next).await?;
        }
        Ok(())
    }

    async fn landed(&self, flights: &mut Flights, end: Result<(Id, Event), JoinError>) -> Result<(), LedgerError> {
        let (id, event) = match end {
            Ok((id, event)) => (id, Some(event)),
            Err(error) => (error.id(), None),
        };
        let Some((delivery, channel)) = flights.by_task.remove(&id) else { return Ok(()) };
        let event = event.unwrap_or_else(|| {
            // A service that panics is a defect of ours; the message is not lost for it.
            let error = SendError::retryable("the service ended unexpectedly");
            let due = (self.clock)().saturating_add(60_000);
            Event { delivery: delivery.clone(), outcome: Outcome::Later { due, error } }
        });
        flights.deliveries.remove(&delivery.id);
        flights.busy.remove(&(channel.clone(), delivery.resource.clone()));
        if let Some(load) = flights.load.get_mut(&channel) {
            *load = load.saturating_sub(1);
        }
        if let Outcome::Later { due, error } = &event.outcome
            && matches!(error.kind, SendErrorKind::RateLimited { .. })
        {
            flights.resting.insert(channel, *due);
        }
        self.settle(event.delivery, event.outcome).await
    }

    async fn settle(&self, delivery: Delivery, outcome: Outcome) -> Result<(), LedgerError> {
        self.ledger.finish(&delivery.id, &outcome, (self.clock)()).await?;
        {
            let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Outcome::Delivered(_) => totals.delivered += 1,
                Outcome::Later { .. } => totals.retried += 1,
                Outcome::Parked(_) => totals.parked += 1,
            }
        }
        (self.report)(&Event { delivery, outcome });
        Ok(())
    }
}

/// One attempt, and its class.
async fn attempt(
    service: Arc<dyn Service>,
    channel: Channel,
    delivery: Delivery,
    clock: Clock,
    ledger: Arc<dyn Ledger>,
) -> Event {
    let message = Message {
        notification: &delivery.intent.notification,
        recipient: &delivery.intent.destination.recipient,
        id: &delivery.id,
        now: clock(),
        memory: &*ledger,
    };
    let sent = tokio::time::timeout(PATIENCE, service.send(message)).await;
    let outcome = match sent {
        Ok(Ok(receipt)) => Outcome::Delivered(receipt),
        Ok(Err(error)) => classify(error, &channel, &delivery, clock()),
        Err(_) => {
            let error = SendError::retryable(format!("no end after {} seconds", PATIENCE.as_secs()));
            classify(error, &channel, &delivery, clock())
        }
    };
    Event { delivery, outcome }
}

fn classify(error: SendError, channel: &Channel, delivery: &Delivery, now: i64) -> Outcome {
    let wait = match error.kind {
        SendErrorKind::Permanent => return Outcome::Parked(error),
        // A pause says nothing about the delivery itself, so it does not age for it.
        SendErrorKind::RateLimited { retry_after } => {
            return Outcome::Later { due: now.saturating_add(millis(retry_after.min(LONGEST_PAUSE))), error };
        }
        SendErrorKind::Retryable { retry_after } => {
            let own = backoff::wait(&channel.retry, &delivery.id, delivery.attempts.saturating_add(1));
            retry_after.map_or(own, |asked| asked.min(LONGEST_PAUSE).max(own))
        }
    };
    if now.saturating_sub(delivery.created) > millis(channel.retry.give_up_after) {
        let reason = format!("given up after {} attempts: {}", delivery.attempts.saturating_add(1), error.reason);
        return Outcome::Parked(SendError::permanent(reason, "re-deliver it once the service answers again"));
    }
    Outcome::Later { due: now.saturating_add(millis(wait)), error }
}

/// Sleeps until a time that [`Dispatcher::launch`] gave; for ever without one.
async fn sleep_until(due: Option<i64>, now: i64) {
    match due {
        Some(due) => {
            let wait = u64::try_from(due.saturating_sub(now)).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        None => std::future::pending().await,
    }
}
