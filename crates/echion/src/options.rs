//! What the flags of the controller mean (contract 2.9).

use std::path::PathBuf;
use std::time::Duration;

use echion_runtime::engine::Namespaces;
use echion_runtime::model::{Egress, Tenant};
use echion_sources::kubernetes::{Access, ResourceKind};
use echion_sources::reposerver::{Address, Identity, Trust};
use tracing::Level;

use crate::args::{Annotations, Cluster, Controller, EgressMode, Election};
use crate::log::LogFormat;
use crate::{Failure, setup};

/// The configuration of the controller's process.
pub(crate) struct Options {
    pub(crate) access: Access,
    pub(crate) level: Level,
    pub(crate) format: LogFormat,
    pub(crate) metrics_port: u16,
    pub(crate) config_map: String,
    pub(crate) secret: String,
    pub(crate) labels: String,
    pub(crate) namespaces: Vec<String>,
    pub(crate) self_service: bool,
    pub(crate) tenant: Tenant,
    pub(crate) kinds: Vec<ResourceKind>,
    pub(crate) write_annotations: bool,
    pub(crate) ledger: String,
    pub(crate) election: Election,
    pub(crate) repo_server: Address,
}

impl Options {
    /// Reads what flags and variables say.
    pub(crate) fn resolve(args: Controller) -> Result<Self, Failure> {
        let level = args.loglevel;
        let level = match level.to_ascii_lowercase().as_str() {
            "panic" | "fatal" | "error" => Level::ERROR,
            "warn" | "warning" => Level::WARN,
            "info" => Level::INFO,
            "debug" => Level::DEBUG,
            "trace" => Level::TRACE,
            _ => {
                let hint = "the levels are debug, info, warn and error";
                return Err(Failure::new(format!("`{level}` is not a log level")).hint(hint));
            }
        };
        let format = args.logformat;
        let format = match format.to_ascii_lowercase().as_str() {
            "json" => LogFormat::Json,
            "text" => LogFormat::Text,
            _ => {
                let hint = "the formats are json and text";
                return Err(Failure::new(format!("`{format}` is not a log format")).hint(hint));
            }
        };
        let namespaces: Vec<String> =
            args.application_namespaces.iter().map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect();
        // Read for its errors: the controller's own namespace is not known yet.
        Namespaces::new("", namespaces.iter().map(String::as_str)).map_err(|error| {
            Failure::new(format!("`--application-namespaces` {error}"))
                .hint("write globs such as `team-*`, or regular expressions between slashes")
        })?;
        let mut kinds = vec![ResourceKind::application()];
        for kind in args.resource {
            if !kinds.iter().any(|k| k.group == kind.group && k.plural == kind.plural) {
                kinds.push(kind);
            }
        }
        let repo_server = RepoServerFlags {
            server: args.argocd_repo_server,
            plaintext: args.argocd_repo_server_plaintext,
            strict: args.argocd_repo_server_strict_tls,
            authority: args.repo_server_ca_cert_path.unwrap_or_default(),
            certificate: args.repo_server_client_cert_path,
            key: args.repo_server_client_cert_key_path,
        };
        Ok(Self {
            access: access(args.cluster),
            level,
            format,
            metrics_port: args.metrics_port,
            config_map: args.config_map_name,
            secret: args.secret_name,
            labels: args.app_label_selector,
            namespaces,
            self_service: args.self_service_notification_enabled,
            tenant: Tenant {
                egress: egress(args.self_service_egress, &args.self_service_egress_allow)?,
                insecure_skip_verify: args.self_service_insecure_skip_verify,
            },
            kinds,
            write_annotations: args.annotations == Annotations::Write,
            ledger: args.ledger,
            repo_server: repo_server.resolve()?,
            election: args.leader_election,
        })
    }
}

impl Options {
    /// Keeps tenants from the API server, whatever its address is.
    pub(crate) async fn keep_from(&mut self, server: &str) {
        self.tenant.egress.refuse(server);
        // A name that cannot be resolved now is refused by itself.
        let found = tokio::net::lookup_host((server.trim_start_matches('[').trim_end_matches(']'), 443)).await;
        found.into_iter().flatten().for_each(|address| self.tenant.egress.refuse(&address.ip().to_string()));
    }
}

fn egress(mode: EgressMode, allowed: &[String]) -> Result<Egress, Failure> {
    let mut egress = match mode {
        EgressMode::Public => Egress::default(),
        EgressMode::Any => Egress::any(),
    };
    for text in allowed.iter().filter(|text| !text.trim().is_empty()) {
        egress.allow(text).map_err(|error| Failure::new(format!("`--self-service-egress-allow`: {error}")))?;
    }
    Ok(egress)
}

/// What is said about the repo-server, flags and environment together.
struct RepoServerFlags {
    server: String,
    plaintext: bool,
    strict: bool,
    authority: String,
    certificate: String,
    key: String,
}

impl RepoServerFlags {
    fn resolve(self) -> Result<Address, Failure> {
        let trust = if self.plaintext {
            Trust::Plaintext
        } else if !self.authority.is_empty() {
            Trust::Signed(vec![self.authority.into()])
        } else if self.strict {
            let folder = setup::variable(setup::CONFIGURATION_FOLDER).unwrap_or_else(|| "/app/config".to_owned());
            let folder = PathBuf::from(folder).join("reposerver/tls");
            Trust::Signed(vec![folder.join("tls.crt"), folder.join("ca.crt")])
        } else {
            Trust::Anyone
        };
        if self.certificate.is_empty() != self.key.is_empty() {
            let message = "the repo-server's client certificate needs both a certificate and a key";
            let hint = "give `--repo-server-client-cert-path` and `--repo-server-client-cert-key-path` together";
            return Err(Failure::new(message).hint(hint));
        }
        let identity = Identity { certificate: self.certificate.into(), key: self.key.into() };
        let identity = Some(identity).filter(|identity| !identity.certificate.as_os_str().is_empty());
        let megabytes = setup::variable(setup::LARGEST_RESPONSE).and_then(|said| said.parse::<usize>().ok());
        let largest = megabytes.filter(|size| (1..=2048).contains(size)).unwrap_or(100) << 20;
        Ok(Address { server: self.server, trust, identity, largest })
    }
}

fn access(cluster: Cluster) -> Access {
    Access {
        kubeconfig: cluster.kubeconfig,
        context: cluster.context,
        cluster: cluster.cluster,
        user: cluster.user,
        namespace: cluster.namespace,
        server: cluster.server,
        token: cluster.token.map(echion_runtime::model::Secret::new),
        username: cluster.username,
        password: cluster.password.map(echion_runtime::model::Secret::new),
        act_as: cluster.act_as,
        act_as_groups: cluster.act_as_group,
        act_as_uid: cluster.act_as_uid,
        certificate_authority: cluster.certificate_authority,
        client_certificate: cluster.client_certificate,
        client_key: cluster.client_key,
        insecure_skip_tls_verify: cluster.insecure_skip_tls_verify,
        tls_server_name: cluster.tls_server_name,
        proxy_url: cluster.proxy_url,
        request_timeout: Some(cluster.request_timeout).filter(|ms| *ms > 0).map(Duration::from_millis),
        disable_compression: cluster.disable_compression,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repo_server_is_trusted_according_to_its_flags() {
        let resolve = |plaintext, strict, authority: &str, certificate: &str, key: &str| {
            let flags = RepoServerFlags {
                server: "repo:8081".to_owned(),
                plaintext,
                strict,
                authority: authority.to_owned(),
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            };
            flags.resolve()
        };
        let trust = |plaintext, strict, authority| {
            resolve(plaintext, strict, authority, "c", "k").unwrap_or_else(|f| panic!("{f:?}")).trust
        };
        assert_eq!(trust(false, false, ""), Trust::Anyone);
        assert_eq!(trust(true, true, "ca"), Trust::Plaintext);
        assert_eq!(trust(false, false, "ca"), Trust::Signed(vec!["ca".into()]));
        let own = ["/app/config/reposerver/tls/tls.crt", "/app/config/reposerver/tls/ca.crt"];
        assert_eq!(trust(false, true, ""), Trust::Signed(own.map(Into::into).to_vec()));
        assert!(resolve(false, false, "", "", "").is_ok_and(|address| address.identity.is_none()));
        assert!(resolve(false, false, "", "c", "k").is_ok_and(|address| address.identity.is_some()));
        assert!(resolve(false, false, "", "c", "").is_err() && resolve(false, false, "", "", "k").is_err());
    }
}
