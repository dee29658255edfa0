//! Reading arguments. The template engine has checked them against the signature, so what does not fit reads as zero.

use std::sync::Arc;

use echion_value::{CallError, List, Map, Str, Type, Value};

pub(crate) const ANY: Type = Type::Any;
pub(crate) const BOOL: Type = Type::Bool;
pub(crate) const FLOAT: Type = Type::Float64;
pub(crate) const INT: Type = Type::Int;
pub(crate) const INT64: Type = Type::Int64;
pub(crate) const LIST: Type = Type::LIST;
pub(crate) const MAP: Type = Type::MAP;
pub(crate) const TEXT: Type = Type::String;
pub(crate) const TEXTS: Type = Type::STRINGS;
/// `map[string]string`
pub(crate) const TEXT_MAP: Type = Type::Map(&Type::String, &Type::String);

/// What a function gives back.
pub(crate) type Result<T = Value> = std::result::Result<T, CallError>;

/// What Go's runtime says when a nil type is asked for its kind.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

pub(crate) fn any(args: &[Value], at: usize) -> &Value {
    args.get(at).unwrap_or(&Value::Nil)
}

pub(crate) fn bytes(args: &[Value], at: usize) -> &[u8] {
    match args.get(at) {
        Some(Value::Str(s)) => s.as_bytes(),
        _ => b"",
    }
}

pub(crate) fn text(args: &[Value], at: usize) -> Str {
    match args.get(at) {
        Some(Value::Str(s)) => s.clone(),
        _ => Str::default(),
    }
}

/// The same with U+FFFD for what is not UTF-8, where bytes mean nothing: layouts, versions, addresses.
pub(crate) fn string(args: &[Value], at: usize) -> String {
    String::from_utf8_lossy(bytes(args, at)).into_owned()
}

pub(crate) fn int(args: &[Value], at: usize) -> i64 {
    match args.get(at) {
        Some(Value::Int(n)) => *n,
        _ => 0,
    }
}

pub(crate) fn map(args: &[Value], at: usize) -> Map {
    match args.get(at) {
        Some(Value::Map(map)) => map.clone(),
        _ => Map::nil(Type::Any),
    }
}

pub(crate) fn from(args: &[Value], at: usize) -> &[Value] {
    args.get(at..).unwrap_or_default()
}

pub(crate) fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(CallError::new(message))
}

/// The elements of a slice or array; the error is built by `complaint` from the kind of anything else.
pub(crate) fn elements(value: &Value, complaint: impl FnOnce(&str) -> String) -> Result<Vec<Value>> {
    match value {
        Value::Nil => fail(NIL_POINTER),
        other => list(other).ok_or_else(|| CallError(complaint(kind(other)))),
    }
}

/// The elements of a slice or array.
pub(crate) fn list(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list.items().to_vec()),
        Value::Bytes(bytes) => Some(bytes.as_deref().unwrap_or_default().iter().map(|b| Value::Uint8(*b)).collect()),
        _ => None,
    }
}

/// Go's kind of a value; `invalid` for `nil`.
pub(crate) fn kind(value: &Value) -> &'static str {
    value.type_of().map_or("invalid", Type::kind)
}

/// Go's `%T`.
pub(crate) fn type_name(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |t| t.to_string())
}

pub(crate) fn make_text(text: impl Into<Vec<u8>>) -> Value {
    Value::Str(Str::from(text.into()))
}

pub(crate) fn make_list(items: Vec<Value>) -> Value {
    Value::List(List::of_any(items))
}

pub(crate) fn make_bytes(bytes: Vec<u8>) -> Value {
    Value::Bytes(Some(Arc::from(bytes)))
}
