//! A section whose every text is a template: compiled once as a tree, rendered to JSON of the same shape.

use echion_model::yaml::{Kind, Node};
use echion_model::{RenderContext, RenderError, SectionError, Text, TextCompiler};
use serde_json::{Map, Value};

/// A compiled tree of texts.
#[derive(Debug)]
pub(crate) enum Tree {
    Text(Box<dyn Text>),
    Fixed(Value),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Compiles every text in `node`; errors are added to `errors` with the way from `path`.
    pub(crate) fn compile(
        node: &Node,
        path: &str,
        compiler: &dyn TextCompiler,
        errors: &mut Vec<SectionError>,
    ) -> Self {
        match &node.kind {
            Kind::Null => Tree::Fixed(Value::Null),
            Kind::Bool(b) => Tree::Fixed(Value::Bool(*b)),
            Kind::Int(i) => Tree::Fixed((*i).into()),
            Kind::Uint(i) => Tree::Fixed((*i).into()),
            Kind::Float(f) => Tree::Fixed((*f).into()),
            Kind::Text { text, .. } => match compiler.compile(text) {
                Ok(text) => Tree::Text(text),
                Err((message, at)) => {
                    errors.push(SectionError { path: path.to_owned(), at, message, source: text.clone() });
                    Tree::Fixed(Value::Null)
                }
            },
            Kind::List(items) => Tree::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| Tree::compile(item, &format!("{path}[{i}]"), compiler, errors))
                    .collect(),
            ),
            Kind::Map(entries) => Tree::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let key = key.text().unwrap_or_default();
                        (key.to_owned(), Tree::compile(value, &format!("{path}.{key}"), compiler, errors))
                    })
                    .collect(),
            ),
        }
    }

    /// The node as JSON, its strings as they are.
    pub(crate) fn plain(node: &Node) -> Value {
        match &node.kind {
            Kind::Null => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Int(i) => (*i).into(),
            Kind::Uint(i) => (*i).into(),
            Kind::Float(f) => (*f).into(),
            Kind::Text { text, .. } => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Tree::plain).collect()),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(k, v)| (k.text().unwrap_or_default().to_owned(), Tree::plain(v))).collect(),
            ),
        }
    }

    /// Renders every text.
    pub(crate) fn render(&self, context: &RenderContext<'_>) -> Result<Value, RenderError> {
        Ok(match self {
            Tree::Text(text) => Value::String(text.render(context)?.to_text().into_owned()),
            Tree::Fixed(value) => value.clone(),
            Tree::List(items) => Value::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| item.render(context).map_err(|e| e.within(&format!("[{i}]"))))
                    .collect::<Result<_, _>>()?,
            ),
            Tree::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.render(context).map_err(|e| e.within(key))?)))
                    .collect::<Result<Map<_, _>, RenderError>>()?,
            ),
        })
    }
}
