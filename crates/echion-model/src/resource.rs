//! What is observed.

use std::fmt;

use echion_value::Value;
use serde::{Deserialize, Serialize};

/// The API group of Argo CD.
pub const ARGO: &str = "argoproj.io";

/// Which object: its API group, kind, namespace and name. It prints as `namespace/name`, the form users grep for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId {
    /// Such as `argoproj.io`; empty for the core group.
    #[serde(default)]
    pub group: String,
    /// Such as `Application`.
    pub kind: String,
    /// Its namespace; empty for objects that have none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ResourceId {
    /// Whether this is Argo CD's object of that kind, such as `Application`.
    #[must_use]
    pub fn is_argo(&self, kind: &str) -> bool {
        self.group == ARGO && self.kind == kind
    }

    /// All four parts as one text, by which ledgers find it again: `group/kind/namespace/name`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.group, self.kind, self.namespace, self.name)
    }

    /// Reads a [key](Self::key) back.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let mut parts = key.splitn(4, '/').map(str::to_owned);
        Some(Self { group: parts.next()?, kind: parts.next()?, namespace: parts.next()?, name: parts.next()? })
    }
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
    /// Reads group, kind, namespace, name and uid off an object; `None` when it has no kind or no name, or when one of them cannot be that
    /// of an object. Argo CD's own kinds may leave out `apiVersion`, as manifests written by hand do.
    #[must_use]
    pub fn from_object(object: Value, default_namespace: &str) -> Option<Self> {
        let text =
            |path: &[&str]| object.at(path).and_then(|v| v.as_str().map(str::to_owned)).filter(|s| !s.is_empty());
        let kind = text(&["kind"])?;
        let group = match text(&["apiVersion"]) {
            Some(version) => group_of(&version).to_owned(),
            None if matches!(kind.as_str(), "Application" | "AppProject") => ARGO.to_owned(),
            None => String::new(),
        };
        let id = ResourceId {
            group,
            kind,
            namespace: text(&["metadata", "namespace"]).unwrap_or_else(|| default_namespace.to_owned()),
            name: text(&["metadata", "name"])?,
        };
        if [&id.group, &id.kind, &id.namespace].into_iter().any(|part| part.contains('/')) {
            return None;
        }
        let uid = text(&["metadata", "uid"]).unwrap_or_default();
        Some(Self { id, uid, object })
    }

    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<String> {
        self.object.at(&["metadata", "annotations", key]).and_then(|v| v.as_str().map(str::to_owned))
    }
}

/// The group of an `apiVersion`: `argoproj.io` of `argoproj.io/v1alpha1`, empty for the core group's `v1`.
#[must_use]
pub fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<ResourceId> {
        Resource::from_object(serde_json::from_str(json).unwrap(), "argocd").map(|resource| resource.id)
    }

    #[test]
    fn objects_of_one_kind_name_in_two_groups_are_two_objects() {
        let argo =
            read(r#"{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"name":"a"}}"#).unwrap();
        let other =
            read(r#"{"apiVersion":"app.k8s.io/v1beta1","kind":"Application","metadata":{"name":"a"}}"#).unwrap();
        assert!(argo.is_argo("Application") && !other.is_argo("Application"));
        assert_ne!(argo.key(), other.key());
        assert_eq!(argo, read(r#"{"kind":"Application","metadata":{"name":"a"}}"#).unwrap());
        let pod = read(r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#).unwrap();
        assert_eq!(pod.group, "");
        for id in [argo, other, pod] {
            assert_eq!(ResourceId::from_key(&id.key()).unwrap(), id);
        }
        assert_eq!(read(r#"{"kind":"Application","metadata":{"name":"a","namespace":"x/y"}}"#), None);
    }
}
