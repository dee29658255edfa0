//! The functions a template can call.

use std::collections::HashMap;
use std::fmt;

use echion_value::{CallError, Signature, Type, Value};

use crate::call::CallContext;
use crate::core;

/// What a function does. Its arguments fit its signature.
pub type Body = fn(&mut CallContext<'_>, &[Value]) -> Result<Value, CallError>;

/// A function that templates can call, with its documentation.
pub struct Function {
    /// The name in templates.
    pub name: &'static str,
    /// What it takes and gives; arguments are checked against it, with Go's error texts.
    pub signature: Signature,
    /// The function itself.
    pub call: Body,
    /// What it does, in one line.
    pub doc: &'static str,
    /// A template that shows it.
    pub example: &'static str,
    /// What the example renders to; empty when that differs from time to time.
    pub shows: &'static str,
    /// What it uses of the outside world.
    pub uses: Uses,
}

/// What a function uses besides its arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The time.
    pub clock: bool,
    /// Randomness.
    pub random: bool,
    /// Host names.
    pub network: bool,
}

impl Uses {
    /// Its arguments and nothing else.
    pub const NOTHING: Self = Self { clock: false, random: false, network: false };
    /// The time.
    pub const CLOCK: Self = Self { clock: true, ..Self::NOTHING };
    /// Randomness.
    pub const RANDOM: Self = Self { random: true, ..Self::NOTHING };
    /// Host names.
    pub const NETWORK: Self = Self { network: true, ..Self::NOTHING };
}

impl Function {
    /// A function without documentation yet.
    #[must_use]
    pub const fn new(name: &'static str, signature: Signature, call: Body) -> Self {
        Self { name, signature, call, doc: "", example: "", shows: "", uses: Uses::NOTHING }
    }

    /// The same with a line of documentation, and an example and what it renders to.
    #[must_use]
    pub const fn doc(self, doc: &'static str, example: &'static str, shows: &'static str) -> Self {
        Self { doc, example, shows, ..self }
    }

    /// The same for a function that uses something of the outside world.
    #[must_use]
    pub const fn using(self, uses: Uses) -> Self {
        Self { uses, ..self }
    }

    /// The same under another name.
    #[must_use]
    pub const fn alias(&self, name: &'static str) -> Self {
        Self { name, ..*self }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "func {}{}", self.name, self.signature)
    }
}

/// Shorthand for a function of exactly these parameters.
#[must_use]
pub const fn takes(params: &'static [Type], result: Type) -> Signature {
    Signature::new(params, result)
}

/// What a name in a template refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    And,
    Or,
    Call,
    Len,
    Function(&'static Function),
}

/// The names that templates can use, built once.
#[derive(Debug, Default)]
pub struct Functions {
    by_name: HashMap<&'static str, &'static Function>,
}

impl Functions {
    /// Go's own functions and those of `families`. A later function takes the name of an earlier one.
    #[must_use]
    pub fn new(families: &[&'static [Function]]) -> Self {
        let mut by_name = HashMap::new();
        for function in std::iter::once(core::ALL).chain(families.iter().copied()).flatten() {
            by_name.insert(function.name, function);
        }
        Self { by_name }
    }

    /// The function of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.by_name.get(name).copied()
    }

    /// All functions, by name.
    #[must_use]
    pub fn all(&self) -> Vec<&'static Function> {
        let mut all: Vec<_> = self.by_name.values().copied().collect();
        all.sort_by_key(|f| f.name);
        all
    }

    pub(crate) fn callee(&self, name: &str) -> Option<Callee> {
        let function = self.get(name)?;
        let own = core::ALL.iter().any(|f| std::ptr::eq(f, function));
        Some(match name {
            "and" if own => Callee::And,
            "or" if own => Callee::Or,
            "call" if own => Callee::Call,
            "len" if own => Callee::Len,
            _ => Callee::Function(function),
        })
    }
}

impl Callee {
    pub(crate) fn signature(self) -> Signature {
        match self {
            Callee::And | Callee::Or | Callee::Call => Signature::new(&[Type::Any, Type::Any], Type::Any).variadic(),
            Callee::Len => Signature::new(&[Type::Any], Type::Int),
            Callee::Function(function) => function.signature,
        }
    }
}
