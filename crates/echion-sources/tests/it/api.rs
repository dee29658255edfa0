//! A scripted API server without sockets, so that a paused clock applies to its answers as well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use echion_sources::kubernetes::Client;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use kube::client::Body;
use serde_json::Value;

/// A part of a body.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Bytes(Bytes),
    /// The connection breaks.
    Break,
    /// Nothing any more, but no end.
    Hang,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: BoxStream<'static, Part>,
}

impl Answer {
    pub(crate) fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        let parts: Vec<Part> = parts.into_iter().collect();
        Self { status: 200, headers: Vec::new(), body: stream::iter(parts).boxed() }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::of([Part::Bytes(text.into().into())])
    }

    /// An error as the API server words it.
    pub(crate) fn status(status: u16, message: &str) -> Self {
        let reason = match status {
            404 => "NotFound",
            409 => "Conflict",
            _ => "",
        };
        let body = serde_json::json!({
            "kind": "Status", "status": "Failure", "code": status, "message": message, "reason": reason,
        });
        Self { status, ..Self::text(body.to_string()) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Lines, and no end.
    pub(crate) fn watch<'a>(events: impl IntoIterator<Item = &'a Value>) -> Self {
        let lines: String = events.into_iter().map(|event| format!("{event}\n")).collect();
        Self::of([Part::Bytes(lines.into()), Part::Hang])
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Decoded, in order, as `a=b&c=d`.
    pub(crate) query: String,
    pub(crate) body: Value,
}

/// A client whose requests a function answers.
pub(crate) fn client<F, A>(answer: F) -> Client
where
    F: Fn(Asked) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = Arc::clone(&answer);
        async move {
            let (head, body) = request.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let query = head.uri.query().unwrap_or_default();
            let query: Vec<String> =
                url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| format!("{name}={value}")).collect();
            let asked = Asked {
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                query: query.join("&"),
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            };
            let answer = answer(asked).await;
            let mut response = Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            let frames = answer.body.filter_map(async |part| match part {
                Part::Bytes(bytes) => Some(Ok(Frame::data(bytes))),
                Part::Break => Some(Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))),
                Part::Hang => std::future::pending().await,
            });
            Ok::<_, std::convert::Infallible>(response.body(StreamBody::new(frames.boxed())).unwrap())
        }
        .boxed()
    });
    Client::new(service, "argocd")
}

/// Answers in order, whatever is asked; then none at all.
#[derive(Clone, Default)]
pub(crate) struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() }
    }

    pub(crate) fn client(&self) -> Client {
        let script = self.clone();
        client(move |asked| {
            script.asked.lock().unwrap().push(asked);
            let answer = script.answers.lock().unwrap().pop_front();
            async {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            }
        })
    }

    /// `path?query` of all requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| format!("{}?{}", asked.path, asked.query)).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}
