//! Go's `%v`.

use echion_value::{Str, Value};

use crate::builtins::type_name;

/// The value as Go's `%v` prints it.
#[must_use]
pub fn show(value: &Value) -> Str {
    let mut out = Vec::new();
    write(value, &mut out, 0);
    Str::from(out)
}

/// Go's `%s` of a reflected value, which complains about what is no text.
pub(crate) fn show_as_text(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        Value::Nil => "%!s(<invalid reflect.Value>)".to_owned(),
        other => format!("%!s({}={})", type_name(other), show(other)),
    }
}

fn write(value: &Value, out: &mut Vec<u8>, depth: usize) {
    if depth > 1000 {
        return out.extend_from_slice(b"...");
    }
    match value {
        Value::Str(s) => out.extend_from_slice(s.as_bytes()),
        Value::Nil | Value::NilPointer(_) => out.extend_from_slice(b"<nil>"),
        Value::Bool(b) => out.extend_from_slice(b.to_string().as_bytes()),
        Value::Int(n) | Value::Int64(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Int32(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Uint8(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Uint64(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Float(f) => out.extend_from_slice(float(*f).as_bytes()),
        Value::List(list) => {
            out.push(b'[');
            for (i, item) in list.items().iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                write(item, out, depth + 1);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.extend_from_slice(b"map[");
            for (i, (key, item)) in map.entries().iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(key.as_bytes());
                out.push(b':');
                write(item, out, depth + 1);
            }
            out.push(b']');
        }
        Value::Table(table) => {
            out.extend_from_slice(b"map[");
            for (i, (key, item)) in table.entries().iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                write(key, out, depth + 1);
                out.push(b':');
                write(item, out, depth + 1);
            }
            out.push(b']');
        }
        Value::Bytes(bytes) => {
            let items: Vec<String> = bytes.iter().flat_map(|b| b.iter()).map(u8::to_string).collect();
            out.extend_from_slice(format!("[{}]", items.join(" ")).as_bytes());
        }
        other => out.extend_from_slice(format!("{other:?}").as_bytes()),
    }
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{f:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&exponent) {
        return f.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
