//! The HTTP side: which stand-in a request is for, and what it gets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{broadcast, watch};

use crate::clock;
use crate::connection::Client;
use crate::dingtalk::{Call, Robots};
use crate::fault::{self, Fault, Faults};
use crate::mail::Mail;
use crate::received::{self, Received};
use crate::{page, vendors};

/// Longest body that is read.
const BODY_LIMIT: usize = 1024 * 1024;

/// How many messages are kept.
const KEPT: usize = 1000;

/// JSON that stops early, and bytes that are no text: it cannot be taken for a success.
const GARBLED: &[u8] = b"{\"errcode\":0,\"err\xff\xfe\x00<html>";

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) clock: crate::Clock,
    pub(crate) news: broadcast::Sender<Received>,
    /// Becomes true when the sandbox stops.
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) state: Mutex<Kept>,
}

/// What is remembered between requests.
pub(crate) struct Kept {
    pub(crate) robots: Robots,
    pub(crate) faults: Faults,
    pub(crate) messages: VecDeque<Received>,
    pub(crate) count: u64,
}

/// An answer before it is spoiled.
struct Reply {
    status: StatusCode,
    kind: &'static str,
    body: String,
}

impl Reply {
    fn ok() -> Self {
        Self { status: StatusCode::OK, kind: "text/plain; charset=utf-8", body: "ok".to_owned() }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, self.kind)], self.body).into_response()
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the sandbox stops.
    async fn stopped(&self) {
        // An error means that the sandbox is gone, which is the same.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// Keeps a mail as a message.
    pub(crate) fn take_mail(&self, mail: &Mail) {
        let received = Received {
            number: 0,
            service: "email".to_owned(),
            robot: String::new(),
            method: "SMTP".to_owned(),
            path: format!("from {} to {}", mail.from, mail.to.join(", ")),
            headers: BTreeMap::new(),
            body: mail.text.clone(),
            accepted: true,
            repeated: false,
            answer: "250 taken".to_owned(),
            time: (self.clock)(),
        };
        self.keep(&mut self.state(), received);
    }

    /// Keeps a message, and notifies subscribers.
    fn keep(&self, state: &mut Kept, mut received: Received) {
        state.count += 1;
        received.number = state.count;
        state.messages.push_back(received.clone());
        if state.messages.len() > KEPT {
            state.messages.pop_front();
        }
        // There may be no subscriber.
        let _ = self.news.send(received);
    }
}

/// Answers a request.
pub(crate) async fn serve(
    State(shared): State<std::sync::Arc<Shared>>,
    ConnectInfo(client): ConnectInfo<Client>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match axum::body::to_bytes(body, BODY_LIMIT).await {
        Err(_) => {
            let body = "a body has at most 1 MiB".to_owned();
            Reply { status: StatusCode::PAYLOAD_TOO_LARGE, kind: "text/plain; charset=utf-8", body }.into_response()
        }
        Ok(body) => match control(&shared, &parts, &body) {
            Some(response) => response,
            None => stand_in(&shared, &client, &parts, &body).await,
        },
    };
    // Hyper adds the system's date only where there is none.
    if let Ok(date) = HeaderValue::try_from(clock::http_date((shared.clock)())) {
        response.headers_mut().entry(header::DATE).or_insert(date);
    }
    response
}

/// The sandbox's own paths.
fn control(shared: &Shared, parts: &Parts, body: &Bytes) -> Option<Response> {
    let mut state = shared.state();
    Some(match (parts.method.as_str(), parts.uri.path()) {
        ("GET", "/") => page::of(state.messages.iter().rev()),
        ("GET", "/messages") => json(&state.messages),
        ("DELETE", "/messages") => {
            state.messages.clear();
            Reply::ok().into_response()
        }
        ("DELETE", "/robots") => {
            state.robots.forget();
            Reply::ok().into_response()
        }
        ("GET", "/faults") => json(&state.faults.list()),
        ("DELETE", "/faults") => {
            state.faults = Faults::default();
            Reply::ok().into_response()
        }
        ("POST", "/faults") => match fault::read(body).and_then(|faults| state.faults.set(faults)) {
            Ok(()) => Reply::ok().into_response(),
            Err(error) => (StatusCode::BAD_REQUEST, format!("{error}; {}\n", fault::EXAMPLE)).into_response(),
        },
        _ => return None,
    })
}

/// A robot's or a webhook's answer, spoiled by a fault if one matches.
async fn stand_in(shared: &Shared, client: &Client, parts: &Parts, body: &Bytes) -> Response {
    let fault = shared.state().faults.take(parts.uri.path(), &String::from_utf8_lossy(body));
    let Some(fault) = fault else { return handle(shared, client, parts, body).into_response() };
    if fault.after {
        let reply = handle(shared, client, parts, body);
        delay(shared, &fault).await;
        return spoil(shared, client, &fault, reply).await;
    }
    delay(shared, &fault).await;
    if fault.only_delays() {
        return handle(shared, client, parts, body).into_response();
    }
    // With 200 it is the body that refuses, as robots do.
    let refusal = Some(fault.body.clone()).filter(|body| fault.status == Some(200) && !body.is_empty());
    let answer = refusal.unwrap_or_else(|| format!("fault: {}", fault.name()));
    let received = Received { answer, ..describe(shared, parts, body) };
    shared.keep(&mut shared.state(), received);
    spoil(shared, client, &fault, Reply::ok()).await
}

async fn delay(shared: &Shared, fault: &Fault) {
    if fault.delay_ms > 0 {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(fault.delay_ms)) => {}
            () = shared.stopped() => {}
        }
    }
}

async fn spoil(shared: &Shared, client: &Client, fault: &Fault, reply: Reply) -> Response {
    if let Some(status) = fault.status {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let pairs = fault
            .headers
            .iter()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)));
        return (status, HeaderMap::from_iter(pairs), fault.body.clone()).into_response();
    }
    if fault.hang {
        shared.stopped().await;
        client.drop_connection();
    } else if fault.drop {
        client.drop_connection();
    } else if fault.cut {
        client.cut_answer();
    } else if fault.garbled {
        return ([(header::CONTENT_TYPE, "application/json")], Body::from(GARBLED)).into_response();
    }
    reply.into_response()
}

/// Hands the request to its stand-in and keeps it.
fn handle(shared: &Shared, client: &Client, parts: &Parts, body: &Bytes) -> Reply {
    let mut received = describe(shared, parts, body);
    let mut state = shared.state();
    let reply = if received.service == "dingtalk" {
        let verdict = state.robots.judge(&Call {
            method: parts.method.as_str(),
            content_type: parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default(),
            query: &query(parts),
            from: client.address.ip(),
            body,
            now: received.time,
        });
        received.accepted = verdict.code == 0 && !verdict.repeated;
        received.repeated = verdict.repeated;
        received.answer = verdict.to_json();
        Reply { status: StatusCode::OK, kind: "application/json", body: received.answer.clone() }
    } else if let Some(verdict) = vendors::judge(parts.uri.path(), body, state.count + 1) {
        verdict.service.clone_into(&mut received.service);
        received.accepted = verdict.accepted;
        received.answer.clone_from(&verdict.body);
        let status = StatusCode::from_u16(verdict.status).unwrap_or(StatusCode::OK);
        Reply { status, kind: "application/json", body: verdict.body }
    } else {
        received.accepted = true;
        "200 ok".clone_into(&mut received.answer);
        Reply::ok()
    };
    shared.keep(&mut state, received);
    reply
}

/// The request, not yet judged.
fn describe(shared: &Shared, parts: &Parts, body: &Bytes) -> Received {
    let robot = parts.uri.path().ends_with("/robot/send");
    let token = if robot { query(parts).into_iter().find(|(name, _)| name == "access_token") } else { None };
    let mut headers = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value =
            if received::is_secret(name.as_str()) { "****".into() } else { String::from_utf8_lossy(value.as_bytes()) };
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all: &mut String| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.to_string());
    }
    Received {
        number: 0,
        service: if robot { "dingtalk" } else { "webhook" }.to_owned(),
        robot: token.map(|(_, token)| received::tail(&token)).unwrap_or_default(),
        method: parts.method.to_string(),
        path: received::redacted_path(&vendors::redacted(parts.uri.path()), parts.uri.query()),
        headers,
        body: received::redacted_body(&String::from_utf8_lossy(body), content_type(parts)),
        accepted: false,
        repeated: false,
        answer: String::new(),
        time: (shared.clock)(),
    }
}

fn content_type(parts: &Parts) -> &str {
    parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(body) => Reply { status: StatusCode::OK, kind: "application/json", body }.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The query, decoded.
fn query(parts: &Parts) -> Vec<(String, String)> {
    Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|query| query.0).unwrap_or_default()
}
