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
    /// The channel that leads there: the queue it is in.
    #[serde(default)]
    pub channel: String,
    /// What is said.
    pub notification: Notification,
}

impl Intent {
    /// What it needs of the configuration in order to be sent.
    #[must_use]
    pub fn route(&self) -> RouteKey {
        RouteKey { owner: self.owner.clone(), destination: self.destination.clone(), templates: self.templates.clone() }
    }
}

/// What a delivery needs of the configuration: from it follow the service, the channel, and whether anything has changed since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    /// The namespace of the self-service configuration; empty for the controller's own.
    pub owner: String,
    /// Whom it goes to.
    pub destination: Destination,
    /// The templates it was rendered from.
    pub templates: Vec<String>,
}

/// Which version of the configuration a delivery was attempted with. A parked delivery is retried when it is no longer this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Of the service, its options and the Secret values in them; empty when there is no such service.
    pub service: String,
    /// Of the templates.
    pub templates: String,
}

/// The status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Recorded, and due now or later.
    Pending,
    /// The vendor took it.
    Delivered,
    /// Somebody must change something; it may be retried slowly meanwhile.
    Parked,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 3] = [Status::Pending, Status::Delivered, Status::Parked];

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
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// A recorded delivery. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its stable name.
    pub id: DeliveryId,
    /// What it is about.
    pub resource: ResourceId,
    /// The uid of that object; empty where it is not known.
    pub uid: String,
    /// What was decided.
    #[serde(flatten)]
    pub intent: Intent,
    /// Pending, delivered or parked.
    pub status: Status,
    /// How many attempts have begun.
    pub attempts: u32,
    /// How many attempts ended without an understandable response since it was last made due by somebody.
    pub unknown: u32,
    /// When it was recorded.
    pub created: i64,
    /// When the first attempt began since it was last made due by somebody; its age counts from here.
    pub first_attempt: Option<i64>,
    /// When it is tried next; `None` when it was delivered, or waits for a change.
    pub due: Option<i64>,
    /// The class of the last attempt's end; empty before the first.
    pub class: String,
    /// What the last attempt came to: the vendor's response, or why it failed.
    pub detail: String,
    /// What the user should do about it.
    pub hint: String,
}
