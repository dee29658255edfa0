//! Requests whose answers are read as they arrive.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use tokio::time::timeout;

use super::reason;

/// How long the head of an answer may take: a server gives up a list after a minute.
const HEAD_TIMEOUT: Duration = Duration::from_secs(65);

/// The most that is read of the text of an error.
pub(crate) const ERROR_SIZE: usize = 64 << 10;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct RequestError {
    pub(crate) text: String,
    /// The status that the API server answered with, or sent as an event.
    pub(crate) code: Option<u16>,
    /// How long it asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl RequestError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: None, retry_after: None }
    }

    pub(crate) fn of_status(status: Status) -> Self {
        let code = match status.reason.as_str() {
            "Expired" | "Gone" => 410,
            _ => status.code,
        };
        let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        let retry_after = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        Self { text: reason(&kube::Error::Api(status.boxed())), code: Some(code), retry_after }
    }
}

impl From<kube::Error> for RequestError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(*status),
            other => Self::new(reason(&other)),
        }
    }
}

/// Sends a GET; answers with the body when the status is a success.
pub(crate) async fn get(client: &Client, url: &str) -> Result<Body, RequestError> {
    let request = http::Request::get(url).body(Body::empty());
    let request = request.map_err(|error| RequestError::new(format!("`{url}` is not an address: {error}")))?;
    let answer = async {
        let response = client.send(request).await?;
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let text = Limited::new(body, ERROR_SIZE).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let mut error = RequestError::of_status(status(head.status.as_u16(), &text));
        let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        error.retry_after = seconds.map(Duration::from_secs).or(error.retry_after);
        Err(error)
    };
    match timeout(HEAD_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(RequestError::new("the API server does not answer")),
    }
}

fn status(code: u16, text: &Bytes) -> Status {
    match serde_json::from_slice::<Status>(text) {
        Ok(status) if status.code != 0 => status,
        _ => {
            let text = String::from_utf8_lossy(text);
            Status { code, message: text.trim().chars().take(500).collect(), ..Status::default() }
        }
    }
}

/// The next bytes of a body; `None` at its end.
pub(crate) async fn chunk(body: &mut Body, limit: Duration) -> Result<Option<Bytes>, RequestError> {
    loop {
        match timeout(limit, body.frame()).await {
            // Trailers are of no interest.
            Ok(Some(Ok(frame))) if frame.is_trailers() => {}
            Ok(Some(Ok(frame))) => return Ok(frame.into_data().ok()),
            Ok(Some(Err(error))) => return Err(error.into()),
            Ok(None) => return Ok(None),
            Err(_) => return Err(RequestError::new(format!("nothing was received for {} s", limit.as_secs()))),
        }
    }
}
