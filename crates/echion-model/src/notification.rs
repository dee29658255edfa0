//! What is said, and to whom.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A service instance and a service-specific address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// Name of the service as configured: `dingtalk` of `service.webhook.dingtalk`.
    pub service: String,
    /// Address as the service understands it; empty where it needs none.
    pub recipient: String,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.recipient.is_empty() {
            f.write_str(&self.service)
        } else {
            write!(f, "{}:{}", self.service, self.recipient)
        }
    }
}

/// A rendered template, ready for one destination: the text, and the sections of the services that have one. It is stored in the
/// ledger as JSON; a service reads back only the section that is its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// `message` of the template; empty when the service did not need it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Rendered sections by the key they have in a template, such as `webhook`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sections: BTreeMap<String, serde_json::Value>,
}

impl Notification {
    /// The section under `key`, decoded.
    #[must_use]
    pub fn section<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.sections.get(key).and_then(|section| serde_json::from_value(section.clone()).ok())
    }
}
