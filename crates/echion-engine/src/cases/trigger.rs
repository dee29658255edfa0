//! Cases of mode `trigger`: one list of conditions over one Application.

use std::collections::BTreeMap;
use std::sync::Arc;

use echion_model::yaml;
use echion_value::time::{self, Time};
use echion_value::{Map, Type, Value};
use serde_json::{Value as Json, json};

use super::canned::Canned;
use super::expr::value_of;
use crate::config::{Config, refused_there};
use crate::trigger::{Trigger, TriggerError};
use crate::variables::{EvaluationContext, Repository};

/// The answer to one case: what each condition says, or why the trigger cannot be used.
#[must_use]
pub fn answer(case: &Json) -> Json {
    let id = case.get("id").cloned().unwrap_or_default();
    match run(case) {
        Ok(Outcome { results, warnings }) if warnings.is_empty() => json!({"id": id, "results": results}),
        Ok(Outcome { results, warnings }) => json!({"id": id, "results": results, "warnings": warnings}),
        Err((field, error)) => json!({"id": id, field: error}),
    }
}

/// What became of a trigger that can be used.
struct Outcome {
    results: Vec<Json>,
    warnings: Vec<String>,
}

fn run(case: &Json) -> Result<Outcome, (&'static str, String)> {
    let text = match case.get("trigger") {
        Some(Json::String(text)) => text.clone(),
        Some(list) => list.to_string(),
        None => return Err(("err", "the case has no `trigger`".to_owned())),
    };
    let (node, notes) = yaml::parse_with_notes(&text).map_err(|error| ("config_err", error.to_string()))?;
    let notes = notes.iter().map(|note| refused_there("trigger", note));
    let (trigger, warnings) = Trigger::parse("trigger", &node).map_err(|error| match error {
        TriggerError::Shape(diagnostic) => ("config_err", diagnostic.to_string()),
        TriggerError::Expression(diagnostic) => ("compile_err", diagnostic.to_string()),
    })?;
    let failed = |error| ("err", error);
    let field = |name: &str| case.get(name).map_or(Ok(Value::Nil), value_of).map_err(failed);
    let texts = |name: &str| -> BTreeMap<String, String> {
        let map = case.get(name).and_then(Json::as_object).into_iter().flatten();
        map.map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect()
    };
    let secrets = texts("secrets").into_iter().map(|(k, v)| (k.into(), Value::Bytes(Some(Arc::from(v.as_bytes())))));
    let config = Config::of_variables(texts("context"), Value::Map(Map::new(Type::BYTES, secrets.collect())));
    let app = match field("app")? {
        Value::Nil => Value::Map(Map::nil(Type::Any)),
        app => app,
    };
    let project = Some(field("appProject")?).filter(|p| !matches!(p, Value::Nil));
    let repository: Arc<dyn Repository> = Arc::new(Canned::new(case.get("repo")));
    let context = EvaluationContext::new(clock(case), repository);
    let variables = Map::of_any(context.variables(&config, &app, project.as_ref(), ""));
    let results = trigger
        .conditions
        .iter()
        .map(|condition| {
            let evaluation = context.evaluate(condition, &variables);
            let mut result = json!({
                "key": condition.key,
                "triggered": evaluation.triggered(),
                "oncePer": evaluation.once_per.clone().unwrap_or_default(),
                "templates": condition.send,
            });
            if let Some(error) = evaluation.when.err().or(evaluation.once_per.err()) {
                result["error"] = json!(error);
            }
            result
        })
        .collect();
    Ok(Outcome { results, warnings: notes.chain(warnings).map(|warning| warning.to_string()).collect() })
}

/// The case's `now`, or the beginning of 1970.
pub(super) fn clock(case: &Json) -> Time {
    let now = case.get("now").and_then(Json::as_str);
    now.and_then(|text| time::parse(time::RFC3339, text).ok()).unwrap_or_else(|| Time::from_unix(0, 0))
}
