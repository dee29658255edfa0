//! Looking into values: members, elements, parts, and whether something is in something.

use std::borrow::Cow;
use std::sync::Arc;

use echion_value::format::display;
use echion_value::{Func, List, Map, Object, Str, Type, Value, identical};

use crate::builtins::type_name;
use crate::error::EvalError;
use crate::limits::Meter;
use crate::operators::{equal, int_of, kind_of};

/// What `from.key` or `from[key]` is.
pub(crate) fn fetch<'v>(from: &Cow<'v, Value>, key: &Value) -> Result<Cow<'v, Value>, EvalError> {
    // The common case first: it borrows and allocates nothing.
    if let (Cow::Borrowed(Value::Map(map)), Value::Str(name)) = (from, key) {
        return Ok(map.get(name.as_bytes()).unwrap_or_else(|| Cow::Owned(zero(map.element()))));
    }
    if let (Cow::Borrowed(Value::List(list)), Value::Int(index)) = (from, key) {
        return Ok(Cow::Borrowed(&list.items()[position(*index, list.len())?]));
    }
    fetch_owned(from, key).map(Cow::Owned)
}

fn fetch_owned(from: &Value, key: &Value) -> Result<Value, EvalError> {
    if let Value::Str(name) = key
        && let Some(method) = method(from, name)
    {
        return Ok(method);
    }
    match from {
        Value::Map(map) => Ok(entry(map, key)?.unwrap_or_else(|| zero(map.element()))),
        Value::Table(table) => Ok(table_entry(table, key)?.unwrap_or_else(|| zero(table.element()))),
        Value::Object(object) => field(object.as_ref(), key)?.ok_or_else(|| cannot_fetch(from, key)),
        _ => match (length(from), kind_of(from)) {
            (Some(len), _) => Ok(element(from, position(int_of(key)?, len)?)),
            _ => Err(cannot_fetch(from, key)),
        },
    }
}

/// As [`fetch`], with `nil` for whatever is not there.
pub(crate) fn get(from: &Value, key: &Value) -> Result<Value, EvalError> {
    if let Value::Str(name) = key
        && let Some(method) = method(from, name)
    {
        return Ok(method);
    }
    Ok(match from {
        Value::Map(map) => entry(map, key)?,
        Value::Table(table) => table_entry(table, key)?,
        Value::Object(object) => field(object.as_ref(), key)?,
        _ => match length(from) {
            Some(len) => position(int_of(key)?, len).ok().map(|at| element(from, at)),
            None => None,
        },
    }
    .unwrap_or_default())
}

fn cannot_fetch(from: &Value, key: &Value) -> EvalError {
    EvalError::new(format!("cannot fetch {} from {}", display(key), type_name(from)))
}

/// A method as a value that remembers what it belongs to.
fn method(from: &Value, name: &Str) -> Option<Value> {
    let method = from.method(name.as_str()?)?;
    let receiver = from.clone();
    Some(Value::Func(Func::new(&method.signature, move |args| (method.call)(&receiver, args))))
}

fn field(object: &dyn Object, key: &Value) -> Result<Option<Value>, EvalError> {
    let Value::Str(name) = key else {
        return Err(crate::builtins::not_a(key, "string"));
    };
    Ok(name.as_str().and_then(|name| object.field(name)))
}

fn entry(map: &Map, key: &Value) -> Result<Option<Value>, EvalError> {
    let found = match key {
        Value::Str(name) => map.get(name.as_bytes()),
        Value::Nil => map.get(""),
        other => {
            let found = type_name(other);
            return Err(EvalError::new(format!(
                "reflect.Value.MapIndex: value of type {found} is not assignable to type string"
            )));
        }
    };
    Ok(found.map(Cow::into_owned))
}

fn table_entry(table: &echion_value::Table, key: &Value) -> Result<Option<Value>, EvalError> {
    check_hashable(key)?;
    Ok(table.entries().iter().find(|(k, _)| identical(k, key)).map(|(_, value)| value.clone()))
}

/// Whether Go could use the value as a key of `map[interface {}]`.
pub(crate) fn check_hashable(key: &Value) -> Result<(), EvalError> {
    match kind_of(key) {
        "slice" | "map" | "func" => Err(EvalError::new(format!("hash of unhashable type: {}", type_name(key)))),
        _ => Ok(()),
    }
}

/// Go's zero value, as far as maps have such elements.
pub(crate) fn zero(of: Type) -> Value {
    match of {
        Type::String => Value::Str(Str::default()),
        Type::BYTES => Value::Bytes(None),
        Type::Bool => Value::Bool(false),
        Type::Int => Value::Int(0),
        Type::Int64 => Value::Int64(0),
        Type::Float64 => Value::Float(0.0),
        Type::Duration => Value::Duration(0),
        Type::Time => Value::Time(Arc::default()),
        Type::List(_) => Value::List(List::nil(of)),
        Type::Map(_, element) => Value::Map(Map::nil(*element)),
        Type::Named(name) if name.starts_with('*') => Value::NilPointer(name),
        _ => Value::Nil,
    }
}

fn position(index: i64, len: usize) -> Result<usize, EvalError> {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let from_start = if index < 0 { signed.wrapping_add(index) } else { index };
    match usize::try_from(from_start) {
        Ok(at) if at < len => Ok(at),
        _ => Err(EvalError::new(format!("index out of range: {from_start} (array length is {len})"))),
    }
}

/// How many elements, entries or bytes there are; `None` for what has no length.
pub(crate) fn length(value: &Value) -> Option<usize> {
    Some(match value {
        Value::Str(s) => s.len(),
        Value::Bytes(bytes) => bytes.as_ref().map_or(0, |b| b.len()),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Table(table) => table.entries().len(),
        _ => return None,
    })
}

/// The element of a list or text; `nil` for what has none.
pub(crate) fn element(value: &Value, at: usize) -> Value {
    match value {
        Value::Str(s) => s.as_bytes().get(at).map_or(Value::Nil, |b| Value::Uint8(*b)),
        Value::Bytes(Some(bytes)) => bytes.get(at).map_or(Value::Nil, |b| Value::Uint8(*b)),
        Value::List(list) => list.items().get(at).cloned().unwrap_or_default(),
        _ => Value::Nil,
    }
}

/// The elements of a slice or array; `None` for everything else.
pub(crate) fn elements(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list.items().to_vec()),
        Value::Bytes(bytes) => Some(bytes.iter().flat_map(|b| b.iter()).map(|b| Value::Uint8(*b)).collect()),
        _ => None,
    }
}

/// `node[from:to]`
pub(crate) fn slice(meter: &mut Meter<'_>, node: &Value, from: &Value, to: &Value) -> Result<Value, EvalError> {
    let len = match (length(node), node) {
        (Some(len), Value::Str(_) | Value::Bytes(_) | Value::List(_)) => len,
        _ => return Err(EvalError::new(format!("cannot slice {}", display(from)))),
    };
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let bound = |index: i64| {
        let index = if index < 0 { signed.saturating_add(index).max(0) } else { index };
        usize::try_from(index).unwrap_or(usize::MAX)
    };
    let (from, to) = (bound(int_of(from)?), bound(int_of(to)?).min(len));
    part(meter, node, from.min(to), to)
}

/// The part between two positions that are in order and in range.
pub(crate) fn part(meter: &mut Meter<'_>, node: &Value, from: usize, to: usize) -> Result<Value, EvalError> {
    Ok(match node {
        Value::Str(s) => {
            meter.write(to - from)?;
            Value::Str(Str::from(&s.as_bytes()[from..to]))
        }
        Value::Bytes(bytes) => {
            meter.write(to - from)?;
            Value::Bytes(bytes.as_ref().map(|b| Arc::from(&b[from..to])))
        }
        Value::List(list) if list.is_nil() => Value::List(list.clone()),
        Value::List(list) => {
            meter.work(to - from)?;
            let list_type = match list.list_type() {
                Type::Array(_, element) => Type::List(element),
                other => other,
            };
            Value::List(List::new(list_type, list.items()[from..to].to_vec()))
        }
        other => other.clone(),
    })
}

/// `needle in heap`
pub(crate) fn is_in(meter: &mut Meter<'_>, needle: &Value, heap: &Value) -> Result<bool, EvalError> {
    match heap {
        Value::Nil | Value::NilPointer(_) => Ok(false),
        Value::List(list) => {
            for item in list.items() {
                meter.work(1)?;
                if equal(meter, item, needle)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Bytes(bytes) => Ok(bytes
            .iter()
            .flat_map(|b| b.iter())
            .any(|b| crate::operators::float_of(needle).is_some_and(|n| n == f64::from(*b)))),
        Value::Map(map) => match needle {
            Value::Str(name) => Ok(map.get(name.as_bytes()).is_some()),
            other => Ok(entry(map, other)?.is_some()),
        },
        Value::Table(table) => Ok(table_entry(table, needle)?.is_some()),
        Value::Object(object) => match needle {
            Value::Str(name) => Ok(name.as_str().is_some_and(|name| object.field(name).is_some())),
            other => {
                let heap = type_name(heap);
                let heap = heap.trim_start_matches('*');
                Err(EvalError::new(format!("cannot use {} as field name of {heap}", type_name(other))))
            }
        },
        // Its fields have no names that one may use.
        Value::Time(_) if matches!(needle, Value::Str(_)) => Ok(false),
        Value::Time(_) => {
            let message = format!("cannot use {} as field name of {}", type_name(needle), type_name(heap));
            Err(EvalError::new(message))
        }
        other => Err(EvalError::new(format!("operator \"in\" not defined on {}", type_name(other)))),
    }
}
