//! From nodes to options: serde with the forgiveness of Go's decoder. Keys match in any case, numbers and booleans become texts where
//! a text is wanted, null leaves the default, unknown keys are collected instead of refused.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::mapping::float_text;
use super::{Kind, Node};
use crate::Secret;
use crate::secret::SECRET;

/// Options, and the keys among them that mean nothing.
#[derive(Debug)]
pub struct Decoded<T> {
    /// The options.
    pub value: T,
    /// Keys that the target does not have, with their places.
    pub unknown: Vec<(String, (u32, u32))>,
    /// Keys that mean nothing because their field is written a second time, in other letters.
    pub shadowed: Vec<(String, (u32, u32))>,
    /// Every secret among the options, to keep it out of what is said later.
    pub secrets: Vec<Secret>,
}

/// A node that does not fit its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What was expected and what was found.
    pub message: String,
    /// The key it is about; empty at the top.
    pub key: String,
    /// Where, from 1.
    pub at: (u32, u32),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() { f.write_str(&self.message) } else { write!(f, "`{}`: {}", self.key, self.message) }
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), key: String::new(), at: (0, 0) }
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // What was found is not repeated: it may be a secret.
        Self::custom(format_args!("expected {expected}"))
    }
}

impl Node {
    /// Decodes the node.
    ///
    /// # Errors
    /// The key, its place, what was expected and what was found.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Decoded<T>, DecodeError> {
        let notes = RefCell::new(Notes::default());
        let value = T::deserialize(NodeDeserializer { node: self, notes: &notes })?;
        let Notes { unknown, shadowed, secrets } = notes.into_inner();
        Ok(Decoded { value, unknown, shadowed, secrets })
    }
}

/// What is noted on the way.
#[derive(Default)]
struct Notes {
    unknown: Vec<(String, (u32, u32))>,
    shadowed: Vec<(String, (u32, u32))>,
    secrets: Vec<Secret>,
}

#[derive(Clone, Copy)]
struct NodeDeserializer<'a> {
    node: &'a Node,
    notes: &'a RefCell<Notes>,
}

impl<'a> NodeDeserializer<'a> {
    fn mismatch(&self, expected: &str) -> DecodeError {
        DecodeError {
            message: format!("expected {expected}, found {}", self.node.describe()),
            key: String::new(),
            at: self.node.at(),
        }
    }

    fn placed<T>(&self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        result.map_err(|mut error| {
            if error.at == (0, 0) {
                error.at = self.node.at();
            }
            error
        })
    }

    fn coerced_text(&self) -> Option<String> {
        match &self.node.kind {
            Kind::Null => Some(String::new()),
            Kind::Bool(b) => Some(b.to_string()),
            Kind::Int(i) => Some(i.to_string()),
            Kind::Uint(i) => Some(i.to_string()),
            Kind::Float(f) => Some(float_text(*f)),
            Kind::Text { text, .. } => Some(text.clone()),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    fn map<V: Visitor<'a>>(self, visitor: V, fields: Option<&'static [&'static str]>) -> Result<V::Value, DecodeError> {
        let entries = match &self.node.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Null => &[],
            _ => return Err(self.mismatch("a mapping")),
        };
        let winners = fields.map(|fields| winners(entries, fields)).unwrap_or_default();
        let entries = entries.iter();
        self.placed(visitor.visit_map(Entries { entries, fields, winners, value: None, notes: self.notes }))
    }
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.node.kind {
                Kind::Int(i) => self.placed(visitor.visit_i64(i)),
                Kind::Null => self.placed(visitor.visit_i64(0)),
                _ => Err(self.mismatch("a whole number")),
            }
        }
    )*};
}

impl<'a> de::Deserializer<'a> for NodeDeserializer<'a> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(b) => visitor.visit_bool(*b),
            Kind::Int(i) => visitor.visit_i64(*i),
            Kind::Uint(i) => visitor.visit_u64(*i),
            Kind::Float(f) => visitor.visit_f64(*f),
            Kind::Text { text, .. } => visitor.visit_str(text),
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.map(visitor, None),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.kind {
            Kind::Bool(b) => self.placed(visitor.visit_bool(b)),
            Kind::Null => self.placed(visitor.visit_bool(false)),
            _ => Err(self.mismatch("true or false")),
        }
    }

    integers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.kind {
            Kind::Float(f) => visitor.visit_f64(f),
            Kind::Int(i) => visitor.visit_i64(i),
            Kind::Null => visitor.visit_f64(0.0),
            _ => Err(self.mismatch("a number")),
        }
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.coerced_text() {
            Some(text) => self.placed(visitor.visit_string(text)),
            None => Err(self.mismatch("a text")),
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if matches!(self.node.kind, Kind::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, v: V) -> Result<V::Value, DecodeError> {
        if name == SECRET
            && let Some(text) = self.coerced_text().filter(|text| !text.is_empty())
        {
            self.notes.borrow_mut().secrets.push(Secret::new(text));
        }
        v.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let items = match &self.node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Null => &[],
            _ => return Err(self.mismatch("a list")),
        };
        self.placed(visitor.visit_seq(Items { items: items.iter(), index: 0, notes: self.notes }))
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.map(visitor, None)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.map(visitor, Some(fields))
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.node.text() {
            Some(text) => {
                let variant: StrDeserializer<'_, DecodeError> = text.into_deserializer();
                visitor.visit_enum(variant).map_err(|_| DecodeError {
                    message: format!("expected one of {}, found `{text}`", variants.join(", ")),
                    key: String::new(),
                    at: self.node.at(),
                })
            }
            None => Err(self.mismatch(&format!("one of {}", variants.join(", ")))),
        }
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Node>,
    index: usize,
    notes: &'a RefCell<Notes>,
}

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        let result = seed.deserialize(NodeDeserializer { node, notes: self.notes });
        result.map(Some).map_err(|error| within(error, &format!("[{index}]"), node))
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, (Node, Node)>,
    fields: Option<&'static [&'static str]>,
    winners: HashMap<&'static str, &'a str>,
    value: Option<(&'a str, &'a Node)>,
    notes: &'a RefCell<Notes>,
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        for (key, value) in self.entries.by_ref() {
            let written = key.text().unwrap_or_default();
            let name = match self.fields {
                None => written,
                // Null leaves the default of a field, so the field is not visited at all.
                Some(_) if matches!(value.kind, Kind::Null) => continue,
                Some(fields) => match field_of(fields, written) {
                    Some(field) if self.winners.get(field).is_some_and(|winner| *winner != written) => {
                        self.notes.borrow_mut().shadowed.push((written.to_owned(), key.at()));
                        continue;
                    }
                    Some(field) => field,
                    None => {
                        self.notes.borrow_mut().unknown.push((written.to_owned(), key.at()));
                        continue;
                    }
                },
            };
            self.value = Some((written, value));
            let key: StrDeserializer<'_, DecodeError> = name.into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let Some((key, node)) = self.value.take() else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(NodeDeserializer { node, notes: self.notes }).map_err(|error| within(error, key, node))
    }
}

/// The field that a key means: the one of its name, else the one of its name in other letters.
fn field_of(fields: &'static [&'static str], key: &str) -> Option<&'static str> {
    let folded = || fields.iter().find(|field| same_field(field, key));
    fields.iter().find(|field| **field == key).or_else(folded).copied()
}

/// Whether a key means a field, in whatever letters. Go folds two more letters into ASCII: the long s and the sign of kelvin.
#[must_use]
pub fn same_field(field: &str, key: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    field.chars().map(fold).eq(key.chars().map(fold))
}

/// The key of each field that is written in several ways: Argo CD Notifications reads them in the order of their bytes, so the last one
/// that is not null is taken.
fn winners<'a>(entries: &'a [(Node, Node)], fields: &'static [&'static str]) -> HashMap<&'static str, &'a str> {
    let mut winners = HashMap::new();
    for (key, value) in entries {
        let written = key.text().unwrap_or_default();
        if let Some(field) = field_of(fields, written).filter(|_| value.kind != Kind::Null) {
            let winner = winners.entry(field).or_insert(written);
            *winner = (*winner).max(written);
        }
    }
    winners
}

fn within(mut error: DecodeError, key: &str, node: &Node) -> DecodeError {
    if error.at == (0, 0) {
        error.at = node.at();
    }
    error.key = match error.key.as_str() {
        "" => key.to_owned(),
        inner if inner.starts_with('[') => format!("{key}{inner}"),
        inner => format!("{key}.{inner}"),
    };
    error
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::yaml::parse;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, rename_all = "camelCase")]
    struct Options {
        api_url: String,
        send: Vec<String>,
        count: Option<u32>,
        html: bool,
    }

    #[test]
    fn decoding_forgives_what_the_peer_forgives() {
        let node = parse("APIURL: 5\nsend: [1, true, x, null]\nhtml: yes\ncount: null\nnope: 1\n").unwrap();
        let decoded = node.decode::<Options>().unwrap();
        let want = Options {
            api_url: "5".into(),
            send: ["1", "true", "x", ""].map(str::to_owned).to_vec(),
            count: None,
            html: true,
        };
        assert_eq!(decoded.value, want);
        assert_eq!(decoded.unknown, [("nope".to_owned(), (5, 1))]);
    }

    #[test]
    fn of_two_spellings_of_a_field_the_last_in_the_order_of_bytes_is_taken() {
        for (text, want) in [
            ("HTML: false\nhtml: true\n", true),
            ("html: true\nHtml: false\n", true),
            ("Html: true\nhtml: null\n", true),
            ("HTML: true\nHtml: false\n", false),
        ] {
            assert_eq!(parse(text).unwrap().decode::<Options>().unwrap().value.html, want, "{text}");
        }
    }

    #[test]
    fn errors_name_key_and_place() {
        let error = parse("send:\n  - a\n  - {b: 1}\n").unwrap().decode::<Options>().unwrap_err();
        assert_eq!(error.to_string(), "`send[1]`: expected a text, found a mapping");
        assert_eq!(error.at, (3, 5));
    }
}
