//! Operators that only conditions need: equality with a constant, membership, patterns, parts of texts.

use echion_value::Value;

use super::{Ran, broken};
use crate::ast::Binary;
use crate::builtins::{find_part, not_a, type_name};
use crate::error::EvalError;
use crate::limits::Meter;
use crate::operators::equal;
use crate::patterns;

pub(super) fn is_constant(meter: &mut Meter<'_>, value: &Value, constant: &Value) -> Ran<bool> {
    match (value, constant) {
        (Value::Str(text), Value::Str(constant)) => Ok(text == constant),
        (Value::Map(map), Value::Nil) => Ok(map.is_nil()),
        _ => equal(meter, value, constant),
    }
}

pub(super) fn in_texts(needle: &Value, texts: &Value) -> Ran<bool> {
    let Value::List(texts) = texts else { return Err(broken()) };
    match needle {
        Value::Str(needle) => Ok(texts.items().iter().any(|text| matches!(text, Value::Str(s) if s == needle))),
        // The keys of a Go map: `nil` stands for the zero key.
        Value::Nil => Ok(texts.items().iter().any(|text| matches!(text, Value::Str(s) if s.is_empty()))),
        other => {
            let found = type_name(other);
            let message = format!("reflect.Value.MapIndex: value of type {found} is not assignable to type string");
            Err(EvalError::new(message))
        }
    }
}

/// What a pattern is matched against: a text or bytes.
pub(super) fn subject(value: &Value) -> Ran<&[u8]> {
    match value {
        Value::Str(s) => Ok(s.as_bytes()),
        Value::Bytes(bytes) => Ok(bytes.as_deref().unwrap_or_default()),
        other => Err(not_a(other, "[]uint8")),
    }
}

pub(super) fn matches(meter: &mut Meter<'_>, value: &Value, pattern: &Value) -> Ran<Value> {
    if value.is_nil() || pattern.is_nil() {
        return Ok(Value::Bool(false));
    }
    let Value::Str(pattern) = pattern else { return Err(not_a(pattern, "string")) };
    // Compiling costs far more than most instructions.
    meter.work(1000 + pattern.len() * 50)?;
    let pattern = patterns::compile(pattern.as_bytes()).map_err(EvalError::new)?;
    let subject = subject(value)?;
    meter.work(subject.len() / 16)?;
    Ok(Value::Bool(pattern.is_match(subject)))
}

pub(super) fn text_test(meter: &mut Meter<'_>, operator: Binary, left: &Value, right: &Value) -> Ran<Value> {
    if left.is_nil() || right.is_nil() {
        return Ok(Value::Bool(false));
    }
    // Go evaluates the assertion of the left side first.
    let Value::Str(left) = left else { return Err(not_a(left, "string")) };
    let Value::Str(right) = right else { return Err(not_a(right, "string")) };
    let (left, right) = (left.as_bytes(), right.as_bytes());
    meter.work(left.len() / 16)?;
    Ok(Value::Bool(match operator {
        Binary::Contains => find_part(left, right).is_some(),
        Binary::StartsWith => left.starts_with(right),
        _ => left.ends_with(right),
    }))
}
