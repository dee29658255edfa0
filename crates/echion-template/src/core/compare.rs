//! `eq` and its family.

use std::cmp::Ordering;
use std::sync::Arc;

use echion_value::{CallError, Complex, Type, Value, format};

use crate::call::CallContext;

/// How much of a value goes into an error text.
const SHOWN: usize = 4 << 10;

/// What can be compared with what.
enum Basic<'v> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(&'v [u8]),
    Complex(Complex),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => Basic::Int(*n),
        Value::Int32(n) => Basic::Int(i64::from(*n)),
        Value::Uint8(n) => Basic::Uint(u64::from(*n)),
        Value::Uint64(n) => Basic::Uint(*n),
        Value::Float(f) => Basic::Float(*f),
        Value::Str(s) => Basic::Text(s.as_bytes()),
        _ => Basic::Complex(Complex::of(value)?),
    })
}

/// The order of two basic values; the outer `None` is for kinds that do not go together.
fn order(a: &Basic<'_>, b: &Basic<'_>) -> Option<Option<Ordering>> {
    let signs = |int: i64, uint: u64| u64::try_from(int).map_or(Ordering::Less, |int| int.cmp(&uint));
    Some(match (a, b) {
        (Basic::Bool(a), Basic::Bool(b)) => Some(a.cmp(b)),
        (Basic::Int(a), Basic::Int(b)) => Some(a.cmp(b)),
        (Basic::Uint(a), Basic::Uint(b)) => Some(a.cmp(b)),
        (Basic::Int(a), Basic::Uint(b)) => Some(signs(*a, *b)),
        (Basic::Uint(a), Basic::Int(b)) => Some(signs(*b, *a).reverse()),
        (Basic::Float(a), Basic::Float(b)) => a.partial_cmp(b),
        (Basic::Text(a), Basic::Text(b)) => Some(a.cmp(b)),
        (Basic::Complex(a), Basic::Complex(b)) => (a == b).then_some(Ordering::Equal),
        _ => return None,
    })
}

fn incompatible(a: &Value, b: &Value) -> CallError {
    let [a, b] = [a, b].map(|v| v.type_of().unwrap_or(Type::Any));
    CallError(format!("incompatible types for comparison: {a} and {b}"))
}

/// A value by a verb, for error texts.
fn shown(verb: &str, value: &Value) -> String {
    let text = format::sprintf(verb.as_bytes(), std::slice::from_ref(value), SHOWN).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

fn equal(a: &Value, b: &Value) -> Result<bool, CallError> {
    match (basic(a), basic(b)) {
        (Some(x), Some(y)) => match order(&x, &y) {
            Some(order) => Ok(order == Some(Ordering::Equal)),
            None => Err(incompatible(a, b)),
        },
        (None, None) => equal_composites(a, b),
        // `nil` is of no type, and differs from everything that is basic.
        _ if matches!(a, Value::Nil) || matches!(b, Value::Nil) => Ok(false),
        _ => Err(incompatible(a, b)),
    }
}

fn equal_composites(a: &Value, b: &Value) -> Result<bool, CallError> {
    let kind = |v: &Value| v.type_of().map(Type::kind);
    let type_name = |v: &Value| v.type_of().unwrap_or(Type::Any).to_string();
    if let (Some(x), Some(y)) = (kind(a), kind(b))
        && x != y
    {
        return Err(CallError(format!(
            "non-comparable types {}: {}, {}: {}",
            shown("%s", a),
            type_name(a),
            type_name(b),
            shown("%v", b)
        )));
    }
    if a.is_nil() || b.is_nil() {
        return Ok(a.is_nil() == b.is_nil());
    }
    if matches!(b, Value::List(_) | Value::Map(_) | Value::Table(_) | Value::Bytes(_) | Value::Func(_)) {
        return Err(CallError(format!("non-comparable type {}: {}", shown("%s", b), type_name(b))));
    }
    Ok(same(a, b))
}

/// Go's `==` of two values in interfaces.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    if a.type_of() != b.type_of() {
        return false;
    }
    match (basic(a), basic(b)) {
        (Some(a), Some(b)) => order(&a, &b) == Some(Some(Ordering::Equal)),
        _ => match (a, b) {
            (Value::Nil, Value::Nil) | (Value::NilPointer(_), Value::NilPointer(_)) => true,
            (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b),
            _ => false,
        },
    }
}

pub(crate) fn eq(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let Some((first, others)) = args.split_first() else { return Ok(Value::Bool(false)) };
    if others.is_empty() {
        return Err(CallError::new("missing argument for comparison"));
    }
    for other in others {
        if equal(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn pair(args: &[Value]) -> (&Value, &Value) {
    match args {
        [a, b] => (a, b),
        _ => (&Value::Nil, &Value::Nil),
    }
}

fn less(a: &Value, b: &Value) -> Result<bool, CallError> {
    let invalid = || CallError::new("invalid type for comparison");
    let (x, y) = (basic(a).ok_or_else(invalid)?, basic(b).ok_or_else(invalid)?);
    match order(&x, &y) {
        None => Err(incompatible(a, b)),
        Some(_) if matches!(x, Basic::Bool(_) | Basic::Complex(_)) => Err(invalid()),
        Some(order) => Ok(order == Some(Ordering::Less)),
    }
}

fn less_or_equal(a: &Value, b: &Value) -> Result<bool, CallError> {
    Ok(less(a, b)? || equal(a, b)?)
}

pub(crate) fn ne(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let (a, b) = pair(args);
    Ok(Value::Bool(!equal(a, b)?))
}

pub(crate) fn lt(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let (a, b) = pair(args);
    Ok(Value::Bool(less(a, b)?))
}

pub(crate) fn le(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let (a, b) = pair(args);
    Ok(Value::Bool(less_or_equal(a, b)?))
}

pub(crate) fn gt(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let (a, b) = pair(args);
    Ok(Value::Bool(!less_or_equal(a, b)?))
}

pub(crate) fn ge(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let (a, b) = pair(args);
    Ok(Value::Bool(!less(a, b)?))
}
