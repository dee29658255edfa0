//! The options that every HTTP service shares (contract 5.0, family A, and what it lacks).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use echion_model::{Condition, Environment, OptionsError, Secret};
use reqwest::{ClientBuilder, Proxy};
use rustls::pki_types::CertificateDer;

use super::auth::{OAuth2, Signature};
use super::proxy::Proxies;
use crate::options::{Headers, Shaped, Span, options};
use crate::tls::{self, Trust};

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

options! {
    pub(crate) struct Transport {
        /// How long a request may take, from its start to the last byte of the answer.
        "timeout" timeout: Option<Span> = None, "30s",
        /// Headers of every request, as a list of `{name, value}` or a mapping; of equal names the last one wins.
        "headers" headers: Headers,
        /// The proxy for requests, such as `http://user:$password@proxy:3128`; `none` ignores the environment's.
        "proxy" proxy: Secret = Secret::default(), "from the environment",
        /// Certificates (PEM) that are trusted in addition to the system's.
        "caBundle" ca_bundle: String,
        /// A file with such certificates.
        "caBundleFile" ca_bundle_file: String,
        /// Certificate (PEM) that shows who is asking, for mutual TLS.
        "clientCertificate" client_certificate: String,
        /// The private key (PEM) of that certificate.
        "clientKey" client_key: Secret,
        /// Accept any certificate; custom certificates are ignored then. Tenants may not, unless the administrator lets them.
        "insecureSkipVerify" insecure_skip_verify: bool = false, "false",
        /// Sends a token from an authorization server: `{tokenURL, clientID, clientSecret, scopes, audience}`.
        "oauth2" oauth2: Option<OAuth2>,
        /// Signs each body: `{secret, header, algorithm, encoding, prefix}`.
        "hmac" hmac: Option<Signature>,
        /// A condition over `response.status`, `response.body` and `response.json` that says whether the message was taken.
        "success" success: String,
        /// Accepted for compatibility; one client a service keeps as many idle connections as are useful.
        "maxIdleConns" max_idle_conns: i64,
        /// Idle connections kept for each host; 0 means no limit.
        "maxIdleConnsPerHost" max_idle_conns_per_host: i64,
        /// Accepted for compatibility; a channel's own concurrency limits its connections.
        "maxConnsPerHost" max_conns_per_host: i64,
        /// How long an idle connection is kept.
        "idleConnTimeout" idle_conn_timeout: String,
    }
}

impl Shaped for OAuth2 {
    const SHAPE: echion_model::OptionShape = echion_model::OptionShape::Nested;
}

impl Shaped for Signature {
    const SHAPE: echion_model::OptionShape = echion_model::OptionShape::Nested;
}

/// `refuse` makes the error for an option.
pub(super) type Refuse<'a> = &'a dyn Fn(&str, String) -> OptionsError;

/// What does not depend on the host: refuses what cannot be used.
pub(super) fn check(
    transport: &Transport,
    environment: &Environment,
    refuse: Refuse<'_>,
) -> Result<Option<Arc<dyn Condition>>, OptionsError> {
    if let Some(tenant) = &environment.tenant {
        if transport.insecure_skip_verify && !tenant.insecure_skip_verify {
            let message = "`insecureSkipVerify` is not allowed here; give the server's certificate in `caBundle`";
            return Err(refuse("insecureSkipVerify", message.to_owned()));
        }
        if !transport.ca_bundle_file.is_empty() {
            return Err(refuse("caBundleFile", "files of the controller are not read here; use `caBundle`".to_owned()));
        }
    }
    if transport.success.is_empty() {
        return Ok(None);
    }
    let Some(compiler) = &environment.conditions else {
        return Err(refuse("success", "`success` cannot be used here: nothing compiles conditions".to_owned()));
    };
    let compiled = compiler.compile(&transport.success);
    compiled.map(Some).map_err(|(message, (line, column))| refuse("success", format!("{message} ({line}:{column})")))
}

/// Sets up a client for one host.
pub(super) fn apply(
    transport: &Transport,
    host: &str,
    environment: &Environment,
    proxies: &Proxies,
    mut builder: ClientBuilder,
    refuse: Refuse<'_>,
) -> Result<ClientBuilder, OptionsError> {
    if transport.max_idle_conns_per_host > 0 {
        builder = builder.pool_max_idle_per_host(usize::try_from(transport.max_idle_conns_per_host).unwrap_or(1));
    }
    if let Ok(idle) = echion_value::time::parse_duration(&transport.idle_conn_timeout)
        && let Ok(idle) = u64::try_from(idle)
        && idle > 0
    {
        builder = builder.pool_idle_timeout(Duration::from_nanos(idle));
    }
    match transport.proxy.expose().trim() {
        "none" => builder = builder.no_proxy(),
        "" => {
            let proxies = proxies.clone();
            builder = builder.no_proxy().proxy(Proxy::custom(move |url| proxies.of(url).cloned()));
        }
        proxy => {
            // The parser's own text repeats the address, and the password in it.
            let proxy = Proxy::all(proxy)
                .map_err(|_| refuse("proxy", "`proxy` is not an address such as `http://proxy:3128`".to_owned()))?;
            builder = builder.proxy(proxy);
        }
    }
    let mut trust = Trust { anything: transport.insecure_skip_verify, ..Trust::default() };
    // These replace the system's, as in Argo CD Notifications.
    trust.only = environment.certificates.as_deref().and_then(|folder| certificate_file(folder, host));
    if !transport.ca_bundle.is_empty() {
        trust.extra.extend(pem("caBundle", transport.ca_bundle.as_bytes(), refuse)?);
    }
    if !transport.ca_bundle_file.is_empty() {
        let fail = |error: std::io::Error| refuse("caBundleFile", format!("`caBundleFile` cannot be read: {error}"));
        let bytes = std::fs::read(&transport.ca_bundle_file).map_err(fail)?;
        trust.extra.extend(pem("caBundleFile", &bytes, refuse)?);
    }
    let wrong = || {
        let message = "`clientCertificate` and `clientKey` are not a certificate and its key in PEM";
        refuse("clientCertificate", message.to_owned())
    };
    match (transport.client_certificate.is_empty(), transport.client_key.is_empty()) {
        (true, true) => {}
        (false, false) => {
            let certificates = tls::certificates(transport.client_certificate.as_bytes()).ok_or_else(wrong)?;
            let key = tls::key(transport.client_key.expose().as_bytes()).ok_or_else(wrong)?;
            trust.identity = Some((certificates, key));
        }
        _ => {
            let message = "`clientCertificate` and `clientKey` belong together";
            return Err(refuse("clientCertificate", message.to_owned()));
        }
    }
    let mut config = trust.client().map_err(|_| wrong())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(builder.tls_backend_preconfigured(config))
}

fn pem(option: &str, bytes: &[u8], refuse: Refuse<'_>) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    tls::certificates(bytes).ok_or_else(|| refuse(option, format!("`{option}` holds no certificate in PEM")))
}

/// Whether a host is the machine itself: `localhost` or a loopback address.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Certificates for a host: a PEM file of its name, if it is there and holds any (contract 5.0).
pub(crate) fn certificate_file(folder: &Path, host: &str) -> Option<Vec<CertificateDer<'static>>> {
    if host.is_empty() || host.contains(['/', '\\']) {
        return None;
    }
    let bytes = std::fs::read(folder.join(host)).ok()?;
    tls::certificates(&bytes)
}

#[cfg(test)]
mod tests {
    use super::super::Address;
    use super::*;

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        for (url, want) in [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
            ("http://localhost.test", false),
        ] {
            assert_eq!(is_this_machine(Address::parse(url).unwrap().host()), want, "{url}");
        }
    }
}
