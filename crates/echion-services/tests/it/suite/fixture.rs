//! Golden requests: `golden/<service>.yaml`, the whole way from options and templates to what goes over the wire.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use echion_engine::{Conditions, Template};
use echion_model::yaml::{self, Node};
use echion_model::{
    DeliveryId, Environment, Memory, Message, Notification, Receipt, RenderContext, SendError, Service, ServiceKind,
};
use echion_value::{Map, Value};
use serde_json::json;

use super::recorder::{Recorder, Reply};
use crate::NOW;

/// A key that was made for these tests and opens nothing.
pub(crate) const KEY: &str = include_str!("../keys/rsa.pem");

pub(crate) struct Fixture {
    pub(crate) node: Node,
    pub(crate) kind: &'static ServiceKind,
}

impl Fixture {
    /// Reads the fixtures of a type; `base` takes the place of `BASE`.
    pub(crate) fn read(kind: &'static ServiceKind, base: &str) -> Self {
        Self::read_with(kind, base, str::to_owned)
    }

    /// The same after a change of the text.
    pub(crate) fn read_with(kind: &'static ServiceKind, base: &str, change: impl Fn(&str) -> String) -> Self {
        let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/golden/{}.yaml", kind.name));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let host = base.trim_start_matches("http://");
        let node = yaml::parse(&change(&text).replace("BASE", base).replace("HOST", host));
        let mut node = node.unwrap_or_else(|e| panic!("{}: {}:{}: {e}", path.display(), e.line, e.column));
        with_account(&mut node, base);
        with_key(&mut node);
        Self { node, kind }
    }

    pub(crate) fn cases(&self) -> Vec<Case<'_>> {
        let Some(yaml::Kind::List(items)) = self.node.get("cases").map(|node| &node.kind) else {
            panic!("{}: no cases", self.kind.name)
        };
        items.iter().map(|node| Case { fixture: self, node }).collect()
    }

    pub(crate) fn says(&self, key: &str) -> String {
        self.node.get(key).map(text).unwrap_or_default()
    }
}

/// Puts a service account of Google, whose authorization server is the recorder, where one is wanted.
fn with_account(node: &mut Node, base: &str) {
    let account = json!({
        "type": "service_account", "client_email": "echion@example.com", "private_key": KEY, "token_uri": format!("{base}/token"),
    });
    node.rewrite(&mut |text| (text == "$google-json-private-key").then(|| account.to_string()));
}

/// Puts the test key where a private key is wanted.
pub(crate) fn with_key(node: &mut Node) {
    node.rewrite(&mut |text| {
        let text = text.strip_prefix('$').filter(|name| name.ends_with("private-key"));
        text.map(|_| KEY.to_owned())
    });
}

pub(crate) struct Case<'a> {
    fixture: &'a Fixture,
    pub(crate) node: &'a Node,
}

impl Case<'_> {
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.fixture.kind.name, self.node.get("name").map(text).unwrap_or_default())
    }

    /// The service instance, called `hook`; `more` is added to the options.
    pub(crate) fn open(&self, more: &str) -> Arc<dyn Service> {
        self.open_as("hook", more)
    }

    /// The service instance under a name.
    pub(crate) fn open_as(&self, name: &str, more: &str) -> Arc<dyn Service> {
        let mut options = self.node.get("options").unwrap_or_else(|| panic!("{}: no options", self.name())).clone();
        if let (yaml::Kind::Map(entries), more) = (&mut options.kind, yaml::parse(more).unwrap()) {
            entries.extend(more.entries().iter().cloned());
        }
        let environment = Environment { conditions: Some(Arc::new(Conditions)), ..Environment::default() };
        let opened = (self.fixture.kind.open)(name, &options, &environment);
        opened.unwrap_or_else(|e| panic!("{}: {e:?}", self.name()))
    }

    pub(crate) fn recipient(&self) -> String {
        self.node.get("recipient").map(text).unwrap_or_default()
    }

    /// The notification that the case's templates give.
    pub(crate) fn notification(&self) -> Notification {
        let app = self.node.get("app").or_else(|| self.fixture.node.get("app")).map(Node::to_value);
        self.render(&[app.unwrap_or_else(default_app)])
    }

    /// What the templates give for the last of several applications, which differ in their names.
    pub(crate) fn render_for(&self, names: &[&str]) -> Notification {
        let named = |name: &&str| include_str!("app.json").replace("guestbook", name);
        let apps: Vec<Value> =
            names.iter().map(|name| echion_value::json::unmarshal(named(name).as_bytes()).unwrap()).collect();
        self.render(&apps)
    }

    /// Compiles the templates once and renders them for each application; gives the last.
    fn render(&self, apps: &[Value]) -> Notification {
        let templates: Vec<&Node> = match self.node.get("templates").map(|node| &node.kind) {
            Some(yaml::Kind::List(items)) => items.iter().collect(),
            _ => self.node.get("template").into_iter().collect(),
        };
        let compile = |node: &&Node| {
            let (template, mut warnings) = Template::compile("template.t", node, echion_services::ALL)
                .unwrap_or_else(|e| panic!("{}: {e:#?}", self.name()));
            // What only Echion takes is worth a test, too.
            warnings.retain(|warning| !warning.message.starts_with("Argo CD Notifications refuses"));
            assert!(warnings.is_empty(), "{}: {warnings:#?}", self.name());
            template
        };
        let compiled: Vec<Template> = templates.iter().map(compile).collect();
        let mut notification = Notification::default();
        for app in apps {
            notification = Notification::default();
            let context = Value::Map(Map::of_any(vec![("argocdUrl".into(), Value::from("https://argocd.test"))]));
            let variables = Value::Map(Map::of_any(vec![
                ("app".into(), app.clone()),
                ("context".into(), context),
                ("serviceType".into(), Value::from(self.fixture.kind.name)),
            ]));
            let context = RenderContext { variables: &variables, now: NOW, ambient: None, lookups: false };
            for template in &compiled {
                let rendered = template.render_into(&mut notification, self.fixture.kind, "hook", &context);
                rendered.unwrap_or_else(|e| panic!("{}: {e}", self.name()));
            }
        }
        notification
    }

    pub(crate) async fn send(&self, service: &Arc<dyn Service>, memory: &dyn Memory) -> Result<Receipt, SendError> {
        let notification = self.notification();
        let recipient = self.recipient();
        let id = DeliveryId("018c0000-0000-7000-8000-000000000001".to_owned());
        service.send(Message { notification: &notification, recipient: &recipient, id: &id, now: NOW, memory }).await
    }

    /// What the vendor answers here: `answers` of the case or of the fixture, by path; the fixture's `ok` for the rest.
    pub(crate) fn script(&self, recorder: &Recorder) {
        let mut script = Vec::new();
        for answers in [self.node.get("answers"), self.fixture.node.get("answers")].into_iter().flatten() {
            let list = match &answers.kind {
                yaml::Kind::List(items) => items.iter().flat_map(|item| item.entries().to_vec()).collect(),
                _ => answers.entries().to_vec(),
            };
            for (path, answer) in list {
                script.push((text(&path), reply(&answer)));
            }
        }
        script.push((String::new(), Reply::ok(&self.fixture.says("ok"))));
        recorder.script(script);
    }
}

/// A body, or `{status, headers, body}`.
fn reply(node: &Node) -> Reply {
    if node.entries().is_empty() {
        return Reply::ok(&text(node));
    }
    let status = node.get("status").map_or(200, |status| text(status).parse().unwrap());
    let headers = node.get("headers").map(Node::entries).unwrap_or_default();
    let headers = headers.iter().map(|(name, value)| (text(name), text(value))).collect();
    Reply::Answer(status, headers, node.get("body").map(text).unwrap_or_default())
}

fn default_app() -> Value {
    echion_value::json::unmarshal(include_bytes!("app.json")).unwrap()
}

pub(crate) fn text(node: &Node) -> String {
    node.decode::<String>().unwrap().value
}

/// A node as JSON.
pub(crate) fn json_of(node: &Node) -> serde_json::Value {
    let bytes = echion_value::json::marshal_plain(&node.to_value()).unwrap();
    serde_json::from_slice(&bytes).unwrap_or(json!(null))
}
