//! What the checker knows of a value before it exists.

use std::fmt;

use echion_value::{Method, Type};

/// The static type of a node.
#[derive(Clone, Debug, Default)]
pub(crate) enum Nature {
    /// Anything: the environment has no types.
    #[default]
    Unknown,
    /// The literal `nil` and what can only be that.
    Nil,
    /// A known Go type.
    Of(Type),
    /// A list whose elements have a known nature, although its Go type is `[]interface {}`.
    ListOf(Box<Nature>),
    /// A builtin that is named without being called.
    Builtin,
    /// A predicate, with the nature of its result.
    Predicate(Box<Nature>),
    /// A method that is about to be called.
    Method(&'static Method),
}

use Nature::{ListOf, Nil, Of, Unknown};

pub(crate) const BOOL: Nature = Of(Type::Bool);
pub(crate) const INT: Nature = Of(Type::Int);
pub(crate) const FLOAT: Nature = Of(Type::Float64);
pub(crate) const TEXT: Nature = Of(Type::String);
pub(crate) const LIST: Nature = Of(Type::LIST);
pub(crate) const MAP: Nature = Of(Type::MAP);
/// What `groupBy` makes: of the elements of its lists nothing is known.
pub(crate) const GROUPS: Nature = Of(Type::Map(&Type::Any, &Type::LIST));
pub(crate) const TIME: Nature = Of(Type::Time);
pub(crate) const DURATION: Nature = Of(Type::Duration);

impl Nature {
    /// The nature of a value of this type.
    pub(crate) fn of(value_type: Type) -> Self {
        if value_type == Type::Any { Unknown } else { Of(value_type) }
    }

    pub(crate) fn list_of(element: Nature) -> Self {
        ListOf(Box::new(element))
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Unknown)
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Nil)
    }

    pub(crate) fn is_bool(&self) -> bool {
        matches!(self, Of(Type::Bool))
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Of(Type::String))
    }

    pub(crate) fn is_bytes(&self) -> bool {
        matches!(self, Of(t) if *t == Type::BYTES)
    }

    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Of(Type::Time))
    }

    pub(crate) fn is_duration(&self) -> bool {
        matches!(self, Of(Type::Duration))
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Of(Type::Int | Type::Int64 | Type::Int32 | Type::Uint8 | Type::Uint64))
    }

    pub(crate) fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Of(Type::Float64))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self, ListOf(_) | Of(Type::List(_) | Type::Array(..)))
    }

    pub(crate) fn is_struct(&self) -> bool {
        matches!(self, Of(Type::Time | Type::Named(_)))
    }

    /// The type in words, without the star of a pointer: operators and members see what it points to.
    pub(crate) fn pointee(&self) -> String {
        self.to_string().trim_start_matches('*').to_owned()
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self, Of(Type::Map(..)))
    }

    /// The nature of an element of a list or map.
    pub(crate) fn element(&self) -> Nature {
        match self {
            ListOf(element) => (**element).clone(),
            Of(t) => t.element().map_or(Unknown, Nature::of),
            _ => Unknown,
        }
    }

    /// The type of a map's keys.
    pub(crate) fn key(&self) -> Type {
        match self {
            Of(Type::Map(key, _)) => **key,
            _ => Type::Any,
        }
    }

    /// The Go type, where there is one.
    pub(crate) fn go_type(&self) -> Option<Type> {
        match self {
            Unknown => Some(Type::Any),
            Of(t) => Some(*t),
            ListOf(_) => Some(Type::LIST),
            Nature::Method(method) => Some(Type::Func(&method.signature)),
            Nil | Nature::Builtin | Nature::Predicate(_) => None,
        }
    }

    /// Go's `reflect.Kind`, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Nil => "invalid",
            Nature::Builtin | Nature::Predicate(_) => "func",
            other => other.go_type().map_or("invalid", Type::kind),
        }
    }

    /// Whether a value of this nature may stand where `to` is expected.
    pub(crate) fn is_assignable(&self, to: Type) -> bool {
        if to == Type::Any {
            return true;
        }
        match self {
            Nil => matches!(to.kind(), "ptr" | "interface" | "func" | "map" | "slice"),
            Unknown => false,
            other => other.go_type() == Some(to),
        }
    }

    /// The same without what only the checker knows of its elements: rules of builtins see Go types.
    pub(crate) fn without_elements(self) -> Nature {
        match self {
            ListOf(_) => LIST,
            other => other,
        }
    }

    /// Whether `==` between both is allowed.
    pub(crate) fn is_comparable(&self, other: &Nature) -> bool {
        self.is_unknown()
            || other.is_unknown()
            || self.is_nil()
            || other.is_nil()
            || matches!((self, other), (Nature::Builtin, Nature::Builtin))
            || self.is_number() && other.is_number()
            || self.is_list() && other.is_list()
            || other.go_type().is_some_and(|t| self.is_assignable(t))
    }

    /// Whether one is unknown and the other passes one of the checks, or both are unknown.
    pub(crate) fn may_fit(&self, other: &Nature, checks: &[fn(&Nature) -> bool]) -> bool {
        match (self.is_unknown(), other.is_unknown()) {
            (true, true) => true,
            (true, false) => checks.iter().any(|check| check(other)),
            (false, true) => checks.iter().any(|check| check(self)),
            (false, false) => false,
        }
    }

    /// What arithmetic of two numbers gives.
    pub(crate) fn promote(&self, other: &Nature) -> Nature {
        if matches!(self, Of(Type::Float64)) || matches!(other, Of(Type::Float64)) { FLOAT } else { INT }
    }
}

impl fmt::Display for Nature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown | Nil => f.write_str("unknown"),
            Nature::Builtin => f.write_str("func(...interface {}) (interface {}, error)"),
            Nature::Predicate(result) => write!(f, "func(interface {{}}) {result}"),
            other => other.go_type().map_or(Ok(()), |t| t.fmt(f)),
        }
    }
}
