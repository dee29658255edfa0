//! The part of a template that belongs to a service, declared as a list of fields: compiled once, rendered to JSON of the same shape.

use echion_model::yaml::{Kind, Node};
use echion_model::{
    Field, FieldShape, JsonText, RenderContext, RenderError, Section, SectionError, Text, TextCompiler,
};
use serde_json::{Map, Value};

pub(crate) use crate::rendered::{Rendered, cut, cut_bytes, fit, headline, put};
use crate::tree::Tree;

/// The kind of a section that is declared as a list of fields.
macro_rules! section {
    ($key:literal, $fields:ident, $merge:expr) => {
        $crate::section::section!($key, $fields, $merge, false)
    };
    ($key:literal, $fields:ident, $merge:expr, $required:expr) => {
        Some(echion_model::SectionKind {
            key: $key,
            fields: $fields,
            required: $required,
            compile: |node, compiler| $crate::section::compile($key, $fields, node, compiler),
            merge: $merge,
        })
    };
}

pub(crate) use section;

/// A field of a section.
pub(crate) const fn field(name: &'static str, shape: FieldShape, about: &'static str) -> Field {
    Field { name, shape, about }
}

/// Compiles a section of these fields. Fields match in any case; unknown ones are noted.
pub(crate) fn compile(
    key: &'static str,
    fields: &'static [Field],
    section: &Node,
    compiler: &dyn TextCompiler,
) -> Result<Box<dyn Section>, Vec<SectionError>> {
    let mut compiling = Compiling { compiler, errors: Vec::new(), unknown: Vec::new() };
    let parts = compiling.fields(fields, section, key);
    if compiling.errors.is_empty() {
        Ok(Box::new(Compiled { parts, unknown: compiling.unknown }))
    } else {
        Err(compiling.errors)
    }
}

/// Key, template and its source.
type Entry = (String, Box<dyn Text>, String);

type Parts = Vec<(&'static str, Part)>;

#[derive(Debug)]
enum Part {
    Text(Box<dyn Text>),
    /// A text that is read as JSON.
    Json(Box<dyn Text>),
    /// Absent when it cannot be rendered.
    Attempt(Box<dyn Text>),
    Tree(Tree),
    /// Values by key; an empty one gives its source.
    MapOrSource(Vec<Entry>),
    Fields(Parts),
    List(Vec<Parts>),
}

#[derive(Debug)]
struct Compiled {
    parts: Parts,
    unknown: Vec<(String, (u32, u32))>,
}

struct Compiling<'a> {
    compiler: &'a dyn TextCompiler,
    errors: Vec<SectionError>,
    unknown: Vec<(String, (u32, u32))>,
}

impl Compiling<'_> {
    fn wrong(&mut self, path: &str, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", node.describe());
        self.errors.push(SectionError { path: path.to_owned(), at: node.at(), message, source: String::new() });
    }

    fn fields(&mut self, fields: &'static [Field], node: &Node, path: &str) -> Parts {
        if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            self.wrong(path, node, "a mapping");
            return Vec::new();
        }
        let mut parts = Vec::new();
        for (key, value) in node.entries() {
            let written = key.text().unwrap_or_default();
            let exact = fields.iter().find(|field| field.name == written);
            match exact.or_else(|| fields.iter().find(|field| field.name.eq_ignore_ascii_case(written))) {
                None => self.unknown.push((format!("{path}.{written}"), key.at())),
                Some(_) if matches!(value.kind, Kind::Null) => {}
                Some(field) => {
                    let path = format!("{path}.{written}");
                    if let Some(part) = self.part(field.shape, value, &path) {
                        parts.push((field.name, part));
                    }
                }
            }
        }
        for field in fields {
            let (FieldShape::TextOr(default) | FieldShape::TextOrAttempt(default)) = field.shape else { continue };
            if !parts.iter().any(|(name, _)| *name == field.name)
                && let Ok(text) = self.compiler.compile(default)
            {
                let attempt = matches!(field.shape, FieldShape::TextOrAttempt(_));
                parts.push((field.name, if attempt { Part::Attempt(text) } else { Part::Text(text) }));
            }
        }
        parts
    }

    fn part(&mut self, shape: FieldShape, node: &Node, path: &str) -> Option<Part> {
        let part = match shape {
            FieldShape::Text | FieldShape::TextOr(_) | FieldShape::TextOrAttempt(_) => {
                Part::Text(self.text(node, path)?)
            }
            FieldShape::Json if matches!(node.kind, Kind::List(_) | Kind::Map(_)) => self.tree(node, path),
            FieldShape::Json => Part::Json(self.text(node, path)?),
            FieldShape::Plain => Part::Tree(Tree::Fixed(self.plain(node, path)?.into())),
            FieldShape::Flag => match node.kind {
                Kind::Bool(flag) => Part::Tree(Tree::Fixed(flag.into())),
                _ => {
                    self.wrong(path, node, "true or false");
                    return None;
                }
            },
            FieldShape::Texts => {
                let items = self.items(node, path)?;
                let texts = items.iter().enumerate().map(|(i, item)| self.text(item, &format!("{path}[{i}]")));
                Part::Tree(Tree::List(texts.collect::<Option<Vec<_>>>()?.into_iter().map(Tree::Text).collect()))
            }
            FieldShape::Plains => {
                let items = self.items(node, path)?;
                let texts = items.iter().enumerate().map(|(i, item)| self.plain(item, &format!("{path}[{i}]")));
                Part::Tree(Tree::Fixed(texts.collect::<Option<Vec<_>>>()?.into()))
            }
            FieldShape::Map => {
                let entries = self.entries(node, path)?;
                Part::Tree(Tree::Map(entries.into_iter().map(|(key, text, _)| (key, Tree::Text(text))).collect()))
            }
            FieldShape::MapOrSource => Part::MapOrSource(self.entries(node, path)?),
            FieldShape::Fields(fields) => Part::Fields(self.fields(fields, node, path)),
            FieldShape::List(fields) => {
                let items = self.items(node, path)?;
                let each = items.iter().enumerate().map(|(i, item)| self.fields(fields, item, &format!("{path}[{i}]")));
                Part::List(each.collect())
            }
        };
        Some(part)
    }

    fn tree(&mut self, node: &Node, path: &str) -> Part {
        Part::Tree(Tree::compile(node, path, self.compiler, &mut self.errors))
    }

    fn items<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n [Node]> {
        if let Kind::List(items) = &node.kind {
            return Some(items);
        }
        self.wrong(path, node, "a list");
        None
    }

    fn entries(&mut self, node: &Node, path: &str) -> Option<Vec<Entry>> {
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(path, node, "a mapping");
            return None;
        }
        let mut entries = Vec::new();
        for (key, value) in node.entries() {
            let key = key.text().unwrap_or_default();
            let path = format!("{path}.{key}");
            entries.push((key.to_owned(), self.text(value, &path)?, self.plain(value, &path)?));
        }
        Some(entries)
    }

    /// A text; numbers and booleans count as one (contract 1.3).
    fn plain(&mut self, node: &Node, path: &str) -> Option<String> {
        match node.decode::<String>() {
            Ok(text) => Some(text.value),
            Err(_) => {
                self.wrong(path, node, "a text");
                None
            }
        }
    }

    fn text(&mut self, node: &Node, path: &str) -> Option<Box<dyn Text>> {
        let source = self.plain(node, path)?;
        let compiled = self.compiler.compile(&source);
        compiled
            .map_err(|(message, at)| self.errors.push(SectionError { path: path.to_owned(), at, message, source }))
            .ok()
    }
}

impl Section for Compiled {
    fn render(&self, _: &str, context: &RenderContext<'_>) -> Result<Option<Value>, RenderError> {
        render(&self.parts, context).map(Some)
    }

    fn unknown_fields(&self) -> Vec<(String, (u32, u32))> {
        self.unknown.clone()
    }

    fn json_texts<'s>(&'s self, _: &str, rendered: &Value) -> Vec<JsonText<'s>> {
        let mut found = Vec::new();
        json_texts(&self.parts, rendered, "", &mut found);
        found
    }
}

/// The texts among the parts that are read as JSON, with what they rendered to. An empty one is as good as absent.
fn json_texts<'s>(parts: &'s Parts, rendered: &Value, within: &str, found: &mut Vec<JsonText<'s>>) {
    for (name, part) in parts {
        let path = if within.is_empty() { (*name).to_owned() } else { format!("{within}.{name}") };
        let Some(rendered) = rendered.get(name) else { continue };
        match part {
            Part::Json(text) => {
                let rendered = rendered.as_str().unwrap_or_default().as_bytes().to_vec();
                if !rendered.trim_ascii().is_empty() {
                    found.push(JsonText { path, text: &**text, rendered });
                }
            }
            Part::Fields(parts) => json_texts(parts, rendered, &path, found),
            Part::List(items) => {
                for (i, (parts, rendered)) in items.iter().zip(rendered.as_array().into_iter().flatten()).enumerate() {
                    json_texts(parts, rendered, &format!("{path}[{i}]"), found);
                }
            }
            Part::Text(_) | Part::Attempt(_) | Part::Tree(_) | Part::MapOrSource(_) => {}
        }
    }
}

fn render(parts: &Parts, context: &RenderContext<'_>) -> Result<Value, RenderError> {
    let mut fields = Map::new();
    for (name, part) in parts {
        let value = match part {
            Part::Text(text) | Part::Json(text) => {
                text.render(context).map(|text| Value::String(text.to_text().into_owned()))
            }
            Part::Attempt(text) => match text.render(context) {
                Ok(text) => Ok(Value::String(text.to_text().into_owned())),
                Err(_) => continue,
            },
            Part::Tree(tree) => tree.render(context),
            Part::Fields(parts) => render(parts, context),
            Part::List(items) => items
                .iter()
                .enumerate()
                .map(|(i, parts)| render(parts, context).map_err(|e| e.within(&format!("[{i}]"))))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            Part::MapOrSource(entries) => entries
                .iter()
                .map(|(key, text, source)| {
                    let text = text.render(context).map_err(|e| e.within(key))?;
                    let text = if text.is_empty() { source.clone() } else { text.to_text().into_owned() };
                    Ok((key.clone(), Value::String(text)))
                })
                .collect::<Result<Map<_, _>, RenderError>>()
                .map(Value::Object),
        };
        fields.insert((*name).to_owned(), value.map_err(|e| e.within(name))?);
    }
    Ok(Value::Object(fields))
}

/// A later section replaces the whole of an earlier one (contract 4.3).
pub(crate) fn whole(earlier: &mut Value, later: Value) {
    *earlier = later;
}

/// A later field replaces an earlier one unless it is empty (contract 4.3).
pub(crate) fn non_empty(earlier: &mut Value, later: Value) {
    let (Some(earlier), Value::Object(later)) = (earlier.as_object_mut(), later) else { return };
    earlier.extend(later.into_iter().filter(|(_, value)| !is_empty(value)));
}

/// A later field replaces an earlier one, empty or not.
pub(crate) fn present(earlier: &mut Value, later: Value) {
    if let (Some(earlier), Value::Object(later)) = (earlier.as_object_mut(), later) {
        earlier.extend(later);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use echion_model::yaml;
    use echion_value::Str;
    use serde_json::json;

    use super::*;

    /// A language in which every text says itself.
    struct Plain;

    #[derive(Debug)]
    struct Same(String);

    impl TextCompiler for Plain {
        fn compile(&self, text: &str) -> Result<Box<dyn Text>, (String, (u32, u32))> {
            if text == "bad" { Err(("no".to_owned(), (1, 2))) } else { Ok(Box::new(Same(text.to_owned()))) }
        }

        fn template(&self) -> &str {
            "t"
        }
    }

    impl Text for Same {
        fn render(&self, _: &RenderContext<'_>) -> Result<Str, RenderError> {
            Ok(self.0.as_str().into())
        }
    }

    static FIELDS: &[Field] = &[
        field("text", FieldShape::Text, "."),
        field("flag", FieldShape::Flag, "."),
        field("texts", FieldShape::Texts, "."),
        field("map", FieldShape::Map, "."),
        field("json", FieldShape::Json, "."),
    ];

    fn compiled(text: &str) -> Result<Box<dyn Section>, Vec<SectionError>> {
        compile("s", FIELDS, &yaml::parse(text).unwrap(), &Plain)
    }

    #[test]
    fn texts_that_are_read_as_json_are_reported_with_what_they_rendered_to() {
        let section = compiled("json: '[1'\n").unwrap();
        let texts = section.json_texts("x", &json!({ "json": "[1" }));
        assert_eq!(texts.len(), 1);
        assert_eq!((texts[0].path.as_str(), texts[0].rendered.as_slice()), ("json", b"[1".as_slice()));
        assert!(section.json_texts("x", &json!({ "json": " " })).is_empty());
    }

    #[test]
    fn unknown_fields_are_noted_and_wrong_kinds_refused() {
        let section = compiled("TEXT: 5\nnope: 1\nmap: {a: b}\n").unwrap();
        assert_eq!(section.unknown_fields(), [("s.nope".to_owned(), (2, 1))]);
        let context = RenderContext { variables: &echion_value::Value::Nil, now: 0, ambient: None, lookups: false };
        assert_eq!(section.render("x", &context).unwrap().unwrap(), json!({"text": "5", "map": {"a": "b"}}));
        let errors = compiled("text: bad\nflag: maybe\ntexts: x\nmap: [y]\n").unwrap_err();
        let paths: Vec<_> = errors.iter().map(|e| (e.path.as_str(), e.at)).collect();
        assert_eq!(paths, [("s.text", (1, 2)), ("s.flag", (2, 7)), ("s.texts", (3, 8)), ("s.map", (4, 6))]);
        assert!(compiled("just a text").is_err());
    }

    #[test]
    fn sections_merge_as_the_contract_says() {
        let merged = |merge: fn(&mut Value, Value)| {
            let mut earlier = json!({"a": "1", "b": "2"});
            merge(&mut earlier, json!({"a": "", "c": "3"}));
            earlier
        };
        assert_eq!(merged(whole), json!({"a": "", "c": "3"}));
        assert_eq!(merged(non_empty), json!({"a": "1", "b": "2", "c": "3"}));
        assert_eq!(merged(present), json!({"a": "", "b": "2", "c": "3"}));
    }
}
