//! Writes JSON values as YAML in block style, for `-o yaml`. Strings that some YAML reader could take for something else are quoted.

use serde_json::{Map, Number, Value};

/// The keys of a mapping must be this short, unless they are marked.
const LONGEST_KEY: usize = 1000;

/// What YAML 1.1 or 1.2 reads as a boolean or as null, in lower case.
const RESERVED: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

/// The value as a document that ends with a newline.
pub(crate) fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        scalar => line(&mut out, scalar, 0),
    }
    out
}

/// Entries of a mapping; the cursor is where the first key goes.
fn mapping(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        let key = inline(key);
        if key.len() > LONGEST_KEY {
            out.push_str(&format!("? {key}\n"));
            pad(out, indent);
        } else {
            out.push_str(&key);
        }
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                pad(out, indent + 2);
                mapping(out, map, indent + 2);
            }
            // As `kubectl` writes it: items begin below their key.
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                pad(out, indent);
                sequence(out, items, indent);
            }
            scalar => {
                out.push(' ');
                line(out, scalar, indent);
            }
        }
    }
}

/// Items of a sequence; the cursor is where the first dash goes.
fn sequence(out: &mut String, items: &[Value], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(out, map, indent + 2),
            Value::Array(items) if !items.is_empty() => sequence(out, items, indent + 2),
            scalar => line(out, scalar, indent),
        }
    }
}

/// A value without children, and the end of its line.
fn line(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if is_literal(text) => {
            out.push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
            for line in text.lines() {
                if !line.is_empty() {
                    pad(out, indent + 2);
                }
                out.push_str(line);
                out.push('\n');
            }
            return;
        }
        Value::String(text) => out.push_str(&inline(text)),
        Value::Number(n) => out.push_str(&number(n)),
        other => out.push_str(&other.to_string()),
    }
    out.push('\n');
}

/// Whether a text of several lines comes back unchanged from a literal block.
fn is_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let ends = |c: char| c.is_whitespace();
    body.contains('\n')
        && !body.starts_with(ends)
        && !body.ends_with(ends)
        && !text.chars().any(|c| c != '\n' && is_special(c))
}

/// A text on one line: plain where every reader takes it for a string, else in double quotes.
fn inline(text: &str) -> String {
    let reserved = RESERVED.contains(&text.to_ascii_lowercase().as_str());
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_./@+:'\"=()[]{},<>$!&|*?;%".contains(c);
    if starts && !reserved && text.chars().all(plain) && !text.contains(": ") && !text.ends_with([':', ' ']) {
        return text.to_owned();
    }
    // A JSON string is one of YAML, but for what YAML does not print.
    let mut quoted = String::new();
    for c in Value::from(text).to_string().chars() {
        if is_special(c) {
            quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            quoted.push(c);
        }
    }
    quoted
}

/// Characters that YAML does not print or takes for ends of lines.
fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// YAML 1.1 reads `1e21` as a string: it wants a point and a sign.
fn number(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use echion_model::yaml;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        let value = yaml::parse(text).unwrap_or_else(|e| panic!("{e:?}\n{text}")).to_value();
        serde_json::from_slice(&echion_value::json::marshal_plain(&value).unwrap()).unwrap()
    }

    #[test]
    fn blocks_are_nested_as_kubectl_nests_them() {
        let value = json!({
            "message": "a\n\n  b\n", "slack": {"blocks": [{"type": "x", "fields": [1, [true, null]]}, [], {}]}, "when": "app.x: y"
        });
        let text = "message: |\n  a\n\n    b\nslack:\n  blocks:\n  - fields:\n    - 1\n    - - true\n      - null\n    type: x\n  - []\n  - {}\n\
                    when: \"app.x: y\"\n";
        assert_eq!(to_string(&value), text);
        assert_eq!(read(text), value);
    }

    #[test]
    fn every_string_is_read_as_the_same_string() {
        let texts = [
            "",
            " ",
            "a",
            "a b",
            "a ",
            " a",
            "a: b",
            "a:",
            "https://x/y#z",
            "a #b",
            "#",
            "-",
            "- a",
            "?",
            "~",
            "null",
            "Yes",
            "NO",
            "y",
            "on",
            "true",
            "1",
            "1.5",
            "0x1f",
            "0o7",
            "1_000",
            "1:30",
            "1e3",
            ".inf",
            ".nan",
            "2024-02-29",
            "<<",
            "=",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a`",
            "{}",
            "[a]",
            "\"a\"",
            "'a'",
            "|",
            ">",
            "a\nb",
            "a\nb\n",
            "a\n\n",
            "\na",
            " a\nb",
            "a\nb ",
            "a\nb \n",
            "a\n\tb",
            "\ta\nb",
            "a\r\nb",
            "a\u{85}b",
            "\u{2028}",
            "\u{feff}a",
            "\u{7f}",
            "\u{0}",
            "世界 🚀",
            "---",
            "...",
            "a\n---\nb",
            "a\n# b",
        ];
        for text in texts {
            for value in [json!(text), json!({ text: text }), json!([text, [text], {"a": text, "b": [text]}])] {
                let written = to_string(&value);
                assert_eq!(read(&written), value, "{written}");
            }
        }
    }

    #[test]
    fn numbers_have_a_form_that_yaml_1_1_reads_too() {
        assert_eq!(to_string(&json!([1e21, 1e-7, 1.5, -3])), "- 1.0e+21\n- 1.0e-7\n- 1.5\n- -3\n");
    }

    #[test]
    fn long_keys_are_marked() {
        let value = json!({ "k".repeat(2000): {"a": 1} });
        assert_eq!(read(&to_string(&value)), value);
    }
}
