//! Arguments of `echion controller`: the flags of Argo CD Notifications (contract 2.9), the choices of `kubectl`, and ours.

use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs};

/// A flag that may be given alone, or be written `--flag=false`, as Go's flags can.
const ALONE: &str = "true";
const NOT: &str = "false";

/// The heading of the flags that say how the API server is reached.
pub(crate) const KUBERNETES: &str = "Kubernetes";

/// Variables of the environment that stand in for a flag that is not given. One that is empty counts as absent.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("loglevel", "ARGOCD_NOTIFICATIONS_CONTROLLER_LOGLEVEL"),
    ("logformat", "ARGOCD_NOTIFICATIONS_CONTROLLER_LOGFORMAT"),
    ("argocd_repo_server_plaintext", "ARGOCD_NOTIFICATION_CONTROLLER_REPO_SERVER_PLAINTEXT"),
    ("repo_server_ca_cert_path", "ARGOCD_NOTIFICATION_CONTROLLER_REPO_SERVER_CA_CERT_PATH"),
    ("repo_server_client_cert_path", "ARGOCD_NOTIFICATION_CONTROLLER_REPO_SERVER_CLIENT_CERT_PATH"),
    ("repo_server_client_cert_key_path", "ARGOCD_NOTIFICATION_CONTROLLER_REPO_SERVER_CLIENT_CERT_KEY_PATH"),
    ("application_namespaces", "ARGOCD_APPLICATION_NAMESPACES"),
    ("self_service_notification_enabled", "ARGOCD_NOTIFICATION_CONTROLLER_SELF_SERVICE_NOTIFICATION_ENABLED"),
    ("self_service_insecure_skip_verify", "ECHION_SELF_SERVICE_INSECURE_SKIP_VERIFY"),
    ("self_service_egress", "ECHION_SELF_SERVICE_EGRESS"),
    ("self_service_egress_allow", "ECHION_SELF_SERVICE_EGRESS_ALLOW"),
    ("annotations", "ECHION_ANNOTATIONS"),
    ("ledger", "ECHION_LEDGER"),
    ("leader_election", "ECHION_LEADER_ELECTION"),
];

#[derive(ClapArgs, Debug)]
pub(crate) struct Controller {
    /// Accepted for compatibility: deliveries run concurrently whatever its value.
    #[arg(long, value_name = "N")]
    pub(crate) processors_count: Option<u32>,
    /// Watch only Applications with these labels.
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub(crate) app_label_selector: String,
    /// debug, info, warn or error.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) loglevel: String,
    /// json or text.
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub(crate) logformat: String,
    /// Port of /metrics, /healthz and /readyz; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 9001)]
    pub(crate) metrics_port: u16,
    /// Address of Argo CD's repo-server.
    #[arg(long, value_name = "HOST:PORT", default_value = "argocd-repo-server:8081")]
    pub(crate) argocd_repo_server: String,
    /// Speak to the repo-server without TLS.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = ALONE, default_value = NOT, action = ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) argocd_repo_server_plaintext: bool,
    /// Check the repo-server's certificate (deprecated: `--repo-server-ca-cert-path` does it too).
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = ALONE, default_value = NOT, action = ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) argocd_repo_server_strict_tls: bool,
    /// File with the certificate authority of the repo-server.
    #[arg(long, value_name = "FILE")]
    pub(crate) repo_server_ca_cert_path: Option<String>,
    /// Client certificate for the repo-server.
    #[arg(long, value_name = "FILE", default_value = "/app/config/reposerver/mtls/client.crt")]
    pub(crate) repo_server_client_cert_path: String,
    /// Key of that certificate.
    #[arg(long, value_name = "FILE", default_value = "/app/config/reposerver/mtls/client.key")]
    pub(crate) repo_server_client_cert_key_path: String,
    /// Name of the ConfigMap.
    #[arg(long, value_name = "NAME", default_value = "argocd-notifications-cm")]
    pub(crate) config_map_name: String,
    /// Name of the Secret.
    #[arg(long, value_name = "NAME", default_value = "argocd-notifications-secret")]
    pub(crate) secret_name: String,
    /// Watch Applications of these namespaces too: globs, or regular expressions between slashes, separated by commas.
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) application_namespaces: Vec<String>,
    /// Let every namespace have its own ConfigMap and Secret.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = ALONE, default_value = NOT, action = ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) self_service_notification_enabled: bool,
    /// Let these namespaces leave certificates unchecked with `insecureSkipVerify`.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = ALONE, default_value = NOT, action = ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) self_service_insecure_skip_verify: bool,
    /// Which addresses the services of these namespaces may reach: `public` ones, or `any`.
    #[arg(long, value_name = "MODE", default_value = "public", ignore_case = true)]
    pub(crate) self_service_egress: EgressMode,
    /// Let them reach a network or a host besides, such as `10.1.0.0/16` or `hooks.internal`; may be given several times.
    #[arg(long, value_name = "CIDR|HOST", value_delimiter = ',')]
    pub(crate) self_service_egress_allow: Vec<String>,
    /// Watch this kind of resource too, as group/version/plural or group/version/plural:variable; may be given several times.
    #[arg(long, value_name = "KIND")]
    pub(crate) resource: Vec<echion_sources::kubernetes::ResourceKind>,
    /// Whether to write the state into the annotation of each resource, or only to read it.
    #[arg(long, value_name = "MODE", default_value = "write", ignore_case = true)]
    pub(crate) annotations: Annotations,
    /// Where to remember: `memory`, or `sqlite:FILE` on a volume.
    #[arg(long, value_name = "LEDGER", default_value = "memory")]
    pub(crate) ledger: String,
    /// Let replicas elect one that delivers; `auto` does without where Leases are forbidden.
    #[arg(long, value_name = "MODE", default_value = "auto", ignore_case = true)]
    pub(crate) leader_election: Election,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    /// Accepted, and ignored, where the program is called as Argo CD Notifications is.
    #[arg(hide = true)]
    pub(crate) ignored: Vec<String>,
}

/// Which addresses tenants reach.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EgressMode {
    /// Those of the Internet.
    Public,
    /// All, those of the cluster and of this machine among them.
    Any,
}

/// What is done with the state annotation.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Annotations {
    /// Import it, and keep it up to date.
    Write,
    /// Import it, and never write to a resource.
    Read,
}

/// Whether replicas elect a leader.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Election {
    /// Where Leases are allowed.
    Auto,
    /// Always.
    On,
    /// Never: there is one replica.
    Off,
}

/// How the API server is reached.
#[derive(ClapArgs, Debug, Clone)]
#[command(next_help_heading = KUBERNETES)]
pub(crate) struct Cluster {
    /// The kubeconfig file.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The namespace of the configuration.
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// The context of the kubeconfig.
    #[arg(long)]
    pub(crate) context: Option<String>,
    /// The cluster of the kubeconfig.
    #[arg(long)]
    pub(crate) cluster: Option<String>,
    /// The user of the kubeconfig.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// The API server's address.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// A bearer token.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// User name for basic authentication.
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// Password for basic authentication.
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// A user to act as.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) act_as: Option<String>,
    /// A group to act as; may be given several times.
    #[arg(long = "as-group", value_name = "GROUP")]
    pub(crate) act_as_group: Vec<String>,
    /// A uid to act as.
    #[arg(long = "as-uid", value_name = "UID")]
    pub(crate) act_as_uid: Option<String>,
    /// File with the certificate authority.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate_authority: Option<PathBuf>,
    /// File with the client's certificate.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// File with the client's key.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// Accept any certificate of the API server.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = ALONE, default_value = NOT, action = ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) insecure_skip_tls_verify: bool,
    /// The name that the certificate must have.
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,
    /// A proxy for the API server.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy_url: Option<String>,
    /// How long a request may take, such as 30s; 0 means as long as it wants.
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = timeout)]
    pub(crate) request_timeout: u64,
    /// Do not ask for compressed answers.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = ALONE, default_value = NOT, action = ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) disable_compression: bool,
}

/// What Go's flags take for a boolean.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A time as `kubectl` writes it, in milliseconds: seconds without a unit, or a duration.
fn timeout(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(seconds.saturating_mul(1000));
    }
    super::duration(text).map(i64::unsigned_abs)
}
