//! Go's static types, as far as users can see them: in `%T`, `type()`, `kindOf` and error texts.

use std::fmt;

use crate::callable::Signature;

/// The Go type of a value or of a parameter.
///
/// Composite types refer to static ones: the set of types that built-in functions, resources and literals can produce is
/// closed, so a type is a small `Copy` value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// `interface {}`: accepts everything, `nil` included.
    Any,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `int32` (a rune)
    Int32,
    /// `uint8` (a byte)
    Uint8,
    /// `uint64`
    Uint64,
    /// `float64`
    Float64,
    /// `string`
    String,
    /// `time.Duration`
    Duration,
    /// `time.Time`
    Time,
    /// `time.Month`
    Month,
    /// `time.Weekday`
    Weekday,
    /// `[]T`
    List(&'static Type),
    /// `[N]T`
    Array(usize, &'static Type),
    /// `map[K]V`
    Map(&'static Type, &'static Type),
    /// A function.
    Func(&'static Signature),
    /// Any other named type, with its package and, for pointers, its star: `*time.Location`.
    Named(&'static str),
}

impl Type {
    /// `[]interface {}`
    pub const LIST: Type = Type::List(&Type::Any);
    /// `map[string]interface {}`
    pub const MAP: Type = Type::Map(&Type::String, &Type::Any);
    /// `[]string`
    pub const STRINGS: Type = Type::List(&Type::String);
    /// `[]int`
    pub const INTS: Type = Type::List(&Type::Int);
    /// `[]uint8`
    pub const BYTES: Type = Type::List(&Type::Uint8);

    /// The element type of a list or array, the value type of a map.
    #[must_use]
    pub fn element(self) -> Option<Type> {
        match self {
            Type::List(t) | Type::Array(_, t) | Type::Map(_, t) => Some(*t),
            _ => None,
        }
    }

    /// Go's `reflect.Kind` in words: `slice`, `map`, `struct`, `ptr`, `int64`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Type::Any => "interface",
            Type::Bool => "bool",
            Type::Int | Type::Month | Type::Weekday => "int",
            Type::Int64 | Type::Duration => "int64",
            Type::Int32 => "int32",
            Type::Uint8 => "uint8",
            Type::Uint64 => "uint64",
            Type::Float64 => "float64",
            Type::String => "string",
            Type::Time => "struct",
            Type::List(_) => "slice",
            Type::Array(..) => "array",
            Type::Map(..) => "map",
            Type::Func(_) => "func",
            Type::Named(crate::complex::NAME) => crate::complex::NAME,
            Type::Named(name) if name.starts_with('*') => "ptr",
            Type::Named(_) => "struct",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("interface {}"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Int64 => f.write_str("int64"),
            Type::Int32 => f.write_str("int32"),
            Type::Uint8 => f.write_str("uint8"),
            Type::Uint64 => f.write_str("uint64"),
            Type::Float64 => f.write_str("float64"),
            Type::String => f.write_str("string"),
            Type::Duration => f.write_str("time.Duration"),
            Type::Time => f.write_str("time.Time"),
            Type::Month => f.write_str("time.Month"),
            Type::Weekday => f.write_str("time.Weekday"),
            Type::List(t) => write!(f, "[]{t}"),
            Type::Array(n, t) => write!(f, "[{n}]{t}"),
            Type::Map(k, v) => write!(f, "map[{k}]{v}"),
            Type::Func(signature) => write!(f, "func{signature}"),
            Type::Named(name) => f.write_str(name),
        }
    }
}
