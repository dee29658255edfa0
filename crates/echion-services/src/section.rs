//! The part of a template that belongs to a service, declared as a list of fields: compiled once, rendered to JSON of the same shape.

use echion_model::yaml::{Kind, Node};
use echion_model::{
    Field, FieldShape, Notification, RenderContext, RenderError, Section, SectionError, SendError, Text, TextCompiler,
};
use serde_json::{Map, Value};

use crate::tree::Tree;

/// The kind of a section that is declared as a list of fields.
macro_rules! section {
    ($key:literal, $fields:ident, $merge:expr) => {
        Some(echion_model::SectionKind {
            key: $key,
            fields: $fields,
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
            FieldShape::Json => Part::Text(self.text(node, path)?),
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
}

fn render(parts: &Parts, context: &RenderContext<'_>) -> Result<Value, RenderError> {
    let mut fields = Map::new();
    for (name, part) in parts {
        let value = match part {
            Part::Text(text) => text.render(context).map(|text| Value::String(text.to_text().into_owned())),
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

    /// A field that holds JSON: as a text that gives it, or as it stands. `None` when it is absent or empty.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Value>, SendError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => parse(text).map(Some).map_err(|error| {
                let fix =
                    format!("correct `{name}` in the template; `toJson` escapes values: `{{{{.app.x | toJson}}}}`");
                SendError::permanent(format!("`{name}` is not JSON: {error}"), fix)
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
                let fix = format!("write `{name}` as a list in the template");
                Err(SendError::permanent(format!("`{name}` is not a list"), fix))
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
