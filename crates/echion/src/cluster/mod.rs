//! The controller: the line over a cluster, for as long as this replica leads.

mod answers;
mod configs;
mod mirror;
mod observer;
mod options;
mod report;
mod repository;
mod term;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use echion_console::{Health, Metrics, serve};
use echion_delivery::SqlLedger;
use echion_sources::kubernetes::{Client, Lease, Term as Elected};
use echion_sources::reposerver::RepoServer;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use options::Options;

use crate::args::Election;
use crate::{Failure, Outcome, log, setup};

/// The Lease that replicas compete for.
const LEASE: &str = "echion-notifications";

/// What everything the controller does has in common.
struct Shared {
    options: Options,
    client: Client,
    /// The controller's own namespace.
    home: String,
    repo_server: Arc<RepoServer>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

/// Runs until the process is asked to end.
pub(crate) async fn run(options: Options) -> Outcome {
    log::start(options.level, options.format);
    let (client, home) = options.access.connect().await.map_err(|error| {
        Failure::new(error.to_string()).hint("give `--kubeconfig FILE`, or run in a pod with a service account")
    })?;
    let listener = TcpListener::bind(("0.0.0.0", options.metrics_port)).await.map_err(|error| {
        Failure::new(format!("cannot listen on port {}: {error}", options.metrics_port))
            .hint("choose another one with `--metrics-port`")
    })?;
    // Opened once: a file survives the loss of the Lease, a memory does not.
    let durable = if options.ledger == "memory" { None } else { Some(setup::own_ledger(&options.ledger).await?) };
    let repo_server = RepoServer::new(&options.repo_server, client.clone(), &home)
        .map_err(|error| Failure::new(format!("`--argocd-repo-server`: {error}")))?;
    let repo_server = Arc::new(repo_server);
    let shared =
        Arc::new(Shared { options, client, home, repo_server, metrics: Arc::default(), health: Arc::default() });
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving metrics at address");
    }
    let (metrics, health) = (Arc::clone(&shared.metrics), Arc::clone(&shared.health));
    let server = tokio::spawn(serve(listener, metrics, health, setup::clock(), std::future::pending()));
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        crate::commands::ended().await;
        let _ = stop.send(true);
    });
    tracing::warn!(namespace = %shared.home, version = env!("CARGO_PKG_VERSION"), "Controller is running.");
    let result = lead(&shared, durable.as_ref().map(|(ledger, _)| ledger), stopping).await;
    tracing::warn!("Controller has stopped.");
    server.abort();
    result.map(|()| ExitCode::SUCCESS)
}

/// One term after the other.
async fn lead(
    shared: &Arc<Shared>,
    durable: Option<&Arc<SqlLedger>>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let identity = format!("{}-{}", setup::host_name(), std::process::id());
    let mut lease = (shared.options.election != Election::Off)
        .then(|| Lease::new(shared.client.clone(), &shared.home, LEASE, &identity));
    loop {
        if let Some(held) = &lease {
            // A replica that waits for its turn is ready to take over.
            shared.health.ready();
            shared.health.beat(0);
            let elected = tokio::select! {
                elected = held.acquire(|trouble| tracing::warn!("cannot be elected: {trouble}")) => elected,
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
            };
            match elected {
                Elected::Leading => tracing::info!(%identity, "this replica leads"),
                Elected::Forbidden(reason) if shared.options.election == Election::On => {
                    return Err(Failure::new(reason).hint("grant the right to leases, or use `--leader-election off`"));
                }
                Elected::Forbidden(reason) => {
                    tracing::warn!("nobody is elected, so there must be one replica only: {reason}");
                    lease = None;
                }
            }
        }
        shared.metrics.leads(true);
        let term = term::serve(Arc::clone(shared), durable.cloned(), stopping.clone());
        let lost = async {
            match &lease {
                Some(lease) => lease.hold().await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            result = term => Some(result),
            // Whatever is on its way is given up at once: the next leader starts a second from now.
            reason = lost => { tracing::warn!("this replica no longer leads: {reason}"); None }
        };
        shared.metrics.leads(false);
        match result {
            Some(result) => {
                if let Some(lease) = &lease {
                    lease.release().await;
                }
                return result;
            }
            None => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}
