//! What is wrong with a configuration.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something works, but probably not as meant.
    Warning,
}

/// One thing that is wrong, with its place and the next step. What the diagnostic is about does not work; everything else does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The key, and the way inside it: `trigger.on-deployed[0].when`.
    pub key: String,
    /// Line inside the text of the key, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong and what was expected; lower case, no final period.
    pub message: String,
    /// The line of text that it is about; empty when there is none to show.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The next step; empty when the message says enough.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(key: impl Into<String>, (line, column): (u32, u32), message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            key: key.into(),
            line,
            column,
            message: message.into(),
            source: String::new(),
            hint: String::new(),
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same with the next step.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The same with the line that it is about, taken from the whole text.
    #[must_use]
    pub fn in_text(self, text: &str) -> Self {
        let source = text.lines().nth((self.line as usize).saturating_sub(1)).unwrap_or_default().to_owned();
        Self { source, ..self }
    }
}

/// One line: `trigger.on-deployed[0].when:1:23: message`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.key, self.line, self.column, self.message)
    }
}

/// The name that is probably meant by one that does not exist; `None` when none resembles it.
#[must_use]
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let ranked = names.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
    let (distance, nearest) = ranked.filter(|(_, known)| *known != name).min()?;
    let most = 2.max(name.chars().count() / 3);
    // Names that share nothing are no help, however short they are.
    (distance <= most && distance < name.chars().count()).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_one_that_could_be_meant() {
        let names = ["url", "sign", "message", "recipients"];
        for (name, meant) in [
            ("ulr", Some("url")),
            ("sgin", Some("sign")),
            ("mesage", Some("message")),
            ("recipient", Some("recipients")),
            ("", None),
            ("xy", None),
            ("something", None),
        ] {
            assert_eq!(nearest(name, names), meant, "{name}");
        }
    }
}
