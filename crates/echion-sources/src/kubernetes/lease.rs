//! Who leads: one replica holds the Lease, the others wait for it.

use std::time::Duration;

use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

/// How long a leader that is not heard of any more is still believed to lead.
const DURATION: Duration = Duration::from_secs(4);

/// How often the leader makes itself heard.
const RENEW: Duration = Duration::from_secs(1);

/// A leader that has not made itself heard for so long stops by itself, before another one starts.
const STEP_DOWN: Duration = Duration::from_secs(3);

/// How often the others look whether there is a leader.
const LOOK: Duration = Duration::from_millis(500);

/// A Lease of `coordination.k8s.io/v1` and the one who wants to hold it.
#[derive(Clone)]
pub struct Lease {
    api: Api<coordination::Lease>,
    name: String,
    identity: String,
}

/// Why waiting for a term ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// This one leads now.
    Leading,
    /// There is no right to hold Leases: nobody can be elected.
    Forbidden(String),
}

/// What the others have last heard of the holder, and when by this one's own clock: the clocks of others are not believed.
struct Heard {
    version: Option<String>,
    at: Instant,
}

impl Lease {
    /// The Lease of that name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), identity: identity.to_owned() }
    }

    /// Waits until this one leads. `trouble` is told what stands in the way.
    pub async fn acquire(&self, mut trouble: impl FnMut(&str)) -> Term {
        let mut heard = Heard { version: None, at: Instant::now() };
        loop {
            match timeout(STEP_DOWN, self.attempt(&mut heard)).await {
                Ok(Ok(true)) => return Term::Leading,
                Ok(Ok(false)) => {}
                Ok(Err(error)) if super::is_forbidden(&error) => return Term::Forbidden(super::reason(&error)),
                Ok(Err(error)) => trouble(&super::reason(&error)),
                Err(_) => trouble("the API server does not answer"),
            }
            sleep(LOOK).await;
        }
    }

    /// Keeps the Lease; ends when it is lost, with the reason.
    pub async fn hold(&self) -> String {
        let mut renewed = Instant::now();
        loop {
            sleep(RENEW).await;
            let left = STEP_DOWN.saturating_sub(renewed.elapsed());
            match timeout(left, self.renew()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return "another replica leads".to_owned(),
                Ok(Err(error)) if renewed.elapsed() >= STEP_DOWN => return super::reason(&error),
                // It is tried again as long as there is time.
                Ok(Err(_)) => {}
                Err(_) => return "the API server does not answer".to_owned(),
            }
        }
    }

    /// Gives the Lease back, so that another replica need not wait for its end.
    pub async fn release(&self) {
        let release = async {
            let Ok(mut lease) = self.api.get(&self.name).await else { return };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
                spec.holder_identity = None;
                spec.renew_time = None;
                // Whoever does not hear of it waits a little longer; nothing else depends on it.
                let _ = self.api.replace(&self.name, &PostParams::default(), &lease).await;
            }
        };
        let _ = timeout(RENEW, release).await;
    }

    /// Takes the Lease if it is free, gone, or its holder has not been heard of long enough.
    async fn attempt(&self, heard: &mut Heard) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let lease = coordination::Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(0)),
            };
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let version = lease.metadata.resource_version.clone();
        if heard.version != version {
            *heard = Heard { version, at: Instant::now() };
        }
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let silent = heard.at.elapsed() >= DURATION;
        if !holder.is_empty() && holder != self.identity && !silent {
            return Ok(false);
        }
        lease.spec = Some(self.spec(spec.lease_transitions.unwrap_or(0).saturating_add(1)));
        // The version in the object makes this fail when somebody else was faster.
        won(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    async fn renew(&self) -> Result<bool, kube::Error> {
        let mut lease = self.api.get(&self.name).await?;
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
            return Ok(false);
        }
        spec.renew_time = Some(now());
        won(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    fn spec(&self, transitions: i32) -> coordination::LeaseSpec {
        coordination::LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now()),
            renew_time: Some(now()),
            lease_transitions: Some(transitions),
            ..coordination::LeaseSpec::default()
        }
    }
}

/// The time for people who read the Lease; no decision depends on it.
fn now() -> MicroTime {
    MicroTime(k8s_openapi::jiff::Timestamp::now())
}

/// A write that came too late is an answer, not an error.
fn won<K>(written: Result<K, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}
