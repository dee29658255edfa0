//! Texts for other languages.

use std::borrow::Cow;

use echion_value::strconv::{decode_rune, is_print};
use echion_value::{CallError, Str, Value, format};

use crate::call::CallContext;

pub(crate) fn html(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let text = joined(call, args)?;
    super::made(call, escape_html(text.as_bytes()))
}

pub(crate) fn js(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let text = joined(call, args)?;
    super::made(call, escape_js(text.as_bytes()))
}

pub(crate) fn urlquery(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let text = joined(call, args)?;
    super::made(call, escape_query(text.as_bytes()))
}

/// The arguments as one text, absent ones as when they are printed.
fn joined(call: &mut CallContext<'_>, args: &[Value]) -> Result<Str, CallError> {
    if let [Value::Str(text)] = args {
        return Ok(text.clone());
    }
    let mut args = Cow::Borrowed(args);
    if args.iter().any(|arg| matches!(arg, Value::Nil)) {
        for arg in args.to_mut() {
            if matches!(arg, Value::Nil) {
                *arg = Value::from("<no value>");
            }
        }
    }
    Ok(format::sprint(&args, call.room())?.into())
}

/// Go's `template.HTMLEscape`.
#[must_use]
pub fn escape_html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(*byte),
        }
    }
    out
}

/// Go's `template.JSEscape`.
#[must_use]
pub fn escape_js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let (c, width) = decode_rune(rest);
        let here = rest.get(..width).unwrap_or_default();
        match first {
            b'\\' | b'\'' | b'"' => out.extend_from_slice(&[b'\\', *first]),
            b'<' | b'>' | b'&' | b'=' | 0..0x20 => out.extend_from_slice(format!("\\u{first:04X}").as_bytes()),
            0x80.. => match c {
                Some(c) if !is_print(c) => out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes()),
                _ => out.extend_from_slice(here),
            },
            _ => out.push(*first),
        }
        rest = rest.get(width.max(1)..).unwrap_or_default();
    }
    out
}

/// Go's `url.QueryEscape`.
#[must_use]
pub fn escape_query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}
