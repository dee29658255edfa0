//! Go's own template functions. `and`, `or`, `call` and `len` are here by name only: the evaluator knows them.

mod compare;
pub mod escape;
mod index;

use echion_value::{CallError, Signature, Type, Value, format};

use crate::call::CallContext;
use crate::function::Function;
use crate::operand::is_true;

const ANY: Type = Type::Any;
/// `f(x, more...)`
const ONE_OR_MORE: Signature = Signature::new(&[ANY, ANY], ANY).variadic();
const PAIR: Signature = Signature::new(&[ANY, ANY], Type::Bool).fallible();
const TEXTS: Signature = Signature::new(&[ANY], Type::String).variadic();

/// Go's own functions.
pub static ALL: &[Function] = &[
    Function::new("and", ONE_OR_MORE, by_name).doc("the first false argument, or the last", "{{and 1 0 2}}", "0"),
    Function::new("or", ONE_OR_MORE, by_name).doc("the first true argument, or the last", "{{or 0 3}}", "3"),
    Function::new("call", ONE_OR_MORE, by_name).doc("calls a function value: `call .time.Now`", "", ""),
    Function::new("len", Signature::new(&[ANY], Type::Int), by_name).doc(
        "the length of a text in bytes, or of a list or map",
        "{{len \"abc\"}}",
        "3",
    ),
    Function::new("not", Signature::new(&[ANY], Type::Bool), not).doc("the opposite", "{{not 0}}", "true"),
    Function::new("index", ONE_OR_MORE.fallible(), index::index).doc(
        "the element of a list or map under an index or key, and so on",
        "{{index \"abc\" 1}}",
        "98",
    ),
    Function::new("slice", ONE_OR_MORE.fallible(), index::slice).doc(
        "a part of a list or text",
        "{{slice \"abcd\" 1 3}}",
        "bc",
    ),
    Function::new("print", TEXTS, print).doc(
        "the arguments, with spaces between those that are no texts",
        "{{print 1 2 \"a\"}}",
        "1 2a",
    ),
    Function::new("println", TEXTS, println).doc(
        "the arguments with spaces between, and a new line",
        "{{println 1 \"a\"}}",
        "1 a\n",
    ),
    Function::new("printf", Signature::new(&[Type::String, ANY], Type::String).variadic(), printf).doc(
        "the arguments, written by a format",
        "{{printf \"%05.1f|%-4s|%x\" 3.14159 \"ab\" 255}}",
        "003.1|ab  |ff",
    ),
    Function::new("html", TEXTS, escape::html).doc("escaped for HTML", "{{html \"<a&b>\"}}", "&lt;a&amp;b&gt;"),
    Function::new("js", TEXTS, escape::js).doc("escaped for JavaScript", "{{js \"it's\"}}", "it\\'s"),
    Function::new("urlquery", TEXTS, escape::urlquery).doc(
        "escaped for a URL query",
        "{{urlquery \"a b&c\"}}",
        "a+b%26c",
    ),
    Function::new("eq", ONE_OR_MORE.fallible(), compare::eq).doc(
        "whether the first argument equals any other",
        "{{eq 1 2 1}}",
        "true",
    ),
    Function::new("ne", PAIR, compare::ne).doc("whether they differ", "{{ne 1 2}}", "true"),
    Function::new("lt", PAIR, compare::lt).doc("less than", "{{lt 1 2}}", "true"),
    Function::new("le", PAIR, compare::le).doc("less than or equal", "{{le 2 2}}", "true"),
    Function::new("gt", PAIR, compare::gt).doc("greater than", "{{gt 1 2}}", "false"),
    Function::new("ge", PAIR, compare::ge).doc("greater than or equal", "{{ge 1 2}}", "false"),
];

fn by_name(_: &mut CallContext<'_>, _: &[Value]) -> Result<Value, CallError> {
    Err(CallError::new("cannot be called here"))
}

fn not(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    Ok(Value::Bool(!args.first().is_some_and(is_true)))
}

/// A text that a function made, accounted for.
fn made(call: &mut CallContext<'_>, text: Vec<u8>) -> Result<Value, CallError> {
    call.reserve(text.len())?;
    Ok(Value::Str(text.into()))
}

fn print(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let text = format::sprint(args, call.room())?;
    made(call, text)
}

fn println(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let text = format::sprintln(args, call.room())?;
    made(call, text)
}

fn printf(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let Some((Value::Str(format), args)) = args.split_first() else { return Ok(Value::from("")) };
    let text = format::sprintf(format.as_bytes(), args, call.room())?;
    made(call, text)
}
