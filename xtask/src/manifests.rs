//! The manifests of `deploy/`: rights and objects as data, written by `cargo xtask codegen`.
//!
//! What the controller may do is said once, here, and the tests run it with exactly these rights. Objects name no namespace: whoever uses them
//! says `namespace:` in a kustomization of their own.

mod rights;
mod yaml;

use serde_json::{Value, json};

const NAME: &str = "echion";

/// The names that an installation of Argo CD gives.
const CONTROLLER: &str = "argocd-notifications-controller";

const IMAGE: &str = "echion:latest";

/// Where the ledger lies.
const STATE: &str = "/var/lib/echion";

/// The user id of the process; no other one has it.
const UID: u32 = 65532;

/// Every file: its path in the repository, and its text.
pub(crate) fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folder = |path: &str, about: &str, objects: Vec<(&str, Vec<Value>)>| {
        for (name, objects) in objects {
            let head = if name == "kustomization" { format!("# {about}\n") } else { String::new() };
            let text = format!("# Written by `cargo xtask codegen`.\n{head}{}", yaml::documents(&objects));
            files.push((format!("deploy/kustomize/{path}/{name}.yaml"), text));
        }
    };
    folder(
        "stand-alone",
        "The controller next to an Argo CD whose own notifications controller is not installed.",
        vec![
            (
                "kustomization",
                vec![kustomization(
                    "Kustomization",
                    &["account", "role", "role-write", "deployment", "service"],
                    vec![],
                )],
            ),
            ("account", vec![account()]),
            ("role", rights::bound("Role", NAME, NAME, rights::namespaced())),
            ("role-write", rights::bound("Role", "echion-write", NAME, rights::write())),
            ("deployment", vec![deployment()]),
            ("service", vec![service()]),
        ],
    );
    folder(
        "components/all-namespaces",
        "Applications of all namespaces.",
        vec![
            (
                "kustomization",
                vec![kustomization("Component", &["role", "role-write"], vec![patch("arguments", "Deployment")])],
            ),
            ("role", rights::bound("ClusterRole", "echion-all-namespaces", NAME, rights::all_namespaces())),
            ("role-write", rights::bound("ClusterRole", "echion-all-namespaces-write", NAME, rights::write())),
            ("arguments", vec![argument("--application-namespaces=*")]),
        ],
    );
    folder(
        "components/self-service",
        "A ConfigMap and Secret of its own for every namespace; goes with all-namespaces.",
        vec![
            ("kustomization", vec![kustomization("Component", &["role"], vec![patch("arguments", "Deployment")])]),
            ("role", rights::bound("ClusterRole", "echion-self-service", NAME, rights::configuration())),
            ("arguments", vec![argument("--self-service-notification-enabled")]),
        ],
    );
    let delete =
        |kind: &str| json!({ "$patch": "delete", "apiVersion": "v1", "kind": kind, "metadata": { "name": "any" } });
    let writing = ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    let mut patches = vec![patch("arguments", "Deployment"), patch("ledger", "Deployment")];
    patches.extend(writing.map(|kind| {
        json!({ "patch": yaml::documents(&[delete(kind)]), "target": { "kind": kind, "name": "echion(-all-namespaces)?-write" } })
    }));
    folder(
        "components/annotations-read",
        "Nothing is written to Applications: the state lives in the ledger alone, on a volume. Must be the last component.",
        vec![
            ("kustomization", vec![kustomization("Component", &["volume"], patches)]),
            ("volume", vec![volume()]),
            ("arguments", vec![argument("--annotations=read")]),
            ("ledger", vec![ledger_patch()]),
        ],
    );
    folder(
        "components/two-replicas",
        "A standby replica. The state lives in the annotations, which both can read; so not with annotations-read.",
        vec![
            ("kustomization", vec![kustomization("Component", &["budget"], vec![patch("replicas", "Deployment")])]),
            ("budget", vec![budget()]),
            (
                "replicas",
                vec![json!([
                    { "op": "replace", "path": "/spec/replicas", "value": 2 },
                    { "op": "replace", "path": "/spec/template/spec/containers/0/args/1", "value": "--ledger=memory" },
                ])],
            ),
        ],
    );
    for (plural, title) in [("rollouts", "Rollouts"), ("applicationsets", "ApplicationSets")] {
        let name = format!("echion-{plural}");
        let path = format!("components/{plural}");
        let about = format!(
            "An example of `--resource`: Argo {title} too. Of all namespaces with all-namespaces; alone, a Role would do."
        );
        let argument = argument(&format!("--resource=argoproj.io/v1alpha1/{plural}"));
        folder(
            &path,
            &about,
            vec![
                ("kustomization", vec![kustomization("Component", &["role"], vec![patch("arguments", "Deployment")])]),
                ("role", rights::bound("ClusterRole", &name, NAME, rights::resource(plural))),
                ("arguments", vec![argument]),
            ],
        );
    }
    folder(
        "argocd-image-swap",
        "Runs Echion as the notifications controller of an existing installation of Argo CD.",
        vec![
            (
                "kustomization",
                vec![kustomization(
                    "Component",
                    &[],
                    vec![json!({
                        "path": "image.yaml", "target": { "kind": "Deployment", "name": CONTROLLER },
                    })],
                )],
            ),
            ("image", vec![image_swap()]),
        ],
    );
    folder(
        "argocd-image-swap/rights",
        "Optional: what the role of that installation lacks. Without it there are no Events and no election.",
        vec![
            ("kustomization", vec![kustomization("Component", &["role"], vec![])]),
            ("role", rights::bound("Role", "echion-extra", CONTROLLER, rights::extra())),
        ],
    );
    files
}

fn kustomization(kind: &str, resources: &[&str], patches: Vec<Value>) -> Value {
    let version = if kind == "Component" { "v1alpha1" } else { "v1beta1" };
    let mut object = json!({ "apiVersion": format!("kustomize.config.k8s.io/{version}"), "kind": kind });
    if !resources.is_empty() {
        let files: Vec<String> = resources.iter().map(|name| format!("{name}.yaml")).collect();
        object["resources"] = json!(files);
    }
    if !patches.is_empty() {
        object["patches"] = json!(patches);
    }
    object
}

/// A patch in the file of that name.
fn patch(file: &str, kind: &str) -> Value {
    json!({ "path": format!("{file}.yaml"), "target": { "kind": kind, "name": NAME } })
}

/// One more argument of the controller.
fn argument(text: &str) -> Value {
    json!([{ "op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": text }])
}

fn labels() -> Value {
    json!({ "app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "argocd" })
}

fn account() -> Value {
    json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": NAME, "labels": labels() } })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "echion-metrics", "labels": labels() },
        "spec": {
            "ports": [{ "name": "metrics", "port": 9001, "targetPort": "metrics", "protocol": "TCP" }],
            "selector": { "app.kubernetes.io/name": NAME },
        },
    })
}

fn deployment() -> Value {
    let probe =
        |path: &str, period: u32| json!({ "httpGet": { "path": path, "port": "metrics" }, "periodSeconds": period });
    let container = json!({
        "name": NAME, "image": IMAGE, "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/local/bin/echion"],
        "args": ["controller", format!("--ledger=sqlite:{STATE}/ledger.sqlite")],
        // SQLite looks here for room when a file system is read-only everywhere else.
        "workingDir": STATE,
        "ports": [{ "name": "metrics", "containerPort": 9001 }],
        "livenessProbe": probe("/healthz", 20), "readinessProbe": probe("/readyz", 5),
        "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "memory": "128Mi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": [{ "name": "state", "mountPath": STATE }],
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": NAME, "labels": labels() },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app.kubernetes.io/name": NAME } },
            "template": {
                "metadata": { "labels": labels() },
                "spec": {
                    "serviceAccountName": NAME,
                    "nodeSelector": { "kubernetes.io/os": "linux" },
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": UID, "runAsGroup": UID, "fsGroup": UID,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    // What is due is delivered before the end: ten seconds for that, ten for annotations.
                    "terminationGracePeriodSeconds": 30,
                    "containers": [container],
                    "volumes": [{ "name": "state", "emptyDir": { "sizeLimit": "256Mi" } }],
                },
            },
        },
    })
}

fn volume() -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "echion-state", "labels": labels() },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    })
}

/// One process on the volume at a time.
fn ledger_patch() -> Value {
    let claim = json!({ "name": "state", "persistentVolumeClaim": { "claimName": "echion-state" } });
    json!([
        { "op": "replace", "path": "/spec/template/spec/volumes/0", "value": claim },
        { "op": "add", "path": "/spec/strategy", "value": { "type": "Recreate" } },
    ])
}

fn budget() -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": NAME, "labels": labels() },
        "spec": { "maxUnavailable": 1, "selector": { "matchLabels": { "app.kubernetes.io/name": NAME } } },
    })
}

/// Merged into the existing container by its name. Command and arguments stay: the image knows the program under its old name.
fn image_swap() -> Value {
    let container = json!({ "name": CONTROLLER, "image": IMAGE, "imagePullPolicy": "IfNotPresent" });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": CONTROLLER },
        "spec": { "template": { "spec": { "containers": [container] } } },
    })
}
