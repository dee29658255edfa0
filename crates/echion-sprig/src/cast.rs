//! Conversions between types, as Go's `cast` package does them: what cannot be converted is zero.

use echion_template::{CallContext, Function, takes};
use echion_value::strconv::NumErrorKind;
use echion_value::{CallError, Str, Type, Value, format, strconv};

use crate::args::{ANY, FLOAT, INT, INT64, Result, TEXT, TEXTS, any, bytes, kind};

pub(crate) static ALL: &[Function] = &[
    Function::new("toString", takes(&[ANY], TEXT), to_string).doc("the text of a value", "{{toString 1.5}}", "1.5"),
    Function::new("toStrings", takes(&[ANY], TEXTS), to_strings).doc(
        "the texts of the elements of a list",
        "{{toStrings (list 1 \"a\")}}",
        "[1 a]",
    ),
    Function::new("atoi", takes(&[TEXT], INT), atoi).doc("a decimal number, or 0", "{{atoi \"12\"}}", "12"),
    Function::new("int", takes(&[ANY], INT), int).doc("as a whole number", "{{int \"0x1F\"}}", "31"),
    Function::new("int64", takes(&[ANY], INT64), int64).doc("as a whole number", "{{int64 2.9}}", "2"),
    Function::new("float64", takes(&[ANY], FLOAT), float64).doc("as a number", "{{float64 \"1.5\"}}", "1.5"),
    Function::new("toDecimal", takes(&[ANY], INT64), to_decimal).doc(
        "an octal number as a decimal one",
        "{{toDecimal 755}}",
        "493",
    ),
];

fn to_string(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Str(strval(call, any(args, 0))?))
}

fn to_strings(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let texts = strslice(call, any(args, 0))?;
    Ok(Value::List(echion_value::List::of_strings(texts)))
}

fn atoi(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = String::from_utf8_lossy(bytes(args, 0));
    // Go's error comes with the nearest number that fits, which is what templates get to see.
    Ok(Value::Int(strconv::atoi(&text).unwrap_or_else(|error| match error.kind {
        NumErrorKind::Range if text.starts_with('-') => i64::MIN,
        NumErrorKind::Range => i64::MAX,
        _ => 0,
    })))
}

fn int(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int(to_int64(any(args, 0))))
}

fn int64(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int64(to_int64(any(args, 0))))
}

fn float64(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Float(to_float64(any(args, 0))))
}

fn to_decimal(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = format::sprint(args, call.room())?;
    Ok(Value::Int64(strconv::parse_int(&String::from_utf8_lossy(&text), 8, 64).unwrap_or(0)))
}

/// The text of a value: strings and bytes as they are, everything else as it prints.
pub(crate) fn strval(call: &mut CallContext<'_>, value: &Value) -> Result<Str> {
    Ok(match value {
        Value::Str(s) => s.clone(),
        Value::Bytes(bytes) => Str::from(bytes.as_deref().unwrap_or_default()),
        other => {
            let text = format::sprint(std::slice::from_ref(other), call.room())?;
            call.reserve(text.len())?;
            Str::from(text)
        }
    })
}

/// The texts of a list without its nils; a list of one text for anything else.
pub(crate) fn strslice(call: &mut CallContext<'_>, value: &Value) -> Result<Vec<Str>> {
    match crate::args::list(value) {
        Some(items) => items.iter().filter(|v| !matches!(v, Value::Nil)).map(|v| strval(call, v)).collect(),
        None if matches!(value, Value::Nil) => Ok(Vec::new()),
        None => Ok(vec![strval(call, value)?]),
    }
}

pub(crate) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(n) | Value::Int64(n) | Value::Month(n) | Value::Weekday(n) => *n,
        Value::Int32(n) => i64::from(*n),
        Value::Uint8(n) => i64::from(*n),
        Value::Uint64(n) => n.cast_signed(),
        Value::Float(f) => truncate(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Str(s) => s.as_str().map_or(0, |s| strconv::parse_int(without_zero_fraction(s), 0, 64).unwrap_or(0)),
        _ => 0,
    }
}

/// Go's conversion of floats: what does not fit is the smallest number.
fn truncate(f: f64) -> i64 {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    if (-TWO_TO_63..TWO_TO_63).contains(&f) { f as i64 } else { i64::MIN }
}

/// `1.00` as `1`.
fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

pub(crate) fn to_float64(value: &Value) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "Go loses the digits as well")]
    match value {
        Value::Int(n) | Value::Int64(n) | Value::Month(n) | Value::Weekday(n) => *n as f64,
        Value::Int32(n) => f64::from(*n),
        Value::Uint8(n) => f64::from(*n),
        Value::Uint64(n) => *n as f64,
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(s) => s.as_str().map_or(0.0, |s| strconv::parse_float(s).unwrap_or(0.0)),
        _ => 0.0,
    }
}

/// The value when it has that type; the error is the one of Go's type assertion.
pub(crate) fn assert_type(value: &Value, wanted: Type) -> Result<Value> {
    if value.type_of() == Some(wanted) {
        return Ok(value.clone());
    }
    let own = if kind(value) == "invalid" { "nil".to_owned() } else { crate::args::type_name(value) };
    Err(CallError(format!("interface conversion: interface {{}} is {own}, not {wanted}")))
}
