//! Asks the repo-server, and asks again where that can help.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::messages::Repository;
use super::tls::{self, Identity, Trust};

/// How long one attempt may take, connecting included.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How often is asked, at most.
const ATTEMPTS: u32 = 3;

/// The wait before another attempt.
const BACKOFF: Duration = Duration::from_secs(1);

/// Where the repo-server is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `HOST:PORT`.
    pub server: String,
    /// What is required of its certificate.
    pub trust: Trust,
    /// What it may require of us.
    pub identity: Option<Identity>,
    /// The longest answer, in bytes.
    pub largest: usize,
}

/// The repo-server could not be asked, or has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RepoServerError {
    /// Why.
    pub reason: String,
    /// There was no answer at all, so that another question will hardly get one.
    pub silent: bool,
}

/// The longest reason that is worth reading.
const REASON: usize = 500;

impl RepoServerError {
    /// In one line that can be shown: tools that fail print their command line, and that may hold a key.
    pub(super) fn without_secrets(mut self, repositories: &[Repository]) -> Self {
        for repository in repositories {
            for secret in repository.secrets().filter(|secret| secret.len() > 3) {
                self.reason = self.reason.replace(secret, "****");
            }
        }
        self.reason = self.reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(REASON).collect();
        self
    }
}

/// A connection that is made when it is needed.
#[derive(Clone)]
pub(super) struct Connection {
    channel: Channel,
    largest: usize,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Connection {
    /// # Errors
    /// When the address is none. Nothing is sent yet.
    pub(super) fn new(address: &Address) -> Result<Self, String> {
        // The encryption is ours, so that to tonic every address is a plain one.
        let endpoint = Endpoint::from_shared(format!("http://{}", address.server))
            .map_err(|_| format!("`{}` is not an address: write HOST:PORT", address.server))?;
        let address = Arc::new(address.clone());
        let largest = address.largest;
        let connector = tower::service_fn(move |uri: Uri| connect(Arc::clone(&address), uri));
        Ok(Self { channel: endpoint.connect_with_connector_lazy(connector), largest })
    }

    /// Asks until there is an answer, but not more than `attempts` times.
    pub(super) async fn ask<Q, A>(
        &self,
        method: &'static str,
        question: Q,
        hopeless: bool,
    ) -> Result<A, RepoServerError>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let attempts = if hopeless { 1 } else { ATTEMPTS };
        let mut attempt = 1;
        loop {
            let status = match timeout(ATTEMPT, self.once(method, question.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded(format!("no answer within {} s", ATTEMPT.as_secs())),
            };
            let silent = matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded);
            // What the server refuses for good is not asked again.
            let again = silent || status.code() == Code::ResourceExhausted;
            if !again || attempt == attempts {
                return Err(RepoServerError { reason: reason(&status), silent });
            }
            sleep(BACKOFF).await;
            attempt += 1;
        }
    }

    async fn once<Q, A>(&self, method: &'static str, question: Q) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut client = Grpc::new(self.channel.clone())
            .max_decoding_message_size(self.largest)
            .max_encoding_message_size(self.largest);
        client.ready().await.map_err(|error| Status::unavailable(chain(&error)))?;
        let path = PathAndQuery::from_static(method);
        let answer = client.unary(Request::new(question), path, ProstCodec::<Q, A>::default()).await?;
        Ok(answer.into_inner())
    }
}

async fn connect(address: Arc<Address>, uri: Uri) -> std::io::Result<TokioIo<Box<dyn Stream>>> {
    let host = uri.host().unwrap_or_default();
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(8081))).await?;
    stream.set_nodelay(true)?;
    let other = std::io::Error::other::<String>;
    let Some(config) = tls::config(&address.trust, address.identity.as_ref()).map_err(other)? else {
        return Ok(TokioIo::new(Box::new(stream)));
    };
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|e| other(e.to_string()))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(TokioIo::new(Box::new(stream)))
}

/// What went wrong, with the causes that only sources of errors name.
fn reason(status: &Status) -> String {
    let causes = std::error::Error::source(status).map(chain).unwrap_or_default();
    match (status.message(), causes.as_str()) {
        ("", "") => format!("{:?}", status.code()),
        ("", causes) => causes.to_owned(),
        (message, causes) if causes.is_empty() || message.contains(causes) => message.to_owned(),
        (message, causes) => format!("{message}: {causes}"),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
