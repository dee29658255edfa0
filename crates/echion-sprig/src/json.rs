//! JSON.

use echion_template::{CallContext, Function, takes};
use echion_value::{Value, json};

use crate::args::{ANY, Result, TEXT, any, bytes, make_text};

pub(crate) static ALL: &[Function] = &[
    Function::new("toJson", takes(&[ANY], TEXT), to_json).doc(
        "as JSON; empty when that is impossible",
        "{{toJson (dict \"a\" 1)}}",
        "{\"a\":1}",
    ),
    Function::new("mustToJson", takes(&[ANY], TEXT).fallible(), must_to_json).doc(
        "as JSON, or an error",
        "{{mustToJson \"<\"}}",
        "\"\\u003c\"",
    ),
    Function::new("toPrettyJson", takes(&[ANY], TEXT), to_pretty_json).doc(
        "as JSON over several lines",
        "{{toPrettyJson (list 1)}}",
        "[\n  1\n]",
    ),
    Function::new("mustToPrettyJson", takes(&[ANY], TEXT).fallible(), must_to_pretty_json).doc(
        "as JSON over several lines, or an error",
        "{{mustToPrettyJson (list 1)}}",
        "[\n  1\n]",
    ),
    Function::new("toRawJson", takes(&[ANY], TEXT), to_raw_json).doc(
        "as JSON with `<`, `>` and `&` as they are",
        "{{toRawJson \"<\"}}",
        "\"<\"",
    ),
    Function::new("mustToRawJson", takes(&[ANY], TEXT).fallible(), must_to_raw_json).doc(
        "as JSON with `<`, `>` and `&` as they are, or an error",
        "{{mustToRawJson \"<\"}}",
        "\"<\"",
    ),
    Function::new("fromJson", takes(&[TEXT], ANY), from_json).doc(
        "the value of a JSON text; nothing when it is none",
        "{{(fromJson \"{\\\"a\\\":5}\").a}}",
        "5",
    ),
    Function::new("mustFromJson", takes(&[TEXT], ANY).fallible(), must_from_json).doc(
        "the value of a JSON text, or an error",
        "{{mustFromJson \"[1]\"}}",
        "[1]",
    ),
];

type Marshal = fn(&Value) -> Result<Vec<u8>>;

fn write(call: &mut CallContext<'_>, args: &[Value], marshal: Marshal) -> Result {
    let value = any(args, 0);
    call.weigh(value)?;
    let text = marshal(value)?;
    call.reserve(text.len())?;
    Ok(make_text(text))
}

/// The same without errors: a value that is no JSON is an empty text. One that is too large is still an error.
fn write_or_nothing(call: &mut CallContext<'_>, args: &[Value], marshal: Marshal) -> Result {
    let value = any(args, 0);
    call.weigh(value)?;
    let text = marshal(value).unwrap_or_default();
    call.reserve(text.len())?;
    Ok(make_text(text))
}

fn pretty(value: &Value) -> Result<Vec<u8>> {
    json::marshal_indent(value, "", "  ")
}

/// Accounts for the indentation, which in deep values is most of the text.
fn reserve_indentation(call: &mut CallContext<'_>, value: &Value) -> Result<()> {
    let mut pending = vec![(value.clone(), 0_usize)];
    let mut size = 0_usize;
    while let Some((value, depth)) = pending.pop() {
        size = size.saturating_add(2 * depth);
        if size > call.room() {
            break;
        }
        match value {
            Value::List(list) => pending.extend(list.items().iter().map(|v| (v.clone(), depth + 1))),
            Value::Map(map) => pending.extend(map.entries().iter().map(|(_, v)| (v.clone(), depth + 1))),
            _ => {}
        }
    }
    call.reserve(size)
}

fn to_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    write_or_nothing(call, args, json::marshal)
}

fn must_to_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    write(call, args, json::marshal)
}

fn to_pretty_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    reserve_indentation(call, any(args, 0))?;
    write_or_nothing(call, args, pretty)
}

fn must_to_pretty_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    reserve_indentation(call, any(args, 0))?;
    write(call, args, pretty)
}

fn to_raw_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    write_or_nothing(call, args, json::marshal_plain)
}

fn must_to_raw_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    write(call, args, json::marshal_plain)
}

fn must_from_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 0);
    call.reserve(text.len())?;
    json::unmarshal(text)
}

fn from_json(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 0);
    call.reserve(text.len())?;
    Ok(json::unmarshal(text).unwrap_or_default())
}
