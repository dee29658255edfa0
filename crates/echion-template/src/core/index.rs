//! `index` and `slice`.

use echion_value::{CallError, List, Str, Type, Value};

use crate::call::CallContext;
use crate::operand::{prepare, zero};

pub(crate) fn index(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let Some((item, indices)) = args.split_first() else { return Ok(Value::Nil) };
    if matches!(item, Value::Nil) {
        return Err(CallError::new("index of untyped nil"));
    }
    let mut item = item.clone();
    for index in indices {
        item = step(&item, index)?;
    }
    Ok(item)
}

fn step(item: &Value, index: &Value) -> Result<Value, CallError> {
    // Go lets the index equal to the length pass its own check and then panics.
    let past = |what: &str| CallError(format!("reflect: {what} index out of range"));
    match item {
        Value::Nil | Value::NilPointer(_) => Err(CallError::new("index of nil pointer")),
        Value::List(list) => {
            let kind = list.list_type().kind();
            list.items().get(position(index, list.len())?).cloned().ok_or_else(|| past(kind))
        }
        Value::Bytes(bytes) => {
            let bytes = bytes.as_deref().unwrap_or_default();
            let at = position(index, bytes.len())?;
            bytes.get(at).map(|b| Value::Uint8(*b)).ok_or_else(|| past("slice"))
        }
        Value::Str(text) => {
            let at = position(index, text.len())?;
            text.as_bytes().get(at).map(|b| Value::Uint8(*b)).ok_or_else(|| past("string"))
        }
        Value::Map(map) => {
            let key = prepare(index, Type::String).map_err(CallError)?;
            let Value::Str(key) = key else { return Ok(Value::Nil) };
            Ok(map.get(key.as_bytes()).map_or_else(|| zero(map.element()), std::borrow::Cow::into_owned))
        }
        Value::Table(table) => {
            let found = table.entries().iter().find(|(k, _)| super::compare::same(k, index));
            Ok(found.map_or_else(|| zero(table.element()), |(_, v)| v.clone()))
        }
        other => {
            let t = other.type_of().unwrap_or(Type::Any);
            Err(CallError(format!("can't index item of type {t}")))
        }
    }
}

/// An index into something of that length, which itself is still allowed.
fn position(index: &Value, length: usize) -> Result<usize, CallError> {
    let number = match index {
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => *n,
        Value::Int32(n) => i64::from(*n),
        Value::Uint8(n) => i64::from(*n),
        Value::Uint64(n) => n.cast_signed(),
        Value::Nil => return Err(CallError::new("cannot index slice/array with nil")),
        other => {
            let t = other.type_of().unwrap_or(Type::Any);
            return Err(CallError(format!("cannot index slice/array with type {t}")));
        }
    };
    match usize::try_from(number) {
        Ok(at) if at <= length => Ok(at),
        _ => Err(CallError(format!("index out of range: {number}"))),
    }
}

pub(crate) fn slice(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let Some((item, indices)) = args.split_first() else { return Ok(Value::Nil) };
    if indices.len() > 3 {
        return Err(CallError(format!("too many slice indexes: {}", indices.len())));
    }
    let length = match item {
        Value::Nil => return Err(CallError::new("slice of untyped nil")),
        Value::Str(_) if indices.len() == 3 => return Err(CallError::new("cannot 3-index slice a string")),
        Value::Str(s) => s.len(),
        Value::List(list) => list.len(),
        Value::Bytes(bytes) => bytes.as_ref().map_or(0, |b| b.len()),
        other => {
            let t = other.type_of().unwrap_or(Type::Any);
            return Err(CallError(format!("can't slice item of type {t}")));
        }
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indices) {
        *bound = position(index, length)?;
    }
    let [start, end, capacity] = bounds;
    for (low, high) in [(start, end), (end, capacity)] {
        if low > high {
            return Err(CallError(format!("invalid slice index: {low} > {high}")));
        }
    }
    Ok(match item {
        Value::Str(s) => Value::Str(Str::from(s.as_bytes().get(start..end).unwrap_or_default())),
        Value::Bytes(Some(bytes)) => Value::Bytes(bytes.get(start..end).map(Into::into)),
        Value::List(list) => {
            Value::List(List::new(list.list_type(), list.items().get(start..end).unwrap_or_default().to_vec()))
        }
        other => other.clone(),
    })
}
