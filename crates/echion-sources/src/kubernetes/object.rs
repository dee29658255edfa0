//! An object of any kind, decoded straight into the value that conditions and templates read.

use std::borrow::Cow;
use std::fmt;

use echion_model::Resource;
use echion_value::Value;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ApiResource;
use serde::{Deserialize, Deserializer};

/// One version of an object. Only what the client needs of the metadata is kept beside the value.
#[derive(Clone)]
pub struct Object {
    meta: ObjectMeta,
    /// The whole object.
    pub value: Value,
}

impl Object {
    /// As a resource to look at; `None` without a name. Items of lists may not say what they are: `kind` is taken then.
    #[must_use]
    pub fn into_resource(self, kind: &str) -> Option<Resource> {
        let name = self.meta.name?;
        let said = self.value.at(&["kind"]).and_then(|k| k.as_str().map(str::to_owned));
        let id = echion_model::ResourceId {
            kind: said.filter(|k| !k.is_empty()).unwrap_or_else(|| kind.to_owned()),
            namespace: self.meta.namespace.unwrap_or_default(),
            name,
        };
        Some(Resource { id, uid: self.meta.uid.unwrap_or_default(), object: self.value })
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
