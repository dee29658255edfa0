//! The options that every HTTP service shares: certificates, proxy, connections.

use std::sync::atomic::{AtomicUsize, Ordering};

use echion_model::yaml::Node;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use suite::recorder::{Recorder, Reply};

const AUTHORITY: &str = include_str!("keys/ca.pem");
const CERTIFICATE: &str = include_str!("keys/server.pem");

/// Answers every request on a connection with 200, and counts connections.
async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, count: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        count.fetch_add(1, Ordering::SeqCst);
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream).await;
                    }
                }
                None => answer(stream).await,
            }
        });
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await);
    }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

/// A server with this certificate.
pub(crate) fn acceptor_with(certificate: &str) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(suite::fixture::KEY.as_bytes()).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(certificates(certificate), key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A server that wants to see a client's certificate.
fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(AUTHORITY));
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let key = PrivateKeyDer::from_pem_slice(suite::fixture::KEY.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates(CERTIFICATE), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

pub(crate) fn open_with(options: &[(&str, &str)], environment: &Environment) -> Arc<dyn Service> {
    let text = |text: &str| yaml::Kind::Text { text: text.to_owned(), plain: false };
    let node = |kind| Node { kind, line: 1, column: 1 };
    let entries = options.iter().map(|(name, value)| (node(text(name)), node(text(value)))).collect();
    let kind = echion_services::ALL.iter().find(|k| k.name == "webhook").unwrap();
    (kind.open)("hook", &node(yaml::Kind::Map(entries)), environment).unwrap_or_else(|e| panic!("{e:?}"))
}

#[tokio::test]
async fn both_sides_show_certificates() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(serve(listener, Some(acceptor()), Arc::default()));
    let plain = Notification { message: "hello".to_owned(), ..Notification::default() };
    let mine = [("clientCertificate", CERTIFICATE), ("clientKey", suite::fixture::KEY)];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("localhost"), AUTHORITY).unwrap();
    let file = folder.path().join("localhost").to_str().unwrap().to_owned();
    let mounted = Environment { certificates: Some(folder.path().to_owned()), ..Environment::default() };
    let none = Environment::default();
    for (trust, environment, mine, want) in [
        (Some(("caBundle", AUTHORITY)), &none, &mine[..], true),
        (Some(("caBundleFile", file.as_str())), &none, &mine[..], true),
        (None, &mounted, &mine[..], true),
        (None, &none, &mine[..], false),
        (Some(("caBundle", AUTHORITY)), &none, &[], false),
    ] {
        let mut options = vec![("url", url.as_str()), ("timeout", "5s")];
        options.extend(trust);
        options.extend(mine);
        let service = open_with(&options, environment);
        let sent = send(&service, &plain).await;
        assert_eq!(sent.is_ok(), want, "{trust:?} {}: {sent:?}", mine.len());
        assert!(!format!("{service:?}{sent:?}").contains("PRIVATE KEY"), "{service:?}");
        if let Err(error) = sent {
            // A certificate that is not trusted ends the handshake. The server's refusal of ours comes after it, and may be cut off.
            let classes = if mine.is_empty() { &["attention", "unknown"][..] } else { &["attention"][..] };
            assert!(classes.contains(&error.kind.class()), "{error:?}");
            assert!(mine.is_empty() || error.hint.contains("`caBundle`"), "{error:?}");
        }
    }
}

/// `openssl req -x509` makes certificates that are authorities, too; whoever lists one trusts the server that has it, and nothing else of it.
#[tokio::test]
async fn a_self_signed_certificate_that_is_trusted_is_accepted() {
    const SELF: &str = include_str!("keys/self-signed.pem");
    const OTHER: &str = include_str!("keys/self-signed-other.pem");
    const EXPIRED: &str = include_str!("keys/self-signed-expired.pem");
    let plain = Notification { message: "hello".to_owned(), ..Notification::default() };
    for (shown, trusted, want) in [
        (SELF, SELF, true),
        (SELF, OTHER, false),
        (SELF, AUTHORITY, false),
        (OTHER, OTHER, false),
        (EXPIRED, EXPIRED, false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        tokio::spawn(serve(listener, Some(acceptor_with(shown)), Arc::default()));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("localhost"), trusted).unwrap();
        let mounted = Environment { certificates: Some(folder.path().to_owned()), ..Environment::default() };
        let none = Environment::default();
        for (options, environment) in
            [(&[("url", url.as_str()), ("caBundle", trusted)][..], &none), (&[("url", url.as_str())][..], &mounted)]
        {
            let sent = send(&open_with(options, environment), &plain).await;
            assert_eq!(sent.is_ok(), want, "{trusted}: {sent:?}");
            if let Err(error) = sent {
                assert_eq!(error.kind, SendErrorKind::Attention, "{error:?}");
                assert!(error.reason.contains("is not trusted"), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_proxy_of_the_process_is_asked_but_for_its_exceptions() {
    let (proxy, direct) = (Recorder::start().await, Recorder::start().await);
    for recorder in [&proxy, &direct] {
        recorder.script(vec![(String::new(), Reply::ok("ok"))]);
    }
    let port = direct.base().rsplit_once(':').unwrap().1.to_owned();
    let variables = |none: &str| {
        let proxy = proxy.base();
        let of = |(name, value): (&str, &str)| (name.to_owned(), echion_model::Secret::new(value));
        [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", none), ("ALL_PROXY", "http://all.test")].map(of).into()
    };
    let hello = Notification { message: "hello".to_owned(), ..Notification::default() };
    let url = format!("http://hooks.test:{port}/hook");
    for (none, asked) in
        [("", 1), (".other", 1), ("*.test", 0), (&format!("hooks.test:{port}"), 0), ("hooks.test:1", 1)]
    {
        let environment = Environment { variables: variables(none), ..Environment::default() };
        // Without the proxy the name cannot be resolved.
        let sent = send(&open_with(&[("url", &url), ("timeout", "2s")], &environment), &hello).await;
        assert_eq!((proxy.take().len(), sent.is_ok()), (asked, asked == 1), "{none}: {sent:?}");
    }
    let environment = Environment { variables: variables(""), ..Environment::default() };
    send(&open_with(&[("url", &direct.base())], &environment), &hello).await.unwrap();
    assert_eq!((proxy.take().len(), direct.take().len()), (0, 1), "this machine is not behind a proxy");
}

#[tokio::test]
async fn a_proxy_is_asked_and_its_password_is_not_said() {
    let proxy = Recorder::start().await;
    proxy.script(vec![(String::new(), Reply::Echo(502))]);
    let address = proxy.base().replace("http://", "http://user:marked-proxy-password@");
    let options = format!("url: http://h.test/hook\nproxy: {address}\n");
    let service = open("webhook", &options);
    let error = send(&service, &request("POST", "", "x")).await.unwrap_err();
    assert_eq!(proxy.take()[0].path, "http://h.test/hook");
    assert!(!format!("{service:?}{error:?}").contains("marked-proxy"), "{error:?}");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, count) = (format!("http://{}/", listener.local_addr().unwrap()), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(serve(listener, None, Arc::clone(&count)));
    let service = open("webhook", &format!("url: {url}\n"));
    for _ in 0..5 {
        send(&service, &request("POST", "", "x")).await.unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}
