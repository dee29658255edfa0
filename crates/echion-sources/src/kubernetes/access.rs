//! How the API server is reached: the choices of `kubectl`.

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

static PROVIDER: Once = Once::new();

/// What overrides the kubeconfig or the account of the pod. Empty fields override nothing.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The kubeconfig file; otherwise `KUBECONFIG`, `~/.kube/config`, then the account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub context: Option<String>,
    /// The cluster in it.
    pub cluster: Option<String>,
    /// The user in it.
    pub user: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The API server's address.
    pub server: Option<String>,
    /// A bearer token.
    pub token: Option<echion_model::Secret>,
    /// User name for basic authentication.
    pub username: Option<String>,
    /// Password for basic authentication.
    pub password: Option<echion_model::Secret>,
    /// A user to act as.
    pub act_as: Option<String>,
    /// Groups to act as.
    pub act_as_groups: Vec<String>,
    /// A uid to act as.
    pub act_as_uid: Option<String>,
    /// File with the certificate authority.
    pub certificate_authority: Option<PathBuf>,
    /// File with the client's certificate.
    pub client_certificate: Option<PathBuf>,
    /// File with the client's key.
    pub client_key: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// The name that the certificate must have.
    pub tls_server_name: Option<String>,
    /// A proxy.
    pub proxy_url: Option<String>,
    /// How long a single request may take; watches have their own time.
    pub request_timeout: Option<Duration>,
    /// Do not ask for compressed answers.
    pub disable_compression: bool,
}

/// The API server cannot be reached as asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AccessError(String);

/// A way to the API server.
#[derive(Clone)]
pub struct Connection {
    /// Speaks to it.
    pub client: Client,
    /// The namespace that was asked for, or that the kubeconfig or the pod has.
    pub namespace: String,
    /// The API server's host.
    pub host: String,
}

impl Access {
    /// A client and the namespace it runs in. Nothing is sent yet.
    ///
    /// # Errors
    /// When there is neither a usable kubeconfig nor the account of a pod, or an override cannot be used.
    pub async fn connect(&self) -> Result<Connection, AccessError> {
        // The one TLS stack: ring, installed once for the process.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let mut config = self.base().await?;
        self.override_in(&mut config)?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let host = config.cluster_url.host().unwrap_or_default().to_owned();
        let client = Client::try_from(config).map_err(|error| AccessError(format!("no client: {error}")))?;
        Ok(Connection { client, namespace, host })
    }

    async fn base(&self) -> Result<Config, AccessError> {
        let options =
            KubeConfigOptions { context: self.context.clone(), cluster: self.cluster.clone(), user: self.user.clone() };
        if let Some(path) = &self.kubeconfig {
            let fail = |error: kube::config::KubeconfigError| AccessError(format!("{}: {error}", path.display()));
            let file = Kubeconfig::read_from(path).map_err(fail)?;
            return Config::from_custom_kubeconfig(file, &options).await.map_err(fail);
        }
        match Config::from_kubeconfig(&options).await {
            Ok(config) => Ok(config),
            Err(kubeconfig) => match (Config::incluster(), &self.server) {
                (Ok(config), _) => Ok(config),
                (Err(_), Some(server)) => Ok(Config::new(address(server)?)),
                (Err(pod), None) => {
                    Err(AccessError(format!("neither a kubeconfig ({kubeconfig}) nor the account of a pod ({pod})")))
                }
            },
        }
    }

    fn override_in(&self, config: &mut Config) -> Result<(), AccessError> {
        if let Some(server) = &self.server {
            config.cluster_url = address(server)?;
        }
        if let Some(token) = &self.token {
            config.auth_info.token = Some(token.expose().to_owned().into());
            config.auth_info.token_file = None;
        }
        if let Some(name) = &self.username {
            config.auth_info.username = Some(name.clone());
        }
        if let Some(password) = &self.password {
            config.auth_info.password = Some(password.expose().to_owned().into());
        }
        if let Some(user) = &self.act_as {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !self.act_as_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(self.act_as_groups.clone());
        }
        if let Some(uid) = &self.act_as_uid {
            config.auth_info.impersonate_uid = Some(uid.clone());
        }
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        if let Some(file) = &self.certificate_authority {
            let fail = |why: String| AccessError(format!("{}: {why}", file.display()));
            let text = std::fs::read(file).map_err(|error| fail(error.to_string()))?;
            let certificates = pem_certificates(&text);
            if certificates.is_empty() {
                return Err(fail("there is no certificate in it".to_owned()));
            }
            config.root_cert = Some(certificates);
            config.root_cert_file = None;
        }
        if let Some(file) = &self.client_certificate {
            config.auth_info.client_certificate = Some(path(file));
            config.auth_info.client_certificate_data = None;
        }
        if let Some(file) = &self.client_key {
            config.auth_info.client_key = Some(path(file));
            config.auth_info.client_key_data = None;
        }
        if self.insecure_skip_tls_verify {
            config.accept_invalid_certs = true;
        }
        if let Some(name) = &self.tls_server_name {
            config.tls_server_name = Some(name.clone());
        }
        if let Some(proxy) = &self.proxy_url {
            config.proxy_url = Some(address(proxy)?);
        }
        if self.disable_compression {
            config.disable_compression = true;
        }
        // Callers have pauses of their own, with an upper bound; the client's double up to a quarter of an hour, and it reports nothing meanwhile.
        config.default_retry = false;
        // A connection that died without a word must not hold a write for ever; watches are guarded by their own time-out.
        config.write_timeout = Some(self.request_timeout.unwrap_or(Duration::from_secs(30)));
        Ok(())
    }
}

fn address(text: &str) -> Result<http::Uri, AccessError> {
    text.parse().map_err(|error| AccessError(format!("`{text}` is not an address: {error}")))
}

/// The certificates of a PEM file, as bytes.
fn pem_certificates(text: &[u8]) -> Vec<Vec<u8>> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::pem_slice_iter(text).filter_map(Result::ok).map(|certificate| certificate.to_vec()).collect()
}
