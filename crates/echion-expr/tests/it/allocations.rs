//! What conditions cost in memory: nothing, as long as they compare and combine what is there.

use echion_expr::{Context, compile};
use echion_value::{Map, Value, json};

const APPLICATION: &str = include_str!("../../benches/application.json");

/// How often evaluating the condition allocates, and what it comes to.
fn allocations(source: &str) -> (u64, bool) {
    let env = Map::of_any(vec![
        ("app".into(), json::unmarshal(APPLICATION.as_bytes()).unwrap()),
        ("phases".into(), Value::from(vec![Value::from("Succeeded"), Value::Int64(3)])),
    ]);
    let program = compile(source).unwrap();
    let context = Context::default();
    let mut value = Value::Nil;
    let used = allocation_counter::measure(|| value = program.eval(&env, &context).unwrap_or_default());
    (used.count_total, matches!(value, Value::Bool(true)))
}

#[test]
fn comparing_and_combining_allocates_nothing() {
    for condition in [
        "true",
        "app.metadata.deletionTimestamp == nil",
        "app.status.health.status == 'Healthy' and app.status.sync.status != 'Unknown'",
        "app.status.operationState != nil and app.status.operationState.phase in ['Error', 'Succeeded']",
        "not (app.status.operationState.phase in ['Running']) && !(app.spec.project == 'default')",
        "app.status.operationState.phase in phases",
        "app.status?.operationState?.phase == 'Succeeded'",
        "app.status.absent?.phase == nil",
        "(app.status.absent ?? app.spec.project) == 'retail'",
        "app.metadata.generation > 400 and app.metadata.generation <= 412.5",
        "app.status.startedAt == nil or app.status.startedAt == app.status.finishedAt",
        "app.spec.source.targetRevision == 'main' ? app.spec.project == 'retail' : app.spec.project == 'x'",
        "app.metadata.name contains 'store' and app.metadata.name startsWith 'st' and app.metadata.name endsWith 't'",
        "app.metadata.labels['team'] == 'storefront'",
        "app.status.resources[1].kind == 'Deployment' and app.status.resources[-1].kind == 'Deployment'",
        "'team' in app.metadata.labels",
        "len(app.status.resources) + 1 == 12",
        "app.spec.syncPolicy.automated.prune and not (app.spec.syncPolicy.automated.absent ?? false)",
        "app.spec.source == app.status.operationState.syncResult.source",
    ] {
        assert_eq!(allocations(condition), (0, true), "{condition}");
    }
}

#[test]
fn making_a_text_allocates() {
    let (count, holds) = allocations("app.metadata.name + '/' + app.metadata.namespace == 'storefront/argocd'");
    assert!(holds && count > 0);
}
