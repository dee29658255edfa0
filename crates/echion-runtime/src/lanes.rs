//! Where evaluations run: next to the main loop, costly ones apart from the others.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// Evaluations that run at once, as long as they are quick: as many as there are processors, within these limits. Each thread more has memory
/// of its own.
const QUICK: RangeInclusive<usize> = 2..=8;

/// Costly evaluations that run at once for one owner: those that are known to be costly before they begin.
const COSTLY_PER_OWNER: usize = 2;

/// Costly evaluations that were not known to be, and so began among the quick ones: no more of them leave their place to others.
const ESCAPED: usize = 32;

/// An evaluation that takes longer is costly.
const COSTLY_AFTER: Duration = Duration::from_millis(100);

/// How long triggers count as costly after one was.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// Evaluations that wait for the lane of one owner. More are evaluated later, so that they need not be held in memory.
const WAITING_PER_OWNER: usize = 32;

/// Counts the evaluations that are under way among the quick ones, as long as it lives.
#[derive(Debug)]
pub(crate) struct Load(Arc<Room>);

/// How many evaluations are under way among the quick ones.
#[derive(Debug, Default)]
pub(crate) struct Room {
    load: AtomicUsize,
    freed: Notify,
}

impl Room {
    /// One more is under way.
    pub(crate) fn enter(self: &Arc<Self>) -> Load {
        self.load.fetch_add(1, Ordering::Relaxed);
        Load(Arc::clone(self))
    }

    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Ends when one less may be under way.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotEvaluated {
    /// Too many costly ones wait already.
    Busy,
    /// It panicked: a defect of ours.
    Panicked,
}

/// A trigger of an owner: what makes evaluations cost alike.
pub(crate) type Class = (String, String);

/// The lanes. An evaluation begins among the quick ones; one that turns out to be costly leaves its place there to others, and whatever has
/// the same triggers waits in a lane of its owner from then on.
pub(crate) struct Lanes {
    quick: Arc<Semaphore>,
    costly: Mutex<HashMap<Class, Instant>>,
    owners: Mutex<HashMap<String, Arc<OwnerLane>>>,
    escaped: AtomicUsize,
}

struct OwnerLane {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for OwnerLane {
    fn default() -> Self {
        let lane = |size| Arc::new(Semaphore::new(size));
        Self { running: lane(COSTLY_PER_OWNER), waiting: lane(WAITING_PER_OWNER) }
    }
}

impl Default for Lanes {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            quick: Arc::new(Semaphore::new(processors.clamp(*QUICK.start(), *QUICK.end()))),
            costly: Mutex::default(),
            owners: Mutex::default(),
            escaped: AtomicUsize::new(0),
        }
    }
}

impl Lanes {
    /// Whether any trigger is known to be costly: asked before the classes of a resource are found out, which costs something itself.
    pub(crate) fn any_costly(&self) -> bool {
        !self.costly().is_empty()
    }

    /// Runs an evaluation in the lane where it belongs. `classes` are those that it may come to, `current` the one it is at; both are only
    /// asked when it matters. `load` is let go when it no longer counts as quick.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        owner: &str,
        classes: impl Fn() -> Vec<Class>,
        current: impl Fn() -> Option<Class>,
        load: &mut Option<Load>,
        evaluate: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotEvaluated> {
        let is_costly = || self.any_costly() && self.is_costly(&classes());
        let mut known = is_costly();
        let mut permit: Option<OwnedSemaphorePermit> = None;
        if !known {
            // The semaphores are never closed.
            permit = Arc::clone(&self.quick).acquire_owned().await.ok();
            // What was before it in the queue may have shown it by now.
            known = is_costly();
        }
        let mut waiting = None;
        if known {
            (*load, permit) = (None, None);
            let lane = self.of_owner(owner);
            waiting = Some(Arc::clone(&lane.waiting).try_acquire_owned().map_err(|_| NotEvaluated::Busy)?);
            permit = Arc::clone(&lane.running).acquire_owned().await.ok().or(permit);
        }
        let begin = Instant::now();
        let mut running = spawn_blocking(evaluate);
        let mut escaped = false;
        let result = tokio::select! {
            result = &mut running => result,
            () = sleep(COSTLY_AFTER) => {
                self.remember(current(), begin + REMEMBERED);
                *load = None;
                if !known && self.escaped.fetch_add(1, Ordering::Relaxed) < ESCAPED {
                    permit = None;
                }
                escaped = !known;
                running.await
            }
        };
        if escaped {
            self.escaped.fetch_sub(1, Ordering::Relaxed);
        }
        if known && begin.elapsed() < COSTLY_AFTER / 4 {
            let mut costly = self.costly();
            for class in classes() {
                costly.remove(&class);
            }
        }
        drop((permit, waiting));
        result.map_err(|_| NotEvaluated::Panicked)
    }

    fn is_costly(&self, classes: &[Class]) -> bool {
        let now = Instant::now();
        let mut costly = self.costly();
        costly.retain(|_, until| *until > now);
        classes.iter().any(|class| costly.contains_key(class))
    }

    fn remember(&self, class: Option<Class>, until: Instant) {
        self.costly().extend(class.map(|class| (class, until)));
    }

    fn of_owner(&self, owner: &str) -> Arc<OwnerLane> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = owners.entry(owner.to_owned()).or_default();
        Arc::clone(lane)
    }

    fn costly(&self) -> std::sync::MutexGuard<'_, HashMap<Class, Instant>> {
        self.costly.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(trigger: &str) -> Class {
        (String::new(), trigger.to_owned())
    }

    async fn run(lanes: &Lanes, trigger: &str, millis: u64) -> Result<(), NotEvaluated> {
        let work = move || std::thread::sleep(Duration::from_millis(millis));
        lanes.run("", || vec![class(trigger)], || Some(class(trigger)), &mut None, work).await
    }

    /// Thirty costly evaluations, and one that is not: it does not wait for them.
    #[tokio::test]
    async fn what_is_costly_delays_no_other() {
        let lanes = Arc::new(Lanes::default());
        let costly: Vec<_> = (0..30)
            .map(|_| {
                let lanes = Arc::clone(&lanes);
                tokio::spawn(async move { run(&lanes, "costly", 400).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let begin = Instant::now();
        run(&lanes, "cheap", 0).await.unwrap();
        let first = begin.elapsed();
        run(&lanes, "cheap", 0).await.unwrap();
        assert!(lanes.is_costly(&[class("costly")]) && !lanes.is_costly(&[class("cheap")]));
        // Those that began unknown leave their places after a moment; one after the other would take twelve seconds.
        assert!(first < Duration::from_millis(390), "{first:?}");
        let mut busy = 0;
        for task in costly {
            busy += usize::from(task.await.unwrap() == Err(NotEvaluated::Busy));
        }
        assert_eq!(busy, 0);
    }

    #[tokio::test]
    async fn what_was_costly_once_is_among_the_quick_ones_again_when_it_is_quick() {
        let lanes = Lanes::default();
        run(&lanes, "t", 150).await.unwrap();
        assert!(lanes.is_costly(&[class("t")]));
        run(&lanes, "t", 0).await.unwrap();
        assert!(!lanes.any_costly());
    }

    #[tokio::test]
    async fn an_evaluation_that_panics_ends_as_such() {
        let lanes = Lanes::default();
        let panics = lanes.run("", Vec::new, || None, &mut None, || panic!("as the test wants it")).await;
        assert_eq!(panics, Err::<(), _>(NotEvaluated::Panicked));
    }
}
