//! One notification on its way to one destination.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Destination, Notification, ResourceId};

/// The stable name of a delivery. Vendors that accept an idempotency key get it, so that a repeated attempt is not a second message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub String);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is decided and rendered, but not yet recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The trigger that fired.
    pub trigger: String,
    /// The condition in it: `[0].qyWrLKXYec9qR5FVB0ylUEJLjFg`.
    pub condition: String,
    /// The namespace of the self-service configuration that decided it; empty for the controller's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The state key that this delivery accounts for.
    pub state_key: String,
    /// The templates that were rendered.
    pub templates: Vec<String>,
    /// Whom it goes to.
    pub destination: Destination,
    /// What is said.
    pub notification: Notification,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Recorded, and due now or later.
    Pending,
    /// The vendor took it.
    Delivered,
    /// Waiting for somebody to change something and to re-deliver it.
    Parked,
}

impl Status {
    /// The word that is stored and printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Delivered => "delivered",
            Status::Parked => "parked",
        }
    }

    /// The status of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Status::Pending, Status::Delivered, Status::Parked].into_iter().find(|s| s.as_str() == word)
    }
}

/// A recorded delivery. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its stable name.
    pub id: DeliveryId,
    /// What it is about.
    pub resource: ResourceId,
    /// What was decided.
    #[serde(flatten)]
    pub intent: Intent,
    /// Where it stands.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was recorded.
    pub created: i64,
    /// When it may be tried next.
    pub due: i64,
    /// What the last attempt came to: the vendor's answer, or why it failed.
    pub detail: String,
    /// What the user should do about it.
    pub fix: String,
}
