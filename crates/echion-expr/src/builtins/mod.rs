//! The builtin functions, one file per family. Each says itself what it is, so that help, checks and tests derive from it.

mod bits;
mod convert;
mod dates;
mod lists;
mod maps;
mod math;
mod predicates;
mod texts;

use std::borrow::Cow;

use echion_value::{Signature, Type, Value};

use crate::error::EvalError;
use crate::limits::Meter;
use crate::nature::Nature;

/// A function that every expression can call.
pub struct Builtin {
    /// The name.
    pub name: &'static str,
    /// Parameters and result, as a user reads them.
    pub signature: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// An expression and the text of its value; a test evaluates it.
    pub example: (&'static str, &'static str),
    pub(crate) check: Check,
    pub(crate) run: Run,
}

/// What the checker demands of the arguments.
pub(crate) enum Check {
    /// They fit one of these signatures.
    Overloads(&'static [Signature]),
    /// They pass a rule of the builtin's own, which gives the nature of the result.
    Rule(fn(&[Nature]) -> Result<Nature, String>),
    /// The builtin takes a predicate: it is a loop, not a call.
    Loop(&'static [Slot]),
}

/// A parameter of a builtin that takes a predicate.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) predicate: bool,
    pub(crate) optional: bool,
}

/// The arguments of a call, borrowed where they could be.
pub(crate) type Args<'x, 'v> = &'x [Cow<'v, Value>];

pub(crate) type Run = fn(&mut Meter<'_>, Args<'_, '_>) -> Result<Value, EvalError>;

/// All builtins, family by family.
pub fn all() -> impl Iterator<Item = &'static Builtin> {
    families().into_iter().flat_map(|(_, builtins)| builtins)
}

/// The builtins by family, each with its title.
#[must_use]
pub fn families() -> [(&'static str, &'static [Builtin]); 8] {
    [
        ("Predicates", predicates::ALL),
        ("Lists", lists::ALL),
        ("Maps", maps::ALL),
        ("Texts", texts::ALL),
        ("Numbers", math::ALL),
        ("Bits", bits::ALL),
        ("Conversions", convert::ALL),
        ("Dates", dates::ALL),
    ]
}

/// The builtin of that name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    all().find(|builtin| builtin.name == name)
}

/// The parameters of a builtin that takes a predicate.
pub(crate) fn predicate(name: &str) -> Option<(&'static str, &'static [Slot])> {
    match find(name)? {
        Builtin { name, check: Check::Loop(slots), .. } => Some((name, slots)),
        _ => None,
    }
}

/// Go's type of an argument as the checker's messages print it.
fn printed(nature: &Nature) -> String {
    if nature.is_nil() { "%!s(<nil>)".to_owned() } else { nature.to_string() }
}

/// Go's `%T`.
pub(crate) fn type_name(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |t| t.to_string())
}

/// Go's `%s` of a `reflect.Type`, which is not a type name for `nil`.
fn type_text(value: &Value) -> String {
    value.type_of().map_or_else(|| "%!s(<nil>)".to_owned(), |t| t.to_string())
}

pub(crate) use texts::find as find_part;

fn exactly(count: usize, args: &[Nature]) -> Result<(), String> {
    if args.len() == count {
        return Ok(());
    }
    Err(format!("invalid number of arguments (expected {count}, got {})", args.len()))
}

/// A rule for one argument that is a list or unknown.
fn one_list(args: &[Nature], result: Nature, complaint: impl Fn(String) -> String) -> Result<Nature, String> {
    exactly(1, args)?;
    match &args[0] {
        arg if arg.is_unknown() || arg.is_list() => Ok(result),
        arg => Err(complaint(printed(arg))),
    }
}

/// Go's failed type assertion.
pub(crate) fn not_a(value: &Value, wanted: &str) -> EvalError {
    let found = value.type_of().map_or_else(|| "nil".to_owned(), |t| t.to_string());
    EvalError::new(format!("interface conversion: interface {{}} is {found}, not {wanted}"))
}

/// The bytes of an argument that must be a text.
fn text<'x>(args: Args<'x, '_>, index: usize) -> Result<&'x [u8], EvalError> {
    match args.get(index).map(AsRef::as_ref) {
        Some(Value::Str(s)) => Ok(s.as_bytes()),
        other => Err(not_a(other.unwrap_or(&Value::Nil), "string")),
    }
}

fn is_number(value: &Value) -> bool {
    matches!(
        value,
        Value::Int(_) | Value::Int64(_) | Value::Int32(_) | Value::Uint8(_) | Value::Uint64(_) | Value::Float(_)
    )
}

/// `any`, the type of a parameter that takes everything.
const ANY: Type = Type::Any;
