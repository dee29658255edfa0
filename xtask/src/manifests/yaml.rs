//! Values as YAML for people: blocks, and quotes only where they are needed.

use std::fmt::Write as _;

use serde_json::Value;

/// Several documents.
pub(super) fn documents(objects: &[Value]) -> String {
    let texts: Vec<String> = objects.iter().map(document).collect();
    texts.join("---\n")
}

fn document(object: &Value) -> String {
    let mut text = String::new();
    block(&mut text, object, 0, false);
    text
}

/// A value in lines of its own; the first one may continue a line.
fn block(out: &mut String, value: &Value, depth: usize, begun: bool) {
    let mut begun = begun;
    let mut start = |out: &mut String| {
        if !std::mem::take(&mut begun) {
            out.push_str(&"  ".repeat(depth));
        }
    };
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                start(out);
                let _ = write!(out, "{}:", plain(key));
                after(out, value, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                start(out);
                out.push_str("- ");
                match item {
                    Value::Object(fields) if !fields.is_empty() => block(out, item, depth + 1, true),
                    other => {
                        let _ = writeln!(out, "{}", scalar(other));
                    }
                }
            }
        }
        other => {
            let _ = writeln!(out, "{}", scalar(other));
        }
    }
}

/// What follows the colon.
fn after(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            block(out, value, depth + 1, false);
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            out.push('\n');
            block(out, value, depth + 1, false);
        }
        Value::String(text) if text.contains('\n') => {
            out.push_str(" |\n");
            for line in text.lines() {
                let _ = writeln!(out, "{}{line}", "  ".repeat(depth + 1));
            }
        }
        other => {
            let _ = writeln!(out, " {}", scalar(other));
        }
    }
}

/// A value in one line.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn plain(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '$');
    let fine = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/=$".contains(c) || c == ':');
    let meant = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let ambiguous = text.ends_with(':') || meant.contains(&text.to_ascii_lowercase().as_str());
    if begins && fine && !ambiguous { text.to_owned() } else { Value::from(text).to_string() }
}
