//! What is asked of the repo-server, and what comes of its answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use echion_sources::kubernetes::Access;
use echion_sources::reposerver::{Address, Identity, RepoServer, Source, Trust};
use prost::Message as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::fake::{Answer, CommitQuestion, DetailsAnswer, DetailsQuestion, Fake, HelmAnswer, Pair, commit};

const COMMIT: &str = "GetRevisionMetadata";
const UNAVAILABLE: u8 = 14;

/// A repo-server whose credentials cannot be read: there is no API server at this address.
async fn client(address: &Address) -> RepoServer {
    let access = Access { server: Some("http://127.0.0.1:1".to_owned()), ..Access::default() };
    let client = access.connect().await.unwrap().client;
    RepoServer::new(address, client, "argocd").unwrap()
}

fn address(fake: &Fake, trust: Trust) -> Address {
    Address { server: fake.address.to_string(), trust, identity: None, largest: 1 << 20 }
}

async fn author(server: &RepoServer) -> Result<String, String> {
    let commit = server.revision_metadata("https://git.example.com/a", "default", "abc").await;
    commit.map(|commit| commit.author).map_err(|error| error.reason)
}

#[tokio::test]
async fn a_commit_is_asked_for_and_answered() {
    let fake = Fake::start(None).await;
    fake.always(COMMIT, commit("Jo <jo@example.com>"));
    let server = client(&address(&fake, Trust::Plaintext)).await;
    let found = server.revision_metadata("https://git.example.com/a", "default", "abc").await.unwrap();
    assert_eq!((found.author.as_str(), found.message.as_str()), ("Jo <jo@example.com>", "why\n"));
    assert_eq!((found.tags, found.date.unwrap().seconds), (vec!["v1".to_owned()], 1_730_635_200));
    assert_eq!(fake.asked()[0].method, COMMIT);
    let question = CommitQuestion::decode(fake.asked()[0].body.as_slice()).unwrap();
    assert_eq!((question.revision.as_str(), question.repo.unwrap().url.as_str()), ("abc", "https://git.example.com/a"));
}

#[tokio::test]
async fn a_source_is_asked_for_with_its_options() {
    let fake = Fake::start(None).await;
    let parameters = vec![Pair { name: "tag".to_owned(), value: "1".to_owned() }];
    let helm = Some(HelmAnswer { name: "chart".to_owned(), parameters });
    let details = DetailsAnswer { source_type: "Helm".to_owned(), helm };
    fake.always("GetAppDetails", Answer::Message(details.encode_to_vec()));
    let server = client(&address(&fake, Trust::Plaintext)).await;
    let source: Source = serde_json::from_str(
        r#"{"repoURL": "https://g/a", "path": "p", "targetRevision": "main", "unknown": 1,
            "helm": {"parameters": [{"name": "tag", "value": "2"}], "valuesObject": {"a": 1}}}"#,
    )
    .unwrap();
    let found = server.app_details(&source, "default", "demo").await.unwrap();
    let helm = found.helm.unwrap();
    assert_eq!((found.source_type.as_str(), helm.name.as_str()), ("Helm", "chart"));
    assert_eq!((helm.parameters[0].value.as_str(), source.helm_parameters()[0].value.as_str()), ("1", "2"));
    let question = DetailsQuestion::decode(fake.asked()[0].body.as_slice()).unwrap();
    let asked = question.source.unwrap();
    assert_eq!((question.app.as_str(), asked.url.as_str()), ("demo", "https://g/a"));
    assert_eq!((asked.path.as_str(), asked.revision.as_str()), ("p", "main"));
    assert_eq!(asked.helm.unwrap().parameters[0].value, "2");
}

#[tokio::test]
async fn what_can_help_is_tried_again_and_what_cannot_is_not() {
    let fake = Fake::start(None).await;
    fake.always(COMMIT, commit("me"));
    let server = client(&address(&fake, Trust::Plaintext)).await;
    fake.first(vec![Answer::Refusal(UNAVAILABLE, "starting".to_owned()), Answer::Refusal(8, "busy".to_owned())]);
    assert_eq!(author(&server).await.unwrap(), "me");
    assert_eq!(fake.asked().len(), 3);
    fake.first(vec![Answer::Refusal(2, "no such\n commit".to_owned().replace('\n', ""))]);
    assert_eq!(author(&server).await.unwrap_err(), "no such commit");
    assert_eq!(fake.asked().len(), 4);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_and_then_asked_only_once() {
    let fake = Fake::start(None).await;
    fake.always(COMMIT, Answer::Silence(Duration::from_secs(600)));
    let server = client(&address(&fake, Trust::Plaintext)).await;
    fake.first(vec![commit("me")]);
    assert_eq!(author(&server).await.unwrap(), "me");
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    assert_eq!(author(&server).await.unwrap_err(), "no answer within 5 s");
    assert!((17..19).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(author(&server).await.unwrap_err(), "no answer within 5 s");
    assert!((22..24).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused() {
    let fake = Fake::start(None).await;
    fake.always(COMMIT, commit(&"x".repeat(2 << 20)));
    let server = client(&address(&fake, Trust::Plaintext)).await;
    assert!(author(&server).await.unwrap_err().contains("too large"));
    assert_eq!(fake.asked().len(), 1);
}

/// An authority, and what it signed for 127.0.0.1: certificate and key as PEM.
struct Signed {
    authority: rcgen::Certificate,
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

fn signed() -> Signed {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = parameters.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::from_params(&parameters, &key);
    let own = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&own, &issuer).unwrap();
    Signed { authority, certificate, key: own }
}

fn server_config(signed: &Signed, clients: Option<&CertificateDer<'static>>) -> ServerConfig {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::try_from(signed.key.serialize_der()).unwrap();
    builder.with_single_cert(vec![signed.certificate.der().clone()], key).unwrap()
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn any_certificate_will_do_unless_one_is_asked_for() {
    let (own, other) = (signed(), signed());
    let fake = Fake::start(Some(server_config(&own, None))).await;
    fake.always(COMMIT, commit("me"));
    assert_eq!(author(&client(&address(&fake, Trust::Anyone)).await).await.unwrap(), "me");
    let folder = tempfile::tempdir().unwrap();
    let right = write(folder.path(), "ca.crt", &own.authority.pem());
    let wrong = write(folder.path(), "other.crt", &other.authority.pem());
    let absent = folder.path().join("tls.crt");
    let trust = Trust::Signed(vec![absent.clone(), right]);
    assert_eq!(author(&client(&address(&fake, trust)).await).await.unwrap(), "me");
    let refused = author(&client(&address(&fake, Trust::Signed(vec![wrong]))).await).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    let refused = author(&client(&address(&fake, Trust::Signed(vec![absent]))).await).await.unwrap_err();
    assert!(refused.contains("tls.crt cannot be read"), "{refused}");
}

#[tokio::test]
async fn the_clients_certificate_is_shown_and_read_for_each_connection() {
    let own = signed();
    let client_side = signed();
    let fake = Fake::start(Some(server_config(&own, Some(client_side.authority.der())))).await;
    fake.always(COMMIT, commit("me"));
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity { certificate: folder.path().join("client.crt"), key: folder.path().join("client.key") };
    let address = Address { identity: Some(identity), ..address(&fake, Trust::Anyone) };
    let server = client(&address).await;
    assert!(author(&server).await.is_err(), "there is no certificate yet");
    write(folder.path(), "client.crt", &client_side.certificate.pem());
    write(folder.path(), "client.key", &client_side.key.serialize_pem());
    assert_eq!(author(&server).await.unwrap(), "me");
}
