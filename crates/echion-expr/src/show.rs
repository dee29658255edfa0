//! Go's `%v`.

use std::cmp::Ordering;

use echion_value::strconv::format_g_v;
use echion_value::{Str, Value, time};

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
        Value::Float(f) => out.extend_from_slice(format_g_v(*f).as_bytes()),
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
            let mut entries: Vec<_> = table.entries().iter().collect();
            entries.sort_by(|a, b| order(&a.0, &b.0));
            for (i, (key, item)) in entries.into_iter().enumerate() {
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
        Value::Duration(d) => out.extend_from_slice(time::format_duration(*d).as_bytes()),
        Value::Month(m) => out.extend_from_slice(time::month_name(*m).as_bytes()),
        Value::Weekday(d) => out.extend_from_slice(time::weekday_name(*d).as_bytes()),
        Value::Time(t) => out.extend_from_slice(t.string().as_bytes()),
        other => out.extend_from_slice(format!("{other:?}").as_bytes()),
    }
}

/// The order in which Go prints the keys of a map: by type where types differ, by value where they do not.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}
