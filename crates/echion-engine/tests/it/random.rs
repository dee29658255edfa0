//! Rules that must hold for whatever comes, tried with random inputs.

use std::sync::Arc;

use echion_engine::variables::EvaluationContext;
use echion_engine::{Config, Dependencies, Inputs, Namespaces, Step, decode_annotation, encode_annotation, evaluate};
use echion_model::{Resource, State};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{NOW, Nothing, app, config};

/// Conditions that read resources in many ways: with defaults, through variables, predicates, indexes and whole maps.
const CONDITIONS: [&str; 16] = [
    "app.status.health.status == 'Degraded'",
    "app.status?.operationState?.phase in ['Error', 'Failed']",
    "any(app.status.conditions ?? [], {.type == 'SyncError'})",
    "len(app.spec.sources ?? []) > 1",
    "app.metadata.labels?.team == 'a'",
    "let s = app.status; s.health?.status == 'Healthy'",
    "(app.spec ?? {}).project == 'p' and app.status.sync?.status != 'Synced'",
    "app.status.conditions[0].type == 'SyncError'",
    "app['status']['sync']['status'] == 'Synced'",
    "'team' in (app.metadata.labels ?? {})",
    "app.status.summary == nil",
    "len(keys(app.status ?? {})) > 2",
    "filter(app.status.conditions ?? [], # != nil) | map(.type) | len() == 1",
    "$env.app.spec.project == 'p'",
    "toJSON(app.status.health) contains 'Healthy'",
    "app.metadata.annotations?.note != nil",
];

/// Where something of an Application can change, and to what.
fn change() -> impl Strategy<Value = (&'static [&'static str], Value)> {
    let paths: [&'static [&'static str]; 14] = [
        &["metadata", "labels", "team"],
        &["metadata", "labels"],
        &["metadata", "annotations", "note"],
        &["metadata", "generation"],
        &["spec", "project"],
        &["spec", "sources"],
        &["spec"],
        &["status", "health", "status"],
        &["status", "health"],
        &["status", "sync", "status"],
        &["status", "operationState", "phase"],
        &["status", "conditions"],
        &["status", "summary"],
        &["status", "reconciledAt"],
    ];
    let values = [
        Value::Null,
        json!("a"),
        json!("p"),
        json!("Healthy"),
        json!("Degraded"),
        json!("Synced"),
        json!("Failed"),
        json!([]),
        json!({}),
        json!([{"type": "SyncError"}]),
        json!([{"type": "b"}, {"type": "SyncError"}]),
        json!({"status": "Healthy", "more": 1}),
        json!(7),
    ];
    (prop::sample::select(paths.to_vec()), prop::sample::select(values.to_vec()))
}

/// Sets a field; null removes it. What stands in the way is replaced.
fn set(object: &mut Value, path: &[&str], value: &Value) {
    let Some((name, rest)) = path.split_first() else { return };
    if !object.is_object() {
        *object = json!({});
    }
    let map = object.as_object_mut().unwrap();
    if rest.is_empty() && value.is_null() {
        map.remove(*name);
    } else if rest.is_empty() {
        map.insert((*name).to_owned(), value.clone());
    } else {
        set(map.entry(*name).or_insert_with(|| json!({})), rest, value);
    }
}

fn changed(object: &Value, changes: &[(&'static [&'static str], Value)]) -> Value {
    let mut object = object.clone();
    for (path, value) in changes {
        set(&mut object, path, value);
    }
    set(&mut object, &["metadata", "name"], &json!("demo"));
    set(&mut object, &["metadata", "namespace"], &json!("argocd"));
    object
}

fn steps(config: &Config, resource: &Resource, state: Option<&State>) -> (Vec<Step>, State) {
    let context = EvaluationContext::at_millis(NOW, Arc::new(Nothing));
    let namespaces = Namespaces::all();
    let inputs = Inputs { resource, project: None, state, foreign: false, namespaces: &namespaces, context: &context };
    let plan = evaluate(config, inputs);
    let mut state = state.cloned().unwrap_or_default();
    state.retain(|key, _| !plan.change.clear.contains(key));
    state.extend(plan.change.set);
    (plan.steps, state)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the index relies on when it does not evaluate a resource again.
    #[test]
    fn resources_of_one_fingerprint_have_one_plan(
        chosen in prop::sample::subsequence(CONDITIONS.to_vec(), 1..4),
        before in prop::collection::vec(change(), 0..12),
        after in prop::collection::vec(change(), 1..3),
    ) {
        let trigger: Vec<Value> =
            chosen.iter().map(|when| json!({"when": when, "oncePer": "app.metadata.generation", "send": ["t"]})).collect();
        let config = config(&[
            ("template.t", "message: 'it is {{.app.metadata.name}}'\n"),
            ("trigger.t", &json!(trigger).to_string()),
            ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
            ("subscriptions", "- recipients: [hook]\n  triggers: [t]\n- recipients: ['hook:b']\n  triggers: [t]\n  selector: team=a\n"),
        ]);
        let start = json!({"kind": "Application", "status": {"conditions": [{"type": "SyncError"}]}});
        let first = changed(&start, &before);
        let second = changed(&first, &after);
        let (first, second) = (app(&first.to_string()), app(&second.to_string()));
        let dependencies = Dependencies::of([&config], "app");
        if dependencies.fingerprint(&first) == dependencies.fingerprint(&second) {
            let (planned, state) = steps(&config, &first, None);
            prop_assert_eq!(&planned, &steps(&config, &second, None).0);
            prop_assert_eq!(steps(&config, &first, Some(&state)).0, steps(&config, &second, Some(&state)).0);
        }
    }

    /// What is written to the annotation is what is read from it, by Argo CD Notifications too: it is JSON.
    #[test]
    fn an_annotation_is_read_as_it_was_written(state in prop::collection::btree_map(any::<String>(), any::<i64>(), 0..6)) {
        let state: State = state.into_iter().collect();
        match encode_annotation(&state) {
            None => prop_assert!(state.is_empty()),
            Some(text) => {
                let escaped = !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
                prop_assert!(escaped);
                prop_assert_eq!(decode_annotation(&text), state);
            }
        }
    }
}
