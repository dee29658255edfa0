//! Who delivers: one replica leads, the others wait for it.

use std::cell::Cell;
use std::time::Duration;

use echion_runtime::model::SharedLedger;
use echion_sources::kubernetes::{Lease, Term};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::args::Election;
use crate::report::LogReporter;
use crate::{Failure, setup};

/// The whole end, from the request to end on; and what is left of it for the Lease at least.
const END: Duration = Duration::from_millis(9_500);
const RELEASE: Duration = Duration::from_secs(3);

/// Holds the Lease, as far as there is one, and serves while it does.
pub(crate) struct Leadership {
    pub(crate) lease: Option<Lease>,
    pub(crate) election: Election,
    pub(crate) identity: String,
    /// The name of the ledger. One in memory lasts as long as this replica leads without another one in between.
    pub(crate) ledger: String,
}

impl Leadership {
    /// Serves whenever this replica leads, until the process is asked to end. `serve` ends when the flag that it is given becomes true.
    ///
    /// # Errors
    /// When leadership is wanted and forbidden, or serving fails.
    pub(crate) async fn run(
        mut self,
        reporter: &LogReporter,
        mut stopping: watch::Receiver<bool>,
        mut serve: impl AsyncFnMut(SharedLedger, watch::Receiver<bool>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        // Opened once: a file is locked as long as the process lives.
        let mut ledger = setup::ledger(&self.ledger, setup::Purpose::Deliver).await?;
        if !ledger.is_durable() {
            tracing::warn!(
                "the ledger is in memory: a crash repeats up to 16 deliveries that are not in the annotations yet, and forgets what is \
                 parked; `--ledger sqlite:FILE` keeps both"
            );
        }
        loop {
            let continued = tokio::select! {
                elected = self.elect(reporter) => elected?,
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
            };
            if !continued && !ledger.is_durable() {
                // Another replica may have led: what it has delivered is in the annotations, not here.
                ledger = setup::ledger(&self.ledger, setup::Purpose::Deliver).await?;
            }
            reporter.leads(true);
            let (stop, stopped) = watch::channel(false);
            let asked = Cell::new(None);
            let serving = serve(ledger.clone(), stopped);
            let ending = async {
                let reason = tokio::select! {
                    reason = held(self.lease.as_ref()) => Some(reason),
                    _ = stopping.wait_for(|stop| *stop) => None,
                };
                asked.set(Some(Instant::now()));
                if let Some(reason) = &reason {
                    tracing::warn!("this replica no longer leads: {reason}");
                }
                // What is on its way ends; nothing else begins.
                let _ = stop.send(true);
                std::future::pending::<()>().await;
            };
            let result = tokio::select! {
                result = serving => result,
                () = ending => Ok(()),
            };
            reporter.leads(false);
            if result.is_err() || *stopping.borrow() {
                if let Some(lease) = &self.lease {
                    let since = asked.get().map_or(Duration::ZERO, |asked: Instant| asked.elapsed());
                    lease.release(END.saturating_sub(since).max(RELEASE)).await;
                }
                return result;
            }
        }
    }

    /// Waits until this replica leads; gives whether no other replica has since it last did.
    async fn elect(&mut self, reporter: &LogReporter) -> Result<bool, Failure> {
        let Some(lease) = &self.lease else { return Ok(true) };
        reporter.stands_by();
        match lease.acquire(|reason| tracing::warn!("cannot be elected: {reason}")).await {
            Term::Leading { continued } => {
                tracing::info!(identity = %self.identity, continued, "this replica leads");
                Ok(continued)
            }
            Term::Forbidden(reason) if self.election == Election::On => {
                Err(Failure::new(reason).hint("grant the right to leases, or use `--leader-election off`"))
            }
            Term::Forbidden(reason) => {
                tracing::warn!("leader election is disabled, so run a single replica: {reason}");
                self.lease = None;
                Ok(true)
            }
        }
    }
}

/// Ends when the Lease is lost, with the reason.
async fn held(lease: Option<&Lease>) -> String {
    match lease {
        Some(lease) => lease.hold().await,
        None => std::future::pending().await,
    }
}
