//! Output of the commands: standard output, standard error and exit code.

use std::io::Write as _;
use std::process::Stdio;

use crate::{echion, shown, text};

const CONFIG: &str = r#"
kind: ConfigMap
metadata: {name: argocd-notifications-cm}
data:
  context: |
    argocdUrl: https://cd.example.com
  service.webhook.hook: |
    url: http://127.0.0.1:9/hook
  template.app-failed: |
    message: "{{.app.metadata.name}} failed at {{.context.argocdUrl}}"
    webhook:
      hook: {method: POST, body: "{{.app.metadata.name}}"}
  trigger.on-failed: |
    - description: it failed
      when: app.status.operationState.phase in ['Error', 'Failed']
      oncePer: app.status.sync.revision
      send: [app-failed]
    - when: app.status.health.status == 'Degraded'
      send: [app-failed, other]
"#;

const APP: &str = "kind: Application\nmetadata: {name: demo, namespace: argocd}\n\
     status: {operationState: {phase: Failed}, sync: {revision: r1}, health: {status: Healthy}}\n";

fn run(args: &[&str], config: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cm.yaml"), config).unwrap();
    std::fs::write(folder.path().join("app.yaml"), APP).unwrap();
    let output = echion().current_dir(folder.path()).args(args).output().unwrap();
    shown(&output, folder.path())
}

#[test]
fn trigger_get_lists_conditions() {
    let config = CONFIG.replace(", other", "");
    insta::assert_snapshot!("triggers_as_a_table", run(&["trigger", "get", "--config-map", "cm.yaml"], &config));
    insta::assert_snapshot!(
        "a_trigger_as_yaml",
        run(&["trigger", "get", "on-failed", "-o", "yaml", "--config-map", "cm.yaml"], &config)
    );
    insta::assert_snapshot!(
        "a_trigger_that_is_not_there",
        run(&["trigger", "get", "nope", "-o", "name", "--config-map", "cm.yaml"], &config)
    );
}

#[test]
fn trigger_run_shows_the_result_of_each_condition() {
    let config = CONFIG.replace(", other", "");
    insta::assert_snapshot!(
        "a_trigger_that_ran",
        run(&["trigger", "run", "on-failed", "app.yaml", "--config-map", "cm.yaml"], &config)
    );
    insta::assert_snapshot!(
        "a_trigger_that_cannot_run",
        run(&["trigger", "run", "nope", "app.yaml", "--config-map", "cm.yaml"], &config)
    );
}

#[test]
fn template_get_and_notify() {
    let config = CONFIG.replace(", other", "");
    insta::assert_snapshot!("templates_as_a_table", run(&["template", "get", "--config-map", "cm.yaml"], &config));
    insta::assert_snapshot!(
        "a_template_on_the_console",
        run(&["template", "notify", "app-failed", "app.yaml", "--config-map", "cm.yaml"], &config)
    );
}

#[test]
fn findings_have_place_snippet_and_hint() {
    let config = CONFIG.replace("in ['Error'", "in 'Error'").replace("service.webhook.hook", "service.webhok.hook");
    insta::assert_snapshot!(
        "findings_of_a_configuration",
        run(&["trigger", "get", "-o", "name", "--config-map", "cm.yaml"], &config)
    );
}

#[test]
fn an_expression_and_a_text() {
    insta::assert_snapshot!(
        "a_text_of_an_expression",
        run(&["expr", "app.status.sync.revision + '!'", "--resource", "app.yaml"], CONFIG)
    );
    insta::assert_snapshot!("a_duration_as_json", run(&["expr", "1 * time.Minute", "-o", "json"], CONFIG));
    insta::assert_snapshot!("an_expression_that_fails", run(&["expr", "app.nope.x", "--resource", "app.yaml"], CONFIG));
    let args = [
        "render",
        "{{.app.metadata.name}} at {{.context.argocdUrl}}\n",
        "--resource",
        "app.yaml",
        "--config-map",
        "cm.yaml",
    ];
    insta::assert_snapshot!("a_text_that_is_rendered", run(&args, &CONFIG.replace(", other", "")));
}

#[test]
fn a_trace_shows_what_each_part_came_to() {
    let trace = |expr: &str| run(&["expr", "--trace", expr, "--resource", "app.yaml"], CONFIG);
    insta::assert_snapshot!(
        "a_trace_of_a_condition",
        trace(
            "app.status.operationState != nil and\n  app.status.operationState.phase in ['Error', 'Failed'] and\n  \
         (app.status.health.status == 'Degraded' or app.status.sync?.revision not in ['r2'])"
        )
    );
    insta::assert_snapshot!(
        "a_trace_of_a_filter",
        trace("let big = filter([1, 20, 30], # > 10); len(big) == 2 ? upper('é') + app.none?.x.y : 0")
    );
    insta::assert_snapshot!(
        "a_trace_as_json",
        run(&["expr", "--trace", "'é' + app.metadata.name", "--resource", "app.yaml", "-o", "json"], CONFIG)
    );
    insta::assert_snapshot!("a_trace_that_cannot_begin", trace("1 +"));
}

#[test]
fn a_dry_run_sends_nothing_and_remembers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("cm.yaml"),
        CONFIG.replace(", other", "") + "  subscriptions: |\n    - {recipients: [hook], triggers: [on-failed]}\n",
    )
    .unwrap();
    std::fs::create_dir(folder.path().join("apps")).unwrap();
    std::fs::write(
        folder.path().join("apps/app.yaml"),
        APP.replace("phase: Failed", "phase: Failed, finishedAt: '2024-01-01T00:00:00Z'")
            .replace("sync:", "reconciledAt: '2024-01-01T00:00:00Z', sync:"),
    )
    .unwrap();
    let output = echion()
        .current_dir(folder.path())
        .args(["run", "--config-map", "cm.yaml", "--resources", "apps", "--dry-run"])
        .output()
        .unwrap();
    insta::assert_snapshot!("a_dry_run", shown(&output, folder.path()));
    assert_eq!(std::fs::read_dir(folder.path().join("apps")).unwrap().count(), 1);
}

#[test]
fn jsonl_answers_every_line_in_order() {
    let mut process = echion().args(["expr", "--jsonl"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = "{\"id\":\"a\",\"expr\":\"1 + 1\"}\nnonsense\n[]\n{\"id\":\"b\",\"expr\":\"1 +\"}\n{\"id\":\"c\",\"expr\":\"a.b\"}\n";
    process.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let answers: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 5);
    assert_eq!((&answers[0]["id"], &answers[0]["out"]), (&"a".into(), &2.into()));
    assert!(answers[1]["id"].is_null() && answers[1]["err"].is_string());
    assert!(answers[2]["err"].is_string());
    assert!(answers[3]["compile_err"].is_string());
    assert!(answers[4]["err"].is_string());
}

#[test]
fn what_cannot_run_exits_with_two_and_a_next_step() {
    insta::assert_snapshot!(
        "a_run_without_its_configuration",
        run(&["run", "--config-map", "nope.yaml", "--resources", "."], CONFIG)
    );
    insta::assert_snapshot!(
        "a_run_with_another_object",
        run(&["run", "--config-map", "app.yaml", "--resources", "."], CONFIG)
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    for args in [
        &["run"][..],
        &["demo"],
        &["sandbox"],
        &["trigger", "get"],
        &["trigger", "run"],
        &["template", "get"],
        &["template", "notify"],
        &["expr"],
        &["render"],
        &["deliveries"],
        &["deliveries", "list"],
        &["deliveries", "show"],
        &["deliveries", "redeliver"],
        &["services"],
        &["trigger"],
        &["template"],
        &["completion"],
    ] {
        let output = echion().args(args).arg("--help").output().unwrap();
        let help = text(&output.stdout);
        assert!(output.status.success() && help.contains("Example"), "{args:?}: {help}");
    }
}

#[test]
fn a_ledger_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let output = echion()
        .current_dir(folder.path())
        .args(["deliveries", "list", "--ledger", "sqlite:x.sqlite"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no ledger x.sqlite"), "{}", text(&output.stderr));
    assert!(!folder.path().join("x.sqlite").exists());
}

#[test]
fn every_flag_of_the_controller_is_explained_in_its_guide() {
    let guide = include_str!("../../../../docs/controller.md");
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_echion")).args(["controller", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let words = help
        .lines()
        .filter_map(|line| line.trim_start().split("--").nth(1).filter(|_| line.trim_start().starts_with('-')));
    let flags: Vec<&str> = words.filter_map(|word| word.split([' ', '=', '[']).next()).collect();
    assert!(flags.len() > 30, "{flags:?}");
    for flag in flags.into_iter().filter(|flag| !["color", "help"].contains(flag)) {
        assert!(guide.contains(&format!("`--{flag}`")), "--{flag}");
    }
}

/// A mail goes from a template through the mail server of the sandbox, and is shown there.
#[test]
fn the_sandbox_takes_mails() {
    use std::io::{BufRead as _, BufReader};
    let mut sandbox = echion()
        .args(["sandbox", "--port", "0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Reading ends at the latest when the process does.
    let (_alive, ended) = std::sync::mpsc::channel::<()>();
    let id = sandbox.id().to_string();
    std::thread::spawn(move || {
        if ended.recv_timeout(std::time::Duration::from_secs(60)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            drop(std::process::Command::new("kill").arg(id).status());
        }
    });
    let mut notes = BufReader::new(sandbox.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = notes.find(|line| line.starts_with("mail server")).unwrap();
    let port = line.split([' ', ':']).find_map(|word| word.parse::<u16>().ok().filter(|port| *port > 1024)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let config = file(
        "cm.yaml",
        &format!(
            "kind: ConfigMap\nmetadata: {{name: argocd-notifications-cm}}\ndata:\n  service.email: |\n    host: 127.0.0.1\n    port: {port}\n    \
             from: echion@example.com\n    \
             username: me\n    password: any\n  template.t: |\n    message: hello {{{{.app.metadata.name}}}}\n    email: {{subject: 'Subject of {{{{.app.metadata.name}}}}'}}\n"
        ),
    );
    let app = file("app.yaml", "kind: Application\nmetadata: {name: demo, namespace: argocd}\n");
    let mut command = echion();
    command.args(["template", "notify", "t"]).arg(&app).arg("--config-map").arg(&config);
    let sent = command.args(["--recipient", "email:someone@example.com"]).output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let mut shown = BufReader::new(sandbox.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(shown.any(|line| line.ends_with("email SMTP from echion@example.com to someone@example.com  accepted")));
    assert!(shown.any(|line| line == "    Subject: Subject of demo"));
    assert!(shown.any(|line| line.contains("hello demo")));
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
}
