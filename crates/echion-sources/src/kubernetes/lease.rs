//! Who leads: one replica holds the Lease, the others wait for it.
//!
//! The times are those of client-go, and so is the load: one write in two seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{is_forbidden, reason};

/// A holder whose Lease has not changed for so long is replaced.
const LEASE_DURATION: Duration = Duration::from_secs(15);

/// How long renewing may take: a single request, or several that fail.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// How often the holder renews, and how often the others read the Lease.
const RETRY_PERIOD: Duration = Duration::from_secs(2);

/// A holder whose last renewal was sent so long ago stops by itself, well before it can be replaced.
const STEP_DOWN: Duration = RETRY_PERIOD.saturating_add(RENEW_DEADLINE);

const _: () = assert!(STEP_DOWN.as_secs() + 3 <= LEASE_DURATION.as_secs());

/// A Lease of `coordination.k8s.io/v1` and the identity that wants to hold it. Clones are the same holder.
#[derive(Clone)]
pub struct Lease {
    api: Api<coordination::Lease>,
    name: String,
    identity: String,
    held: Arc<Mutex<Option<Held>>>,
    /// Locked while a renewal is on its way.
    renewing: Arc<tokio::sync::Mutex<()>>,
}

/// How waiting for the Lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// This one leads now.
    Leading {
        /// This very process led before, and no other has led in between: what it remembers is still true.
        continued: bool,
    },
    /// There is no right to hold Leases: no leader can be elected.
    Forbidden(String),
}

/// What this process last wrote into the Lease.
#[derive(Clone)]
struct Held {
    lease: coordination::Lease,
    /// When it was sent: no other replica can have observed it earlier.
    sent: Instant,
}

/// The Lease as it was last observed, and when by this one's own clock: the clocks of others are not believed.
struct Observed {
    version: Option<String>,
    at: Instant,
}

/// What became of a renewal.
enum Renewal {
    Done(Box<Held>),
    /// It is not this one's Lease any more: why.
    Lost(&'static str),
}

impl Lease {
    /// The Lease of that name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            held: Arc::default(),
            renewing: Arc::default(),
        }
    }

    /// Waits until this one leads. What is in the way is handed to `failed`.
    pub async fn acquire(&self, mut failed: impl FnMut(&str)) -> Term {
        let mut observed = Observed { version: None, at: Instant::now() };
        loop {
            let started = Instant::now();
            match self.attempt(&mut observed).await {
                Ok(Some(continued)) => return Term::Leading { continued },
                Ok(None) => {}
                Err(Error::Api(error)) if is_forbidden(&error) => return Term::Forbidden(reason(&error)),
                Err(error) => failed(&error.text()),
            }
            sleep_until(started + RETRY_PERIOD).await;
        }
    }

    /// Keeps the Lease; ends when it is lost, with the reason.
    pub async fn hold(&self) -> String {
        let Some(mut held) = self.held() else { return "the Lease was never acquired".to_owned() };
        loop {
            let step_down = held.sent + STEP_DOWN;
            let mut next = held.sent + RETRY_PERIOD;
            let mut last_error = "the API server does not answer".to_owned();
            // Attempts that fail are repeated in the same rhythm as long as there is time.
            let renewal = async {
                loop {
                    sleep_until(next).await;
                    next = Instant::now() + RETRY_PERIOD;
                    // A task of its own: it ends also when nobody waits for it any more, so that a release knows what was written last.
                    let (lease, held) = (self.clone(), held.clone());
                    let renewal = tokio::spawn(async move {
                        let _renewing = lease.renewing.lock().await;
                        lease.renew(held).await
                    });
                    match renewal.await {
                        Ok(Ok(renewal)) => return renewal,
                        Ok(Err(error)) => last_error = reason(&error),
                        Err(error) => last_error = error.to_string(),
                    }
                }
            };
            match timeout_at(step_down, renewal).await {
                Ok(Renewal::Done(renewed)) => held = *renewed,
                Ok(Renewal::Lost(why)) => return why.to_owned(),
                Err(_) => return last_error,
            }
        }
    }

    /// Gives the Lease back within this time, so that another replica need not wait until it expires.
    pub async fn release(&self, within: Duration) {
        let release = async {
            let _renewing = self.renewing.lock().await;
            let Some(held) = self.held() else { return };
            let mut lease = held.lease;
            // What was written last may have been answered too late to be known here.
            for _ in 0..2 {
                let spec = lease.spec.get_or_insert_default();
                if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
                    return;
                }
                spec.holder_identity = None;
                spec.renew_time = None;
                match self.api.replace(&self.name, &PostParams::default(), &lease).await {
                    Err(kube::Error::Api(status)) if status.code == 409 => {}
                    // Otherwise the next one waits until the Lease expires; nothing else depends on it.
                    _ => return,
                }
                let Ok(current) = self.api.get(&self.name).await else { return };
                lease = current;
            }
        };
        let _ = timeout(within, release).await;
    }

    /// Takes the Lease if it is free, gone, or its holder has been silent long enough; returns then whether leadership continues.
    async fn attempt(&self, observed: &mut Observed) -> Result<Option<bool>, Error> {
        let current = bounded(self.api.get_opt(&self.name)).await?;
        let Some(mut lease) = current else {
            let lease = coordination::Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(0)),
            };
            let sent = Instant::now();
            let written = won(bounded(self.api.create(&PostParams::default(), &lease)).await)?;
            return Ok(written.map(|lease| {
                self.remember(&Held { lease, sent });
                false
            }));
        };
        let version = lease.metadata.resource_version.clone();
        if observed.version.is_none() || observed.version != version {
            *observed = Observed { version, at: Instant::now() };
        }
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let own = holder == self.identity;
        if !holder.is_empty() && !own && observed.at.elapsed() < LEASE_DURATION {
            return Ok(None);
        }
        let transitions = spec.lease_transitions.unwrap_or(0);
        // Whoever takes it from another, or after it was released, counts one up.
        let continued = (own || holder.is_empty())
            && self.held().is_some_and(|held| {
                held.lease.metadata.uid == lease.metadata.uid
                    && held.lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0) == transitions
            });
        lease.spec = Some(self.spec(if own { transitions } else { transitions.saturating_add(1) }));
        let sent = Instant::now();
        // The version in the object makes this fail when somebody else was faster.
        let written = won(bounded(self.api.replace(&self.name, &PostParams::default(), &lease)).await)?;
        Ok(written.map(|lease| {
            self.remember(&Held { lease, sent });
            continued
        }))
    }

    /// Writes the Lease once more: without reading it first, since no other process writes it.
    async fn renew(&self, held: Held) -> Result<Renewal, kube::Error> {
        const DELETED: Renewal = Renewal::Lost("the Lease was deleted");
        let mut lease = held.lease;
        lease.spec.get_or_insert_default().renew_time = Some(now());
        let sent = Instant::now();
        match self.api.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(lease) => return Ok(self.renewed(lease, sent)),
            // Somebody else may have created it anew by now.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(DELETED),
            // Somebody else wrote it, or an earlier renewal arrived whose answer did not.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error),
        }
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(DELETED) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
            return Ok(Renewal::Lost("another replica leads"));
        }
        spec.renew_time = Some(now());
        let sent = Instant::now();
        let lease = self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        Ok(self.renewed(lease, sent))
    }

    fn renewed(&self, lease: coordination::Lease, sent: Instant) -> Renewal {
        let held = Held { lease, sent };
        self.remember(&held);
        Renewal::Done(Box::new(held))
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, held: &Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held.clone());
    }

    fn spec(&self, transitions: i32) -> coordination::LeaseSpec {
        coordination::LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: Some(now()),
            renew_time: Some(now()),
            lease_transitions: Some(transitions),
            ..coordination::LeaseSpec::default()
        }
    }
}

enum Error {
    Api(kube::Error),
    TimedOut,
}

impl Error {
    fn text(&self) -> String {
        match self {
            Self::Api(error) => reason(error),
            Self::TimedOut => "the API server does not answer".to_owned(),
        }
    }
}

async fn bounded<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    timeout(RENEW_DEADLINE, request).await.map_err(|_| Error::TimedOut)?.map_err(Error::Api)
}

/// The time for people who read the Lease; no decision depends on it.
fn now() -> MicroTime {
    MicroTime(k8s_openapi::jiff::Timestamp::now())
}

/// A write that came too late is an answer, not an error.
fn won<K>(written: Result<K, Error>) -> Result<Option<K>, Error> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(Error::Api(kube::Error::Api(status))) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}
