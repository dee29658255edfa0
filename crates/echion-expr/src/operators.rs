//! Arithmetic and comparison across Go's kinds.

use std::sync::Arc;

use echion_value::{List, Str, Type, Value, deep_equal};

use crate::ast::Binary;
use crate::builtins::type_name;
use crate::error::EvalError;
use crate::limits::Meter;
use crate::power::go_pow;

/// How deep two values are compared.
const MAX_DEPTH: usize = 1000;

/// Go's `reflect.Kind` of a value, in words.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    value.type_of().map_or("invalid", echion_value::Type::kind)
}

/// The number that a value is, when it is one of a plain number type.
enum Number {
    Int(i64),
    Float(f64),
}

fn number(value: &Value) -> Option<Number> {
    Some(match value {
        Value::Int(n) | Value::Int64(n) => Number::Int(*n),
        Value::Int32(n) => Number::Int(i64::from(*n)),
        Value::Uint8(n) => Number::Int(i64::from(*n)),
        Value::Uint64(n) => Number::Int(n.cast_signed()),
        Value::Float(f) => Number::Float(*f),
        _ => return None,
    })
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "that is how the reference mixes both")]
    fn float(&self) -> f64 {
        match self {
            Number::Int(n) => *n as f64,
            Number::Float(f) => *f,
        }
    }
}

/// The number as a float; `None` for what is no number.
pub(crate) fn float_of(value: &Value) -> Option<f64> {
    number(value).map(|n| n.float())
}

/// Go's conversion of a float to an integer on the usual processors.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "that is the conversion")]
pub(crate) fn float_to_int(f: f64) -> i64 {
    if f >= i64::MIN as f64 && f < i64::MAX as f64 { f as i64 } else { i64::MIN }
}

/// The number as an index.
pub(crate) fn int_of(value: &Value) -> Result<i64, EvalError> {
    match number(value) {
        Some(Number::Int(n)) => Ok(n),
        Some(Number::Float(f)) => Ok(float_to_int(f)),
        None => Err(EvalError::new(format!("invalid operation: int({})", type_name(value)))),
    }
}

fn mismatch(left: &Value, operator: &str, right: &Value) -> EvalError {
    EvalError::new(format!("invalid operation: {} {operator} {}", type_name(left), type_name(right)))
}

/// `<`, `>`, `<=`, `>=`
pub(crate) fn compare(operator: Binary, left: &Value, right: &Value) -> Result<bool, EvalError> {
    fn holds<T: PartialOrd>(operator: Binary, left: &T, right: &T) -> bool {
        match operator {
            Binary::Less => left < right,
            Binary::More => left > right,
            Binary::LessOrEqual => left <= right,
            _ => left >= right,
        }
    }
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => return Ok(holds(operator, a, b)),
        (Value::Duration(a), Value::Duration(b)) => return Ok(holds(operator, a, b)),
        (Value::Time(a), Value::Time(b)) => return Ok(holds(operator, &a.compare(b), &0)),
        _ => {}
    }
    match (number(left), number(right)) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => Ok(holds(operator, &a, &b)),
        (Some(a), Some(b)) => Ok(holds(operator, &a.float(), &b.float())),
        _ => Err(mismatch(left, operator.text(), right)),
    }
}

/// `+`, `-`, `*`, `/`, `%`
pub(crate) fn calculate(
    meter: &mut Meter<'_>,
    operator: Binary,
    left: &Value,
    right: &Value,
) -> Result<Value, EvalError> {
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return match (operator, a, b) {
            (Binary::Divide, a, b) => Ok(Value::Float(a.float() / b.float())),
            (Binary::Modulo, Number::Int(_), Number::Int(0)) => {
                Err(EvalError::new("runtime error: integer divide by zero"))
            }
            (Binary::Modulo, Number::Int(a), Number::Int(b)) => Ok(Value::Int(a.wrapping_rem(b))),
            (Binary::Modulo, ..) => Err(mismatch(left, "%", right)),
            (operator, Number::Int(a), Number::Int(b)) => Ok(Value::Int(match operator {
                Binary::Add => a.wrapping_add(b),
                Binary::Subtract => a.wrapping_sub(b),
                _ => a.wrapping_mul(b),
            })),
            (operator, a, b) => Ok(Value::Float(match operator {
                Binary::Add => a.float() + b.float(),
                Binary::Subtract => a.float() - b.float(),
                _ => a.float() * b.float(),
            })),
        };
    }
    match (operator, left, right) {
        (Binary::Add, Value::Str(a), Value::Str(b)) => {
            meter.write(a.len() + b.len())?;
            Ok(Value::Str(Str::from([a.as_bytes(), b.as_bytes()].concat())))
        }
        (operator, left, right) => {
            with_time(operator, left, right).ok_or_else(|| mismatch(left, operator.text(), right))
        }
    }
}

/// Arithmetic of durations and times.
fn with_time(operator: Binary, left: &Value, right: &Value) -> Option<Value> {
    use Binary::{Add, Multiply, Subtract};
    Some(match (operator, left, right) {
        (Add, Value::Duration(a), Value::Duration(b)) => Value::Duration(a.wrapping_add(*b)),
        (Subtract, Value::Duration(a), Value::Duration(b)) => Value::Duration(a.wrapping_sub(*b)),
        (Add, Value::Time(t), Value::Duration(d)) | (Add, Value::Duration(d), Value::Time(t)) => {
            Value::Time(Arc::new(t.add(*d)))
        }
        (Subtract, Value::Time(t), Value::Duration(d)) => Value::Time(Arc::new(t.add(d.wrapping_neg()))),
        (Subtract, Value::Time(a), Value::Time(b)) => Value::Duration(a.sub(b)),
        (Multiply, Value::Duration(a), Value::Duration(b)) => Value::Duration(a.wrapping_mul(*b)),
        (Multiply, Value::Duration(d), n) | (Multiply, n, Value::Duration(d)) => match number(n)? {
            Number::Int(n) => Value::Duration(d.wrapping_mul(n)),
            // The reference gives a plain float here, although the factor is a duration.
            Number::Float(f) => Value::Float(Number::Int(*d).float() * f),
        },
        _ => return None,
    })
}

/// `**`
pub(crate) fn power(left: &Value, right: &Value) -> Result<Value, EvalError> {
    let float = |value: &Value| {
        float_of(value).ok_or_else(|| EvalError::new(format!("invalid operation: float({})", type_name(value))))
    };
    let (base, exponent) = (float(left)?, float(right)?);
    Ok(Value::Float(go_pow(base, exponent)))
}

/// `..`
pub(crate) fn range(meter: &mut Meter<'_>, from: &Value, to: &Value) -> Result<Value, EvalError> {
    let (from, to) = (int_of(from)?, int_of(to)?);
    let count = i128::from(to) - i128::from(from) + 1;
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    meter.grow(count)?;
    Ok(Value::List(List::new(Type::INTS, (from..=to).map(Value::Int).collect())))
}

/// Unary `-`
pub(crate) fn negate(value: &Value) -> Result<Value, EvalError> {
    Ok(match value {
        Value::Int(n) => Value::Int(n.wrapping_neg()),
        Value::Int64(n) => Value::Int64(n.wrapping_neg()),
        Value::Int32(n) => Value::Int32(n.wrapping_neg()),
        Value::Uint8(n) => Value::Uint8(n.wrapping_neg()),
        Value::Uint64(n) => Value::Uint64(n.wrapping_neg()),
        Value::Float(f) => Value::Float(-f),
        other => return Err(EvalError::new(format!("invalid operation: - {}", type_name(other)))),
    })
}

/// `==`
pub(crate) fn equal(meter: &mut Meter<'_>, left: &Value, right: &Value) -> Result<bool, EvalError> {
    equal_at(meter, left, right, 0)
}

fn equal_at(meter: &mut Meter<'_>, left: &Value, right: &Value, depth: usize) -> Result<bool, EvalError> {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => return Ok(a == b),
        (Value::Bool(a), Value::Bool(b)) => return Ok(a == b),
        (Value::Duration(a), Value::Duration(b)) => return Ok(a == b),
        (Value::Time(a), Value::Time(b)) => return Ok(a.equal(b)),
        (Value::List(a), Value::List(b)) if are_plain(a.list_type(), b.list_type()) => {
            if depth > MAX_DEPTH {
                return Err(EvalError::budget("values are nested too deeply to be compared"));
            }
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.items().iter().zip(b.items()) {
                meter.work(1)?;
                if !equal_at(meter, a, b, depth + 1)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        _ => {}
    }
    match (number(left), number(right)) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => return Ok(a == b),
        (Some(a), Some(b)) => return Ok(a.float() == b.float()),
        _ => {}
    }
    if left.is_nil() && right.is_nil() {
        return Ok(true);
    }
    deep_equal(left, right, &mut || meter.work(1))
}

/// Whether both lists are of types that the reference compares element by element.
fn are_plain(a: echion_value::Type, b: echion_value::Type) -> bool {
    use echion_value::Type;
    let plain = |t: Type| {
        matches!(t, Type::List(Type::Any | Type::String | Type::Int | Type::Int64 | Type::Float64 | Type::Int32))
    };
    plain(a) && plain(b) && (a == b || a == Type::LIST || b == Type::LIST)
}
