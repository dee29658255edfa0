//! From tokens to nodes.

use std::collections::HashMap;

use super::mapping::Mapping;
use super::scanner::{Scanner, Token, TokenKind, error};
use super::text::Mark;
use super::{Kind, Node, Note, YamlError, scalar};

/// A document deeper than this is refused: it is never written by hand, and everything that walks it may recurse.
const DEPTH: usize = 200;

/// Aliases can multiply a small text into a huge tree; past so many nodes it is refused.
const NODES: usize = 1_000_000;

/// Reads the first document of a text; an empty text is null.
///
/// # Errors
/// Line, column and what was expected.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    parse_with_notes(text).map(|(node, _)| node)
}

/// The same with what is accepted here and would be refused by Argo CD Notifications, in the order of the text.
///
/// # Errors
/// Line, column and what was expected.
pub fn parse_with_notes(text: &str) -> Result<(Node, Vec<Note>), YamlError> {
    let mut builder = Builder::new(text)?;
    let node = builder.document(true)?;
    Ok((node.unwrap_or(Node { kind: Kind::Null, line: 1, column: 1 }), builder.scanner.notes))
}

/// Reads every document of a text.
///
/// # Errors
/// Line, column and what was expected.
pub fn parse_all(text: &str) -> Result<Vec<Node>, YamlError> {
    let mut builder = Builder::new(text)?;
    let mut documents: Vec<Node> = builder.document(true)?.into_iter().collect();
    while let Some(node) = builder.document(false)? {
        documents.push(node);
    }
    Ok(documents)
}

/// What an anchor names: nothing yet while its own node is read.
struct Anchored {
    id: usize,
    node: Option<Node>,
}

struct Builder<'a> {
    scanner: Scanner<'a>,
    anchors: HashMap<String, Anchored>,
    prefixes: Vec<(String, String)>,
    nodes: usize,
}

/// What may stand in front of a node.
#[derive(Default)]
struct Properties {
    anchor: Option<String>,
    tag: Option<String>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Result<Self, YamlError> {
        let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}');
        if let Some(place) = text.find(|c: char| !allowed(c) || matches!(c, '\u{FFFE}' | '\u{FFFF}')) {
            let before = text.get(..place).unwrap_or_default();
            let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
            let message = "a control character: write it as an escape in double quotes".to_owned();
            return Err(YamlError { message, line: number(before.matches('\n').count()), column: number(column) });
        }
        Ok(Self { scanner: Scanner::new(text), anchors: HashMap::new(), prefixes: Vec::new(), nodes: 0 })
    }

    fn peek(&mut self) -> Result<&TokenKind, YamlError> {
        self.scanner.peek().map(|token| &token.kind)
    }

    fn here(&mut self) -> Result<Mark, YamlError> {
        self.scanner.peek().map(|token| token.start)
    }

    /// Takes the next token if it is this one.
    fn accept(&mut self, kind: &TokenKind) -> Result<bool, YamlError> {
        let found = self.peek()? == kind;
        if found {
            self.scanner.take()?;
        }
        Ok(found)
    }

    fn refuse<T>(&mut self, message: &str) -> Result<T, YamlError> {
        Err(error(self.here()?, message))
    }

    /// The next document. Only the first one may begin without `---`.
    fn document(&mut self, first: bool) -> Result<Option<Node>, YamlError> {
        while *self.peek()? == TokenKind::DocumentEnd {
            if first {
                let here = self.here()?;
                self.scanner.note(here, "`...` without a document before it", "remove it");
            }
            self.scanner.take()?;
        }
        self.anchors.clear();
        self.directives()?;
        let node = match self.peek()? {
            TokenKind::End => return Ok(None),
            TokenKind::DocumentStart => {
                self.scanner.take()?;
                let empty = matches!(
                    self.peek()?,
                    TokenKind::Version(..)
                        | TokenKind::TagPrefix { .. }
                        | TokenKind::DocumentStart
                        | TokenKind::DocumentEnd
                        | TokenKind::End
                );
                if empty { self.empty()? } else { self.node(true, false, 0)? }
            }
            _ if first => self.node(true, false, 0)?,
            _ => return self.refuse("expected `---` before another document"),
        };
        self.peek()?;
        Ok(Some(node))
    }

    fn directives(&mut self) -> Result<(), YamlError> {
        self.prefixes.clear();
        let mut version = false;
        while let TokenKind::Version(..) | TokenKind::TagPrefix { .. } = self.peek()? {
            let Token { kind, start } = self.scanner.take()?;
            match kind {
                TokenKind::Version(..) if version => return Err(error(start, "a second `%YAML`")),
                TokenKind::Version(1, minor) => {
                    version = true;
                    if minor != 1 {
                        self.scanner.note(start, "a version of YAML other than 1.1", "remove the line");
                    }
                }
                TokenKind::TagPrefix { handle, .. } if self.prefix(&handle).is_some() => {
                    return Err(error(start, "a second `%TAG` for this handle"));
                }
                TokenKind::TagPrefix { handle, prefix } => self.prefixes.push((handle, prefix)),
                _ => return Err(error(start, "only YAML 1.1 is read: remove the line")),
            }
        }
        if version || !self.prefixes.is_empty() {
            let started = *self.peek()? == TokenKind::DocumentStart;
            if !started {
                return self.refuse("expected `---` after a directive");
            }
        }
        for (handle, prefix) in STANDARD_PREFIXES {
            if self.prefix(handle).is_none() {
                self.prefixes.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    fn prefix(&self, handle: &str) -> Option<&str> {
        self.prefixes.iter().find(|(known, _)| known == handle).map(|(_, prefix)| prefix.as_str())
    }

    /// Nothing at all where a node could be.
    fn empty(&mut self) -> Result<Node, YamlError> {
        let here = self.here()?;
        self.count(here, 1)?;
        Ok(place(Kind::Null, here))
    }

    fn count(&mut self, at: Mark, nodes: usize) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES {
            return Err(error(at, format!("more than {NODES} values, aliases included")));
        }
        Ok(())
    }

    fn node(&mut self, block: bool, indentless: bool, depth: usize) -> Result<Node, YamlError> {
        let start = self.here()?;
        self.count(start, 1)?;
        if depth > DEPTH {
            return Err(error(start, format!("nested deeper than {DEPTH} levels")));
        }
        if let TokenKind::Alias(_) = self.peek()? {
            return self.alias();
        }
        let properties = self.properties()?;
        let id = self.nodes;
        if let Some(anchor) = &properties.anchor {
            self.anchors.insert(anchor.clone(), Anchored { id, node: None });
        }
        let start = self.here()?;
        let kind = match self.peek()? {
            TokenKind::BlockEntry if indentless => self.indentless_list(depth)?,
            TokenKind::Scalar { .. } => self.scalar(properties.tag.as_deref())?,
            TokenKind::FlowSequence => self.flow_list(depth)?,
            TokenKind::FlowMapping => self.flow_mapping(depth)?,
            TokenKind::BlockSequence if block => self.block_list(depth)?,
            TokenKind::BlockMapping if block => self.block_mapping(depth)?,
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                scalar::tagged("", true, properties.tag.as_deref()).map_err(|message| error(start, message))?
            }
            _ => return self.refuse("expected a value"),
        };
        let node = place(kind, start);
        if let Some(anchored) = properties.anchor.and_then(|anchor| self.anchors.get_mut(&anchor))
            && anchored.id == id
        {
            anchored.node = Some(node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self) -> Result<Node, YamlError> {
        let Token { kind: TokenKind::Alias(name), start } = self.scanner.take()? else {
            return self.refuse("expected an alias");
        };
        let node = match self.anchors.get(&name) {
            None => return Err(error(start, format!("no anchor `{name}` comes before this alias"))),
            Some(Anchored { node: None, .. }) => return Err(error(start, "an alias inside its own anchor")),
            Some(Anchored { node: Some(node), .. }) => node.clone(),
        };
        self.count(start, size(&node))?;
        Ok(node)
    }

    fn properties(&mut self) -> Result<Properties, YamlError> {
        let mut properties = Properties::default();
        loop {
            match self.peek()? {
                TokenKind::Anchor(_) if properties.anchor.is_none() => {
                    if let TokenKind::Anchor(name) = self.scanner.take()?.kind {
                        properties.anchor = Some(name);
                    }
                }
                TokenKind::Tag { .. } if properties.tag.is_none() => {
                    let Token { kind, start } = self.scanner.take()?;
                    if let TokenKind::Tag { handle, suffix } = kind {
                        let prefix = if handle.is_empty() { Some("") } else { self.prefix(&handle) };
                        let Some(prefix) = prefix else {
                            return Err(error(start, format!("no `%TAG` defines the handle `{handle}`")));
                        };
                        properties.tag = Some(format!("{prefix}{suffix}"));
                    }
                }
                _ => return Ok(properties),
            }
        }
    }

    fn scalar(&mut self, tag: Option<&str>) -> Result<Kind, YamlError> {
        let Token { kind, start } = self.scanner.take()?;
        let TokenKind::Scalar { text, plain } = kind else { return Err(error(start, "expected a text")) };
        if tag == Some("tag:yaml.org,2002:null") && scalar::resolve(&text) != Kind::Null {
            self.scanner.note(start, "`!!null` before a text", "remove the tag or the text");
            return Ok(Kind::Null);
        }
        scalar::tagged(&text, plain, tag).map_err(|message| error(start, message))
    }

    fn block_list(&mut self, depth: usize) -> Result<Kind, YamlError> {
        self.scanner.take()?;
        let mut items = Vec::new();
        loop {
            if self.accept(&TokenKind::BlockEntry)? {
                let empty = matches!(self.peek()?, TokenKind::BlockEntry | TokenKind::BlockEnd);
                items.push(if empty { self.empty()? } else { self.node(true, false, depth + 1)? });
            } else if self.accept(&TokenKind::BlockEnd)? {
                return Ok(Kind::List(items));
            } else {
                return self.refuse("expected `-` in the column of the other items");
            }
        }
    }

    /// A list whose items stand in the column of the key above them.
    fn indentless_list(&mut self, depth: usize) -> Result<Kind, YamlError> {
        let mut items = Vec::new();
        while self.accept(&TokenKind::BlockEntry)? {
            let empty = matches!(self.peek()?, TokenKind::BlockEntry) || self.is_entry_over()?;
            items.push(if empty { self.empty()? } else { self.node(true, false, depth + 1)? });
        }
        Ok(Kind::List(items))
    }

    /// Whether a key or value of a block mapping is left out.
    fn is_entry_over(&mut self) -> Result<bool, YamlError> {
        Ok(matches!(self.peek()?, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd))
    }

    fn block_mapping(&mut self, depth: usize) -> Result<Kind, YamlError> {
        self.scanner.take()?;
        let mut mapping = Mapping::default();
        while !self.accept(&TokenKind::BlockEnd)? {
            if !self.accept(&TokenKind::Key)? {
                return self.refuse("expected a key in the column of the other keys");
            }
            let key = if self.is_entry_over()? { self.empty()? } else { self.node(true, true, depth + 1)? };
            let filled = self.accept(&TokenKind::Value)? && !self.is_entry_over()?;
            self.entry(&mut mapping, key, filled, (true, depth + 1))?;
        }
        Ok(mapping.finish())
    }

    /// Adds an entry to a mapping. Its value comes next where there is one; `block` and the depth are those of the value.
    fn entry(
        &mut self,
        mapping: &mut Mapping,
        key: Node,
        filled: bool,
        (block, depth): (bool, usize),
    ) -> Result<(), YamlError> {
        let alias = matches!(self.peek()?, TokenKind::Alias(_));
        let value = if filled { self.node(block, block, depth)? } else { self.empty()? };
        if key.kind == Kind::Null {
            let (what, instead) = ("a key that is null", "put it into quotes");
            self.scanner.notes.push(Note { what, instead, line: key.line, column: key.column });
        }
        mapping.insert(key, value, alias)
    }

    fn flow_list(&mut self, depth: usize) -> Result<Kind, YamlError> {
        self.scanner.take()?;
        let mut items = Vec::new();
        while !self.accept(&TokenKind::FlowSequenceEnd)? {
            if !items.is_empty() && !self.accept(&TokenKind::FlowEntry)? {
                return self.refuse("expected `,` or `]`");
            }
            if *self.peek()? == TokenKind::Key {
                let start = self.scanner.take()?.start;
                items.push(place(self.single_pair(depth)?, start));
            } else if *self.peek()? != TokenKind::FlowSequenceEnd {
                items.push(self.node(false, false, depth + 1)?);
            }
        }
        Ok(Kind::List(items))
    }

    /// `a: b` as an item of a flow list.
    fn single_pair(&mut self, depth: usize) -> Result<Kind, YamlError> {
        let mut mapping = Mapping::default();
        let over = |kind: &TokenKind| matches!(kind, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd);
        let key = match self.peek()? {
            TokenKind::Value => {
                // The `:` belongs to the missing key, as in the reader of Argo CD Notifications.
                let key = self.empty()?;
                self.scanner.take()?;
                key
            }
            kind if over(kind) => return self.refuse("expected a key after `?`"),
            _ => self.node(false, false, depth + 2)?,
        };
        let filled = self.accept(&TokenKind::Value)? && !over(self.peek()?);
        self.entry(&mut mapping, key, filled, (false, depth + 2))?;
        Ok(mapping.finish())
    }

    fn flow_mapping(&mut self, depth: usize) -> Result<Kind, YamlError> {
        self.scanner.take()?;
        let mut mapping = Mapping::default();
        let mut first = true;
        let over = |kind: &TokenKind| matches!(kind, TokenKind::FlowEntry | TokenKind::FlowMappingEnd);
        while !self.accept(&TokenKind::FlowMappingEnd)? {
            if !std::mem::take(&mut first) && !self.accept(&TokenKind::FlowEntry)? {
                return self.refuse("expected `,` or `}`");
            }
            if self.accept(&TokenKind::Key)? {
                let missing = over(self.peek()?) || *self.peek()? == TokenKind::Value;
                let key = if missing { self.empty()? } else { self.node(false, false, depth + 1)? };
                let filled = self.accept(&TokenKind::Value)? && !over(self.peek()?);
                self.entry(&mut mapping, key, filled, (false, depth + 1))?;
            } else if *self.peek()? != TokenKind::FlowMappingEnd {
                let key = self.node(false, false, depth + 1)?;
                self.entry(&mut mapping, key, false, (false, depth + 1))?;
            }
        }
        Ok(mapping.finish())
    }
}

/// The handles that every document knows.
const STANDARD_PREFIXES: [(&str, &str); 2] = [("!", "!"), ("!!", "tag:yaml.org,2002:")];

fn place(kind: Kind, at: Mark) -> Node {
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    Node { kind, line: number(at.line), column: number(at.column) }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => items.iter().map(|n| 1 + size(n)).sum(),
        Kind::Map(entries) => entries.iter().map(|(_, v)| 2 + size(v)).sum(),
        _ => 0,
    }
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
