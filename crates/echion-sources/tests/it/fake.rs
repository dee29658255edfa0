//! A stand-in for Argo CD's repo-server: gRPC over HTTP/2 by hand, with messages of its own, so that it shares no error with the client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Repo {
    #[prost(string, tag = "1")]
    pub(crate) url: String,
    #[prost(string, tag = "2")]
    pub(crate) username: String,
    #[prost(string, tag = "3")]
    pub(crate) password: String,
}

/// The question about a commit, and as far as it goes the one about a source.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CommitQuestion {
    #[prost(message, optional, tag = "1")]
    pub(crate) repo: Option<Repo>,
    #[prost(string, tag = "2")]
    pub(crate) revision: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Moment {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CommitAnswer {
    #[prost(string, tag = "1")]
    pub(crate) author: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) date: Option<Moment>,
    #[prost(string, repeated, tag = "3")]
    pub(crate) tags: Vec<String>,
    #[prost(string, tag = "4")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pair {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HelmSource {
    #[prost(message, repeated, tag = "2")]
    pub(crate) parameters: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SourceQuestion {
    #[prost(string, tag = "1")]
    pub(crate) url: String,
    #[prost(string, tag = "2")]
    pub(crate) path: String,
    #[prost(string, tag = "4")]
    pub(crate) revision: String,
    #[prost(message, optional, tag = "7")]
    pub(crate) helm: Option<HelmSource>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DetailsQuestion {
    #[prost(message, optional, tag = "2")]
    pub(crate) source: Option<SourceQuestion>,
    #[prost(string, tag = "5")]
    pub(crate) app: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HelmAnswer {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "4")]
    pub(crate) parameters: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DetailsAnswer {
    #[prost(string, tag = "1")]
    pub(crate) source_type: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) helm: Option<HelmAnswer>,
}

/// What is done with a question.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// It is answered.
    Message(Vec<u8>),
    /// It is refused, with gRPC's code and a text.
    Refusal(u8, String),
    /// Nothing, for so long.
    Silence(Duration),
}

/// A question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct Inner {
    asked: Vec<Asked>,
    /// What is answered first; then what is always answered.
    next: Vec<Answer>,
    always: BTreeMap<String, Answer>,
}

/// The server, as long as the runtime lives.
#[derive(Clone)]
pub(crate) struct Fake {
    inner: Arc<Mutex<Inner>>,
    pub(crate) address: SocketAddr,
}

impl Fake {
    pub(crate) async fn start(tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self { inner: Arc::default(), address: listener.local_addr().unwrap() };
        let acceptor = tls.map(|mut config| {
            config.alpn_protocols = vec![b"h2".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        let inner = Arc::clone(&fake.inner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, inner) = (acceptor.clone(), Arc::clone(&inner));
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, inner).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, inner).await;
                            }
                        }
                    }
                });
            }
        });
        fake
    }

    /// What comes first, in this order.
    pub(crate) fn first(&self, answers: Vec<Answer>) {
        self.inner.lock().unwrap().next = answers;
    }

    /// What is answered to a method whenever nothing else is to come first.
    pub(crate) fn always(&self, method: &str, answer: Answer) {
        self.inner.lock().unwrap().always.insert(method.to_owned(), answer);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }
}

pub(crate) fn commit(author: &str) -> Answer {
    let date = Some(Moment { seconds: 1_730_635_200 });
    let commit =
        CommitAnswer { author: author.to_owned(), date, tags: vec!["v1".to_owned()], message: "why\n".to_owned() };
    Answer::Message(commit.encode_to_vec())
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, inner: Arc<Mutex<Inner>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            let mut body = request.into_body();
            let mut bytes = BytesMut::new();
            while let Some(Ok(chunk)) = body.data().await {
                let _ = body.flow_control().release_capacity(chunk.len());
                bytes.extend_from_slice(&chunk);
            }
            let answer = {
                let mut inner = inner.lock().unwrap();
                inner.asked.push(Asked { method: method.clone(), body: bytes.get(5..).unwrap_or_default().to_vec() });
                if inner.next.is_empty() { inner.always.get(&method).cloned() } else { Some(inner.next.remove(0)) }
            };
            let answer = answer.unwrap_or_else(|| Answer::Refusal(12, "unknown method".to_owned()));
            let (message, status, text) = match answer {
                Answer::Message(message) => (Some(message), 0, String::new()),
                Answer::Refusal(status, text) => (None, status, text),
                Answer::Silence(time) => {
                    tokio::time::sleep(time).await;
                    return;
                }
            };
            let head = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let Ok(mut stream) = respond.send_response(head, false) else { return };
            if let Some(message) = message {
                let mut frame = vec![0];
                frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
                frame.extend(message);
                let _ = stream.send_data(Bytes::from(frame), false);
            }
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", status.to_string().parse().unwrap());
            trailers.insert("grpc-message", text.parse().unwrap());
            let _ = stream.send_trailers(trailers);
        });
    }
}
