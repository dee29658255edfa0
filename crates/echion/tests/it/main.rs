//! The program, run as a user runs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

mod commands;
mod delivery;
mod examples;
mod first_use;
mod kills;
mod network;
mod scripted;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use echion_sandbox::{DingTalkOptions, Options, Sandbox};

/// A folder with a configuration and Applications, and a sandbox that they send to.
struct Bench {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Bench {
    async fn new(dingtalk: DingTalkOptions) -> Self {
        let options = Options { port: 0, dingtalk, clock: Arc::new(now) };
        let bench = Self { folder: tempfile::tempdir().unwrap(), sandbox: Sandbox::start(options).await.unwrap() };
        std::fs::create_dir(bench.apps()).unwrap();
        bench
    }

    /// The seed's ConfigMap, with only the robot's address changed.
    fn seed(&self) {
        let seed = include_str!("../../demo/argocd-notifications-cm.yaml");
        let robot = "https://oapi.dingtalk.com/robot/send?access_token=535a56d**********";
        assert!(seed.contains(robot));
        self.config(&seed.replace(robot, &self.sandbox.url("/robot/send?access_token=t0ps3cr3t")));
    }

    fn config(&self, text: &str) {
        std::fs::write(self.path("cm.yaml"), text).unwrap();
    }

    /// A ConfigMap of these keys.
    fn keys(&self, keys: &[(&str, &str)]) {
        let data: serde_json::Map<String, serde_json::Value> =
            keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        let object = serde_json::json!({
            "kind": "ConfigMap", "metadata": {"name": "argocd-notifications-cm"}, "data": data,
        });
        self.config(&object.to_string());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn apps(&self) -> PathBuf {
        self.path("apps")
    }

    fn app(&self, name: &str, status: &str) {
        let text =
            format!("kind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec: {{}}\nstatus: {status}\n");
        std::fs::write(self.apps().join(format!("{name}.yaml")), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = echion();
        command.arg("run").arg("--config-map").arg(self.path("cm.yaml")).arg("--resources").arg(self.apps());
        command
    }

    /// Looks once, delivers, and gives summary and exit code.
    fn once(&self) -> (serde_json::Value, i32) {
        let output = self.command().args(["--once", "--drain", "3s", "-o", "json"]).output().unwrap();
        let text = text(&output.stdout);
        let summary = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}\n{}", self::text(&output.stderr)));
        (summary, output.status.code().unwrap())
    }

    /// Titles of the robot's messages.
    fn titles(&self) -> Vec<String> {
        let body = |m: echion_sandbox::Received| serde_json::from_str::<serde_json::Value>(&m.body).unwrap();
        let accepted = self.sandbox.messages().into_iter().filter(|m| m.accepted).map(body);
        accepted.map(|b| b["markdown"]["title"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn echion() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_echion"));
    command.env("NO_COLOR", "1").env_remove("HTTP_PROXY").env_remove("http_proxy");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output, standard error and exit code in one text; `folder` prints as `DIR`.
fn shown(output: &Output, folder: &Path) -> String {
    let clean = |bytes: &[u8]| text(bytes).replace(&folder.display().to_string(), "DIR");
    format!(
        "exit code {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap_or(-1),
        clean(&output.stdout),
        clean(&output.stderr)
    )
}

#[allow(clippy::disallowed_methods, reason = "the sandbox of a test needs the real time")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
