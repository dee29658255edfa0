//! A rendered section, as its service reads it; and texts that must fit.

use echion_model::yaml::Kind;
use echion_model::{Notification, SendError};
use serde_json::{Map, Value};

use crate::tree::Tree;

/// A rendered section, as its service reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rendered(Map<String, Value>);

impl Rendered {
    /// The section under `key`; `None` when no template has one.
    pub(crate) fn of(notification: &Notification, key: &str) -> Option<Self> {
        notification.sections.get(key).and_then(Value::as_object).map(|fields| Self(fields.clone()))
    }

    /// A text; empty when it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text that is there and not empty.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A flag; `None` when it is absent.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// Whether it has no field.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a text.
    pub(crate) fn put(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), text.into());
    }

    /// The whole as JSON.
    pub(crate) fn as_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// A list or mapping, as it is.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The fields of a field.
    pub(crate) fn inner(&self, name: &str) -> Option<Self> {
        self.0.get(name).and_then(Value::as_object).map(|fields| Self(fields.clone()))
    }

    /// A field that holds JSON: as a string that gives it, or as it is. `None` when it is absent or empty.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Value>, SendError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => parse(text).map(Some).map_err(|error| {
                let hint =
                    format!("correct `{name}` in the template; `toJson` escapes values: `{{{{.app.x | toJson}}}}`");
                SendError::rejected(format!("`{name}` is not JSON: {error}"), hint)
            }),
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// A field that holds a JSON list; a single object counts as a list of one.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<Value>>, SendError> {
        match self.json(name)? {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(object @ Value::Object(_)) => Ok(Some(vec![object])),
            Some(_) => {
                let hint = format!("write `{name}` as a list in the template");
                Err(SendError::rejected(format!("`{name}` is not a list"), hint))
            }
        }
    }
}

/// JSON, or YAML that says the same.
fn parse(text: &str) -> Result<Value, String> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let yaml = echion_model::yaml::parse(text).ok().filter(|node| matches!(node.kind, Kind::List(_) | Kind::Map(_)));
    match yaml {
        // What begins like JSON was meant as JSON.
        Some(node) if !text.trim_start().starts_with(['[', '{']) => Ok(Tree::plain(&node)),
        _ => Err(error.to_string()),
    }
}

/// Puts a text under a key, unless it is empty.
pub(crate) fn put(body: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        body.insert(key.to_owned(), text.into());
    }
}

/// The first `limit` characters; a longer text ends with `…`.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The first line that is not blank, in at most `limit` characters: vendors refuse titles of several lines, and of none.
pub(crate) fn headline(text: &str, limit: usize) -> String {
    cut(text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default(), limit)
}

/// At most `limit` bytes, cut between characters; a longer text ends with `…`.
pub(crate) fn cut_bytes(text: &str, limit: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(MARK.len());
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{MARK}", &text[..end])
}

/// Cuts the text at `pointer` so that the body takes at most `limit` bytes as JSON.
pub(crate) fn fit(body: &mut Value, pointer: &str, limit: usize) {
    const MARK: &str = "…";
    let whole = body.to_string().len();
    let Some(Value::String(text)) = body.pointer_mut(pointer).filter(|_| whole > limit) else { return };
    // What counts is the length in JSON, where some characters are escaped.
    let length: usize = text.chars().map(escaped).sum();
    let Some(room) = (length + limit).checked_sub(whole + MARK.len()) else { return };
    let mut used = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        used += escaped(c);
        (used > room).then_some(at)
    });
    text.truncate(end.unwrap_or(text.len()));
    text.push_str(MARK);
}

/// How many bytes a character takes in a JSON text.
pub(crate) fn escaped(c: char) -> usize {
    match c {
        '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!((cut("字字字", 3), cut("字字字", 2)), ("字字字".to_owned(), "字…".to_owned()));
        assert_eq!((cut_bytes("字字字", 9), cut_bytes("字字字", 8)), ("字字字".to_owned(), "字…".to_owned()));
        let mut body = json!({"text": "字\"\n\u{1}".repeat(1000)});
        fit(&mut body, "/text", 500);
        assert!((490..=500).contains(&body.to_string().len()) && body["text"].as_str().unwrap().ends_with('…'));
    }

    #[test]
    fn json_may_be_written_as_json_or_yaml() {
        let list = |text: &str| Rendered(Map::from_iter([("x".to_owned(), json!(text))])).list("x");
        assert_eq!(list("[1]").unwrap(), Some(vec![json!(1)]));
        assert_eq!(list("- a: b\n").unwrap(), Some(vec![json!({"a": "b"})]));
        assert_eq!(list("{\"a\": 1}").unwrap(), Some(vec![json!({"a": 1})]));
        assert_eq!(list(" ").unwrap(), None);
        for wrong in ["[{", "text", "{a: b"] {
            assert!(list(wrong).is_err(), "{wrong}");
        }
    }
}
