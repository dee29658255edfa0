//! An object of any kind, decoded straight into the value that conditions and templates read.

use std::borrow::Cow;
use std::fmt;

use echion_model::{Resource, ResourceId};
use echion_value::{Map, Value};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ApiResource;
use serde::{Deserialize, Deserializer};

use super::kind::ResourceKind;

/// One version of an object. Only what the client needs of the metadata is kept next to the value.
#[derive(Clone)]
pub(crate) struct Object {
    meta: ObjectMeta,
    /// The whole object.
    pub(crate) value: Value,
}

impl Object {
    /// As a resource of a kind of resources. Items of lists may lack their kind: it is `name` then.
    #[must_use]
    pub(crate) fn into_resource(self, kind: &ResourceKind, name: &str) -> Option<Resource> {
        let own = self.value.at(&["kind"]).and_then(|k| k.as_str().map(str::to_owned)).filter(|k| !k.is_empty());
        let object = match (&own, &self.value) {
            // Conditions see the same object, whether it was listed or watched.
            (None, Value::Map(map)) => {
                let mut entries = map.entries().into_owned();
                entries.push(("apiVersion".into(), kind.api_version().into()));
                entries.push(("kind".into(), name.into()));
                Value::Map(Map::of_any(entries))
            }
            _ => self.value,
        };
        let id = ResourceId {
            group: kind.group.clone(),
            kind: own.unwrap_or_else(|| name.to_owned()),
            namespace: self.meta.namespace.unwrap_or_default(),
            name: self.meta.name.filter(|name| !name.is_empty())?,
        };
        Some(Resource { id, uid: self.meta.uid.unwrap_or_default(), object })
    }

    /// Its version, where it has one.
    pub(crate) fn version(&self) -> Option<&str> {
        self.meta.resource_version.as_deref().filter(|version| !version.is_empty())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.meta.namespace, self.meta.name)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = |name: &str| value.at(&["metadata", name]).and_then(|v| v.as_str().map(str::to_owned));
        let meta = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { meta, value })
    }
}

impl kube::Resource for Object {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(dynamic: &ApiResource) -> Cow<'_, str> {
        dynamic.kind.as_str().into()
    }

    fn group(dynamic: &ApiResource) -> Cow<'_, str> {
        dynamic.group.as_str().into()
    }

    fn version(dynamic: &ApiResource) -> Cow<'_, str> {
        dynamic.version.as_str().into()
    }

    fn plural(dynamic: &ApiResource) -> Cow<'_, str> {
        dynamic.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
