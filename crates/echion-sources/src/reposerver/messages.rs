//! What is said on the wire: of the messages of Argo CD's repo-server, the fields that are asked for or answered. The same structs read
//! the sources out of an Application.

use std::collections::HashMap;
use std::fmt;

use prost::Message;
use serde::{Deserialize, Deserializer};

/// A repository and how to get in.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct Repository {
    #[prost(string, tag = "1")]
    pub(super) repo: String,
    #[prost(string, tag = "2")]
    pub(super) username: String,
    #[prost(string, tag = "3")]
    pub(super) password: String,
    #[prost(string, tag = "4")]
    pub(super) ssh_private_key: String,
    #[prost(bool, tag = "6")]
    pub(super) insecure_ignore_host_key: bool,
    #[prost(bool, tag = "7")]
    pub(super) insecure: bool,
    #[prost(bool, tag = "8")]
    pub(super) enable_lfs: bool,
    #[prost(string, tag = "9")]
    pub(super) tls_client_cert_data: String,
    #[prost(string, tag = "10")]
    pub(super) tls_client_cert_key: String,
    #[prost(string, tag = "11")]
    pub(super) kind: String,
    #[prost(string, tag = "12")]
    pub(super) name: String,
    #[prost(bool, tag = "13")]
    pub(super) inherited_creds: bool,
    #[prost(bool, tag = "14")]
    pub(super) enable_oci: bool,
    #[prost(string, tag = "15")]
    pub(super) github_app_private_key: String,
    #[prost(int64, tag = "16")]
    pub(super) github_app_id: i64,
    #[prost(int64, tag = "17")]
    pub(super) github_app_installation_id: i64,
    #[prost(string, tag = "18")]
    pub(super) github_app_enterprise_base_url: String,
    #[prost(string, tag = "19")]
    pub(super) proxy: String,
    #[prost(string, tag = "20")]
    pub(super) project: String,
    #[prost(string, tag = "21")]
    pub(super) gcp_service_account_key: String,
    #[prost(bool, tag = "22")]
    pub(super) force_http_basic_auth: bool,
    #[prost(string, tag = "23")]
    pub(super) no_proxy: String,
    #[prost(bool, tag = "24")]
    pub(super) use_azure_workload_identity: bool,
    #[prost(string, tag = "25")]
    pub(super) bearer_token: String,
    #[prost(bool, tag = "26")]
    pub(super) insecure_oci_force_http: bool,
}

impl Repository {
    /// What must not be shown.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let password = self.repo.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
        let password = password.and_then(|(user, _)| user.split_once(':')).map_or("", |(_, password)| password);
        [
            &self.password,
            &self.ssh_private_key,
            &self.tls_client_cert_key,
            &self.github_app_private_key,
            &self.gcp_service_account_key,
            &self.bearer_token,
        ]
        .map(String::as_str)
        .into_iter()
        .chain([password])
    }
}

/// Without anything secret: not even the address, which may hold a password.
impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repository(****)")
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RevisionMetadataRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) repo: Option<Repository>,
    #[prost(string, tag = "2")]
    pub(super) revision: String,
}

/// A commit.
#[derive(Clone, PartialEq, Message)]
pub struct RevisionMetadata {
    /// Name and address.
    #[prost(string, tag = "1")]
    pub author: String,
    /// When it was made.
    #[prost(message, optional, tag = "2")]
    pub date: Option<Timestamp>,
    /// Tags that point to it.
    #[prost(string, repeated, tag = "3")]
    pub tags: Vec<String>,
    /// The whole message.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// A moment.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Timestamp {
    /// Seconds since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// And so many nanoseconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AppDetailsQuery {
    #[prost(message, optional, tag = "1")]
    pub(super) repo: Option<Repository>,
    #[prost(message, optional, tag = "2")]
    pub(super) source: Option<Source>,
    #[prost(message, repeated, tag = "3")]
    pub(super) repos: Vec<Repository>,
    #[prost(message, optional, tag = "4")]
    pub(super) kustomize_options: Option<KustomizeOptions>,
    #[prost(string, tag = "5")]
    pub(super) app_name: String,
    #[prost(message, optional, tag = "10")]
    pub(super) helm_options: Option<HelmOptions>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct KustomizeOptions {
    #[prost(string, tag = "1")]
    pub(super) build_options: String,
    #[prost(string, tag = "2")]
    pub(super) binary_path: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct HelmOptions {
    #[prost(string, repeated, tag = "1")]
    pub(super) values_file_schemes: Vec<String>,
}

/// What an Application's source is.
#[derive(Clone, PartialEq, Message)]
pub struct AppDetails {
    /// `Helm`, `Kustomize`, `Directory` or `Plugin`.
    #[prost(string, tag = "1")]
    pub source_type: String,
    /// The chart, when it is one.
    #[prost(message, optional, tag = "3")]
    pub helm: Option<HelmDetails>,
    /// The kustomization, when it is one.
    #[prost(message, optional, tag = "4")]
    pub kustomize: Option<KustomizeDetails>,
    /// Present for a directory of manifests.
    #[prost(message, optional, tag = "5")]
    pub directory: Option<DirectoryDetails>,
}

/// A chart.
#[derive(Clone, PartialEq, Message)]
pub struct HelmDetails {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Files with values.
    #[prost(string, repeated, tag = "3")]
    pub value_files: Vec<String>,
    /// Its parameters.
    #[prost(message, repeated, tag = "4")]
    pub parameters: Vec<HelmParameter>,
    /// Values as YAML.
    #[prost(string, tag = "5")]
    pub values: String,
    /// Parameters that are files.
    #[prost(message, repeated, tag = "6")]
    pub file_parameters: Vec<HelmFileParameter>,
}

/// A kustomization.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KustomizeDetails {
    /// Its images.
    #[prost(string, repeated, tag = "3")]
    pub images: Vec<String>,
}

/// A directory of manifests.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct DirectoryDetails {}

/// Where an Application comes from.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// The repository.
    #[prost(string, tag = "1")]
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    #[prost(string, tag = "2")]
    path: String,
    #[prost(string, tag = "4")]
    target_revision: String,
    #[prost(message, optional, tag = "7")]
    helm: Option<SourceHelm>,
    #[prost(message, optional, tag = "8")]
    kustomize: Option<SourceKustomize>,
    #[prost(message, optional, tag = "10")]
    directory: Option<SourceDirectory>,
    #[prost(message, optional, tag = "11")]
    plugin: Option<SourcePlugin>,
    #[prost(string, tag = "12")]
    chart: String,
    #[prost(string, tag = "13")]
    r#ref: String,
    #[prost(string, tag = "14")]
    name: String,
}

impl Source {
    /// The revision that is wanted.
    #[must_use]
    pub fn revision(&self) -> &str {
        if self.target_revision.is_empty() { "HEAD" } else { &self.target_revision }
    }

    /// The parameters that the Application sets.
    #[must_use]
    pub fn helm_parameters(&self) -> &[HelmParameter] {
        self.helm.as_ref().map_or(&[], |helm| &helm.parameters)
    }

    pub(super) fn kustomize_version(&self) -> &str {
        self.kustomize.as_ref().map_or("", |kustomize| &kustomize.version)
    }
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SourceHelm {
    #[prost(string, repeated, tag = "1")]
    value_files: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    parameters: Vec<HelmParameter>,
    #[prost(string, tag = "3")]
    release_name: String,
    #[prost(string, tag = "4")]
    values: String,
    #[prost(message, repeated, tag = "5")]
    file_parameters: Vec<HelmFileParameter>,
    #[prost(string, tag = "6")]
    version: String,
    #[prost(bool, tag = "7")]
    pass_credentials: bool,
    #[prost(bool, tag = "8")]
    ignore_missing_value_files: bool,
    #[prost(bool, tag = "9")]
    skip_crds: bool,
    #[prost(message, optional, tag = "10")]
    #[serde(deserialize_with = "raw")]
    values_object: Option<Raw>,
    #[prost(string, tag = "11")]
    namespace: String,
}

/// JSON as it is.
#[derive(Clone, PartialEq, Eq, Message)]
struct Raw {
    #[prost(bytes = "vec", tag = "1")]
    raw: Vec<u8>,
}

fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Raw>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.map(|value| Raw { raw: value.to_string().into_bytes() }))
}

/// A parameter of a chart.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HelmParameter {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
    /// Whether the value is a string, whatever it looks like.
    #[prost(bool, tag = "3")]
    pub force_string: bool,
}

/// A parameter whose value is a file.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HelmFileParameter {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The file.
    #[prost(string, tag = "2")]
    pub path: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SourceKustomize {
    #[prost(string, tag = "1")]
    name_prefix: String,
    #[prost(string, tag = "2")]
    name_suffix: String,
    #[prost(string, repeated, tag = "3")]
    images: Vec<String>,
    #[prost(map = "string, string", tag = "4")]
    common_labels: HashMap<String, String>,
    #[prost(string, tag = "5")]
    version: String,
    #[prost(map = "string, string", tag = "6")]
    common_annotations: HashMap<String, String>,
    #[prost(bool, tag = "7")]
    force_common_labels: bool,
    #[prost(bool, tag = "8")]
    force_common_annotations: bool,
    #[prost(string, tag = "9")]
    namespace: String,
    #[prost(message, repeated, tag = "12")]
    patches: Vec<Patch>,
    #[prost(string, repeated, tag = "13")]
    components: Vec<String>,
}

/// A patch may set an image, so it is part of the question.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Patch {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    patch: String,
    #[prost(message, optional, tag = "3")]
    target: Option<PatchTarget>,
    #[prost(map = "string, bool", tag = "4")]
    options: HashMap<String, bool>,
}

#[derive(Clone, PartialEq, Message)]
struct PatchTarget {
    #[prost(message, optional, tag = "1")]
    resource: Option<PatchResource>,
    #[prost(string, tag = "2")]
    annotation_selector: String,
    #[prost(string, tag = "3")]
    label_selector: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PatchResource {
    #[prost(message, optional, tag = "1")]
    gvk: Option<PatchKind>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PatchKind {
    #[prost(string, tag = "1")]
    group: String,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(string, tag = "3")]
    kind: String,
}

/// In an Application a target is flat.
impl<'de> Deserialize<'de> for PatchTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Flat {
            group: String,
            version: String,
            kind: String,
            name: String,
            namespace: String,
            annotation_selector: String,
            label_selector: String,
        }
        let flat = Flat::deserialize(deserializer)?;
        let gvk = PatchKind { group: flat.group, version: flat.version, kind: flat.kind };
        Ok(Self {
            resource: Some(PatchResource { gvk: Some(gvk), name: flat.name, namespace: flat.namespace }),
            annotation_selector: flat.annotation_selector,
            label_selector: flat.label_selector,
        })
    }
}

#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SourceDirectory {
    #[prost(bool, tag = "1")]
    recurse: bool,
    #[prost(string, tag = "3")]
    exclude: String,
    #[prost(string, tag = "4")]
    include: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SourcePlugin {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    env: Vec<Variable>,
}

#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Variable {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}
