//! Go's `encoding/json` of values.

use std::borrow::Cow;

use crate::strconv::json_float;
use crate::{CallError, Map, Object, ObjectType, Str, Value};

mod read;

pub use read::unmarshal;

/// How deep values may be nested in JSON.
const MAX_DEPTH: usize = 1000;

/// As `json.Marshal`: on one line, with `<`, `>` and `&` escaped.
///
/// # Errors
/// When the value holds what JSON cannot express.
pub fn marshal(value: &Value) -> Result<Vec<u8>, CallError> {
    Writer { escape: true, ..Writer::default() }.whole(value)
}

/// As `json.Marshal`, but `<`, `>` and `&` stay as they are.
///
/// # Errors
/// When the value holds what JSON cannot express.
pub fn marshal_plain(value: &Value) -> Result<Vec<u8>, CallError> {
    Writer::default().whole(value)
}

/// As `json.MarshalIndent`.
///
/// # Errors
/// When the value holds what JSON cannot express.
pub fn marshal_indent(value: &Value, prefix: &str, indent: &str) -> Result<Vec<u8>, CallError> {
    Writer { escape: true, indent: Some((prefix, indent)), ..Writer::default() }.whole(value)
}

/// As [`marshal_indent`], as long as the text has not many more than `limit` bytes; `None` when it has. A small program can make
/// a value whose text has no end.
///
/// # Errors
/// When the value holds what JSON cannot express.
pub fn marshal_indent_within(
    value: &Value,
    prefix: &str,
    indent: &str,
    limit: usize,
) -> Result<Option<Vec<u8>>, CallError> {
    let mut writer = Writer { escape: true, indent: Some((prefix, indent)), limit: Some(limit), ..Writer::default() };
    match writer.value(value, 0) {
        Err(_) if writer.is_full() => Ok(None),
        outcome => outcome.map(|()| Some(writer.out)),
    }
}

/// The fields of a struct under the names that JSON has for them.
fn fields(object: &dyn Object) -> Vec<(&'static str, Value)> {
    let ObjectType { fields, tags, .. } = object.object_type();
    let value = |name: &str| object.field(name).unwrap_or_default();
    if tags.is_empty() {
        return fields.iter().map(|name| (*name, value(name))).collect();
    }
    let empty = |value: &Value| match value {
        Value::Str(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Bool(b) => !b,
        other => other.is_nil(),
    };
    let named = fields.iter().zip(*tags).map(|(name, tag)| (*tag, value(name)));
    named.filter(|(_, value)| !empty(value)).collect()
}

#[derive(Default)]
struct Writer<'w> {
    out: Vec<u8>,
    escape: bool,
    indent: Option<(&'w str, &'w str)>,
    /// How long the text may become, if that is bounded.
    limit: Option<usize>,
}

impl Writer<'_> {
    fn whole(mut self, value: &Value) -> Result<Vec<u8>, CallError> {
        self.value(value, 0)?;
        Ok(self.out)
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.out.len() > limit)
    }

    fn push(&mut self, text: impl AsRef<[u8]>) {
        self.out.extend_from_slice(text.as_ref());
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), CallError> {
        if depth > MAX_DEPTH {
            return Err(CallError::new("json: the value is nested too deeply"));
        }
        if self.is_full() {
            return Err(CallError::new("json: the value is too large"));
        }
        match value {
            Value::Nil | Value::NilPointer(_) | Value::Bytes(None) => self.push("null"),
            Value::Bool(b) => self.push(b.to_string()),
            Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => {
                self.push(n.to_string())
            }
            Value::Int32(n) => self.push(n.to_string()),
            Value::Uint8(n) => self.push(n.to_string()),
            Value::Uint64(n) => self.push(n.to_string()),
            Value::Float(f) => match json_float(*f) {
                Some(text) => self.push(text),
                None => return Err(CallError::new(format!("json: unsupported value: {}", not_finite(*f)))),
            },
            Value::Time(time) => self.push(time.marshal_json().map_err(CallError)?),
            Value::Str(s) => self.text(s.as_bytes()),
            Value::Bytes(Some(bytes)) => {
                self.out.push(b'"');
                base64(bytes, &mut self.out);
                self.out.push(b'"');
            }
            Value::List(list) if list.is_nil() => self.push("null"),
            Value::List(list) => {
                self.block(b'[', b']', depth, list.items().iter(), |writer, item| writer.value(item, depth + 1))?;
            }
            Value::Map(map) if map.is_nil() => self.push("null"),
            Value::Map(map) => {
                self.block(b'{', b'}', depth, map.entries().iter(), |writer, (key, item)| {
                    writer.key(key.as_bytes());
                    writer.value(item, depth + 1)
                })?;
            }
            Value::Object(object) => match object.json() {
                Some(text) => self.text(text?.as_bytes()),
                None => {
                    let fields = fields(object.as_ref());
                    self.block(b'{', b'}', depth, fields.iter(), |writer, (name, field)| {
                        writer.key(name.as_bytes());
                        writer.value(field, depth + 1)
                    })?;
                }
            },
            other => {
                let name = other.type_of().map_or_else(String::new, |t| t.to_string());
                return Err(CallError::new(format!("json: unsupported type: {name}")));
            }
        }
        Ok(())
    }

    fn block<T>(
        &mut self,
        open: u8,
        close: u8,
        depth: usize,
        items: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        self.out.push(open);
        let empty = items.len() == 0;
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.line(depth + 1);
            write(self, item)?;
        }
        if !empty {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some((prefix, indent)) = self.indent {
            self.out.push(b'\n');
            self.push(prefix);
            for _ in 0..depth {
                self.push(indent);
            }
        }
    }

    fn key(&mut self, key: &[u8]) {
        self.text(key);
        self.push(if self.indent.is_some() { ": " } else { ":" });
    }

    fn text(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '"' => self.push("\\\""),
                    '\\' => self.push("\\\\"),
                    '\n' => self.push("\\n"),
                    '\r' => self.push("\\r"),
                    '\t' => self.push("\\t"),
                    '\u{8}' => self.push("\\b"),
                    '\u{c}' => self.push("\\f"),
                    '<' | '>' | '&' if self.escape => self.push(format!("\\u{:04x}", c as u32)),
                    '\u{2028}' | '\u{2029}' => self.push(format!("\\u{:04x}", c as u32)),
                    c if (c as u32) < 0x20 => self.push(format!("\\u{:04x}", c as u32)),
                    c => self.push(c.encode_utf8(&mut [0; 4])),
                }
            }
            for _ in chunk.invalid() {
                self.push("\\ufffd");
            }
        }
        self.out.push(b'"');
    }
}

fn not_finite(f: f64) -> Cow<'static, str> {
    if f.is_nan() {
        "NaN".into()
    } else if f > 0.0 {
        "+Inf".into()
    } else {
        "-Inf".into()
    }
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { digit } else { b'=' });
        }
    }
}

/// The entries of an object; of equal keys the last one wins.
fn object(entries: Vec<(Str, Value)>) -> Value {
    Value::Map(Map::of_any(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roundtrip(text: &str) -> String {
        String::from_utf8(marshal(&unmarshal(text.as_bytes()).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_sorted_and_html_is_escaped() {
        assert_eq!(
            roundtrip(r#"{"b":"<a>","a":[1,2.5,1e21,1e-7,null,true,{}]}"#),
            r#"{"a":[1,2.5,1e+21,1e-7,null,true,{}],"b":"\u003ca\u003e"}"#
        );
    }

    #[test]
    fn indented_blocks_have_one_line_per_entry() {
        let value = unmarshal(br#"{"a":[1,[]],"b":{}}"#).unwrap();
        let text = String::from_utf8(marshal_indent(&value, "", "  ").unwrap()).unwrap();
        assert_eq!(text, "{\n  \"a\": [\n    1,\n    []\n  ],\n  \"b\": {}\n}");
    }

    #[test]
    fn errors_are_gos() {
        for (text, error) in [
            ("{", "unexpected end of JSON input"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("1 2", "invalid character '2' after top-level value"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{a}", "invalid character 'a' looking for beginning of object key string"),
            ("tru3", "invalid character '3' in literal true (expecting 'e')"),
            ("01", "invalid character '1' after top-level value"),
            ("", "unexpected end of JSON input"),
        ] {
            assert_eq!(unmarshal(text.as_bytes()).unwrap_err().0, error, "{text}");
        }
    }

    #[test]
    fn deep_input_is_an_error() {
        assert!(unmarshal("[".repeat(100_000).as_bytes()).is_err());
    }
}
