//! `config.yaml` and `notifiers.yaml` over the keys of today (contract 1.9).

use echion_engine::{Config, Sources};
use echion_model::Severity;

use crate::{Memory, app, load, sent, sources};

const APP: &str = "
kind: Application
metadata: {name: demo, namespace: argocd, annotations: {notifications.argoproj.io/subscribe.oldhook: x}}
spec: {}
status: {health: {status: Degraded}}
";

/// The configuration of the recorded scenario `legacy-config`, which Argo CD Notifications rejects because of its `subscriptions`.
const OLD: &str = "
context: {k: v}
subscriptions: [{recipients: ['oldhook:g'], triggers: [on-old]}]
templates: [{name: old, body: 'old body {{.app.metadata.name}} {{.context.k}}'}]
triggers: [{name: on-old, condition: app.status.health.status == 'Degraded', template: old, enabled: true}]
";

const HOOK: &str = "webhook: [{name: oldhook, url: 'http://127.0.0.1:1/old', headers: [{name: T, value: marked}]}]";

fn with(data: &[(&str, &str)], notifiers: &str) -> Sources {
    let mut sources = sources(data);
    sources.secret.insert("notifiers.yaml".to_owned(), notifiers.as_bytes().to_vec());
    sources
}

fn errors(config: &Config) -> Vec<String> {
    config.diagnostics.iter().filter(|f| f.severity == Severity::Error).map(ToString::to_string).collect()
}

#[test]
fn the_old_documents_work_and_are_reported_as_old() {
    let config = load(&with(&[("config.yaml", OLD)], HOOK), None);
    assert_eq!(errors(&config), Vec::<String>::new());
    let warned: Vec<&str> = config.diagnostics.iter().map(|diagnostic| diagnostic.key.as_str()).collect();
    assert_eq!(warned, ["config.yaml", "notifiers.yaml"]);
    let plan = Memory::default().evaluate(&config, &app(APP));
    assert_eq!(sent(&plan), ["on-old oldhook:g", "on-old oldhook:x"]);
    assert_eq!(plan.intents[0].notification.message, "old body demo v");
    assert!(!format!("{config:?} {:?}", config.diagnostics).contains("marked"));
}

#[test]
fn old_documents_go_over_the_keys_of_today() {
    let data = [
        ("context", "k: modern\nonly: here\n"),
        ("defaultTriggers", "[on-new]"),
        ("service.webhook.oldhook", "url: http://127.0.0.1:1/new\n"),
        ("service.webhook.newhook", "url: http://127.0.0.1:1/new\n"),
        ("subscriptions", "- recipients: [newhook]\n  triggers: [on-new]\n"),
        ("template.old", "message: new\nwebhook: {oldhook: {body: new}}\n"),
        ("trigger.on-new", "- when: 'true'\n  send: [old]\n"),
        (
            "trigger.on-old",
            "- when: 'false'\n  oncePer: app.metadata.name\n  send: [nothing]\n- when: 'true'\n  send: [old]\n",
        ),
        ("config.yaml", OLD),
    ];
    let config = load(&with(&data, HOOK), None);
    assert_eq!(errors(&config), Vec::<String>::new());
    // Context by key, subscriptions and templates as a whole.
    let context = config.context("x");
    let text = |key: &str| {
        context.entries().iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str().unwrap_or_default().to_owned())
    };
    assert_eq!((text("k"), text("only")), (Some("v".to_owned()), Some("here".to_owned())));
    assert_eq!(config.templates["old"].message_source, "old body {{.app.metadata.name}} {{.context.k}}");
    // The first condition field by field; the others stay.
    let conditions = &config.triggers["on-old"].conditions;
    assert_eq!(conditions.len(), 2);
    assert_eq!(conditions[0].when, "app.status.health.status == 'Degraded'");
    assert_eq!(
        (conditions[0].once_per.as_str(), conditions[0].send.join(" ")),
        ("app.metadata.name", "old".to_owned())
    );
    // `enabled` adds to the default triggers, which the annotation without a trigger takes.
    let plan = Memory::default().evaluate(&config, &app(APP));
    assert_eq!(
        sent(&plan),
        ["on-new oldhook:x", "on-old oldhook:g", "on-old oldhook:x", "on-old oldhook:g", "on-old oldhook:x"]
    );
}

#[test]
fn a_broken_old_document_breaks_only_itself() {
    let data = [
        ("template.a", "message: new\n"),
        ("trigger.a", "- when: 'true'\n  send: [a]\n"),
        ("config.yaml", "triggers: {a: b}\n"),
    ];
    let broken =
        load(&with(&data, "webhook: [{name: x, url: 'ftp://marked'}, {name: fine, url: 'http://127.0.0.1:1/'}]"), None);
    let found = errors(&broken);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(found[0], "config.yaml.triggers:1:11: expected a list, found a mapping");
    assert!(found[1].starts_with("notifiers.yaml.webhook[0]:"), "{found:#?}");
    assert!(broken.triggers.contains_key("a") && broken.templates.contains_key("a"));
    assert!(broken.services.contains_key("fine") && !broken.services.contains_key("x"));
    assert!(!format!("{:?}", broken.diagnostics).contains("marked"));

    // What worked before goes on working.
    let good = load(&with(&[("config.yaml", OLD)], HOOK), None);
    let broken = load(&with(&[("config.yaml", "]")], "- marked: ["), Some(&good));
    assert_eq!(errors(&broken).len(), 2, "{:#?}", broken.diagnostics);
    let plan = Memory::default().evaluate(&broken, &app(APP));
    assert_eq!(sent(&plan), ["on-old oldhook:g", "on-old oldhook:x"]);
    assert!(!format!("{:?}", broken.diagnostics).contains("marked"));
}

#[test]
fn one_bad_expression_in_an_old_document_breaks_one_trigger() {
    let old = "triggers: [{name: bad, condition: 'app.x ==', template: t}, {name: good, condition: 'true', template: t}]\n\
               templates: [{name: t, subject: hello, body: x}, {name: u, body: '{{'}]\n";
    let config = load(&with(&[("config.yaml", old)], ""), None);
    let found = errors(&config);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("config.yaml.templates[1].message:1:"), "{found:#?}");
    assert!(found[1].starts_with("config.yaml.triggers[0][0].when:1:"), "{found:#?}");
    assert!(config.triggers.contains_key("good") && !config.triggers.contains_key("bad"));
    assert!(config.templates.contains_key("t") && !config.templates.contains_key("u"));
}
