//! What commands share: reading the configuration and resources, opening the ledger, the clock.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use echion_delivery::SqlLedger;
use echion_runtime::engine::variables::{AppDetail, CommitMetadata, EvaluationContext, Repository};
use echion_runtime::engine::{Config, Documents, DocumentsError, Sources};
use echion_runtime::model::{Environment, Resource, Secret, SharedLedger, Tenant, yaml};
use echion_runtime::value::Value;

use crate::ambient::System;
use crate::{Failure, args, print};

const CONFIG_MAP: &str = "argocd-notifications-cm";
const SECRET: &str = "argocd-notifications-secret";

/// The folder of the repo-server's certificate authority.
pub(crate) const CONFIGURATION_FOLDER: &str = "ARGOCD_APP_CONF_PATH";
/// The largest response of the repo-server in MiB.
pub(crate) const LARGEST_RESPONSE: &str = "ARGOCD_GRPC_MAX_SIZE_MB";
/// The name that the program answers to, in place of its own.
pub(crate) const PROGRAM: &str = "ARGOCD_BINARY_NAME";
const CERTIFICATES: &str = "ARGOCD_TLS_DATA_PATH";
const HOST: &str = "HOSTNAME";
const CLOUDS: [&str; 3] = ["AWS_", "GOOGLE_", "GCE_"];

/// Variables that no flag stands for, and what they say.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    (PROGRAM, "with the value `argocd-notifications`, the program is the controller, whatever its file is called"),
    (
        CONFIGURATION_FOLDER,
        "folder whose `reposerver/tls` holds the repo-server's certificate; `/app/config` by default",
    ),
    (LARGEST_RESPONSE, "largest response of the repo-server in MiB; 100 by default"),
    (CERTIFICATES, "folder with certificates that services trust, by host name; `/app/config/tls` by default"),
    (HOST, "name of this replica in the Lease and in Events"),
    ("AWS_*, GOOGLE_*, GCE_*", "what the services of these clouds read"),
    ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "proxy of the services; their option `proxy` comes first"),
    ("NO_COLOR", "no colours in the terminal"),
];

/// The largest configuration file that is read; Kubernetes itself stops at one MiB an object.
const LARGEST: u64 = 32 << 20;

/// The current time in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the binary hands the clock to everybody else")]
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn clock() -> Arc<dyn Fn() -> i64 + Send + Sync> {
    Arc::new(now)
}

/// An environment variable; one that is empty counts as absent.
#[expect(clippy::disallowed_methods, reason = "the binary is where the environment is read")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The name of this machine or pod.
pub(crate) fn host_name() -> String {
    let name = variable(HOST).or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "echion".to_owned())
}

/// This moment, with everything that conditions and templates may query.
pub(crate) fn context() -> EvaluationContext {
    moment(now())
}

/// A moment in milliseconds since 1970, with everything that conditions and templates may query.
pub(crate) fn moment(millis: i64) -> EvaluationContext {
    EvaluationContext::at_millis(millis, Arc::new(NoRepository)).with_ambient(Arc::new(System))
}

/// Ends when the process is asked to end.
pub(crate) async fn ended() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
            return;
        }
    }
    let _ = interrupt.await;
}

/// Becomes true when the process is asked to end.
pub(crate) fn stopping() -> tokio::sync::watch::Receiver<bool> {
    let (stop, stopping) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        ended().await;
        // Whoever waited for it may have ended first.
        let _ = stop.send(true);
    });
    stopping
}

/// What services learn about this process.
pub(crate) fn environment() -> Environment {
    #[expect(clippy::disallowed_methods, reason = "the binary is where the environment is read")]
    let certificates = std::env::var_os(CERTIFICATES).map_or("/app/config/tls".into(), Into::into);
    let is_read = |name: &str| {
        CLOUDS.iter().any(|clouds| name.starts_with(clouds)) || echion_services::PROXY_VARIABLES.contains(&name)
    };
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let variables =
        variables.filter(|(name, _)| is_read(name)).map(|(name, value)| (name, Secret::new(value))).collect();
    Environment {
        user_agent: concat!("echion/", env!("CARGO_PKG_VERSION")).to_owned(),
        certificates: Some(certificates),
        conditions: Some(Arc::new(echion_runtime::engine::Conditions)),
        secrets: Vec::new(),
        tenant: None,
        variables,
    }
}

fn read(path: &str) -> Result<String, Failure> {
    let fail = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; `-` reads standard input",
            std::io::ErrorKind::PermissionDenied => "let this user read it",
            std::io::ErrorKind::InvalidData => "expected a manifest as YAML or JSON, in UTF-8",
            std::io::ErrorKind::IsADirectory => "expected a file",
            _ => "",
        };
        Failure::new(format!("cannot read {path}: {error}")).hint(hint)
    };
    let mut text = String::new();
    if path == "-" {
        std::io::stdin().lock().take(LARGEST).read_to_string(&mut text).map_err(fail)?;
    } else {
        std::fs::File::open(path).map_err(fail)?.take(LARGEST).read_to_string(&mut text).map_err(fail)?;
    }
    Ok(text)
}

/// Reads ConfigMap and Secret from their files, of which the first must be given.
pub(crate) fn given_sources(args: &args::Sources) -> Result<Sources, Failure> {
    if args.config_map.is_none() {
        return Err(Failure::new("no configuration is given").hint(
            "add `--config-map FILE`; `kubectl get configmap argocd-notifications-cm -n argocd -o yaml` prints that of a cluster",
        ));
    }
    sources(args)
}

/// Reads ConfigMap and Secret from their files. Without a ConfigMap the configuration is empty.
pub(crate) fn sources(args: &args::Sources) -> Result<Sources, Failure> {
    let mut sources = Sources::default();
    let fail = |path: &str, error: DocumentsError, hint: &str| {
        let hint = if matches!(error, DocumentsError::Missing { .. }) { hint } else { "" };
        let place = if matches!(error, DocumentsError::Missing { .. }) { ": " } else { ":" };
        Failure::new(format!("{path}{place}{error}")).hint(hint)
    };
    if let Some(path) = &args.config_map {
        let hint = format!("the file must hold a ConfigMap named `{CONFIG_MAP}`");
        Documents::parse(&read(path)?)
            .and_then(|documents| documents.config_map(CONFIG_MAP, &mut sources))
            .map_err(|error| fail(path, error, &hint))?;
    }
    if args.secret != ":empty" {
        let path = &args.secret;
        let hint = format!("the file must hold a Secret named `{SECRET}`; `--secret :empty` does without");
        Documents::parse(&read(path)?)
            .and_then(|documents| documents.secret(SECRET, &mut sources))
            .map_err(|error| fail(path, error, &hint))?;
    }
    Ok(sources)
}

/// Compiles the configuration; a key that does not work keeps its version in `previous`.
pub(crate) fn config(sources: &Sources, previous: Option<&Config>) -> Config {
    config_for(sources, &Tenant::default(), previous)
}

/// The same, with what tenants may do where it is one's.
pub(crate) fn config_for(sources: &Sources, tenant: &Tenant, previous: Option<&Config>) -> Config {
    let tenant = sources.self_service.then(|| tenant.clone());
    let environment = Environment { tenant, ..environment() };
    Config::load(sources, &echion_services::configurable(), &environment, previous)
}

/// The file name for diagnostics.
pub(crate) fn config_name(args: &args::Sources) -> &str {
    args.config_map.as_deref().unwrap_or("configuration")
}

/// Reads the one resource of a YAML or JSON file, which may be a list of one.
pub(crate) fn resource(path: &Path) -> Result<Resource, Failure> {
    let name = path.display();
    let text = read(&path.to_string_lossy()).map_err(|failure| match path.try_exists() {
        Ok(false) => failure.hint(format!(
            "expected a file; `kubectl get application {name} -n argocd -o yaml > app.yaml` writes that of a cluster"
        )),
        _ => failure,
    })?;
    let documents = yaml::parse_all(&text).map_err(|e| Failure::new(format!("{name}:{}:{}: {e}", e.line, e.column)))?;
    let objects = echion_runtime::engine::objects(&documents);
    let found: Vec<Resource> =
        objects.into_iter().filter_map(|node| Resource::from_object(node.to_value(), "argocd")).collect();
    let is_application = |resource: &&Resource| resource.id.kind == "Application";
    let applications: Vec<&Resource> = found.iter().filter(is_application).collect();
    let candidates = if applications.is_empty() { found.iter().collect() } else { applications };
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::new(format!("{name}: not a Kubernetes object"))
            .hint("expected a manifest with `kind` and `metadata.name`")),
        several => {
            let shown: Vec<String> = several.iter().take(10).map(|r| format!("{} {}", r.id.kind, r.id)).collect();
            let more = if several.len() > shown.len() { ", …" } else { "" };
            let message =
                format!("{name}: {} in it: {}{more}", print::count(several.len(), "object"), shown.join(", "));
            Err(Failure::new(message).hint("give a file with the one that is meant"))
        }
    }
}

/// How a ledger is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To deliver out of it: no other process may.
    Deliver,
    /// To read it, or to change single deliveries next to a process that delivers out of it.
    Inspect,
}

/// The name of the ledger that is kept in a folder of resources.
pub(crate) fn ledger_of(folder: &Path) -> String {
    format!("sqlite:{}", folder.join(".echion.sqlite").display())
}

/// Opens a ledger given as `sqlite:FILE` or `memory`.
pub(crate) async fn ledger(name: &str, purpose: Purpose) -> Result<SharedLedger, Failure> {
    let opened = match name.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() && purpose == Purpose::Deliver => {
            SqlLedger::own(Path::new(file)).await
        }
        Some(("sqlite", file)) if !file.is_empty() => SqlLedger::open(Path::new(file)).await,
        None if name == "memory" => SqlLedger::in_memory().await,
        _ => {
            let hint = "write `--ledger sqlite:FILE`, or `--ledger memory` for one that is forgotten";
            return Err(Failure::new(format!("`{name}` is not a ledger")).hint(hint));
        }
    };
    Ok(Arc::new(opened?))
}

/// Outside a cluster there is no repo-server to ask.
pub(crate) struct NoRepository;

impl Repository for NoRepository {
    fn commit_metadata(&self, _: &Value, _: &str) -> Result<CommitMetadata, String> {
        Err("no repo-server is configured".to_owned())
    }

    fn app_details(&self, _: &Value) -> Result<AppDetail, String> {
        Err("no repo-server is configured".to_owned())
    }
}
