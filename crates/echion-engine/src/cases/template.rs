//! Cases of mode `template`: one template over one set of data.

use std::sync::Arc;

use echion_template::{CallContext, Limits, Phase};
use echion_value::{Map, Str, Type, Value};
use serde_json::{Value as Json, json};

use super::canned::{Canned, date};
use super::expr::{base64, now, retype, value_of};
use crate::variables;

/// The answer to one case: the text, or whether parsing or executing failed.
#[must_use]
pub fn answer(case: &Json) -> Json {
    let id = case.get("id").cloned().unwrap_or_default();
    let text = |key: &str| case.get(key).and_then(Json::as_str);
    let Some(source) = text("template") else {
        return json!({"id": id, "err": "the case has no `template`"});
    };
    let template = match echion_template::parse(text("name").unwrap_or("t"), source, echion_sprig::functions()) {
        Ok(template) => template,
        Err(error) => return json!({"id": id, "parse_err": error.message()}),
    };
    let data = match data(case) {
        Ok(data) => data,
        Err(error) => return json!({"id": id, "err": error}),
    };
    let mut seed = 1_u64;
    let mut random = |bytes: &mut [u8]| {
        bytes.iter_mut().for_each(|byte| *byte = next(&mut seed));
        Ok(())
    };
    let mut call = CallContext::new(now(case)).with_random(&mut random);
    match template.render(&data, &mut call, &Limits::default()) {
        Ok(out) => written(json!({"id": id}), "out", &out),
        Err(error) => {
            let kind = if error.phase() == Phase::Parse { "parse_err" } else { "err" };
            let answer = json!({"id": id, kind: error.message()});
            if error.partial().is_empty() { answer } else { written(answer, "partial", error.partial()) }
        }
    }
}

/// Adds a text under `key`, and its bytes where they are no text.
fn written(mut answer: Json, key: &str, bytes: &[u8]) -> Json {
    answer[key] = json!(String::from_utf8_lossy(bytes));
    if std::str::from_utf8(bytes).is_err() {
        answer[format!("{key}_b64")] = json!(base64(bytes));
    }
    answer
}

/// Bytes that look random and are the same in every run.
fn next(seed: &mut u64) -> u8 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    seed.to_le_bytes()[3]
}

/// What the template is executed over: the data of the case, or with `argo` what the engine gives to templates.
fn data(case: &Json) -> Result<Value, String> {
    let value = value_of(case.get("data").unwrap_or(&Json::Null))?;
    if case.get("argo").and_then(Json::as_bool) != Some(true) {
        return Ok(value);
    }
    let given = |key: &str| value.as_map().and_then(|map| map.get(key).map(std::borrow::Cow::into_owned));
    let empty = |element| Value::Map(Map::new(element, Vec::new()));
    let app = match given("app") {
        Some(Value::Map(app)) => Value::Map(app),
        _ => Value::Map(Map::nil(Type::Any)),
    };
    let named = |key: &str| Value::from(case.get(key).and_then(Json::as_str).unwrap_or_default());
    let service = named("serviceType");
    let context = retype(&given("context").unwrap_or_else(|| empty(Type::String)), &Type::String, |text| {
        Value::Str(text.clone())
    });
    let context = match (&context, &service) {
        (Value::Map(context), Value::Str(_)) => {
            let mut entries = context.entries().into_owned();
            entries.push((Str::from("notificationType"), service.clone()));
            Value::Map(Map::new(Type::String, entries))
        }
        _ => context,
    };
    let secrets = retype(&given("secrets").unwrap_or_else(|| empty(Type::BYTES)), &Type::BYTES, |text| {
        Value::Bytes(Some(Arc::from(text.as_bytes())))
    });
    let repository: Arc<dyn variables::Repository> = Arc::new(Canned::new(case.get("repo")));
    let now = date(case.get("now").and_then(Json::as_str).unwrap_or("2025-01-01T00:00:00Z"));
    let entries: Vec<(&str, Value)> = vec![
        ("appProject", given("appProject").unwrap_or_else(|| empty(Type::Any))),
        ("context", context),
        ("secrets", secrets),
        ("serviceType", service),
        ("recipient", named("recipient")),
        ("time", Value::Map(variables::time(move || now.clone()))),
        ("strings", Value::Map(variables::strings())),
        ("repo", Value::Map(variables::repo(&repository, &app))),
        ("app", app),
    ];
    Ok(Value::Map(Map::of_any(entries.into_iter().map(|(key, value)| (Str::from(key), value)).collect())))
}
