//! From parser events to nodes.

use std::collections::HashMap;

use base64::Engine as _;
use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Kind, Node, YamlError, scalar};

/// A document deeper than this is refused: it is never written by hand, and everything that walks it may recurse.
const DEPTH: usize = 200;

/// Aliases can multiply a small text into a huge tree; past so many nodes it is refused.
const NODES: usize = 1_000_000;

/// Reads the first document of a text; an empty text is null.
///
/// # Errors
/// Line, column and what was expected.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    Ok(documents(text, true)?.into_iter().next().unwrap_or(Node { kind: Kind::Null, line: 1, column: 1 }))
}

/// Reads every document of a text.
///
/// # Errors
/// Line, column and what was expected.
pub fn parse_all(text: &str) -> Result<Vec<Node>, YamlError> {
    documents(text, false)
}

fn documents(text: &str, only_first: bool) -> Result<Vec<Node>, YamlError> {
    // Another crate in the same build may switch comments on, which are nothing to us.
    let options = granit_parser::options! { emit_comments: false };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder { parser, anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            event => {
                documents.push(builder.node(event, span, 0)?);
                builder.anchors.clear();
                if only_first {
                    break;
                }
            }
        }
    }
    Ok(documents)
}

struct Builder<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(pair)) => Ok(Some(pair)),
            Some(Err(error)) => {
                let mark = error.marker();
                Err(YamlError {
                    message: error.info().to_owned(),
                    line: number(mark.line()),
                    column: number(mark.col() + 1),
                })
            }
        }
    }

    fn expect(&mut self, at: Span) -> Result<(Event<'a>, Span), YamlError> {
        self.next()?.ok_or_else(|| error(at, "the text ends too early"))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        self.nodes += 1;
        if depth > DEPTH {
            return Err(error(span, format!("nested deeper than {DEPTH} levels")));
        }
        if self.nodes > NODES {
            return Err(error(span, format!("more than {NODES} values, aliases included")));
        }
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar_kind(&text, style, tag.as_deref(), span)?, anchor),
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.expect(span)? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                (Kind::List(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => (Kind::Map(self.mapping(span, depth)?), anchor),
            Event::Alias(id) => {
                let node =
                    self.anchors.get(&id).cloned().ok_or_else(|| error(span, "an alias inside its own anchor"))?;
                self.nodes += size(&node);
                return Ok(node);
            }
            _ => return Err(error(span, "expected a value")),
        };
        let node = Node { kind, line: number(span.start.line()), column: number(span.start.col() + 1) };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn mapping(&mut self, at: Span, depth: usize) -> Result<Vec<(Node, Node)>, YamlError> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.expect(at)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = key_text(self.node(event, span, depth + 1)?, span)?;
            let (event, span) = self.expect(span)?;
            let value = self.node(event, span, depth + 1)?;
            if is_merge {
                merged.push(value);
                continue;
            }
            let name = key.text().unwrap_or_default().to_owned();
            // Of equal keys the last one wins, as in the parser of Argo CD Notifications.
            match index.get(&name).and_then(|i| entries.get_mut(*i)) {
                Some(entry) => *entry = (key, value),
                None => {
                    index.insert(name, entries.len());
                    entries.push((key, value));
                }
            }
        }
        for node in merged {
            let sources = match node.kind {
                Kind::List(items) => items,
                _ => vec![node],
            };
            for source in sources {
                let Kind::Map(inherited) = source.kind else {
                    return Err(YamlError {
                        message: "`<<` takes a mapping or a list of mappings".to_owned(),
                        line: source.line,
                        column: source.column,
                    });
                };
                for (key, value) in inherited {
                    let name = key.text().unwrap_or_default().to_owned();
                    if let std::collections::hash_map::Entry::Vacant(slot) = index.entry(name) {
                        slot.insert(entries.len());
                        entries.push((key, value));
                    }
                }
            }
        }
        Ok(entries)
    }
}

fn scalar_kind(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Kind, YamlError> {
    let quoted = |text: &str| Kind::Text { text: text.to_owned(), plain: false };
    let suffix = tag.filter(|t| t.is_yaml_core_schema() || t.handle() == "tag:yaml.org,2002:").map(Tag::suffix);
    Ok(match suffix {
        Some("str") => quoted(text),
        Some("binary") => {
            let compact: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(compact)
                .map_err(|_| error(span, "`!!binary` takes base64"))?;
            quoted(&String::from_utf8_lossy(&bytes))
        }
        _ if style == ScalarStyle::Plain || matches!(suffix, Some("int" | "float" | "bool" | "null")) => {
            scalar::resolve(text)
        }
        _ => quoted(text),
    })
}

/// Keys are texts in JSON, whatever they were in YAML.
fn key_text(mut key: Node, span: Span) -> Result<Node, YamlError> {
    let text = match &key.kind {
        Kind::Text { .. } => return Ok(key),
        Kind::Null => "null".to_owned(),
        Kind::Bool(b) => b.to_string(),
        Kind::Int(i) => i.to_string(),
        Kind::Float(f) => f.to_string(),
        Kind::List(_) | Kind::Map(_) => return Err(error(span, "a key must be a text, a number or a boolean")),
    };
    key.kind = Kind::Text { text, plain: true };
    Ok(key)
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => items.iter().map(|n| 1 + size(n)).sum(),
        Kind::Map(entries) => entries.iter().map(|(_, v)| 2 + size(v)).sum(),
        _ => 0,
    }
}

fn error(span: Span, message: impl Into<String>) -> YamlError {
    YamlError { message: message.into(), line: number(span.start.line()), column: number(span.start.col() + 1) }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_know_their_place() {
        let node = parse("a:\n  - x\n  - {b: 1}\n").unwrap();
        let b = match &node.get("a").unwrap().kind {
            Kind::List(items) => items[1].get("b").unwrap().clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((b.line, b.column, b.kind), (3, 9, Kind::Int(1)));
    }

    #[test]
    fn anchors_merges_and_equal_keys() {
        let node = parse("base: &b {x: 1, z: 2}\nown:\n  <<: *b\n  z: 3\n  z: 4\n").unwrap();
        let own = node.get("own").unwrap();
        assert_eq!(own.get("x").unwrap().kind, Kind::Int(1));
        assert_eq!(own.get("z").unwrap().kind, Kind::Int(4));
    }

    #[test]
    fn several_documents_and_errors_with_a_place() {
        assert_eq!(parse_all("a: 1\n---\nb: 2\n").unwrap().len(), 2);
        let error = parse("- a\n b: [").unwrap_err();
        assert!(error.line >= 2, "{error:?}");
    }

    #[test]
    fn neither_depth_nor_aliases_exhaust_memory() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let refs = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
        }
        assert!(parse(&bomb).is_err());
    }
}
