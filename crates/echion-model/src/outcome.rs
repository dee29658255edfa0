//! What came of an attempt.

use std::fmt;
use std::time::Duration;

/// The vendor's response when it took the message, already free of secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// A short quote of the response, such as `HTTP 200 errcode 0`.
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
    pub hint: String,
}

/// The class of a failure: what happens next follows from it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The channel must pause; nothing else goes there for that long.
    RateLimited {
        /// How long the vendor, or its documentation, asks to wait.
        retry_after: Duration,
    },
    /// The quota of the channel is used up; nothing goes there until it is renewed.
    QuotaExhausted {
        /// How long that takes.
        retry_after: Duration,
    },
    /// Certainly not delivered, and worth trying again: no connection, or the vendor reported trouble of its own.
    Retryable {
        /// How long the vendor asked to wait, if it did.
        retry_after: Option<Duration>,
    },
    /// The request left, but no response came that can be understood: the message may have arrived.
    Unknown,
    /// Somebody outside must act: credentials, an address, a channel that does not exist. Such things are often repaired without any
    /// change here, so the message is retried slowly.
    Attention,
    /// The message itself is refused: the same message would be refused again until the template or the service changes.
    Rejected,
}

impl SendErrorKind {
    /// The label in metrics and in the history.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            SendErrorKind::RateLimited { .. } => "rate-limited",
            SendErrorKind::QuotaExhausted { .. } => "quota-exhausted",
            SendErrorKind::Retryable { .. } => "retryable",
            SendErrorKind::Unknown => "unknown",
            SendErrorKind::Attention => "attention",
            SendErrorKind::Rejected => "rejected",
        }
    }

    /// How long nothing may be sent to the whole channel, where that is what the failure says.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        match self {
            SendErrorKind::RateLimited { retry_after } | SendErrorKind::QuotaExhausted { retry_after } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }
}

impl SendError {
    /// A failure that time may cure; the message has not arrived.
    pub fn retryable(reason: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Retryable { retry_after: None }, reason: reason.into(), hint: String::new() }
    }

    /// The request left and its fate is not known.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Unknown, reason: reason.into(), hint: String::new() }
    }

    /// A failure that somebody must cure outside of the message, and how.
    pub fn attention(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Attention, reason: reason.into(), hint: hint.into() }
    }

    /// A message that is refused as it is, and what to change.
    pub fn rejected(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Rejected, reason: reason.into(), hint: hint.into() }
    }

    /// The vendor asks for a pause.
    pub fn rate_limited(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self { kind: SendErrorKind::RateLimited { retry_after }, reason: reason.into(), hint: String::new() }
    }

    /// The vendor's quota is used up for that long.
    pub fn quota_exhausted(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self { kind: SendErrorKind::QuotaExhausted { retry_after }, reason: reason.into(), hint: String::new() }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for SendError {}

/// The end of an attempt, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The vendor took the message.
    Delivered(Receipt),
    /// To be retried at this time, in milliseconds since 1970.
    Retry {
        /// When it is due again, in milliseconds since 1970.
        due: i64,
        /// Why it was not taken.
        error: SendError,
    },
    /// Somebody must change something. It is sent again when what it depends on changes, or on demand.
    Parked {
        /// When it is retried all the same, in milliseconds since 1970: the cause may be repaired where this program cannot see it.
        due: Option<i64>,
        /// Why it was not taken.
        error: SendError,
    },
}

impl Outcome {
    /// The label in metrics and in the history.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Outcome::Delivered(_) => "delivered",
            Outcome::Retry { error, .. } | Outcome::Parked { error, .. } => error.kind.class(),
        }
    }

    /// Why the message was not taken; `None` when it was.
    #[must_use]
    pub fn error(&self) -> Option<&SendError> {
        match self {
            Outcome::Delivered(_) => None,
            Outcome::Retry { error, .. } | Outcome::Parked { error, .. } => Some(error),
        }
    }
}
