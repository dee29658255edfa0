//! What a plain scalar means in YAML 1.1.

use super::Kind;

/// Resolves a scalar that was written without quotes.
pub(super) fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Kind::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Kind::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if let Some(boolean) = yaml11_word(text) {
        return Kind::Bool(boolean);
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        let digits = text.replace('_', "");
        if let Some(kind) = integer(&digits).or_else(|| float(&digits)) {
            return kind;
        }
    }
    Kind::Text { text: text.to_owned(), plain: true }
}

/// The words that are booleans in YAML 1.1 and texts in 1.2.
pub(super) fn yaml11_word(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<Kind> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match rest.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (&rest[2..], 16),
        Some("0o") => (&rest[2..], 8),
        Some("0b") => (&rest[2..], 2),
        _ if rest.len() > 1 && rest.starts_with('0') => (&rest[1..], 8),
        _ => (rest, 10),
    };
    // `from_str_radix` takes a sign of its own, which would be a second one here.
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let number = if negative { -magnitude } else { magnitude };
    #[expect(clippy::cast_precision_loss, reason = "past 64 bits the magnitude is all that is kept")]
    Some(i64::try_from(number).map_or(Kind::Float(number as f64), Kind::Int))
}

fn float(text: &str) -> Option<Kind> {
    let ok = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
        && text.contains(|c: char| c.is_ascii_digit());
    if ok { text.parse().ok().map(Kind::Float) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_read_as_yaml_1_1() {
        for (text, want) in [
            ("yes", Kind::Bool(true)),
            ("Off", Kind::Bool(false)),
            ("0777", Kind::Int(0o777)),
            ("0x1F", Kind::Int(31)),
            ("1_000", Kind::Int(1000)),
            ("-5", Kind::Int(-5)),
            ("1.5", Kind::Float(1.5)),
            ("1e3", Kind::Float(1000.0)),
            ("~", Kind::Null),
        ] {
            assert_eq!(resolve(text), want, "{text}");
        }
        for text in ["2024-01-01", "1.2.3", "a", "--5", "+", "089x", "10s"] {
            assert!(matches!(resolve(text), Kind::Text { .. }), "{text}");
        }
    }
}
