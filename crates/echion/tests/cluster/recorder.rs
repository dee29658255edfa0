//! The other end: records what comes, and responds as it is asked to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    pub(crate) at: SystemTime,
}

/// What is answered to a request: the first rule that fits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) path: String,
    pub(crate) contains: String,
    /// How often it applies; `None` for ever.
    pub(crate) times: Option<u32>,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Answer with everything that was sent instead.
    pub(crate) echo: bool,
}

#[derive(Default)]
struct Inner {
    received: Vec<Received>,
    rules: Vec<Rule>,
    slack: u32,
}

#[derive(Clone)]
pub(crate) struct Recorder {
    inner: Arc<Mutex<Inner>>,
    pub(crate) address: String,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inner, address }
    }

    pub(crate) fn rules(&self, rules: Vec<Rule>) {
        self.inner.lock().unwrap().rules = rules;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inner.lock().unwrap().received.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.inner.lock().unwrap().received.len()
    }

    /// Takes what has come so far.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.inner.lock().unwrap().received)
    }

    /// Waits until so many requests have come, and no longer than a time.
    pub(crate) async fn wait_for(&self, count: usize, limit: Duration) -> Vec<Received> {
        let start = Instant::now();
        while self.count() < count && start.elapsed() < limit {
            sleep(Duration::from_millis(10)).await;
        }
        self.received()
    }

    /// Waits until nothing has come for a while.
    pub(crate) async fn settle(&self, quiet: Duration) -> Vec<Received> {
        let mut last = (self.count(), Instant::now());
        while last.1.elapsed() < quiet {
            sleep(Duration::from_millis(20)).await;
            if self.count() != last.0 {
                last = (self.count(), Instant::now());
            }
        }
        self.received()
    }
}

async fn answer(
    State(inner): State<Arc<Mutex<Inner>>>,
    request: Request,
) -> (StatusCode, axum::http::HeaderMap, String) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_else(|_| Bytes::new());
    let headers =
        parts.headers.iter().map(|(k, v)| (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
    let received = Received {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        at: SystemTime::now(),
    };
    let mut inner = inner.lock().unwrap();
    let rule = inner.rules.iter_mut().find(|rule| {
        let fits = received.path.starts_with(&rule.path) && received.body.contains(&rule.contains);
        fits && rule.times != Some(0)
    });
    let (status, extra, text) = match rule {
        Some(rule) => {
            rule.times = rule.times.map(|left| left - 1);
            let body = if rule.echo { format!("{received:?}") } else { rule.body.clone() };
            (rule.status, rule.headers.clone(), body)
        }
        None if received.path.starts_with("/slack/") => {
            inner.slack += 1;
            let number = inner.slack;
            let text = format!(r#"{{"ok":true,"channel":"C{number:07}","ts":"1700000000.{number:06}"}}"#);
            (200, vec![("content-type".to_owned(), "application/json".to_owned())], text)
        }
        None => (200, Vec::new(), "ok".to_owned()),
    };
    inner.received.push(received);
    let mut headers = axum::http::HeaderMap::new();
    for (name, value) in extra {
        headers.insert(axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    (StatusCode::from_u16(status).unwrap(), headers, text)
}
