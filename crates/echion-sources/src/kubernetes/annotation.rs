//! Writes the state annotation, and nothing else of the object.

use echion_model::ResourceId;
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::kind::ResourceKind;
use super::source::api;

/// Sets one annotation of an object, or removes it. Only this key is in the patch, so no edit of another one can be lost; and the
/// uid is in it, so that a new object of the same name does not inherit the state of an old one.
pub(crate) async fn write_annotation(
    client: &Client,
    kind: &ResourceKind,
    resource: &ResourceId,
    uid: &str,
    (key, value): (&str, Option<&str>),
) -> Result<(), kube::Error> {
    let mut metadata = json!({ "annotations": { key: value } });
    if !uid.is_empty() {
        metadata["uid"] = json!(uid);
    }
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let api = api(client, kind, &resource.namespace);
    api.patch_metadata(&resource.name, &PatchParams::default(), &patch).await.map(|_| ())
}
