//! Cases of mode `expr`: one expression over one environment.

use std::sync::Arc;

use echion_expr::{Context, Program};
use echion_value::time::{RFC3339_NANO, Time};
use echion_value::{Map, Str, Value};
use serde_json::{Value as Json, json};

use super::canned::{Canned, date};
use crate::variables;

/// The answer to one case: what the expression gives, or which of its stages failed.
#[must_use]
pub fn answer(case: &Json) -> Json {
    let id = case.get("id").cloned().unwrap_or_default();
    let Some(source) = case.get("expr").and_then(Json::as_str) else {
        return json!({"id": id, "err": "the case has no `expr`"});
    };
    let program = match echion_expr::compile(source) {
        Ok(program) => program,
        Err(error) => return json!({"id": id, "compile_err": error.to_string()}),
    };
    let outcome = environment(case).and_then(|env| evaluate(&program, case, &env));
    match outcome {
        Ok(value) => describe(id, &value),
        Err(error) => json!({"id": id, "err": error}),
    }
}

fn evaluate(program: &Program, case: &Json, env: &Map) -> Result<Value, String> {
    program.eval(env, &Context { now: now(case), ..Context::default() }).map_err(|error| error.to_string())
}

/// The time at which the case is evaluated; a case that gives none does not depend on it.
pub(super) fn now(case: &Json) -> Time {
    date(case.get("now").and_then(Json::as_str).unwrap_or("2025-01-01T00:00:00Z"))
}

/// All variables: those of the case, and the engine's unless the case is raw.
fn environment(case: &Json) -> Result<Map, String> {
    let mut entries: Vec<(Str, Value)> = Vec::new();
    for (key, value) in case.get("env").and_then(Json::as_object).into_iter().flatten() {
        entries.push((Str::from(key.as_str()), value_of(value)?));
    }
    if case.get("raw").and_then(Json::as_bool) == Some(true) {
        return Ok(Map::of_any(entries));
    }
    for (key, value) in &mut entries {
        if *key == "context" {
            *value = retype(value, &echion_value::Type::String, |text| Value::Str(text.clone()));
        } else if *key == "secrets" {
            let bytes = |text: &Str| Value::Bytes(Some(Arc::from(text.as_bytes())));
            *value = retype(value, &echion_value::Type::BYTES, bytes);
        }
    }
    let app = entries.iter().find(|(key, _)| *key == "app").map(|(_, app)| app.clone()).unwrap_or_default();
    let repository: Arc<dyn variables::Repository> = Arc::new(Canned::new(case.get("repo")));
    let now = now(case);
    entries.push((Str::from("time"), Value::Map(variables::time(move || now.clone()))));
    entries.push((Str::from("strings"), Value::Map(variables::strings())));
    entries.push((Str::from("repo"), Value::Map(variables::repo(&repository, &app))));
    Ok(Map::of_any(entries))
}

/// A map of texts as a map of the given element type.
pub(super) fn retype(value: &Value, element: &echion_value::Type, change: impl Fn(&Str) -> Value) -> Value {
    let Some(map) = value.as_map() else { return value.clone() };
    let entries = map.entries();
    let texts = entries.iter().filter_map(|(key, value)| match value {
        Value::Str(text) => Some((key.clone(), change(text))),
        _ => None,
    });
    Value::Map(Map::new(*element, texts.collect()))
}

/// The value of a JSON field, with the number rule of resources.
pub(super) fn value_of(json: &Json) -> Result<Value, String> {
    serde_json::from_value(json.clone()).map_err(|error| error.to_string())
}

/// A value in every form that a case can ask for: as JSON, its Go type, and its `%v`.
#[must_use]
pub fn describe(id: Json, value: &Value) -> Json {
    // Values can share parts, so a small one can be endless when it is written out.
    if weigh(value, 0, MOST).is_none() {
        let error = format!("the result is too large to be shown: written out it has more than {MOST} bytes");
        return json!({"id": id, "type": type_name(value), "err": error});
    }
    let mut answer = json!({"id": id, "out": out(value, 0), "type": type_name(value)});
    if let Value::List(_) | Value::Map(_) | Value::Table(_) | Value::Bytes(_) = value {
        answer["types"] = types(value, 0);
    }
    let shown = echion_value::format::display(value);
    match shown.as_str() {
        Some(text) => answer["fmt"] = json!(text),
        None => {
            answer["fmt"] = json!(shown.to_text());
            answer["fmt_b64"] = json!(base64(shown.as_bytes()));
            if let Value::Str(text) = value {
                answer["out_b64"] = json!(base64(text.as_bytes()));
            }
        }
    }
    answer
}

/// Go's `%T`.
fn type_name(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |t| t.to_string())
}

/// The most that is written out, in bytes; every part counts for one at least.
const MOST: usize = 1 << 20;

/// What is left of so many bytes when a value is written out.
fn weigh(value: &Value, depth: usize, left: usize) -> Option<usize> {
    let left = left.checked_sub(1)?;
    if depth > MAX_DEPTH {
        return Some(left);
    }
    let mut left = left;
    match value {
        Value::Str(text) => left = left.checked_sub(text.as_bytes().len())?,
        Value::Bytes(bytes) => left = left.checked_sub(bytes.as_deref().map_or(0, <[u8]>::len))?,
        Value::List(list) => {
            for item in list.items() {
                left = weigh(item, depth + 1, left)?;
            }
        }
        Value::Map(map) => {
            for (key, value) in map.entries().iter() {
                left = weigh(value, depth + 1, left.checked_sub(key.as_bytes().len())?)?;
            }
        }
        Value::Table(table) => {
            for (key, value) in table.entries().iter() {
                left = weigh(value, depth + 1, weigh(key, depth + 1, left)?)?;
            }
        }
        Value::Object(object) => {
            for name in object.object_type().fields {
                left = weigh(&object.field(name).unwrap_or_default(), depth + 1, left)?;
            }
        }
        _ => {}
    }
    Some(left)
}

/// How deep values are described.
const MAX_DEPTH: usize = 200;

/// The value as JSON: texts for what JSON has no form for.
fn out(value: &Value, depth: usize) -> Json {
    if depth > MAX_DEPTH {
        return Json::Null;
    }
    match value {
        Value::Nil | Value::NilPointer(_) => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => json!(n),
        Value::Time(time) => json!(time.format(RFC3339_NANO)),
        Value::Int32(n) => json!(n),
        Value::Uint8(n) => json!(n),
        Value::Uint64(n) => json!(n),
        Value::Float(f) if f.is_finite() => json!(f),
        Value::Float(f) if f.is_nan() => json!("NaN"),
        Value::Float(f) => json!(if *f > 0.0 { "+Inf" } else { "-Inf" }),
        Value::Str(s) => json!(s.to_text()),
        Value::Bytes(bytes) => json!(String::from_utf8_lossy(bytes.as_deref().unwrap_or_default())),
        Value::List(list) => list.items().iter().map(|item| out(item, depth + 1)).collect(),
        Value::Map(map) => map
            .entries()
            .iter()
            .map(|(k, v)| (k.to_string(), out(v, depth + 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Table(table) => table
            .entries()
            .iter()
            .map(|(k, v)| (echion_value::format::display(k).to_string(), out(v, depth + 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Func(_) => json!(format!("<func {}>", type_name(value))),
        Value::Object(object) => object
            .object_type()
            .fields
            .iter()
            .map(|name| ((*name).to_owned(), out(&object.field(name).unwrap_or_default(), depth + 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// The Go types of a value and of all it contains.
fn types(value: &Value, depth: usize) -> Json {
    if depth > MAX_DEPTH {
        return Json::Null;
    }
    match value {
        Value::Nil => json!("nil"),
        Value::List(list) => list.items().iter().map(|item| types(item, depth + 1)).collect(),
        Value::Map(map) => map
            .entries()
            .iter()
            .map(|(k, v)| (k.to_string(), types(v, depth + 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Table(table) => table
            .entries()
            .iter()
            .map(|(k, v)| (echion_value::format::display(k).to_string(), types(v, depth + 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => json!(type_name(other)),
    }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    let quoted = echion_value::json::marshal(&Value::Bytes(Some(Arc::from(bytes)))).unwrap_or_default();
    String::from_utf8_lossy(&quoted).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_shares_its_parts_is_not_written_out_forever() {
        for expr in
            ["let v = reduce(1..45, [#acc, #acc], 0); v", "let v = reduce(1..45, {{'a': #acc, 'b': #acc}}, 0); v"]
        {
            let answer = answer(&json!({"id": "shared", "expr": expr}));
            let error = answer["err"].as_str().unwrap_or_default();
            assert!(error.starts_with("the result is too large to be shown"), "{answer}");
        }
        let small = answer(&json!({"id": "small", "expr": "let v = reduce(1..9, [#acc, #acc], 0); v"}));
        assert!(small.get("err").is_none(), "{small}");
    }
}
