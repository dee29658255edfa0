//! The scenarios recorded from Argo CD Notifications: the same requests and the same annotations, step by step.
//!
//! Where Echion differs on purpose, `<name>.ours.json` beside a scenario says what it does instead, and `because` of what.
//! `ECHION_SCENARIO` selects scenarios by the beginning of their names; with `ECHION_SCENARIO_RECORD` what differs is written down
//! instead of reported, for somebody to read, and to say why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::controller::Controller;
use crate::recorder::{Received, Recorder, Rule};
use crate::servers::{Servers, Space, resource, shared};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/scenarios")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

struct Replay<'a> {
    servers: &'a Servers,
    home: Space,
    recorder: Recorder,
    controller: Option<Controller>,
    flags: Vec<String>,
    namespaces: Vec<String>,
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

impl Replay<'_> {
    fn fill(&self, value: &Value) -> Value {
        serde_json::from_str(&value.to_string().replace("RECORDER", &self.recorder.address)).unwrap()
    }

    fn rules(&self, rules: &Value) {
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let rules = rules.as_array().into_iter().flatten().map(|rule| Rule {
            path: text(rule, "match"),
            contains: text(rule, "contains"),
            times: rule["times"].as_u64().map(|n| u32::try_from(n).unwrap()),
            status: rule["status"].as_u64().map_or(200, |n| u16::try_from(n).unwrap()),
            headers: rule["headers"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
                .collect(),
            body: text(rule, "body"),
            echo: false,
        });
        self.recorder.rules(rules.collect());
    }

    /// Nothing of an earlier scenario is left.
    async fn clean(&self) {
        for namespace in &self.namespaces {
            let space = Space::create(self.servers, namespace).await;
            for plural in ["applications", "appprojects"] {
                let delete = DeleteParams::default();
                space.api(plural).delete_collection(&delete, &ListParams::default()).await.unwrap();
            }
            let config_maps: Api<ConfigMap> = Api::namespaced(space.client.clone(), namespace);
            let _ = config_maps.delete("argocd-notifications-cm", &DeleteParams::default()).await;
            let secrets: Api<Secret> = Api::namespaced(space.client.clone(), namespace);
            let _ = secrets.delete("argocd-notifications-secret", &DeleteParams::default()).await;
        }
    }

    fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("argocd");
        let kind = object["kind"].as_str().unwrap_or("Application");
        let resource = match kind {
            "Application" => resource("applications"),
            "AppProject" => resource("appprojects"),
            core => ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", core)),
        };
        Api::namespaced_with(self.home.client.clone(), namespace, &resource)
    }

    async fn create(&self, object: &Value) {
        let object = self.fill(object);
        let api = self.api_of(&object);
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }

    async fn start(&mut self) {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        self.controller = Some(Controller::start(&self.servers.admin("argocd"), &flags).await);
    }

    async fn step(&mut self, step: &Value) {
        let namespaced = |step: &Value| {
            json!({
                "kind": step["kind"].as_str().unwrap_or("Application"),
                "metadata": { "namespace": step["namespace"].as_str().unwrap_or("argocd") },
            })
        };
        let name = step["name"].as_str().unwrap_or_default();
        match step["op"].as_str().unwrap() {
            "create" => self.create(&step["object"]).await,
            "patch" => {
                let patch = Patch::Merge(self.fill(&step["patch"]));
                self.api_of(&namespaced(step)).patch(name, &PatchParams::default(), &patch).await.unwrap();
            }
            "replace" => {
                let mut object = self.fill(&step["object"]);
                let api = self.api_of(&object);
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                let now = api.get(&name).await.unwrap();
                object["metadata"]["resourceVersion"] = json!(now.metadata.resource_version);
                api.replace(&name, &PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
            }
            "delete" => drop(self.api_of(&namespaced(step)).delete(name, &DeleteParams::default()).await.unwrap()),
            "config" => self.home.configure(self.fill(&step["data"])).await,
            "secret" => self.home.secret(self.fill(&step["data"])).await,
            "rules" => self.rules(&step["rules"]),
            "restart" => {
                self.controller.take().unwrap().stop();
                self.start().await;
            }
            "none" => {}
            other => panic!("no step {other:?}"),
        }
    }

    async fn notified(&self) -> Value {
        let api: Api<DynamicObject> = Api::all_with(self.home.client.clone(), &resource("applications"));
        let mut all = BTreeMap::new();
        for app in api.list(&ListParams::default()).await.unwrap() {
            let namespace = app.metadata.namespace.unwrap();
            if !self.namespaces.contains(&namespace) {
                continue;
            }
            let annotations = app.metadata.annotations.unwrap_or_default();
            let state = annotations.get("notified.notifications.argoproj.io").map(|text| {
                let state: BTreeMap<String, i64> = serde_json::from_str(text).unwrap_or_default();
                state.into_keys().collect::<Vec<_>>()
            });
            all.insert(format!("{namespace}/{}", app.metadata.name.unwrap()), state);
        }
        json!(all)
    }
}

/// A request as it is compared: form fields by name, JSON by value.
fn comparable(method: &str, path: &str, body: &str, form: Option<&Value>) -> String {
    let body = match form {
        Some(form) => {
            let fields: BTreeMap<String, Value> = form
                .as_object()
                .unwrap()
                .iter()
                .map(|(k, v)| (k.clone(), serde_json::from_str(v.as_str().unwrap()).unwrap_or_else(|_| v.clone())))
                .collect();
            json!(fields).to_string()
        }
        None => body.to_owned(),
    };
    format!("{method} {path} {body}")
}

fn came(request: &Received) -> String {
    let is_form = request.headers.get("content-type").is_some_and(|t| t.contains("x-www-form-urlencoded"));
    let form = is_form.then(|| {
        let pairs = url::form_urlencoded::parse(request.body.as_bytes());
        json!(pairs.into_owned().collect::<BTreeMap<String, String>>())
    });
    comparable(&request.method, &request.path, &request.body, form.as_ref())
}

fn wanted(request: &Value) -> String {
    let text = |key: &str| request[key].as_str().unwrap_or_default();
    comparable(text("method"), text("path"), text("body"), request.get("form"))
}

/// A request as a recording has it, without what is different every time.
fn written(request: &Received, address: &str) -> Value {
    let mut recorded = json!({ "method": request.method, "path": request.path });
    if request.headers.get("content-type").is_some_and(|t| t.contains("x-www-form-urlencoded")) {
        let pairs = url::form_urlencoded::parse(request.body.as_bytes());
        recorded["form"] = json!(pairs.into_owned().collect::<BTreeMap<String, String>>());
    } else {
        recorded["body"] = request.body.replace(address, "RECORDER").into();
    }
    recorded
}

/// What is different, nothing when the scenario went as expected; and what happened.
async fn replay(servers: &Servers, name: &str, scenario: &Value, expect: &Value) -> (Vec<String>, Vec<Value>) {
    let recorder = Recorder::start().await;
    let mut namespaces = strings(&scenario["namespaces"]);
    namespaces.push("argocd".to_owned());
    let home = Space::create(servers, "argocd").await;
    let flags = strings(&scenario["flags"]);
    let mut replay = Replay { servers, home, recorder, controller: None, flags, namespaces };
    replay.clean().await;
    replay.rules(&scenario["recorder"]);
    replay.home.configure(replay.fill(&scenario["configMap"])).await;
    if !scenario["secret"].is_null() {
        replay.home.secret(replay.fill(&scenario["secret"])).await;
    }
    for object in scenario["appProject"].as_array().into_iter().chain(scenario["objects"].as_array()).flatten() {
        replay.create(object).await;
    }
    replay.start().await;
    let (mut differences, mut happened) = (Vec::new(), Vec::new());
    let steps = scenario["steps"].as_array().unwrap();
    for (index, (step, expected)) in steps.iter().zip(expect["steps"].as_array().unwrap()).enumerate() {
        replay.step(step).await;
        let want: Vec<&Value> = expected["requests"].as_array().unwrap().iter().collect();
        let limit = if step["wait"].is_null() { 8 } else { 45 };
        replay.recorder.wait_for(want.len(), Duration::from_secs(limit)).await;
        replay.recorder.settle(Duration::from_millis(600)).await;
        let received = replay.recorder.take();
        let mut got: Vec<String> = received.iter().map(came).collect();
        let mut want: Vec<String> = want.into_iter().map(|w| wanted(&replay.fill(w))).collect();
        got.sort();
        want.sort();
        if got != want {
            differences.push(format!("{name} step {index}: requests\n  want {want:#?}\n  got {got:#?}"));
        }
        let start = Instant::now();
        let mut notified = replay.notified().await;
        while notified != expected["notified"] && start.elapsed() < Duration::from_secs(4) {
            sleep(Duration::from_millis(50)).await;
            notified = replay.notified().await;
        }
        if notified != expected["notified"] {
            differences.push(format!("{name} step {index}: state\n  want {}\n  got  {notified}", expected["notified"]));
        }
        let received: Vec<Value> = received.iter().map(|r| written(r, &replay.recorder.address)).collect();
        happened.push(json!({ "requests": received, "notified": notified }));
    }
    let mut controller = replay.controller.take().unwrap();
    controller.stop();
    if !differences.is_empty() {
        differences.push(controller.log().join("\n"));
    }
    (differences, happened)
}

async fn replay_all(select: impl Fn(&str) -> bool) {
    let servers = shared().await;
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| !name.ends_with(".ours") && select(name))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let record = std::env::var_os("ECHION_SCENARIO_RECORD").is_some();
    let mut differences = Vec::new();
    for name in names {
        let scenario = read(&folder().join(format!("{name}.json")));
        let ours = folder().join(format!("{name}.ours.json"));
        let own = if ours.exists() { read(&ours) } else { json!({ "because": "", "expect": scenario["expect"] }) };
        let (different, happened) = replay(&servers, &name, &scenario, &own["expect"]).await;
        if !different.is_empty() && record {
            let text = json!({ "because": own["because"], "expect": { "steps": happened } });
            std::fs::write(&ours, serde_json::to_string_pretty(&text).unwrap()).unwrap();
            continue;
        }
        assert!(
            !ours.exists() || own["because"].as_str().is_some_and(|why| !why.is_empty()),
            "{name}: because of what?"
        );
        differences.extend(different);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_scenarios_replay() {
    let only = std::env::var("ECHION_SCENARIO").unwrap_or_default();
    replay_all(|name| name.starts_with(&only)).await;
}
