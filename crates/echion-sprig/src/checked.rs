//! Arguments of functions, which the caller has checked against the signature.

use echion_value::Value;

/// The bytes of a text argument.
pub(crate) fn bytes(args: &[Value], index: usize) -> &[u8] {
    match args.get(index) {
        Some(Value::Str(s)) => s.as_bytes(),
        _ => &[],
    }
}

/// A text argument.
pub(crate) fn text(args: &[Value], index: usize) -> String {
    String::from_utf8_lossy(bytes(args, index)).into_owned()
}

/// A whole number argument.
pub(crate) fn int(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(n) | Value::Int64(n)) => *n,
        _ => 0,
    }
}
