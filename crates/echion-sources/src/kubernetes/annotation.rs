//! Writes the state annotation, and nothing else of the object.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use super::kind::ResourceKind;
use super::object::Object;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// It is written.
    Written,
    /// The object is gone, or another one stands under its name.
    Gone,
}

/// Sets one annotation of an object, or removes it. Only this key is in the patch, so nobody's edit of another one can be lost; and the
/// uid is in it, so that a new object of the same name does not inherit the state of an old one.
///
/// # Errors
/// What the API server said.
pub async fn write_annotation(
    client: &Client,
    kind: &ResourceKind,
    resource: &echion_model::ResourceId,
    uid: &str,
    key: &str,
    value: Option<&str>,
) -> Result<Mirrored, kube::Error> {
    let api: Api<Object> = Api::namespaced_with(client.clone(), &resource.namespace, &kind.api());
    let mut metadata = json!({ "annotations": { key: value } });
    if !uid.is_empty() {
        metadata["uid"] = json!(uid);
    }
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    match api.patch_metadata(&resource.name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(Mirrored::Written),
        // 409 is the uid: a merge patch of one key conflicts with nothing else. Some servers call it invalid.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Mirrored::Gone),
        Err(error) => Err(error),
    }
}
