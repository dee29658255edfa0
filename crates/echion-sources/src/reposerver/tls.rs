//! How the repo-server is trusted, and how it trusts us.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// What is required of the repo-server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing is encrypted.
    Plaintext,
    /// Any certificate will do: Argo CD makes itself one at each start.
    Anyone,
    /// One that a certificate in one of these files vouches for. Those that are not there do not count, but one must be.
    Signed(Vec<PathBuf>),
}

/// Files with the client's certificate and its key. Where they are not there, there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// The configuration of the next connection: the files are read each time, so that new ones count without a restart.
pub(super) fn config(trust: &Trust, identity: Option<&Identity>) -> Result<Option<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match trust {
        Trust::Plaintext => return Ok(None),
        Trust::Anyone => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        Trust::Signed(files) => builder.with_root_certificates(roots(files)?),
    };
    let mut config = match identity.filter(|files| files.certificate.is_file() && files.key.is_file()) {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let key = PrivateKeyDer::from_pem_file(&files.key)
                .map_err(|error| format!("{}: no usable key: {error}", files.key.display()))?;
            builder
                .with_client_auth_cert(certificates(&files.certificate)?, key)
                .map_err(|error| format!("{}: {error}", files.certificate.display()))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Some(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let fail = |error: &dyn std::fmt::Display| format!("{}: no usable certificate: {error}", file.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(|error| fail(&error))?.collect();
    let found = found.map_err(|error| fail(&error))?;
    if found.is_empty() { Err(fail(&"there is none in it")) } else { Ok(found) }
}

fn roots(files: &[PathBuf]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for file in files.iter().filter(|file| file.is_file()) {
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    if roots.is_empty() {
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        return Err(format!("no certificate to check the repo-server by: {} cannot be read", names.join(", ")));
    }
    Ok(roots)
}

/// Takes any certificate, as Argo CD does unless configured otherwise, but checks that the server has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
