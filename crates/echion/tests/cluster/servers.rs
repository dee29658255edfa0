//! etcd and kube-apiserver as child processes, and a client for them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

/// The annotation that holds the state.
pub(crate) const NOTIFIED: &str = "notified.notifications.argoproj.io";

/// The token of the user who may do everything.
const ADMIN: &str = "admin-token";

/// The folder with the two programs. Where they are missing they are built, which takes some minutes and fails loudly.
fn assets() -> PathBuf {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
        return folder.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        .expect("neither KUBEBUILDER_ASSETS, XDG_CACHE_HOME nor HOME is set");
    let folder = cache.join("echion").join("kube-assets");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/kube-assets.sh");
    let built = Command::new("bash").arg(script).arg(&folder).stdout(Stdio::null()).status().unwrap();
    assert!(built.success(), "the API server could not be built into {}", folder.display());
    folder.join("bin")
}

/// A program that ends with this process, however it ends: a shell waits for the end of its input.
struct Tied {
    shell: Child,
    program: u32,
}

impl Tied {
    fn start(command: &str, log: &Path) -> Self {
        let pid = log.with_extension("pid");
        let script = format!(
            "{command} >>{log} 2>&1 & echo $! >{pid}; read _; kill -9 $!",
            log = log.display(),
            pid = pid.display()
        );
        let _ = std::fs::remove_file(&pid);
        let shell = Command::new("bash").arg("-c").arg(script).stdin(Stdio::piped()).spawn().unwrap();
        let program = loop {
            let text = std::fs::read_to_string(&pid).unwrap_or_default();
            if let Ok(program) = text.trim().parse() {
                break program;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Self { shell, program }
    }

    fn kill(&mut self) {
        let _ = Command::new("kill").args(["-9", &self.program.to_string()]).status();
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A control plane of its own, without controllers.
pub(crate) struct Servers {
    folder: tempfile::TempDir,
    assets: PathBuf,
    ports: [u16; 3],
    etcd: Tied,
    api: Tied,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let assets = assets();
        let ports = [free_port(), free_port(), free_port()];
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(params, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("tls.crt", certificate.pem());
        write("ca.crt", authority.pem());
        write("tls.key", key.serialize_pem());
        write("tls.pub", key.public_key_pem());
        write("tokens.csv", format!("{ADMIN},admin,1,\"system:masters\"\nplain-token,plain,2,\"plain\"\n"));
        let etcd = Self::start_etcd(&assets, folder.path(), ports);
        let api = Self::start_api(&assets, folder.path(), ports);
        let servers = Self { folder, assets, ports, etcd, api };
        servers.ready().await;
        servers
    }

    fn start_etcd(assets: &Path, folder: &Path, [client, peer, _]: [u16; 3]) -> Tied {
        let [client, peer] = [client, peer].map(|port| format!("http://127.0.0.1:{port}"));
        let command = format!(
            "{}/etcd --data-dir {}/etcd --name e --listen-client-urls {client} --advertise-client-urls {client} \
             --listen-peer-urls {peer} --initial-advertise-peer-urls {peer} --initial-cluster e={peer} --unsafe-no-fsync",
            assets.display(),
            folder.display()
        );
        let command = if help(assets, "etcd").contains("unsafe-no-fsync") {
            command
        } else {
            command.replace(" --unsafe-no-fsync", "")
        };
        Tied::start(&command, &folder.join("etcd.log"))
    }

    fn start_api(assets: &Path, folder: &Path, [etcd, _, port]: [u16; 3]) -> Tied {
        let dir = folder.display();
        let insecure =
            if help(assets, "kube-apiserver").contains("--insecure-port") { "--insecure-port=0" } else { "" };
        let command = format!(
            "GOGC=400 GOMEMLIMIT=3GiB {}/kube-apiserver --etcd-servers http://127.0.0.1:{etcd} --bind-address 127.0.0.1 \
             --secure-port {port} {insecure} --tls-cert-file {dir}/tls.crt --tls-private-key-file {dir}/tls.key \
             --token-auth-file {dir}/tokens.csv --service-account-issuer https://127.0.0.1 \
             --service-account-key-file {dir}/tls.pub --service-account-signing-key-file {dir}/tls.key \
             --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 --endpoint-reconciler-type none \
             --disable-admission-plugins ServiceAccount",
            assets.display()
        );
        Tied::start(&command, &folder.join("api.log"))
    }

    async fn ready(&self) {
        let client = self.client();
        let start = Instant::now();
        loop {
            let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
            if client.request_text(request).await.is_ok_and(|text| text.trim() == "ok") {
                return;
            }
            if start.elapsed() > Duration::from_secs(90) {
                let log = std::fs::read_to_string(self.folder.path().join("api.log")).unwrap_or_default();
                panic!("the API server is not ready:\n{}", &log[log.len().saturating_sub(4000)..]);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn restart_api(&mut self, down: Duration) {
        self.api.kill();
        sleep(down).await;
        self.api = Self::start_api(&self.assets, self.folder.path(), self.ports);
        self.ready().await;
    }

    pub(crate) async fn restart_etcd(&mut self, down: Duration) {
        self.etcd.kill();
        sleep(down).await;
        self.etcd = Self::start_etcd(&self.assets, self.folder.path(), self.ports);
        self.ready().await;
    }

    /// The API server does nothing for a while, and then goes on.
    pub(crate) async fn freeze_api(&self, time: Duration) {
        let signal = |name: &str| Command::new("kill").args([name, &self.api.program.to_string()]).status().unwrap();
        assert!(signal("-STOP").success());
        sleep(time).await;
        assert!(signal("-CONT").success());
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[2])
    }

    pub(crate) fn client(&self) -> Client {
        self.client_of(ADMIN)
    }

    pub(crate) fn client_of(&self, token: &str) -> Client {
        static PROVIDER: std::sync::Once = std::sync::Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let mut config = Config::new(self.url().parse().unwrap());
        config.accept_invalid_certs = true;
        config.auth_info.token = Some(token.to_owned().into());
        Client::try_from(config).unwrap()
    }

    /// A kubeconfig for a token and a namespace.
    pub(crate) fn kubeconfig(&self, token: &str, namespace: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{namespace}-{token}.kubeconfig"));
        let ca = self.folder.path().join("ca.crt");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": self.url(), "certificate-authority": ca } }],
            "users": [{ "name": "u", "user": { "token": token } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u", "namespace": namespace } }],
        });
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    pub(crate) fn admin(&self, namespace: &str) -> PathBuf {
        self.kubeconfig(ADMIN, namespace)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.api.kill();
        self.etcd.kill();
    }
}

/// What a program says of its flags.
fn help(assets: &Path, program: &str) -> String {
    let output = Command::new(assets.join(program)).arg("--help").output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// One control plane for all tests that do not break it, used by one after the other: there are few cores.
static SHARED: OnceLock<Mutex<Option<Servers>>> = OnceLock::new();

/// The shared control plane, with the kinds of Argo CD installed.
pub(crate) struct Shared(MutexGuard<'static, Option<Servers>>);

impl std::ops::Deref for Shared {
    type Target = Servers;

    fn deref(&self) -> &Servers {
        self.0.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for Shared {
    fn deref_mut(&mut self) -> &mut Servers {
        self.0.as_mut().unwrap()
    }
}

pub(crate) async fn shared() -> Shared {
    let mut guard = SHARED.get_or_init(Mutex::default).lock().await;
    if guard.is_none() {
        let servers = Servers::start().await;
        install_kinds(&servers.client()).await;
        *guard = Some(servers);
    }
    Shared(guard)
}

pub(crate) fn resource(plural: &str) -> ApiResource {
    let kind = match plural {
        "applications" => "Application",
        "appprojects" => "AppProject",
        "rollouts" => "Rollout",
        "applicationsets" => "ApplicationSet",
        other => panic!("{other}"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind), plural)
}

/// Definitions without a schema: what is measured is ours, not the validation of the server.
async fn install_kinds(client: &Client) {
    let gvk = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let api: Api<DynamicObject> =
        Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&gvk, "customresourcedefinitions"));
    for plural in ["applications", "appprojects", "rollouts", "applicationsets"] {
        let kind = resource(plural).kind;
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{plural}.argoproj.io") },
            "spec": {
                "group": "argoproj.io", "scope": "Namespaced",
                "names": { "plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List") },
                "versions": [{ "name": "v1alpha1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }],
            },
        });
        api.create(&PostParams::default(), &serde_json::from_value(definition).unwrap()).await.unwrap();
    }
    for plural in ["applications", "appprojects", "rollouts", "applicationsets"] {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(plural));
        while api.list(&ListParams::default().limit(1)).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What tests do to a namespace.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Space {
    pub(crate) async fn create(servers: &Servers, namespace: &str) -> Self {
        let client = servers.client();
        let api: Api<Namespace> = Api::all(client.clone());
        let object = json!({ "metadata": { "name": namespace } });
        match api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            other => drop(other.unwrap()),
        }
        Self { client, namespace: namespace.to_owned() }
    }

    pub(crate) fn api(&self, plural: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(plural))
    }

    pub(crate) async fn configure(&self, data: Value) {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let name = "argocd-notifications-cm";
        let object = json!({ "metadata": { "name": name }, "data": data });
        if api.get_opt(name).await.unwrap().is_none() {
            api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        } else {
            api.patch(name, &PatchParams::default(), &Patch::Merge(object)).await.unwrap();
        }
    }

    pub(crate) async fn secret(&self, data: Value) {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let name = "argocd-notifications-secret";
        let object = json!({ "metadata": { "name": name }, "stringData": data });
        if api.get_opt(name).await.unwrap().is_none() {
            api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        } else {
            api.patch(name, &PatchParams::default(), &Patch::Merge(object)).await.unwrap();
        }
    }

    /// Creates an object of a kind from what the test says about it.
    pub(crate) async fn create_object(&self, plural: &str, name: &str, more: Value) {
        let mut object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": resource(plural).kind, "metadata": { "name": name },
        });
        merge(&mut object, more);
        let object = serde_json::from_value(object).unwrap();
        self.api(plural).create(&PostParams::default(), &object).await.unwrap();
    }

    pub(crate) async fn create_app(&self, name: &str, more: Value) {
        self.create_object("applications", name, more).await;
    }

    pub(crate) async fn patch(&self, plural: &str, name: &str, patch: Value) {
        self.api(plural).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// A patch that is repeated while the server is away.
    pub(crate) async fn patch_at_last(&self, name: &str, patch: Value) {
        let api = self.api("applications");
        for _ in 0..600 {
            match api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => return,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
        panic!("{name} could not be patched for a minute");
    }

    pub(crate) async fn delete(&self, plural: &str, name: &str) {
        self.api(plural).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The state annotation, as its keys.
    pub(crate) async fn notified(&self, name: &str) -> Option<Vec<String>> {
        let object = self.api("applications").get(name).await.unwrap();
        let text = object.metadata.annotations?.get(NOTIFIED)?.clone();
        let state: std::collections::BTreeMap<String, i64> = serde_json::from_str(&text).unwrap();
        Some(state.into_keys().collect())
    }
}

pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
