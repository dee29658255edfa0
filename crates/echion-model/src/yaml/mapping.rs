//! The entries of a mapping, as they come.

use std::collections::HashMap;

use echion_value::strconv::{self, FloatFormat};

use super::{Kind, Node, YamlError};

#[derive(Default)]
pub(super) struct Mapping {
    entries: Vec<(Node, Node)>,
    places: HashMap<String, usize>,
}

impl Mapping {
    pub(super) fn finish(self) -> Kind {
        Kind::Map(self.entries)
    }

    /// Adds an entry. Of equal keys the last one wins, those that `<<` brings included. `alias`: the value is one.
    pub(super) fn insert(&mut self, key: Node, value: Node, alias: bool) -> Result<(), YamlError> {
        if matches!(&key.kind, Kind::Text { text, plain: true } if text == "<<") {
            return self.merge(value, alias);
        }
        self.put(key_text(key)?, value);
        Ok(())
    }

    fn put(&mut self, key: Node, value: Node) {
        let name = key.text().unwrap_or_default().to_owned();
        match self.places.get(&name).and_then(|place| self.entries.get_mut(*place)) {
            Some(entry) => *entry = (key, value),
            None => {
                self.places.insert(name, self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    fn merge(&mut self, value: Node, alias: bool) -> Result<(), YamlError> {
        let sources = match value.kind {
            // The first of a list of mappings has precedence. An alias of such a list is none.
            Kind::List(items) if !alias => items.into_iter().rev().collect(),
            _ => vec![value],
        };
        for Node { kind, line, column } in sources {
            let Kind::Map(inherited) = kind else {
                return Err(YamlError {
                    message: "`<<` takes a mapping or a list of mappings".to_owned(),
                    line,
                    column,
                });
            };
            for (key, value) in inherited {
                self.put(key, value);
            }
        }
        Ok(())
    }
}

/// A float as Argo CD Notifications writes it where a text is wanted: with 32 bits.
pub(super) fn float_text(float: f64) -> String {
    strconv::format_float(float, FloatFormat::LowerGeneral, None, true)
}

/// Keys are texts in JSON, whatever they were in YAML.
fn key_text(mut key: Node) -> Result<Node, YamlError> {
    let text = match &key.kind {
        Kind::Text { .. } => return Ok(key),
        Kind::Null => "null".to_owned(),
        Kind::Bool(b) => b.to_string(),
        Kind::Int(i) => i.to_string(),
        Kind::Float(f) if f.is_nan() => ".nan".to_owned(),
        Kind::Float(f) if f.is_infinite() => if *f > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        Kind::Uint(i) => i.to_string(),
        Kind::Float(f) => float_text(*f),
        Kind::List(_) | Kind::Map(_) => {
            let message = "a key must be a text, a number or a boolean".to_owned();
            return Err(YamlError { message, line: key.line, column: key.column });
        }
    };
    key.kind = Kind::Text { text, plain: true };
    Ok(key)
}
