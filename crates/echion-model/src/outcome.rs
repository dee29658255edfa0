//! What came of an attempt.

use std::fmt;
use std::time::Duration;

/// What the vendor said when it took the message, already free of secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// A short quote of the answer, such as `HTTP 200 errcode 0`.
    pub answer: String,
}

/// Why a message was not taken. The kind is the retry rule and the metric's label; all texts are already free of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// What to do next.
    pub kind: SendErrorKind,
    /// What happened, in the words of the vendor where there are any.
    pub reason: String,
    /// What the user should do; empty when waiting is enough.
    pub fix: String,
}

/// The retry rule of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The channel must rest; nothing else goes there for that long.
    RateLimited {
        /// How long the vendor, or its documentation, asks to wait.
        retry_after: Duration,
    },
    /// Worth trying again: nobody answered, or the answer was about the vendor's own trouble.
    Retryable {
        /// How long the vendor asked to wait, if it did.
        retry_after: Option<Duration>,
    },
    /// Trying again would give the same answer until somebody changes something.
    Permanent,
}

impl SendError {
    /// A failure that time may cure.
    pub fn retryable(reason: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Retryable { retry_after: None }, reason: reason.into(), fix: String::new() }
    }

    /// A failure that somebody must cure, and how.
    pub fn permanent(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Permanent, reason: reason.into(), fix: fix.into() }
    }

    /// The vendor asks for a pause.
    pub fn rate_limited(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self { kind: SendErrorKind::RateLimited { retry_after }, reason: reason.into(), fix: String::new() }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for SendError {}

/// The class of an attempt's end, as the dispatcher records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The vendor took it.
    Delivered(Receipt),
    /// To be tried again at this time, in milliseconds since 1970.
    Later {
        /// When it is due again, in milliseconds since 1970.
        due: i64,
        /// Why it was not taken.
        error: SendError,
    },
    /// Not to be tried again before a user says so.
    Parked(SendError),
}

impl Outcome {
    /// The metric label.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Outcome::Delivered(_) => "delivered",
            Outcome::Later { error, .. } if matches!(error.kind, SendErrorKind::RateLimited { .. }) => "rate-limited",
            Outcome::Later { .. } => "retryable",
            Outcome::Parked(_) => "permanent",
        }
    }
}
