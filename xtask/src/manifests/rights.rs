//! What the controller may do, by mode.

use serde_json::{Value, json};

use super::labels;

const CONFIG_MAP: &str = "argocd-notifications-cm";
const SECRET: &str = "argocd-notifications-secret";
const LEASE: &str = "echion-notifications";

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": resources, "verbs": verbs })
}

fn named(group: &str, resource: &str, name: &str, verbs: &[&str]) -> Value {
    let mut rule = rule(group, &[resource], verbs);
    rule["resourceNames"] = json!([name]);
    rule
}

/// Reads one kind of resource: the list and the watch, and one again when its evaluation failed.
fn read(plural: &str) -> Value {
    rule("argoproj.io", &[plural], &["get", "list", "watch"])
}

/// Events about the objects of a namespace.
fn events() -> Value {
    rule("events.k8s.io", &["events"], &["create", "patch"])
}

/// The ConfigMap and the Secret, and no others: lists and watches of one name are allowed by that name.
pub(super) fn configuration() -> Vec<Value> {
    vec![named("", "configmaps", CONFIG_MAP, &["list", "watch"]), named("", "secrets", SECRET, &["list", "watch"])]
}

/// The Lease: creating cannot be restricted by a name.
fn election() -> Vec<Value> {
    let group = "coordination.k8s.io";
    vec![rule(group, &["leases"], &["create"]), named(group, "leases", LEASE, &["get", "update"])]
}

/// In its own namespace, without writing to Applications.
pub(super) fn namespaced() -> Vec<Value> {
    let mut rules = vec![read("applications"), rule("argoproj.io", &["appprojects"], &["list", "watch"])];
    rules.extend(configuration());
    rules.push(events());
    rules.extend(election());
    rules
}

/// For the state annotation.
pub(super) fn write() -> Vec<Value> {
    vec![rule("argoproj.io", &["applications"], &["patch"])]
}

/// Applications everywhere, without writing to them.
pub(super) fn all_namespaces() -> Vec<Value> {
    vec![read("applications"), events()]
}

/// Another kind of resource, with its annotation.
pub(super) fn resource(plural: &str) -> Vec<Value> {
    vec![rule("argoproj.io", &[plural], &["get", "list", "watch", "patch"])]
}

/// What the role of an existing installation lacks.
pub(super) fn extra() -> Vec<Value> {
    let mut rules = vec![events()];
    rules.extend(election());
    rules
}

/// A role, and its binding to an account.
pub(super) fn bound(kind: &str, name: &str, account: &str, rules: Vec<Value>) -> Vec<Value> {
    let api = "rbac.authorization.k8s.io";
    let metadata = json!({ "name": name, "labels": labels() });
    let mut subject = json!({ "kind": "ServiceAccount", "name": account });
    if kind == "ClusterRole" {
        // What kustomize replaces by the namespace that the account comes to lie in.
        subject["namespace"] = json!("default");
    }
    vec![
        json!({ "apiVersion": format!("{api}/v1"), "kind": kind, "metadata": metadata, "rules": rules }),
        json!({
            "apiVersion": format!("{api}/v1"), "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": { "apiGroup": api, "kind": kind, "name": name }, "subjects": [subject],
        }),
    ]
}
