//! What a scalar means in YAML 1.1.

use base64::Engine as _;
use echion_value::{strconv, time};

use super::Kind;

/// What a scalar means under its tag, if it has one.
pub(super) fn tagged(text: &str, plain: bool, tag: Option<&str>) -> Result<Kind, String> {
    let quoted = |text: &str| Kind::Text { text: text.to_owned(), plain: false };
    let Some(tag) = tag else { return Ok(if plain { resolve(text) } else { quoted(text) }) };
    let Some(name) = tag.strip_prefix("tag:yaml.org,2002:") else { return Ok(quoted(text)) };
    let kind = match name {
        "binary" => {
            let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(compact);
            return bytes
                .map(|bytes| quoted(&String::from_utf8_lossy(&bytes)))
                .map_err(|_| "`!!binary` takes base64".to_owned());
        }
        "timestamp" if is_timestamp(text) => return Ok(quoted(text)),
        "int" | "float" | "bool" | "null" | "timestamp" => resolve(text),
        _ => return Ok(quoted(text)),
    };
    match (name, kind) {
        #[expect(clippy::cast_precision_loss, reason = "so does Go")]
        ("float", Kind::Int(i)) => Ok(Kind::Float(i as f64)),
        ("int", kind @ (Kind::Int(_) | Kind::Uint(_))) => Ok(kind),
        ("float", kind @ Kind::Float(_)) | ("bool", kind @ Kind::Bool(_)) | ("null", kind @ Kind::Null) => Ok(kind),
        _ => Err(format!("the value does not fit its tag `!!{name}`")),
    }
}

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
    let number = match text.as_bytes().first() {
        Some(b'.') => strconv::parse_float(text).ok().map(Kind::Float),
        Some(b'0'..=b'9' | b'+' | b'-') if !is_timestamp(text) => number(&text.replace('_', "")),
        _ => None,
    };
    number.unwrap_or_else(|| Kind::Text { text: text.to_owned(), plain: true })
}

/// The words that are booleans in YAML 1.1 and texts in 1.2.
pub(super) fn yaml11_word(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// A number as Go reads it; what is too large for a float is none.
fn number(text: &str) -> Option<Kind> {
    if let Ok(int) = strconv::parse_int(text, 0, 64) {
        return Some(Kind::Int(int));
    }
    if let Ok(uint) = strconv::parse_uint(text, 0, 64) {
        return Some(Kind::Uint(uint));
    }
    if is_decimal(text) { strconv::parse_float(text).ok().map(Kind::Float) } else { None }
}

/// Digits with at most one point and one exponent.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    some && digits(whole) && digits(fraction) && !exponent.is_empty() && digits(exponent)
}

/// Dates, with or without a time: they stay texts, and are no numbers.
fn is_timestamp(text: &str) -> bool {
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    let layouts =
        ["2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2"];
    year == 4 && text.as_bytes().get(4) == Some(&b'-') && layouts.iter().any(|layout| time::parse(layout, text).is_ok())
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
