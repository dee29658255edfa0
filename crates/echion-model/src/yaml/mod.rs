//! YAML as Argo CD Notifications reads it (contract 1.3): YAML 1.1 scalars, then JSON's types, then Go's forgiving decoding into options. Every
//! node knows its line and column.

mod build;
mod decode;
mod mapping;
mod properties;
mod scalar;
mod scalars;
mod scanner;
mod text;

use echion_value::{Map, Value};

pub use build::{parse, parse_all, parse_with_notes};
pub use decode::{DecodeError, Decoded, same_field};

/// A node with its place in the text, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its line.
    pub line: u32,
    /// Its column in characters.
    pub column: u32,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`, `~`, or nothing at all.
    Null,
    /// A boolean, `yes` and `off` included.
    Bool(bool),
    /// A whole number that fits into 64 bits with a sign.
    Int(i64),
    /// A whole number that fits into 64 bits only without a sign.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A text. `plain` is true when it was written without quotes: after substitution such a text is read once more.
    Text {
        /// The text.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping; keys are texts by now, and distinct.
    Map(Vec<(Node, Node)>),
}

/// Text that is not YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong.
    pub message: String,
    /// Its line, from 1.
    pub line: u32,
    /// Its column in characters, from 1.
    pub column: u32,
}

/// What is read here and refused by Argo CD Notifications, which makes its whole configuration unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it refuses, as the end of a sentence.
    pub what: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    /// Its line, from 1.
    pub line: u32,
    /// Its column in characters, from 1.
    pub column: u32,
}

impl Node {
    /// The entry of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v)
    }

    /// The entries of a mapping; none for any other node.
    #[must_use]
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a text node.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Line and column.
    #[must_use]
    pub fn at(&self) -> (u32, u32) {
        (self.line, self.column)
    }

    /// In words, for errors: `a list`.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => "a number",
            Kind::Text { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The same as a value of the languages.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Nil,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Int(i) => Value::Int64(*i),
            Kind::Uint(i) => Value::Float(*i as f64),
            Kind::Float(f) => Value::Float(*f),
            Kind::Text { text, .. } => Value::from(text.as_str()),
            Kind::List(items) => Value::from(items.iter().map(Node::to_value).collect::<Vec<_>>()),
            Kind::Map(entries) => Value::Map(Map::of_any(
                entries.iter().map(|(k, v)| (k.text().unwrap_or_default().into(), v.to_value())).collect(),
            )),
        }
    }

    /// Rewrites every text of the tree, keys included (contract 1.4). A text that was written without quotes is read again
    /// afterwards, as Argo CD Notifications does: a secret `yes` becomes the boolean.
    pub fn rewrite(&mut self, rewrite: &mut dyn FnMut(&str) -> Option<String>) {
        match &mut self.kind {
            Kind::Text { text, plain } => {
                if let Some(new) = rewrite(text) {
                    self.kind = match scalar::yaml11_word(&new).filter(|_| *plain) {
                        Some(boolean) => Kind::Bool(boolean),
                        None => Kind::Text { text: new, plain: *plain },
                    };
                }
            }
            Kind::List(items) => items.iter_mut().for_each(|item| item.rewrite(rewrite)),
            Kind::Map(entries) => {
                for (key, value) in entries {
                    // A key stays a text whatever it says.
                    if let Kind::Text { text, .. } = &mut key.kind
                        && let Some(new) = rewrite(text)
                    {
                        *text = new;
                    }
                    value.rewrite(rewrite);
                }
            }
            _ => {}
        }
    }
}
