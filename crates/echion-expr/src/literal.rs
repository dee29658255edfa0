//! Number literals.

use echion_value::strconv::{self, quote};

use crate::ast::Kind;

/// The node of a number literal, or the reference's complaint.
pub(crate) fn number(literal: &str) -> Result<Kind, String> {
    let text: String = literal.chars().filter(|c| *c != '_').collect();
    let lower = text.to_ascii_lowercase();
    let (name, base, digits) = if let Some(digits) = lower.strip_prefix("0x") {
        ("hex", 16, digits)
    } else if lower.contains(['.', 'e']) {
        return float(&text);
    } else if let Some(digits) = lower.strip_prefix("0b") {
        ("binary", 2, digits)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        ("octal", 8, digits)
    } else {
        ("integer", 10, lower.as_str())
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Err(complaint(name, &text, "invalid syntax"));
    }
    match i64::from_str_radix(digits, base) {
        Ok(value) => Ok(Kind::Int(value)),
        Err(_) => Err(complaint(name, &text, "value out of range")),
    }
}

fn float(text: &str) -> Result<Kind, String> {
    match strconv::parse_float(text) {
        Ok(value) => Ok(Kind::Float(value)),
        Err(error) => Err(format!("invalid float literal: {error}")),
    }
}

fn complaint(name: &str, text: &str, problem: &str) -> String {
    format!("invalid {name} literal: strconv.ParseInt: parsing {}: {problem}", quote(text.as_bytes()))
}
