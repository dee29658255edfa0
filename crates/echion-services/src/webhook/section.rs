//! The section: requests by the name of the service, their bodies byte for byte.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use echion_model::yaml::{Kind, Node};
use echion_model::{JsonText, RenderContext, RenderError, Section, SectionError, Text, TextCompiler};
use serde::{Deserialize, Serialize};

/// One instance's part of the section, rendered.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Entry {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Body,
}

/// A body as it goes into the ledger: a text, or base64 where a template cut a character in half.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Body {
    Text(String),
    Bytes { base64: String },
}

impl Default for Body {
    fn default() -> Self {
        Body::Text(String::new())
    }
}

impl Body {
    pub(super) fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Bytes { base64: STANDARD.encode(bytes) },
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Body::Text(text) => text.into_bytes(),
            Body::Bytes { base64 } => STANDARD.decode(base64).unwrap_or_default(),
        }
    }
}

#[derive(Debug)]
struct Compiled {
    method: String,
    path: Box<dyn Text>,
    body: Box<dyn Text>,
}

/// Entries by service name.
#[derive(Debug)]
struct WebhookSection {
    entries: BTreeMap<String, Compiled>,
    unknown: Vec<(String, (u32, u32))>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Source {
    method: String,
    path: String,
    body: String,
}

pub(super) fn compile(section: &Node, compiler: &dyn TextCompiler) -> Result<Box<dyn Section>, Vec<SectionError>> {
    let at_node = |path: String, at, message: String| SectionError { path, at, message, source: String::new() };
    if !matches!(section.kind, Kind::Map(_)) {
        let message = format!("expected a mapping of service names, found {}", section.describe());
        return Err(vec![at_node("webhook".to_owned(), section.at(), message)]);
    }
    let mut errors = Vec::new();
    let (mut entries, mut unknown) = (BTreeMap::new(), Vec::new());
    for (key, node) in section.entries() {
        let name = key.text().unwrap_or_default();
        let source = match node.decode::<Source>() {
            Ok(decoded) => {
                unknown.extend(decoded.unknown.into_iter().map(|(field, at)| (format!("webhook.{name}.{field}"), at)));
                decoded.value
            }
            Err(error) => {
                errors.push(at_node(format!("webhook.{name}.{}", error.key), error.at, error.message));
                continue;
            }
        };
        let mut text = |field: &str, text: &str| {
            compiler
                .compile(text)
                .map_err(|(message, at)| {
                    let path = format!("webhook.{name}.{field}");
                    errors.push(SectionError { path, at, message, source: text.to_owned() });
                })
                .ok()
        };
        if let (Some(path), Some(body)) = (text("path", &source.path), text("body", &source.body)) {
            entries.insert(name.to_owned(), Compiled { method: source.method, path, body });
        }
    }
    if errors.is_empty() { Ok(Box::new(WebhookSection { entries, unknown })) } else { Err(errors) }
}

impl Section for WebhookSection {
    fn render(&self, service: &str, context: &RenderContext<'_>) -> Result<Option<serde_json::Value>, RenderError> {
        let Some(entry) = self.entries.get(service) else { return Ok(None) };
        let within = |field: &str| format!("{service}.{field}");
        let path = entry.path.render(context).map_err(|e| e.within(&within("path")))?;
        let body = entry.body.render(context).map_err(|e| e.within(&within("body")))?;
        let rendered =
            Entry { method: entry.method.clone(), path: path.to_text().into_owned(), body: Body::new(body.as_bytes()) };
        Ok(serde_json::to_value(BTreeMap::from([(service, rendered)])).ok())
    }

    fn render_all(&self, context: &RenderContext<'_>) -> Result<serde_json::Value, RenderError> {
        let mut all = serde_json::json!({});
        for service in self.entries.keys() {
            if let Some(entry) = self.render(service, context)? {
                merge(&mut all, entry);
            }
        }
        Ok(all)
    }

    fn unknown_fields(&self) -> Vec<(String, (u32, u32))> {
        self.unknown.clone()
    }

    fn json_texts<'s>(&'s self, service: &str, rendered: &serde_json::Value) -> Vec<JsonText<'s>> {
        let Some(compiled) = self.entries.get(service) else { return Vec::new() };
        let entry = rendered.get(service).and_then(|entry| Entry::deserialize(entry).ok());
        let rendered = entry.map(|entry| entry.body.into_bytes()).unwrap_or_default();
        if rendered.is_empty() {
            return Vec::new();
        }
        vec![JsonText { path: format!("{service}.body"), text: &*compiled.body, rendered }]
    }
}

/// The entry of a service is replaced whole (contract 4.3).
pub(super) fn merge(earlier: &mut serde_json::Value, later: serde_json::Value) {
    if let (Some(earlier), serde_json::Value::Object(later)) = (earlier.as_object_mut(), later) {
        earlier.extend(later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_utf_8_survives_the_ledger() {
        let stored = serde_json::to_string(&Body::new(b"\xe4\xbd")).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&stored).unwrap().into_bytes(), b"\xe4\xbd");
    }
}
