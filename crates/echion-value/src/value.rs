//! The value itself.

use std::sync::Arc;

use crate::time::Time;
use crate::{Func, List, Map, Method, Object, Str, Table, Type, methods};

/// One value of a Go program.
///
/// `nil` without a type is [`Value::Nil`]; typed nils are a [`List`] or [`Map`] that says so, `Bytes(None)`, or
/// [`Value::NilPointer`]. *Absent* (a key that a map does not have) is not a value: it is `None` where it can occur.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `nil` in an `interface {}`.
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`: literals of both languages, lengths, indices.
    Int(i64),
    /// `int64`: whole numbers of a resource.
    Int64(i64),
    /// `int32`
    Int32(i32),
    /// `uint8`: an element of a string or byte slice.
    Uint8(u8),
    /// `uint64`
    Uint64(u64),
    /// `float64`
    Float(f64),
    /// `string`
    Str(Str),
    /// `[]byte`; `None` is a nil slice.
    Bytes(Option<Arc<[u8]>>),
    /// `time.Duration` in nanoseconds.
    Duration(i64),
    /// `time.Time`
    Time(Arc<Time>),
    /// `time.Month`, 1 is January.
    Month(i64),
    /// `time.Weekday`, 0 is Sunday.
    Weekday(i64),
    /// A slice or array.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// A map with other keys.
    Table(Table),
    /// A function.
    Func(Func),
    /// A struct, or a pointer to one.
    Object(Arc<dyn Object>),
    /// A nil pointer of the named type, such as `*v1alpha1.HelmAppSpec`.
    NilPointer(&'static str),
}

impl Value {
    /// Its Go type; `None` for an untyped `nil`.
    #[must_use]
    pub fn type_of(&self) -> Option<Type> {
        Some(match self {
            Value::Nil => return None,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Int64(_) => Type::Int64,
            Value::Int32(_) => Type::Int32,
            Value::Uint8(_) => Type::Uint8,
            Value::Uint64(_) => Type::Uint64,
            Value::Float(_) => Type::Float64,
            Value::Str(_) => Type::String,
            Value::Bytes(_) => Type::BYTES,
            Value::Duration(_) => Type::Duration,
            Value::Time(_) => Type::Time,
            Value::Month(_) => Type::Month,
            Value::Weekday(_) => Type::Weekday,
            Value::List(list) => list.list_type(),
            Value::Map(map) => match map.element() {
                Type::Any => Type::MAP,
                Type::String => Type::Map(&Type::String, &Type::String),
                Type::BYTES => Type::Map(&Type::String, &Type::BYTES),
                _ => Type::MAP,
            },
            Value::Table(table) => match table.element() {
                Type::LIST => Type::Map(&Type::Any, &Type::LIST),
                _ => Type::Map(&Type::Any, &Type::Any),
            },
            Value::Func(func) => Type::Func(func.signature()),
            Value::Object(object) => Type::Named(object.object_type().name),
            Value::NilPointer(name) => Type::Named(name),
        })
    }

    /// Whether comparing it with `nil` is true: `nil` itself and every typed nil.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        match self {
            Value::Nil | Value::NilPointer(_) | Value::Bytes(None) => true,
            Value::List(list) => list.is_nil(),
            Value::Map(map) => map.is_nil(),
            _ => false,
        }
    }

    /// The text of a string; `None` for every other type, and for bytes that are not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => s.as_str(),
            _ => None,
        }
    }

    /// The map, when it is one with string keys.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, when it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&List> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The value at a path of map keys; `None` when a step is missing or not a map.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<Value> {
        let mut value = self.clone();
        for key in path {
            let next = value.as_map()?.get(key)?.into_owned();
            value = next;
        }
        Some(value)
    }

    /// The method of that name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods().iter().find(|m| m.name == name)
    }

    /// All methods of the value's type.
    #[must_use]
    pub fn methods(&self) -> &'static [Method] {
        match self {
            Value::Object(object) => object.object_type().methods,
            Value::Time(_) => methods::TIME,
            Value::Duration(_) => methods::DURATION,
            Value::Month(_) => methods::MONTH,
            Value::Weekday(_) => methods::WEEKDAY,
            _ => &[],
        }
    }
}

/// Frees values without recursion, however deep they are nested: users can build chains of any length.
pub(crate) fn drop_flat(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => pending.extend(list.into_unique_items().unwrap_or_default()),
            Value::Map(map) => pending.extend(map.into_unique_values().unwrap_or_default()),
            _ => {}
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Str(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Str(value.into())
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Self {
        Value::Str(value)
    }
}

/// `[]interface {}`
impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Value::List(List::of_any(items))
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Value::List(list)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Value::Map(map)
    }
}

impl From<Func> for Value {
    fn from(func: Func) -> Self {
        Value::Func(func)
    }
}
