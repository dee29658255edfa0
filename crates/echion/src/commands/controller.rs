//! `echion controller`: the line over a cluster, for as long as this replica leads.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use echion_console::{bind, serve};
use echion_runtime::engine::{NOTIFIED, Namespaces};
use echion_runtime::model::{SharedLedger, Source, StateMirror};
use echion_runtime::{Driver, Parts, Settings};
use echion_sources::kubernetes::{
    Client, Connection, Kinds, KubernetesMirror, KubernetesSource, Lease, ResourceKind, Scope, watch_configuration,
};
use echion_sources::reposerver::RepoServer;
use futures::StreamExt as _;

use crate::args::{Controller, Election};
use crate::leadership::Leadership;
use crate::options::Options;
use crate::report::LogReporter;
use crate::repository::ArgoRepositoryServer;
use crate::{Failure, Outcome, log, setup};

/// The Lease that replicas compete for.
const LEASE: &str = "echion-notifications";

/// How a cluster is observed: whoever edits the configuration has half a minute to correct it before it concerns every resource.
const SETTINGS: Settings =
    Settings { config_debounce: Duration::from_millis(100), config_grace: Duration::from_secs(30) };

pub(super) async fn run(args: Controller) -> Outcome {
    let mut options = Options::resolve(args)?;
    log::start(options.level, options.format);
    let Connection { client, namespace: home, host } = options.access.connect().await.map_err(|error| {
        Failure::new(error.to_string()).hint("give `--kubeconfig FILE`, or run in a pod with a service account")
    })?;
    options.keep_from(&host).await;
    let listener = bind(options.metrics_port).map_err(|error| {
        Failure::new(format!("cannot listen on port {}: {error}", options.metrics_port))
            .hint("choose another one with `--metrics-port`")
    })?;
    let repo_server = RepoServer::new(&options.repo_server, client.clone(), &home)
        .map_err(|error| Failure::new(format!("`--argocd-repo-server`: {error}")))?;
    let kinds = Kinds::default();
    let reporter = LogReporter::new(client.clone(), &home, &options.config_map, &kinds);
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving metrics at address");
    }
    let (metrics, health) = (reporter.metrics(), reporter.health());
    let server = tokio::spawn(serve(listener, metrics, health, setup::clock(), std::future::pending()));
    tracing::warn!(namespace = %home, version = env!("CARGO_PKG_VERSION"), "Controller is running.");
    let identity = format!("{}-{}", setup::host_name(), std::process::id());
    let lease = (options.election != Election::Off).then(|| Lease::new(client.clone(), &home, LEASE, &identity));
    let (election, ledger) = (options.election, options.ledger.clone());
    let leadership = Leadership { lease, election, identity, ledger };
    let cluster =
        Cluster { options, client, home, kinds, reporter: reporter.clone(), repo_server: Arc::new(repo_server) };
    let served = leadership.run(&reporter, setup::stopping(), async |ledger, stop| {
        Driver::new(cluster.parts(ledger)?).serve(stop).await.map_err(Failure::from)
    });
    let result = served.await;
    tracing::warn!("Controller has stopped.");
    server.abort();
    result.map(|()| ExitCode::SUCCESS)
}

/// What drivers over a cluster have in common.
struct Cluster {
    options: Options,
    client: Client,
    /// The controller's own namespace.
    home: String,
    kinds: Kinds,
    reporter: LogReporter,
    repo_server: Arc<RepoServer>,
}

impl Cluster {
    fn parts(&self, ledger: SharedLedger) -> Result<Parts, Failure> {
        let options = &self.options;
        let (tenant, self_service) = (options.tenant.clone(), options.self_service);
        let home = Scope::Namespace(self.home.clone());
        let scope = if options.self_service { Scope::Cluster } else { home.clone() };
        let changes = watch_configuration(&self.client, &scope, &options.config_map, &options.secret);
        let patterns = options.namespaces.iter().map(String::as_str);
        let resources = options.kinds.iter().map(|kind| Arc::new(self.source(kind)) as Arc<dyn Source>);
        let mirror = KubernetesMirror::new(self.client.clone(), &self.kinds, NOTIFIED);
        Ok(Parts {
            ledger,
            home: self.home.clone(),
            compile: Arc::new(move |sources, previous| {
                let config = setup::config_for(sources, &tenant, previous);
                if self_service { config.without_secrets() } else { config }
            }),
            configuration: changes.boxed(),
            projects: Arc::new(KubernetesSource::new(self.client.clone(), ResourceKind::project(), home)),
            resources: resources.collect(),
            mirror: options.write_annotations.then(|| Arc::new(mirror) as Arc<dyn StateMirror>),
            repository: Some(Arc::new(ArgoRepositoryServer(Arc::clone(&self.repo_server)))),
            namespaces: Namespaces::new(&self.home, patterns).map_err(Failure::new)?,
            moment: Arc::new(setup::moment),
            clock: setup::clock(),
            reporter: Arc::new(self.reporter.clone()),
            settings: SETTINGS,
        })
    }

    fn source(&self, kind: &ResourceKind) -> KubernetesSource {
        let cluster = !self.options.namespaces.is_empty();
        let scope = if cluster { Scope::Cluster } else { Scope::Namespace(self.home.clone()) };
        let labels = if kind.is_application() { self.options.labels.as_str() } else { "" };
        KubernetesSource::new(self.client.clone(), kind.clone(), scope).labels(labels).kinds(&self.kinds)
    }
}
