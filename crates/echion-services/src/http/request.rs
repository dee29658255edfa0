//! What goes out and what comes back.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use echion_model::{Receipt, Secret, SendError};
use echion_value::Value;

use super::Address;
use crate::answer;
use crate::redact::Redactor;

/// A request. Whatever is secret in it stays in it.
pub(crate) struct Request {
    /// The method.
    pub(crate) method: String,
    /// Where to.
    pub(crate) url: Address,
    /// Headers; of equal names the last one wins.
    pub(crate) headers: Vec<(String, Secret)>,
    /// The body, byte for byte.
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, url: Address) -> Self {
        Self { method: method.to_owned(), url, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(url: Address) -> Self {
        Self::new("GET", url)
    }

    pub(crate) fn post(url: Address) -> Self {
        Self::new("POST", url)
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), Secret::new(value)));
        self
    }

    /// `Authorization: Bearer …`.
    pub(crate) fn bearer(self, token: &Secret) -> Self {
        self.header("Authorization", format!("Bearer {}", token.expose()))
    }

    /// `Authorization: Basic …`.
    pub(crate) fn basic(self, user: &str, password: &Secret) -> Self {
        // What a Secret's value ends with is no part of it.
        let token = STANDARD.encode(format!("{user}:{}", password.expose().trim_end_matches(['\r', '\n'])));
        self.header("Authorization", format!("Basic {token}"))
    }

    /// A JSON body.
    pub(crate) fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    /// A form as the body.
    pub(crate) fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        self.body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} with {} bytes", self.method, self.url, self.body.len())
    }
}

/// What came back.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// `Retry-After` in seconds, when there is one.
    pub(crate) retry_after: Option<Duration>,
    /// The vendor's clock (`Date`), in milliseconds since 1970.
    pub(crate) date: Option<i64>,
    /// Where it redirects, when it was not followed there.
    pub(crate) moved: Option<Address>,
    /// The beginning of the body, to be read and never to be quoted: [`Answer::said`] is for that.
    pub(crate) body: String,
    /// What must not be quoted.
    pub(crate) redactor: Redactor,
}

impl Answer {
    /// The same once more, for a caller that needs it after it was judged.
    pub(crate) fn copy(&self) -> Self {
        let Self { status, retry_after, date, moved, body, redactor } = self;
        let (moved, body, redactor) = (moved.clone(), body.clone(), redactor.clone());
        Self { status: *status, retry_after: *retry_after, date: *date, moved, body, redactor }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// The beginning of the body on one line, free of secrets.
    pub(crate) fn said(&self) -> String {
        answer::excerpt(&self.redactor.clean(&self.body))
    }

    /// A text out of the answer, free of secrets.
    pub(crate) fn quote(&self, text: &str) -> String {
        answer::excerpt(&self.redactor.clean(text))
    }

    /// Judged by its status alone.
    pub(crate) fn by_status(&self) -> Result<Receipt, SendError> {
        answer::by_status(self)
    }

    /// The JSON of an answer with a status of success, or what the status means.
    pub(crate) fn json_of(&self, who: &str) -> Result<serde_json::Value, SendError> {
        answer::by_status(self)?;
        self.json().ok_or_else(|| self.unknown(who))
    }

    /// A response that is not understood: perhaps somebody else's, such as a proxy's. The message may have arrived all the same.
    pub(crate) fn unknown(&self, who: &str) -> SendError {
        SendError::unknown(format!("not a response of {who}: HTTP {}: {}", self.status, self.said()))
    }

    /// The variables of the option `success`.
    pub(super) fn variables(&self) -> Value {
        let any = echion_value::Map::of_any;
        let json = echion_value::json::unmarshal(self.body.as_bytes()).unwrap_or(Value::Nil);
        Value::Map(any(vec![(
            "response".into(),
            Value::Map(any(vec![
                ("status".into(), Value::Int(i64::from(self.status))),
                ("body".into(), Value::from(self.body.as_str())),
                ("json".into(), json),
            ])),
        )]))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}: {}", self.status, self.said())
    }
}
