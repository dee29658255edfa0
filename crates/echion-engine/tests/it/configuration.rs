//! What a configuration says about itself.

use echion_engine::{Documents, Sources};
use echion_model::Severity;

use crate::{config, load, seed, sources};

fn errors(config: &echion_engine::Config) -> Vec<String> {
    config.diagnostics.iter().filter(|f| f.severity == Severity::Error).map(ToString::to_string).collect()
}

#[test]
fn the_seed_has_nothing_wrong() {
    let config = seed();
    assert_eq!(config.diagnostics, []);
    assert_eq!((config.templates.len(), config.triggers.len(), config.services.len()), (3, 6, 1));
}

#[test]
fn three_errors_break_three_keys() {
    let config = config(&[
        ("template.good", "message: fine\n"),
        ("template.bad", "message: |\n  first\n  {{ .app.x\n"),
        ("trigger.good", "- when: 'true'\n  send: [good]\n"),
        ("trigger.bad", "- when: app.status.x ==\n  send: [good]\n"),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("service.dingtalc", "accessToken: x\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [good]\n"),
    ]);
    let found = errors(&config);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().any(|f| f.starts_with("template.bad.message:")), "{found:#?}");
    assert!(found.iter().any(|f| f.starts_with("trigger.bad[0].when:1:")), "{found:#?}");
    assert!(found.iter().any(|f| f.starts_with("service.dingtalc:1:1: service type `dingtalc`")), "{found:#?}");
    assert!(config.diagnostics.iter().any(|f| f.hint == "did you mean `dingtalk`?"), "{:#?}", config.diagnostics);
    assert!(config.triggers.contains_key("good") && config.templates.contains_key("good"));
    assert!(config.services.contains_key("hook"));
}

/// Whoever goes back to Argo CD Notifications would find the whole configuration unusable.
#[test]
fn what_argo_cd_notifications_refuses_works_with_a_warning() {
    let config = config(&[
        ("template.a", "message: \"a\\/b\"\n"),
        ("template.b", "slack:\n  blocks:\n  - {type: divider}\n"),
        ("trigger.version", "%YAML 1.2\n---\n- when: 'true'\n  send: [a]\n"),
        ("trigger.key", "- when: 'true'\n  ~: x\n  send: [a]\n"),
        ("trigger.tag", "- when: 'true'\n  oncePer: !!null x\n  send: [a]\n"),
        ("trigger.tab", "- send:\n  - \ta\n  when: 'true'\n"),
        ("trigger.twice", "- SEND: b\n  send: [a]\n  when: 'true'\n"),
        ("service.webhook.hook", "{url: http://127.0.0.1:1/?a=b}\n"),
        ("subscriptions", "- recipients: ['hook:x', 7]\n  triggers: [tab]\n"),
    ]);
    let warnings: Vec<String> = config
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Warning)
        .map(|diagnostic| format!("{diagnostic} | {}", diagnostic.hint))
        .collect();
    let expected = [
        "service.webhook.hook:1:26: Argo CD Notifications refuses `?` in a text without quotes inside brackets | put the text into quotes",
        "subscriptions:1:26: Argo CD Notifications refuses a name that is no text | put it into quotes",
        "template.a:1:12: Argo CD Notifications refuses the escape `\\/` | write `/`",
        "template.b:2:3: Argo CD Notifications refuses a list or mapping for this field | write it as a text, with `|` after the field's name",
        "trigger.key:2:3: a condition has no field `null` | the fields are `when`, `send`, `oncePer` and `description`",
        "trigger.key:2:3: Argo CD Notifications refuses a key that is null | put it into quotes",
        "trigger.tab:2:5: Argo CD Notifications refuses a tab after `-` | write blanks",
        "trigger.tag:2:19: Argo CD Notifications refuses `!!null` before a text | remove the tag or the text",
        "trigger.twice:1:3: `SEND` is not used: the field is written again in other letters | remove one of the two",
        "trigger.version:1:1: Argo CD Notifications refuses a version of YAML other than 1.1 | remove the line",
    ];
    for warning in expected {
        assert!(warnings.iter().any(|found| found == warning), "{warning}\n{warnings:#?}");
    }
    assert_eq!((config.triggers.len(), config.services.len()), (5, 1), "{:#?}", config.diagnostics);
}

#[test]
fn a_broken_key_keeps_its_last_valid_version() {
    let good = [("template.a", "message: old\n"), ("trigger.a", "- when: 'true'\n  send: [a]\n")];
    let first = load(&sources(&good), None);
    let broken = [("template.a", "message: '{{'\n"), ("trigger.a", "when: 'true'\n")];
    let second = load(&sources(&broken), Some(&first));
    assert_eq!(errors(&second).len(), 2, "{:#?}", second.diagnostics);
    assert_eq!(second.templates["a"].message_source, "old");
    assert_eq!(second.triggers["a"].conditions.len(), 1);
    // A key that is gone is gone.
    assert!(load(&sources(&[]), Some(&first)).templates.is_empty());
}

#[test]
fn names_that_nothing_answers_to_are_found() {
    let config = config(&[
        ("template.a", "message: x\n"),
        ("trigger.a", "- when: 'true'\n  send: [aa]\n"),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("subscriptions", "- recipients: [hok]\n  triggers: [on-a]\n"),
    ]);
    let found = errors(&config);
    assert_eq!(
        found,
        [
            "subscriptions[0].recipients:1:16: no service `hok` is configured",
            "subscriptions[0].triggers:2:14: no trigger `on-a` is configured",
            "trigger.a[0].send:2:10: no template `aa` is configured",
        ]
    );
    let hints: Vec<&str> = config.diagnostics.iter().map(|diagnostic| diagnostic.hint.as_str()).collect();
    assert_eq!(hints, ["did you mean `hook`?", "the triggers are a", "did you mean `a`?"]);
}

/// Nothing would be sent, or to none, and without a word.
#[test]
fn what_would_be_silent_is_a_warning() {
    let config = config(&[
        ("service.alertmanager.am", "targets: ['127.0.0.1:1']\n"),
        ("service.webhook.dingtalk", "url: http://127.0.0.1:1/\n"),
        ("service.webhook.other", "url: http://127.0.0.1:1/\n"),
        ("template.a", "message: x\nwebhook:\n  dingtlk: {body: x}\n  other: {body: x}\n  elsewhere: {body: x}\n"),
        ("template.b", "alertmanager:\n  labels: {a: b}\n"),
        ("trigger.on-a", "- when: 'true'\n  send: [a]\n"),
        ("trigger.on-b", "- when: 'true'\n  send: [a, b]\n"),
        ("trigger.on-c", "- when: 'true'\n  send: [nope]\n"),
        ("defaultTriggers", "[on-a]\n"),
        ("subscriptions", "- recipients: [am, dingtalk]\n  triggers: [on-a, on-b, on-c]\n- recipients: [am]\n"),
    ]);
    let warnings = config.diagnostics.iter().filter(|d| d.severity == Severity::Warning);
    let warnings: Vec<String> = warnings.map(|d| format!("{d} | {}", d.hint)).collect();
    assert_eq!(
        warnings,
        [
            "subscriptions[0]:1:1: `on-a` says nothing to `am`: its templates have no section `alertmanager` | \
             give them a section `alertmanager`, or leave out this recipient",
            "subscriptions[1]:1:1: `on-a` says nothing to `am`: its templates have no section `alertmanager` | \
             give them a section `alertmanager`, or leave out this recipient",
            "template.a.webhook:3:3: no service `dingtlk` is configured, so this is sent to none | did you mean `dingtalk`?",
        ]
    );
}

/// Of keys, options and fields alike.
#[test]
fn what_is_misspelt_is_named_with_what_is_meant() {
    let config = config(&[
        ("service.webhook.hook", "url: http://127.0.0.1:1/\nheders: []\nretryMx: 3\n"),
        ("service.webhook.none", "ulr: http://127.0.0.1:1/\n"),
        ("subscription", "[]"),
        ("template.a", "mesage: x\nwebhook:\n  hook: {metod: POST}\n"),
        ("triger.on-a", "[]"),
        ("unrelated", "]["),
    ]);
    let found: Vec<String> = config.diagnostics.iter().map(|d| format!("{d} | {}", d.hint)).collect();
    assert_eq!(
        found,
        [
            "service.webhook.hook:2:1: `webhook` has no option `heders` | did you mean `headers`?",
            "service.webhook.hook:3:1: `webhook` has no option `retryMx` | did you mean `retryMax`?",
            "service.webhook.none:1:1: `url` is missing: write an address such as `https://example.com` | \
             `webhook` has no option `ulr`: did you mean `url`?",
            "subscription:1:1: this key means nothing | did you mean `subscriptions`?",
            "template.a:1:1: no service type has a section `mesage` | did you mean `message`?",
            "template.a.webhook.hook.metod:3:10: unknown field; it means nothing | did you mean `method`?",
            "triger.on-a:1:1: this key means nothing | did you mean `trigger.on-a`?",
        ]
    );
}

#[test]
fn keys_of_other_tools_are_left_alone_and_bad_arity_is_reported() {
    let config = config(&[("unrelated", "]["), ("service.a.b.c", "{}"), ("context", "a: {b: 1}\n")]);
    let found = errors(&config);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("context.a:1:4: expected a text, found a mapping"), "{found:#?}");
}

#[test]
fn secrets_go_into_service_options_only_and_never_into_findings() {
    let mut with = sources(&[
        ("service.webhook.hook", "url: $address\nheaders: [{name: $name, value: Bearer $token}]\nnope: $token\n"),
        ("service.webhook.bad", "url: ftp://$token\n"),
        ("service.webhook.slow", "url: http://127.0.0.1:1/\nretryWaitMin: $token\n"),
        ("service.webhook.odd", "url: http://127.0.0.1:1/\n$token: x\n"),
        ("template.a", "message: $token\n"),
    ]);
    for (key, value) in [("address", "http://127.0.0.1:1/marked-token"), ("name", "X-A"), ("token", "marked-token")] {
        with.secret.insert(key.to_owned(), value.as_bytes().to_vec());
    }
    let config = load(&with, None);
    assert_eq!(config.templates["a"].message_source, "$token");
    assert!(config.services.contains_key("hook") && !config.services.contains_key("bad"));
    let printed = format!("{:?} {config:?} {with:?}", config.diagnostics);
    assert!(!printed.replace("message_source: \"$token\"", "").contains("marked-token"), "{printed}");
}

#[test]
fn a_recipient_with_a_second_colon_is_noted() {
    let config = config(&[
        ("template.a", "message: x\n"),
        ("trigger.t", "- when: 'true'\n  send: [a]\n"),
        ("service.datadog", "apiKey: k\n"),
        ("subscriptions", "- recipients: ['datadog:env:prod|svc:x', 'datadog:prod']\n  triggers: [t]\n"),
    ]);
    let found: Vec<String> = config.diagnostics.iter().map(ToString::to_string).collect();
    let want =
        "subscriptions[0].recipients:1:1: recipient `datadog:env:prod|svc:x`: what follows the second colon is ignored";
    assert_eq!(found, [want]);
}

#[test]
fn two_services_of_one_name_are_an_error() {
    let config =
        config(&[("service.dingtalk.x", "accessToken: t\n"), ("service.webhook.x", "url: http://127.0.0.1:1/\n")]);
    assert_eq!(errors(&config), ["service.webhook.x:1:1: another key already configures a service called `x`"]);
    assert_eq!(config.services["x"].kind.name, "dingtalk");
}

/// What is said about a configuration, one line each.
fn said(data: &[(&str, &str)]) -> Vec<String> {
    let config = config(data);
    config.diagnostics.iter().map(|d| format!("{d}; {}", d.hint)).collect()
}

#[test]
fn what_follows_from_a_broken_key_is_not_reported_again() {
    let data = [
        ("service.webhok.hook", "url: http://127.0.0.1/hook"),
        ("template.t", "message: '{{'"),
        ("trigger.on-x", "- {when: '1 +', send: [t]}"),
        ("trigger.on-y", "- {when: 'true', send: [t]}"),
        ("subscriptions", "- {recipients: [hook], triggers: [on-x]}"),
    ];
    let said = said(&data);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said.iter().all(|line| !line.contains("is configured")), "{said:#?}");
}

#[test]
fn default_triggers_that_do_not_exist_are_found_once_with_their_place() {
    let data = [("defaultTriggers", "- ok\n- zz\n"), ("trigger.ok", "- {when: 'true', send: []}")];
    assert_eq!(said(&data), ["defaultTriggers:2:3: no trigger `zz` is configured; the triggers are ok"]);
}

#[test]
fn the_same_is_said_once_and_an_empty_name_resembles_none() {
    let data = [
        ("service.webhook.w", "url: http://127.0.0.1/hook"),
        ("trigger.on-x", "- {when: 'true', send: []}"),
        ("subscriptions", "- {recipients: [nothing, nothing, ':', ':'], triggers: [on-x]}"),
    ];
    let said = said(&data);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().any(|line| line.contains("a recipient names no service; write")), "{said:#?}");
}

#[test]
fn misspelt_options_sections_and_fields_have_a_nearest_name() {
    let data = [
        ("service.webhook.a", "ulr: http://127.0.0.1/hook"),
        ("service.webhook.b", "url: http://127.0.0.1/hook\nsgin: {}"),
        ("template.t", "mesage: x\nwebhok: {}\nslack: {attachmnts: x}"),
        ("trigger.on-x", "- {when: 'true', send: [t]}"),
        ("subscriptions", "- {recipient: [b], triggers: [on-x]}"),
    ];
    let said = said(&data).join("\n");
    for hint in [
        "`webhook` has no option `ulr`: did you mean `url`?",
        "did you mean `sign`?",
        "did you mean `message`?",
        "did you mean `webhook`?",
        "did you mean `attachments`?",
        "did you mean `recipients`?",
    ] {
        assert!(said.contains(hint), "{hint}\n{said}");
    }
}

#[test]
fn a_key_that_the_secret_lacks_has_its_place() {
    let data = [("service.webhook.a", "url: http://127.0.0.1/hook\nheaders:\n- {name: X, value: $nope}")];
    assert!(said(&data)[0].starts_with("service.webhook.a:3:20: the Secret has no key `nope`"), "{:?}", said(&data));
}

#[test]
fn a_config_map_is_found_in_a_list() {
    let text = "kind: List\nitems:\n- kind: Secret\n  metadata: {name: other}\n- kind: ConfigMap\n  metadata: {name: cm}\n  data: {a: b}\n";
    let mut sources = Sources::default();
    Documents::parse(text).unwrap().config_map("cm", &mut sources).unwrap();
    assert_eq!(sources.config_map["a"], "b");
}
