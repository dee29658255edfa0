//! What a new user meets: output that is lost, names that do not exist, files as `kubectl` prints them, one line for what happens.

use std::process::Stdio;

use echion_sandbox::DingTalkOptions;

use crate::{Bench, echion, text};

const CONFIG: &str = "\
kind: ConfigMap
metadata: {name: argocd-notifications-cm}
data:
  service.webhook.hook: |
    url: http://127.0.0.1:9/hook
  template.t: |
    message: hello
    webhook:
      hook: {method: POST, body: '{\"name\": \"{{.app.metadata.note}}\"}'}
  trigger.on-x: |
    - when: 'true'
      send: [t]
    - when: app.spec.no.thing == 1
      send: [t]
  subscriptions: |
    - {recipients: [hook], triggers: [on-x]}
";

/// A folder with files, and a command that runs in it: exit code, standard output, standard error.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn run(&self, line: &str) -> (i32, String, String) {
        let output = echion().current_dir(self.0.path()).args(line.split(' ')).output().unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn output_that_is_lost_is_an_error_and_a_closed_pipe_is_none() {
    for command in [&["services"][..], &["completion", "bash"], &["--help"], &["render", "x"], &["__reference"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = echion().args(command).stdout(full).stderr(Stdio::null()).status().unwrap();
        assert_ne!(status.code(), Some(0), "{command:?}");
        // The reading end is closed before the process starts.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = echion().args(command).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{command:?}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_not_an_empty_table() {
    let files = Files::new(&[("cm.yaml", CONFIG)]);
    for line in ["trigger get on-y --config-map cm.yaml", "template get tt --config-map cm.yaml", "services webhok"] {
        let (code, out, err) = files.run(line);
        assert_eq!((code, out.as_str()), (1, ""), "{line}");
        assert!(err.contains("did you mean"), "{line}: {err}");
    }
    for line in ["trigger get", "template get", "trigger run a b", "template notify a b", "run --resources ."] {
        let (code, out, err) = files.run(line);
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        assert!(err.contains("no configuration is given"), "{line}: {err}");
    }
}

#[test]
fn the_only_object_of_a_list_is_taken_and_several_are_named() {
    let app = |name: &str| format!("{{kind: Application, metadata: {{name: {name}, namespace: argocd}}}}");
    let files = Files::new(&[
        ("cm.yaml", &CONFIG.replace("    - when: app.spec.no.thing == 1\n      send: [t]\n", "")),
        ("one.yaml", &format!("kind: List\nitems: [{}, {{kind: AppProject, metadata: {{name: p}}}}]\n", app("shop"))),
        ("two.yaml", &format!("kind: ApplicationList\nitems: [{}, {}]\n", app("shop"), app("cart"))),
    ]);
    let (code, out, err) = files.run("trigger run on-x one.yaml --config-map cm.yaml");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("true"), "{out}");
    let (code, _, err) = files.run("trigger run on-x two.yaml --config-map cm.yaml");
    assert_eq!(code, 2);
    assert!(err.contains("2 objects in it: Application argocd/shop, Application argocd/cart"), "{err}");
}

/// `argocd admin notifications` asks the cluster for a name, and exits with 0 whatever happened.
#[test]
fn notify_reads_files_sends_once_and_has_an_exit_code() {
    let app = "kind: Application\nmetadata: {name: shop, namespace: argocd}\n";
    let files = Files::new(&[("cm.yaml", CONFIG), ("shop.yaml", app)]);
    let (code, _, err) = files.run("template notify t shop --config-map cm.yaml");
    assert!(code == 2 && err.contains("kubectl get application shop"), "{code} {err}");
    // Port 9 accepts nothing; a second attempt would take its wait.
    let (code, out, err) = files.run(
        "admin notifications template notify t shop.yaml --config-map cm.yaml --recipient hook --recipient console",
    );
    assert!(code == 1 && err.contains("no connection"), "{code} {err}");
    assert_eq!(out, "", "the first failure ends it");
    let (code, out, _) = files.run("template notify t shop.yaml --config-map cm.yaml");
    assert!(code == 0 && out.contains("message: hello") && out.contains("hook:"), "{code} {out}");
    let (code, out, _) = files.run("trigger run on-x shop.yaml --config-map cm.yaml");
    assert!(code == 1 && out.contains("true"), "{code} {out}");
}

#[test]
fn a_condition_that_fails_is_named_by_its_number() {
    let files = Files::new(&[("cm.yaml", CONFIG), ("app.yaml", "kind: Application\nmetadata: {name: a}\n")]);
    let (code, _, err) = files.run("trigger run on-x app.yaml --config-map cm.yaml");
    assert_eq!(code, 1);
    assert!(err.contains("error: on-x, condition 2: cannot evaluate `when`"), "{err}");
}

#[test]
fn a_summary_says_why_resources_are_skipped_and_which_are_manifests_from_git() {
    let skipped =
        "kind: Application\nmetadata: {name: a, namespace: argocd}\nstatus: {operationState: {phase: Failed}}\n";
    let manifest = "kind: Application\nmetadata: {name: g, namespace: argocd}\nspec: {}\n";
    let config = CONFIG.replace("app.spec.no.thing == 1", "app.status.operationState.phase == 'Failed'");
    let files = Files::new(&[("cm.yaml", &config), ("apps/a.yaml", skipped), ("apps/g.yaml", manifest)]);
    let (_, out, err) = files.run("run --config-map cm.yaml --resources apps --once --drain 0s --ledger memory");
    assert!(out.contains(", 1 skipped"), "{out}");
    assert!(err.contains("skipped argocd/a: sync status out of date: `status.reconciledAt` is missing"), "{err}");
    assert!(err.contains("argocd/g has no `status`: this is a manifest from Git"), "{err}");
    assert!(!err.contains("<nil>"), "{err}");
    assert!(err.contains("the ledger is in memory: what waits or is parked is forgotten now"), "{err}");
}

#[test]
fn a_dry_run_names_the_value_that_breaks_json_and_a_missing_unit_is_named() {
    let app = "kind: Application\nmetadata: {name: a, namespace: argocd, note: 'say \"x\"'}\nspec: {no: {thing: 2}}\n";
    let files = Files::new(&[("cm.yaml", CONFIG), ("apps/a.yaml", app)]);
    let (code, _, err) = files.run("run --config-map cm.yaml --resources apps --dry-run");
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("this must be JSON, but is not") && err.contains(".app.metadata.note"), "{err}");
    let (code, _, err) = files.run("run --config-map cm.yaml --resources apps --drain 5");
    assert_eq!(code, 2);
    assert!(err.contains("write `5s`"), "{err}");
}

#[test]
fn a_template_that_asks_for_a_resource_says_that_none_is_given() {
    let files = Files::new(&[]);
    for line in ["render {{.app.metadata.name}}", "expr app.metadata.name"] {
        let (_, _, err) = files.run(line);
        assert!(err.contains("no resource is given: add `--resource FILE`"), "{line}: {err}");
    }
}

#[test]
fn every_command_takes_the_same_formats() {
    let app = "kind: Application\nmetadata: {name: a, note: x}\n";
    let files = Files::new(&[("cm.yaml", CONFIG), ("app.yaml", app)]);
    for line in [
        "trigger get --config-map cm.yaml -o table",
        "trigger get --config-map cm.yaml -o wide",
        "services -o yaml",
        "services webhook -o json",
        "expr 1+1 -o yaml",
        "expr 1+1 -o wide",
        "template notify t app.yaml --config-map cm.yaml -o json",
    ] {
        let (code, out, err) = files.run(line);
        assert_eq!(code, 0, "{line}: {err}");
        assert!(!out.is_empty(), "{line}");
    }
}

#[test]
fn tables_fit_into_a_narrow_terminal() {
    let output = echion().args(["services"]).env("COLUMNS", "60").output().unwrap();
    let table = text(&output.stdout);
    assert!(table.lines().count() > 30 && table.lines().all(|line| line.chars().count() <= 60), "{table}");
}

/// A bench with one parked delivery to each of two services.
async fn parked() -> Bench {
    let bench = Bench::new(DingTalkOptions { keywords: vec!["wanted".into()], ..DingTalkOptions::default() }).await;
    let url = |token: &str| {
        let url = bench.sandbox.url(&format!("/robot/send?access_token={token}"));
        format!("url: {url}\nheaders:\n- {{name: Content-Type, value: application/json}}\n")
    };
    bench.keys(&[
        ("service.webhook.one", &url("one-token")),
        ("service.webhook.two", &url("two-token")),
        ("template.t", "webhook:\n  one: &m {method: POST, body: '{\"msgtype\":\"text\",\"text\":{\"content\":\"x\"}}'}\n  two: *m\n"),
        ("trigger.on-x", "- {when: 'true', send: [t]}"),
        ("subscriptions", "- {recipients: [one, two], triggers: [on-x]}"),
    ]);
    bench.app("shop", "{}");
    bench
}

fn at(bench: &Bench, line: &str) -> (i32, String, String) {
    let output =
        echion().arg("deliveries").args(line.split(' ')).arg("--resources").arg(bench.apps()).output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_listed_shown_and_sent_again_by_what_they_are() {
    let bench = parked().await;
    let output = bench.command().args(["--once", "--drain", "3s"]).output().unwrap();
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert_eq!(printed.matches("parked argocd/shop").count(), 2, "each once:\n{printed}");
    assert_eq!(printed.matches("hint: the robot wants a keyword").count(), 1, "one cause, one hint:\n{printed}");

    let (code, table, _) = at(&bench, "list --status parked --service one --trigger on-x --resource shop");
    assert_eq!(code, 0);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("NEXT") && lines[1].contains("keywords not in content"), "{table}");
    assert_eq!(at(&bench, "list --resource nothing").1.lines().count(), 1);
    let (code, _, err) = at(&bench, "list --service on");
    assert!(code == 2 && err.contains("did you mean `one`?"), "{err}");
    let (code, _, err) = at(&bench, "redeliver --parked --service three");
    assert!(code == 2 && err.contains("there are deliveries to one, two"), "{err}");

    let id = lines[1].split(' ').next().unwrap();
    let (code, shown, _) = at(&bench, &format!("show {id}"));
    assert_eq!(code, 0);
    for part in ["status       parked", "OUTCOME", "errcode 310000", "msgtype", "on-x"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let (code, _, err) = at(&bench, "show 0");
    assert!(code == 2 && err.contains("2 deliveries have an id that begins with `0`"), "{err}");
    let (code, _, err) = at(&bench, &format!("redeliver {id} ffff"));
    assert!(code == 2 && err.contains("no delivery has an id that begins with `ffff`"), "{err}");
    let (code, out, _) = at(&bench, "redeliver --parked -o json");
    assert_eq!((code, out.trim()), (0, r#"{"due":2}"#), "nothing was made due before");
    let (code, _, err) = at(&bench, &format!("redeliver {id}"));
    assert!(code == 2 && err.contains("is pending, not parked"), "{err}");
    assert!(at(&bench, "list").1.contains("now"), "what is due is attempted next");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_became_of_what_was_recorded() {
    let bench = parked().await;
    bench.command().args(["--once", "--drain", "3s"]).output().unwrap();
    let output = bench.command().arg("--dry-run").output().unwrap();
    let table = text(&output.stdout);
    assert_eq!(table.matches("and parked: errcode 310000").count(), 2, "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_attempt_is_not_before_the_end_of_a_pause() {
    let bench = parked().await;
    let fault = r#"{"status":200,"body":"{\"errcode\":130101,\"errmsg\":\"send too fast\"}"}"#;
    bench.sandbox.set_faults(vec![serde_json::from_str(fault).unwrap()]).unwrap();
    bench.command().args(["--once", "--drain", "0s"]).output().unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_str(&at(&bench, "list -o json").1).unwrap();
    assert!(list.iter().all(|delivery| delivery["status"] == "pending"), "{list:?}");
    let (_, table, _) = at(&bench, "list --status pending");
    for line in table.lines().skip(1) {
        assert!(!line.contains("  now  ") && line.contains("its channel pauses until"), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_control_characters_forges_no_line_and_steers_no_terminal() {
    let bench = parked().await;
    let answer = "{\"errcode\":310000,\"errmsg\":\"\\u001b[2Jkeywords\\r\\ndelivered argocd/fake\"}";
    let fault = serde_json::json!([{"status": 200, "body": answer}]);
    bench.sandbox.set_faults(serde_json::from_value(fault).unwrap()).unwrap();
    let output = bench.command().args(["--once", "--drain", "3s"]).output().unwrap();
    let (_, table, _) = at(&bench, "list");
    let (_, json, _) = at(&bench, "list -o json");
    for printed in [text(&output.stderr), text(&output.stdout), table, json] {
        assert!(!printed.contains('\u{1b}') && !printed.contains('\r'), "{printed:?}");
        assert!(!printed.lines().any(|line| line.starts_with("delivered")), "{printed}");
    }
}

#[test]
fn the_demo_labels_its_messages_and_shows_a_refusal_with_its_hint() {
    let output = echion().args(["demo", "--exit"]).output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    for label in ["on-sync-succeeded · argocd/shop", "on-deployed · argocd/shop", "on-sync-failed · argocd/cart"] {
        assert!(out.contains(label), "{out}");
    }
    assert!(err.contains("hint: the robot wants a keyword"), "{err}");
    let bodies: Vec<&str> = out.split("accepted\n").skip(1).take(2).collect();
    assert!(bodies[0].contains("Progressing") && bodies[1].contains("Healthy"), "{out}");
}

/// What a running program prints, line by line.
struct Watching {
    process: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Watching {
    fn start(bench: &Bench) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut process = bench.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(process.stderr.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines }
    }

    /// The next line that begins like this.
    fn wait_for(&self, start: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(std::time::Duration::from_secs(30)) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line begins with `{start}`: {error}: {seen:#?}"),
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_prints_a_line_for_each_file_that_changes() {
    let bench = Bench::new(DingTalkOptions::default()).await;
    bench.keys(&[
        ("service.webhook.hook", &format!("url: {}\n", bench.sandbox.url("/hook"))),
        ("template.t", "webhook: {hook: {method: POST, body: x}}"),
        ("trigger.on-x", "- {when: app.status.health.status == 'Degraded', send: [t]}"),
        ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
    ]);
    let health = |status: &str| format!("{{health: {{status: {status}}}}}");
    bench.app("shop", &health("Degraded"));
    let watching = Watching::start(&bench);
    watching.wait_for("delivered argocd/shop");
    bench.app("shop", &health("Healthy"));
    let line = watching.wait_for("changed argocd/shop");
    assert_eq!(line, "changed argocd/shop: 1 whose condition is false");
    let good = std::fs::read_to_string(bench.apps().join("shop.yaml")).unwrap();
    std::fs::write(bench.apps().join("shop.yaml"), "kind: [Application\n").unwrap();
    watching.wait_for("warning: ");
    std::fs::write(bench.apps().join("shop.yaml"), &good).unwrap();
    assert!(watching.wait_for("corrected ").ends_with("shop.yaml"));
}

#[test]
fn colours_are_those_that_are_asked_for_in_help_as_well() {
    for (choice, coloured) in [("always", true), ("never", false)] {
        let output = echion().args(["--color", choice, "services", "--help"]).env_remove("NO_COLOR").output().unwrap();
        assert_eq!(text(&output.stdout).contains('\u{1b}'), coloured, "{choice}");
    }
}
