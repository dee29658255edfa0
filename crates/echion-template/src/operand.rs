//! What a pipeline passes along: a value, and what Go would know of its type before looking inside.

use std::borrow::Cow;

use echion_value::{Complex, List, Map, Type, Value};

/// A value in a pipeline, borrowed from the data and the template as long as that is possible.
///
/// Go's error texts, and what `nil` means, depend on whether a value comes out of an `interface {}` (an element of a decoded
/// list or map) or has a type of its own. *Absent*, a key that a map does not have, is a `nil` that has neither.
#[derive(Clone, Debug)]
pub(crate) struct Operand<'a> {
    pub(crate) value: Cow<'a, Value>,
    /// Whether Go sees an `interface {}`.
    pub(crate) open: bool,
}

impl<'a> Operand<'a> {
    pub(crate) const ABSENT: Self = Self { value: Cow::Owned(Value::Nil), open: false };

    /// A value of its own type; `nil` is absent.
    pub(crate) fn known(value: Value) -> Self {
        Self { value: Cow::Owned(value), open: false }
    }

    /// The same, borrowed.
    pub(crate) fn of(value: &'a Value) -> Self {
        Self { value: Cow::Borrowed(value), open: false }
    }

    /// A value that comes out of something with elements of that type.
    pub(crate) fn element(value: Value, element: Type) -> Self {
        Self { value: Cow::Owned(value), open: element == Type::Any }
    }

    pub(crate) fn is_absent(&self) -> bool {
        !self.open && matches!(*self.value, Value::Nil)
    }

    /// The type as Go sees it.
    pub(crate) fn static_type(&self) -> Type {
        if self.open { Type::Any } else { self.value.type_of().unwrap_or(Type::Any) }
    }
}

/// Go's truth: everything but zeros, empty containers and nils.
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Nil | Value::NilPointer(_) => false,
        Value::Bool(b) => *b,
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => *n != 0,
        Value::Int32(n) => *n != 0,
        Value::Uint8(n) => *n != 0,
        Value::Uint64(n) => *n != 0,
        Value::Float(f) => *f != 0.0,
        Value::Str(s) => !s.is_empty(),
        Value::Bytes(bytes) => bytes.as_ref().is_some_and(|b| !b.is_empty()),
        Value::List(list) => !list.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Table(table) => !table.entries().is_empty(),
        Value::Object(_) => Complex::of(value).is_none_or(|number| !number.is_zero()),
        _ => true,
    }
}

/// Whether `nil` is a value of that type.
pub(crate) fn can_be_nil(t: Type) -> bool {
    matches!(t.kind(), "interface" | "slice" | "map" | "func" | "ptr")
}

/// The zero value of a type.
pub(crate) fn zero(t: Type) -> Value {
    match t {
        Type::Bool => Value::Bool(false),
        Type::Int => Value::Int(0),
        Type::Int64 => Value::Int64(0),
        Type::Int32 => Value::Int32(0),
        Type::Uint8 => Value::Uint8(0),
        Type::Uint64 => Value::Uint64(0),
        Type::Float64 => Value::Float(0.0),
        Type::String => Value::from(""),
        Type::Duration => Value::Duration(0),
        Type::Month => Value::Month(0),
        Type::Weekday => Value::Weekday(0),
        Type::BYTES => Value::Bytes(None),
        Type::List(_) => Value::List(List::nil(t)),
        Type::Map(_, element) => Value::Map(Map::nil(*element)),
        Type::Named(name) if name.starts_with('*') => Value::NilPointer(name),
        _ => Value::Nil,
    }
}

/// Converts between integer types, as far as Go's template functions do.
pub(crate) fn convert_integer(value: &Value, wanted: Type) -> Option<Value> {
    let bits = match value {
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => *n,
        Value::Int32(n) => i64::from(*n),
        Value::Uint8(n) => i64::from(*n),
        Value::Uint64(n) => n.cast_signed(),
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "Go's conversion drops high bits")]
    Some(match wanted {
        Type::Int => Value::Int(bits),
        Type::Int64 => Value::Int64(bits),
        Type::Int32 => Value::Int32(bits as i32),
        Type::Uint8 => Value::Uint8(bits as u8),
        Type::Uint64 => Value::Uint64(bits as u64),
        Type::Duration => Value::Duration(bits),
        Type::Month => Value::Month(bits),
        Type::Weekday => Value::Weekday(bits),
        _ => return None,
    })
}

/// An argument for a parameter of that type, where `nil` and other integer types will do. The error is Go's.
pub(crate) fn prepare(value: &Value, wanted: Type) -> Result<Value, String> {
    let Some(own) = value.type_of() else {
        return if can_be_nil(wanted) {
            Ok(zero(wanted))
        } else {
            Err(format!("value is nil; should be of type {wanted}"))
        };
    };
    if wanted == Type::Any || own == wanted {
        return Ok(value.clone());
    }
    convert_integer(value, wanted).ok_or_else(|| format!("value has type {own}; should be {wanted}"))
}
