//! What is observed.

use std::fmt;

use echion_value::Value;
use serde::{Deserialize, Serialize};

/// Which object: its kind, namespace and name. It prints as `namespace/name`, the form users grep for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId {
    /// Such as `Application`.
    pub kind: String,
    /// Its namespace; empty for objects that have none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// One version of an observed object.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Which one.
    pub id: ResourceId,
    /// `metadata.uid`; empty where a source has none. A new uid under an old name is a new object with no history.
    pub uid: String,
    /// The whole object.
    pub object: Value,
}

impl Resource {
    /// Reads kind, namespace, name and uid off an object; `None` when it has no kind or no name.
    #[must_use]
    pub fn from_object(object: Value, default_namespace: &str) -> Option<Self> {
        let text =
            |path: &[&str]| object.at(path).and_then(|v| v.as_str().map(str::to_owned)).filter(|s| !s.is_empty());
        let id = ResourceId {
            kind: text(&["kind"])?,
            namespace: text(&["metadata", "namespace"]).unwrap_or_else(|| default_namespace.to_owned()),
            name: text(&["metadata", "name"])?,
        };
        let uid = text(&["metadata", "uid"]).unwrap_or_default();
        Some(Self { id, uid, object })
    }

    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<String> {
        self.object.at(&["metadata", "annotations", key]).and_then(|v| v.as_str().map(str::to_owned))
    }
}
