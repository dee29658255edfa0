//! Whom TLS connections trust: the system's certificates, those of the configuration, and one case that webpki refuses.

use std::collections::HashSet;
use std::sync::{Arc, Once, OnceLock};

use crate::answer;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

static PROVIDER: Once = Once::new();

/// Installs the one TLS stack: ring, once for the process.
pub(crate) fn install() {
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// What a connection trusts, and how it shows who is asking.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// These in place of the system's certificates.
    pub(crate) only: Option<Vec<CertificateDer<'static>>>,
    /// These in addition.
    pub(crate) extra: Vec<CertificateDer<'static>>,
    /// Any certificate is accepted.
    pub(crate) anything: bool,
    /// Certificates and key for mutual TLS.
    pub(crate) identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Trust {
    /// The settings of a connection.
    ///
    /// # Errors
    /// When key and certificate do not belong together.
    pub(crate) fn client(self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new(&provider, self.roots(), self.anything)?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        match self.identity {
            Some((certificates, key)) => builder.with_client_auth_cert(certificates, key),
            None => Ok(builder.with_no_client_auth()),
        }
    }

    fn roots(&self) -> Vec<CertificateDer<'static>> {
        let first = self.only.as_deref().unwrap_or_else(|| system());
        first.iter().chain(&self.extra).cloned().collect()
    }
}

/// The system's certificates, read once. A machine may have none: what needs none works there all the same.
fn system() -> &'static [CertificateDer<'static>] {
    static SYSTEM: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    SYSTEM.get_or_init(|| rustls_native_certs::load_native_certs().certs)
}

/// Reads the certificates of a PEM text; `None` when it holds none, or a damaged one.
pub(crate) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    let mut roots = RootCertStore::empty();
    (!found.is_empty() && found.iter().all(|one| roots.add(one.clone()).is_ok())).then_some(found)
}

/// Reads the key of a PEM text.
pub(crate) fn key(pem: &[u8]) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).ok()
}

/// What we object to in a server's certificate, if that is why a connection failed.
pub(crate) fn objection(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    match cause::<Error>(error)? {
        Error::InvalidCertificate(objection) => Some(answer::excerpt(&objection.to_string())),
        _ => None,
    }
}

/// An error of this type among the causes of another one.
pub(crate) fn cause<'e, E: std::error::Error + 'static>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e E> {
    let mut cause: Option<&'e (dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an error of I/O was made of is not its source: that is the source of what it was made of.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

/// webpki's verifier, but for a certificate that is trusted itself: `openssl req -x509` marks what it makes as an authority, and webpki refuses
/// that as a server's certificate even from who lists exactly this one.
#[derive(Debug)]
struct Verifier {
    /// `None` where nothing is trusted.
    inner: Option<Arc<WebPkiServerVerifier>>,
    trusted: HashSet<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    anything: bool,
}

impl Verifier {
    fn new(provider: &Arc<CryptoProvider>, roots: Vec<CertificateDer<'static>>, anything: bool) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let inner = if store.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
            Some(builder.build().map_err(|error| Error::General(error.to_string()))?)
        };
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { inner, trusted: roots.into_iter().collect(), algorithms, anything })
    }

    /// Whether this was refused only for being an authority. webpki looks at the dates before it does at that; the name is still to be verified.
    fn is_authority(&self, error: &Error, certificate: &CertificateDer<'_>) -> bool {
        let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
        let refused = other.0.downcast_ref::<webpki::Error>() == Some(&webpki::Error::CaUsedAsEndEntity);
        refused && self.trusted.contains(certificate)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.anything {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(inner) = &self.inner else { return Err(CertificateError::UnknownIssuer.into()) };
        match inner.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(error) if self.is_authority(&error, certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ciphers_are_not_offered() {
        let config = Trust::default().client().unwrap();
        let suites = config.crypto_provider().cipher_suites.iter();
        let names: Vec<String> = suites.map(|suite| format!("{:?}", suite.suite())).collect();
        assert!(
            !names.is_empty() && names.iter().all(|name| name.contains("GCM") || name.contains("POLY1305")),
            "{names:?}"
        );
    }

    /// A machine without certificates makes connections to those that its configuration names.
    #[test]
    fn without_any_certificate_settings_can_be_made() {
        let none = Trust { only: Some(Vec::new()), ..Trust::default() };
        none.client().unwrap();
    }
}
