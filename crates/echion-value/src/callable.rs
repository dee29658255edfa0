//! Functions and methods as values.

use std::fmt;
use std::sync::Arc;

use crate::{Type, Value};

/// Why a call failed: what the Go function's error or panic would have said. The language that made the call adds where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError(pub String);

impl CallError {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CallError {}

/// What a function takes and gives. Each language checks arguments itself, since their errors differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signature {
    /// Parameter types; the last one is the element type of the rest when `variadic`.
    pub params: &'static [Type],
    /// Whether the last parameter takes any number of arguments.
    pub variadic: bool,
    /// What comes back when the call succeeds.
    pub result: Type,
    /// Whether the Go function has an `error` as its second result.
    pub fallible: bool,
    /// Results after the first, which is all that a call gives. Expressions take that; templates refuse the call.
    pub more: &'static [Type],
}

impl Signature {
    /// A function of exactly `params`.
    #[must_use]
    pub const fn new(params: &'static [Type], result: Type) -> Self {
        Self { params, variadic: false, result, fallible: false, more: &[] }
    }

    /// The same, with the last parameter repeated.
    #[must_use]
    pub const fn variadic(self) -> Self {
        Self { variadic: true, ..self }
    }

    /// The same, with an `error` next to the result.
    #[must_use]
    pub const fn fallible(self) -> Self {
        Self { fallible: true, ..self }
    }

    /// The same, with further results.
    #[must_use]
    pub const fn and(self, more: &'static [Type]) -> Self {
        Self { more, ..self }
    }

    /// How many results the Go function has, its error included.
    #[must_use]
    pub const fn results(&self) -> usize {
        1 + self.more.len() + self.fallible as usize
    }

    /// The type of argument number `index`, counted from zero; `None` past the last one.
    #[must_use]
    pub fn param(&self, index: usize) -> Option<Type> {
        match self.params.get(index) {
            Some(t) => Some(*t),
            None if self.variadic => self.params.last().copied(),
            None => None,
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, param) in self.params.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            let dots = if self.variadic && i + 1 == self.params.len() { "..." } else { "" };
            write!(f, "{separator}{dots}{param}")?;
        }
        if self.results() == 1 {
            return write!(f, ") {}", self.result);
        }
        write!(f, ") ({}", self.result)?;
        for more in self.more {
            write!(f, ", {more}")?;
        }
        f.write_str(if self.fallible { ", error)" } else { ")" })
    }
}

type Body = dyn Fn(&[Value]) -> Result<Value, CallError> + Send + Sync;

/// A function value, such as `time.Now`. Whoever calls it has checked the arguments against the signature.
#[derive(Clone)]
pub struct Func(Arc<FuncData>);

struct FuncData {
    signature: &'static Signature,
    body: Box<Body>,
}

impl Func {
    /// A function value; what it needs of the outside world (a clock, a repository) is captured by `body`.
    pub fn new(
        signature: &'static Signature,
        body: impl Fn(&[Value]) -> Result<Value, CallError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(FuncData { signature, body: Box::new(body) }))
    }

    /// What it takes and gives.
    #[must_use]
    pub fn signature(&self) -> &'static Signature {
        self.0.signature
    }

    /// Calls it with arguments that fit the signature.
    ///
    /// # Errors
    /// What the function itself reports.
    pub fn call(&self, args: &[Value]) -> Result<Value, CallError> {
        (self.0.body)(args)
    }

    /// Whether both are the same function.
    #[must_use]
    pub fn same(&self, other: &Func) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "func{}", self.0.signature)
    }
}

/// A method that values of one type have; the first argument of `call` is the receiver.
#[derive(Clone, Copy)]
pub struct Method {
    /// The name as written in Go, such as `Format`.
    pub name: &'static str,
    /// What it takes besides the receiver, and gives.
    pub signature: Signature,
    /// The method itself. Arguments fit the signature.
    pub call: fn(&Value, &[Value]) -> Result<Value, CallError>,
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "func {}{}", self.name, self.signature)
    }
}
