//! Plans.

use echion_engine::{Action, Config, NOTIFIED, Sources};
use echion_model::State;

use crate::{Memory, app, config, load, seed, sent, with_status};

const OUT_OF_SYNC: &str = "{sync: {status: OutOfSync, revision: r1}, health: {status: Healthy}}";

fn operation(phase: &str, health: &str, revision: &str) -> String {
    let finished = if phase == "Running" { "" } else { ", finishedAt: '2024-11-03T10:00:00Z'" };
    format!(
        "{{sync: {{status: Synced, revision: {revision}}}, health: {{status: {health}}}, \
         reconciledAt: '2024-11-03T10:00:05Z', operationState: {{phase: {phase}{finished}}}}}"
    )
}

#[test]
fn the_seed_notifies_of_a_deployment_as_argo_cd_notifications_does() {
    let (config, mut memory) = (seed(), Memory::default());
    let mut step = |status: &str| sent(&memory.evaluate(&config, &with_status(status)));
    assert!(step(OUT_OF_SYNC).is_empty());
    assert!(step(&operation("Running", "Progressing", "r1")).is_empty());
    assert_eq!(step(&operation("Succeeded", "Progressing", "r1")), ["on-sync-succeeded dingtalk"]);
    assert_eq!(step(&operation("Succeeded", "Healthy", "r1")), ["on-deployed dingtalk"]);
    assert!(step(&operation("Succeeded", "Healthy", "r1")).is_empty());
    // The same revision again: a new success, but not a new deployment.
    assert!(step(&operation("Running", "Healthy", "r1")).is_empty());
    assert_eq!(step(&operation("Succeeded", "Healthy", "r1")), ["on-sync-succeeded dingtalk"]);
    assert_eq!(step(&operation("Succeeded", "Healthy", "r2")), ["on-deployed dingtalk"]);
    assert_eq!(step(&operation("Failed", "Healthy", "r2")), ["on-sync-failed dingtalk"]);
}

#[test]
fn the_seed_words_it_in_traditional_chinese() {
    let plan = Memory::default().evaluate(&seed(), &with_status(&operation("Failed", "Degraded", "r1")));
    let section = &plan.intents[0].notification.sections["webhook"]["dingtalk"];
    assert_eq!(section["method"], "POST");
    let body: serde_json::Value = serde_json::from_str(section["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["markdown"]["title"], "ArgoCD應用發布失敗");
    let text = body["markdown"]["text"].as_str().unwrap();
    for part in ["應用程式名稱</font>: demo", "Failed", "Degraded", "/applications/demo?operation=true"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn an_operation_that_is_not_reconciled_yet_is_skipped() {
    let status = "{operationState: {phase: Succeeded, finishedAt: '2024-11-03T10:00:05Z'}, reconciledAt: '2024-11-03T10:00:00Z'}";
    let plan = Memory::default().evaluate(&seed(), &with_status(status));
    assert_eq!(plan.skipped.as_deref(), Some("sync status out of date"));
    assert!(plan.steps.is_empty() && plan.change.is_empty());
}

#[test]
fn the_peers_annotation_counts_until_the_ledger_knows_better() {
    let config = config(&[
        ("template.t", "message: x\n"),
        ("trigger.on-x", "- when: app.status.live\n  send: [t]\n  oncePer: app.status.rev\n"),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [on-x]\n"),
    ]);
    let mut memory = Memory::default();
    let first = memory.evaluate(&config, &with_status("{live: true, rev: a}"));
    let key = first.intents[0].state_key.clone();
    assert!(key.starts_with("a:on-x:[0].") && key.ends_with(":hook:"), "{key}");
    let annotation = serde_json::json!({ key.as_str(): 5, "other": 6 }).to_string();
    let annotated = app(&format!(
        "kind: Application\nmetadata: {{name: demo, annotations: {{{NOTIFIED}: {}}}}}\nstatus: {{live: true, rev: a}}\n",
        serde_json::to_string(&annotation).unwrap()
    ));
    let mut imported = Memory::default();
    assert!(sent(&imported.evaluate(&config, &annotated)).is_empty());
    assert_eq!(imported.keys(), [key.as_str(), "other"]);
    // Once known to the ledger, the annotation is not asked again.
    let mut known = Memory(Some(State::new()));
    assert_eq!(sent(&known.evaluate(&config, &annotated)), ["on-x hook"]);
}

#[test]
fn an_error_changes_nothing() {
    let config = config(&[
        ("template.t", "message: x\n"),
        ("template.broken", "message: '{{ .app.status.text.x.y }}'\n"),
        ("trigger.on-x", "- when: app.status.a.b == 1\n  send: [t]\n"),
        ("trigger.on-once", "- when: app.status.live\n  send: [t]\n  oncePer: app.status.a.b\n"),
        ("trigger.on-render", "- when: app.status.live\n  send: [broken]\n"),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [on-x, on-once, on-render]\n"),
    ]);
    let mut memory = Memory::default();
    assert_eq!(sent(&memory.evaluate(&config, &with_status("{a: {b: 1}}"))), ["on-x hook"]);
    let before = memory.0.clone();
    let plan = memory.evaluate(&config, &with_status("{live: true, a: text, text: t}"));
    let of = |wanted: fn(&Action) -> bool| -> Vec<_> {
        plan.steps.iter().filter(|s| wanted(&s.action)).map(|s| s.trigger.as_str()).collect()
    };
    assert_eq!(of(|a| matches!(a, Action::Failed(_))), ["on-once", "on-render"]);
    assert_eq!(of(|a| matches!(a, Action::Unknown(_))), ["on-x"]);
    assert!(plan.intents.is_empty());
    assert_eq!(memory.0, before);
}

#[test]
fn who_heard_of_a_condition_does_not_hear_of_it_again_because_its_words_changed() {
    let with = |when: &str, previous: Option<&Config>| {
        let trigger =
            serde_json::to_string(&serde_json::json!([{ "when": "false" }, { "when": when, "send": [] }])).unwrap();
        let trigger = if when.is_empty() { "[]".to_owned() } else { trigger };
        let sources = Sources {
            config_map: [
                ("trigger.t".to_owned(), trigger),
                ("subscriptions".to_owned(), "- {recipients: [hook], triggers: [t]}".to_owned()),
                ("service.webhook.hook".to_owned(), "url: http://h.test".to_owned()),
            ]
            .into(),
            ..Sources::default()
        };
        load(&sources, previous)
    };
    let (before, resource) = (with("app.a == 1", None), app("kind: Application\nmetadata: {name: demo}\na: 1\n"));
    let mut memory = Memory::default();
    assert_eq!(memory.evaluate(&before, &resource).intents.len(), 1);
    let after = with("app.a  ==  1", Some(&before));
    assert!(memory.evaluate(&after, &resource).intents.is_empty());
    assert_eq!(memory.0.as_ref().unwrap().len(), 1);
    let again = with("1 == app.a", Some(&with("app.a==1", Some(&after))));
    assert!(memory.evaluate(&again, &resource).intents.is_empty());
    // Without having seen the edit it is another condition, as it is for Argo CD Notifications.
    assert_eq!(memory.evaluate(&with("app.a >= 1", None), &resource).intents.len(), 1);
}

#[test]
fn annotations_of_all_forms() {
    let config = config(&[
        ("defaultTriggers", "[on-default]\n"),
        ("defaultTriggers.second", "[on-second]\n"),
        ("subscriptions", "- recipients: ['hook:a:b']\n  selector: team=x\n"),
    ]);
    let prefix = "notifications.argoproj.io";
    let resource = app(&format!(
        "kind: Application\nmetadata:\n  name: demo\n  labels: {{team: x}}\n  annotations:\n    \
         {prefix}/subscribe.on-x.first: ' a ; ;b'\n    \
         {prefix}/subscribe.second: ''\n    \
         {prefix}/subscribe..third: c\n    \
         {prefix}/subscribe.on-x.none: ' ; '\n    \
         {prefix}/subscriptions.extra: |\n      - trigger: [on-y]\n        destinations:\n        - {{service: s, recipients: [r1, 'r2;r3']}}\n    \
         {prefix}/subscriptions.bad: '['\n    \
         unrelated: x\nspec: {{project: p}}\n"
    ));
    let project = app("kind: AppProject\nmetadata:\n  name: p\n  annotations:\n    \
         on-z.recipients.argocd-notifications.argoproj.io: 'svc:r, second:q'\n    notifications.argoproj.io/subscribe.on-p.team: lead\n");
    let plan = Memory::default().evaluate_with(&config, &resource, Some(&project.object));
    let steps: Vec<String> = plan.steps.iter().map(|s| format!("{} {}", s.trigger, s.destination)).collect();
    assert_eq!(
        steps,
        [
            "on-default hook:a",
            "on-default third:c",
            "on-p team:lead",
            "on-second second",
            "on-second second:q",
            "on-x first:a",
            "on-x first:b",
            "on-y s:r1",
            "on-y s:r2;r3",
            "on-z svc:r",
        ]
    );
    assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
}

#[test]
fn only_the_needed_section_is_rendered() {
    let config = config(&[
        (
            "template.t",
            "message: hi\ndingtalk:\n  text: {content: '{{ fail \"no\" }}'}\nwebhook:\n  other: {body: '{{ fail \"no\" }}'}\n  hook: {body: fine}\n",
        ),
        ("trigger.on-x", "- when: 'true'\n  send: [t]\n"),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [on-x]\n"),
    ]);
    let plan = Memory::default().evaluate(&config, &with_status("{}"));
    assert_eq!(sent(&plan), ["on-x hook"]);
    assert_eq!(plan.intents[0].notification.sections["webhook"]["hook"]["body"], "fine");
}

#[test]
fn later_templates_win() {
    let config = config(&[
        ("template.a", "message: x\nwebhook: {hook: {method: PUT, path: /p, body: a}}\n"),
        ("template.b", "message: ''\nwebhook: {hook: {body: b}}\n"),
        ("trigger.on-x", "- when: 'true'\n  send: [a, b]\n"),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [on-x]\n"),
    ]);
    let plan = Memory::default().evaluate(&config, &with_status("{}"));
    let notification = &plan.intents[0].notification;
    assert_eq!(notification.message, "x");
    let entry = &notification.sections["webhook"]["hook"];
    assert_eq!((entry["method"].as_str(), entry["body"].as_str()), (Some(""), Some("b")));
}

#[test]
fn a_condition_without_once_per_counts_again_after_it_was_false() {
    let config = config(&[
        ("template.t", "message: x\n"),
        ("trigger.on-x", "- when: app.status.live == true\n  send: [t]\n"),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [on-x]\n"),
    ]);
    let mut memory = Memory::default();
    let mut step = |status: &str| memory.evaluate(&config, &with_status(status)).intents.len();
    assert_eq!([step("{live: true}"), step("{live: true}"), step("{live: false}"), step("{live: true}")], [1, 0, 0, 1]);
}

#[test]
fn other_namespaces_are_skipped_where_patterns_exclude_them() {
    let resource = app("kind: Application\nmetadata: {name: demo, namespace: team-b}\n");
    let context =
        echion_engine::variables::EvaluationContext::at_millis(crate::NOW, std::sync::Arc::new(crate::Nothing));
    let namespaces = echion_engine::Namespaces::new("argocd", ["team-a"]).unwrap();
    let look = echion_engine::Inputs {
        resource: &resource,
        project: None,
        state: None,
        foreign: false,
        namespaces: &namespaces,
        context: &context,
    };
    let skipped = echion_engine::evaluate(&seed(), look).skipped.unwrap();
    assert!(skipped.starts_with("app is not in one of the application-namespaces"), "{skipped}");
}

#[test]
fn attachments_that_are_no_json_are_reported_with_the_value_that_broke_them() {
    let config = config(&[
        ("trigger.on-x", "- when: 'true'\n  send: [t]\n"),
        ("template.t", "slack:\n  attachments: |\n    [{\n      \"title\": \"{{.app.status.text}}\"\n    }]\n"),
        ("service.slack", "token: t\n"),
        ("subscriptions", "- recipients: ['slack:c']\n  triggers: [on-x]\n"),
    ]);
    let plan = Memory::default().evaluate(&config, &with_status(r#"{text: 'say "hi"'}"#));
    let notes = plan.notes.join("\n");
    assert!(notes.starts_with("template.t.slack.attachments:2:15: this must be JSON, but is not:"), "{notes}");
    assert!(notes.contains(r#"`{{.app.status.text}}` printed `say "hi"`"#), "{notes}");
}

#[test]
fn a_body_that_is_no_json_is_reported_with_the_value_that_broke_it() {
    let notes = |url: &str, body: &str| {
        let config = config(&[
            ("trigger.on-x", "- when: 'true'\n  send: [t]\n"),
            (
                "template.t",
                &format!(
                    "webhook:\n  hook:\n    method: POST\n    body: |\n      {}\n",
                    body.replace('\n', "\n      ")
                ),
            ),
            ("service.webhook.hook", &format!("url: {url}\n")),
            ("subscriptions", "- recipients: [hook]\n  triggers: [on-x]\n"),
        ]);
        let plan = Memory::default().evaluate(&config, &with_status(r#"{text: 'say "hi"', count: 5}"#));
        assert_eq!(plan.intents.len(), 1, "it is sent all the same");
        plan.notes.join("\n")
    };
    let any = "http://h.test/";
    let robot = "https://oapi.dingtalk.com/robot/send?access_token=t";
    assert_eq!(
        notes(any, "{\n  \"text\": \"{{.app.status.text}}\"\n}"),
        "template.t.webhook.hook.body:2:14: this must be JSON, but is not: expected `,` or `}`; \
         `{{.app.status.text}}` printed `say \"hi\"`"
    );
    assert_eq!(notes(any, "{\"text\": \"{{.app.status.text | jsonString}}\"}"), "");
    assert_eq!(notes(any, "{\"n\": {{.app.status.count}}, \"text\": {{.app.status.text | toJson}}}"), "");
    assert_eq!(notes(any, "[{{.app.metadata.name}}] is deployed"), "");
    assert!(notes(any, "{\"n\": {{.app.status.missing}}}").contains("`{{.app.status.missing}}` printed `<no value>`"));
    assert_eq!(
        notes(any, "{\"a\": 1,}"),
        "template.t.webhook.hook.body:1:9: this must be JSON, but is not: key must be a string"
    );
    assert!(notes(robot, "{{.app.metadata.name}} is deployed").contains("this must be JSON"));
}

#[test]
fn a_template_goes_without_what_the_repository_does_not_answer() {
    let config = config(&[
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        (
            "template.t",
            "message: |-\n  by [{{(call .repo.GetCommitMetadata .app.status.sync.revision).Author}}] \
             [{{(call .repo.GetAppDetails).Type}}] {{len (call .repo.GetCommitMetadata \"x\").Tags}}\n",
        ),
        ("trigger.t", "- when: 'true'\n  send: [t]\n"),
        ("trigger.asks", "- when: repo.GetCommitMetadata('x').Author == 'me'\n  send: [t]\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [t, asks]\n"),
    ]);
    let plan = Memory::default().evaluate(&config, &with_status("{sync: {revision: abc}}"));
    assert_eq!(plan.intents.len(), 1, "{plan:?}");
    assert_eq!(plan.intents[0].notification.message, "by [] [] 0");
    assert_eq!(plan.notes, ["no repository; templates go without"]);
    // A condition decides, so it must not go without.
    let asking = plan.steps.iter().find(|step| step.trigger == "asks").unwrap();
    assert!(matches!(&asking.action, Action::Unknown(reason) if reason.contains("no repository")), "{asking:?}");
}
