//! From a text to tokens. Argo CD Notifications reads YAML 1.1, so this does: line breaks, tabs, comments and where a key may begin are
//! decided as its reader decides them, since state keys are hashes of the texts that come out.

use std::collections::{HashMap, VecDeque};

use super::text::{Mark, Text};
use super::{Note, YamlError, scalars};

/// A token and where it begins.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: Mark,
}

#[derive(Debug, PartialEq)]
pub(super) enum TokenKind {
    Version(u32, u32),
    TagPrefix { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequence,
    BlockMapping,
    BlockEnd,
    FlowSequence,
    FlowSequenceEnd,
    FlowMapping,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: String, suffix: String },
    Scalar { text: String, plain: bool },
    End,
}

/// How many characters a key without `?` can have.
const LONGEST_KEY: usize = 1024;

/// A place where a key may have begun: known only when its `:` comes.
#[derive(Clone, Copy)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

/// Makes tokens out of a text, as many as are needed to know the first one.
pub(super) struct Scanner<'a> {
    pub(super) text: Text<'a>,
    /// What is accepted here and refused by Argo CD Notifications.
    pub(super) notes: Vec<Note>,
    tokens: VecDeque<Token>,
    /// Tokens that were taken.
    taken: usize,
    ended: bool,
    pub(super) flow_level: usize,
    pub(super) indent: isize,
    indents: Vec<isize>,
    pub(super) key_allowed: bool,
    /// One for each level of flow collections.
    keys: Vec<SimpleKey>,
    /// The level whose key begins with a token.
    level_of: HashMap<usize, usize>,
    /// The line of the last `-`.
    entry_line: Option<usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let no_key = SimpleKey { possible: false, required: false, token: 0, mark: Mark::default() };
        Self {
            text: Text::new(text.strip_prefix('\u{feff}').unwrap_or(text)),
            notes: Vec::new(),
            tokens: VecDeque::new(),
            taken: 0,
            ended: false,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![no_key],
            level_of: HashMap::new(),
            entry_line: None,
        }
    }

    pub(super) fn peek(&mut self) -> Result<&Token, YamlError> {
        while !self.ended && self.must_read_on()? {
            self.fetch()?;
        }
        let end = self.text.mark;
        if self.tokens.is_empty() {
            self.push(TokenKind::End, end);
        }
        self.tokens.front().ok_or_else(|| error(end, "the text ends too early"))
    }

    pub(super) fn take(&mut self) -> Result<Token, YamlError> {
        self.peek()?;
        self.taken += 1;
        self.tokens.pop_front().ok_or_else(|| error(self.text.mark, "the text ends too early"))
    }

    /// Whether the first token is unknown yet: there is none, or a key may begin with it.
    fn must_read_on(&mut self) -> Result<bool, YamlError> {
        if self.tokens.is_empty() {
            return Ok(true);
        }
        match self.level_of.get(&self.taken).copied() {
            Some(level) => self.is_key_possible(level),
            None => Ok(false),
        }
    }

    fn push(&mut self, kind: TokenKind, start: Mark) {
        self.tokens.push_back(Token { kind, start });
    }

    /// Puts a token in front of the one with this number. One that was taken already cannot be preceded.
    fn insert(&mut self, number: usize, kind: TokenKind, start: Mark) {
        match number.checked_sub(self.taken) {
            Some(place) if place <= self.tokens.len() => self.tokens.insert(place, Token { kind, start }),
            _ => self.push(kind, start),
        }
    }

    fn fetch(&mut self) -> Result<(), YamlError> {
        self.skip_to_token()?;
        self.unroll(self.text.mark.column as isize);
        let text = &self.text;
        let (start, flow) = (text.mark, self.flow_level > 0);
        if text.at_end(0) {
            return self.fetch_end();
        }
        if start.column == 0 && text.byte(0) == b'%' {
            self.leave_block()?;
            let directive = self.scan_directive()?;
            self.push(directive, start);
            return Ok(());
        }
        if text.at_document_marker() {
            let kind = if text.at("---") { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
            self.leave_block()?;
            self.text.skip_many(3);
            self.push(kind, start);
            return Ok(());
        }
        let space = text.at_space_or_end(1);
        match text.byte(0) {
            b'[' => self.open_flow(TokenKind::FlowSequence),
            b'{' => self.open_flow(TokenKind::FlowMapping),
            b']' => self.close_flow(TokenKind::FlowSequenceEnd),
            b'}' => self.close_flow(TokenKind::FlowMappingEnd),
            b',' => {
                self.forget_key()?;
                self.key_allowed = true;
                self.single(TokenKind::FlowEntry)
            }
            b'-' if space => {
                if !flow {
                    self.begin_block(TokenKind::BlockSequence, "a list cannot begin here")?;
                }
                self.forget_key()?;
                self.key_allowed = true;
                self.entry_line = Some(start.line);
                self.single(TokenKind::BlockEntry)
            }
            b'?' if flow || space => {
                if !flow {
                    self.begin_block(TokenKind::BlockMapping, "a key cannot begin here")?;
                }
                self.forget_key()?;
                self.key_allowed = !flow;
                self.single(TokenKind::Key)
            }
            b':' if flow || space => self.fetch_value(),
            b'*' => self.fetch_name(TokenKind::Alias),
            b'&' => self.fetch_name(TokenKind::Anchor),
            b'!' => {
                self.save_key()?;
                self.key_allowed = false;
                let tag = self.scan_tag()?;
                self.push(tag, start);
                Ok(())
            }
            b'|' | b'>' if !flow => {
                self.forget_key()?;
                self.key_allowed = true;
                let text = scalars::block(self)?;
                self.push(TokenKind::Scalar { text, plain: false }, start);
                Ok(())
            }
            b'\'' | b'"' => {
                self.save_key()?;
                self.key_allowed = false;
                let text = scalars::quoted(self)?;
                self.push(TokenKind::Scalar { text, plain: false }, start);
                Ok(())
            }
            b'-' if !text.at_blank(1) => self.fetch_plain(),
            b'?' | b':' if !flow && !space => self.fetch_plain(),
            b'\t' => Err(error(start, "a tab cannot begin a value, and no line: indent with blanks")),
            c @ (b'-' | b'?' | b':' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`') => {
                Err(error(start, format!("a value cannot begin with `{}`: put it into quotes", char::from(c))))
            }
            _ => self.fetch_plain(),
        }
    }

    fn fetch_plain(&mut self) -> Result<(), YamlError> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.text.mark;
        let text = scalars::plain(self)?;
        self.push(TokenKind::Scalar { text, plain: true }, start);
        Ok(())
    }

    /// A token of one character.
    fn single(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        let start = self.text.mark;
        self.text.skip();
        self.push(kind, start);
        Ok(())
    }

    fn fetch_end(&mut self) -> Result<(), YamlError> {
        if self.text.mark.column != 0 {
            self.text.mark.column = 0;
            self.text.mark.line += 1;
        }
        self.leave_block()?;
        self.ended = true;
        self.push(TokenKind::End, self.text.mark);
        Ok(())
    }

    fn leave_block(&mut self) -> Result<(), YamlError> {
        self.unroll(-1);
        self.forget_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn open_flow(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        self.save_key()?;
        let token = self.next_number();
        self.keys.push(SimpleKey { possible: false, required: false, token, mark: self.text.mark });
        self.flow_level += 1;
        self.key_allowed = true;
        self.single(kind)
    }

    fn close_flow(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        self.forget_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.keys.pop() {
                self.level_of.remove(&key.token);
            }
        }
        self.key_allowed = false;
        self.single(kind)
    }

    fn fetch_value(&mut self) -> Result<(), YamlError> {
        let level = self.keys.len() - 1;
        if self.is_key_possible(level)? {
            let SimpleKey { token, mark, .. } = self.keys[level];
            self.insert(token, TokenKind::Key, mark);
            self.roll(mark, Some(token), TokenKind::BlockMapping);
            self.keys[level].possible = false;
            self.level_of.remove(&token);
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                self.begin_block(TokenKind::BlockMapping, "a `:` cannot stand here: put the text into quotes")?;
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.single(TokenKind::Value)
    }

    fn fetch_name(&mut self, kind: fn(String) -> TokenKind) -> Result<(), YamlError> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.text.mark;
        self.text.skip();
        let name = self.text.read_word();
        let ends = self.text.at_space_or_end(0)
            || matches!(self.text.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            let message =
                "the name of an anchor has letters, digits, `-` and `_`: put a text that begins so into quotes";
            return Err(error(start, message));
        }
        self.push(kind(name), start);
        Ok(())
    }

    fn skip_to_token(&mut self) -> Result<(), YamlError> {
        loop {
            loop {
                match self.text.byte(0) {
                    b' ' => self.text.skip(),
                    b'\t' if self.flow_level > 0 || !self.key_allowed => self.text.skip(),
                    b'\t' if self.entry_line == Some(self.text.mark.line) => {
                        self.note(self.text.mark, "a tab after `-`", "write blanks");
                        self.text.skip();
                    }
                    _ => break,
                }
            }
            self.text.skip_comment();
            if !self.text.at_break(0) {
                return Ok(());
            }
            self.text.skip_break();
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    /// Notes what Argo CD Notifications refuses.
    pub(super) fn note(&mut self, at: Mark, what: &'static str, instead: &'static str) {
        let YamlError { line, column, .. } = error(at, what);
        self.notes.push(Note { what, instead, line, column });
    }

    fn next_number(&self) -> usize {
        self.taken + self.tokens.len()
    }

    fn is_key_possible(&mut self, level: usize) -> Result<bool, YamlError> {
        let here = self.text.mark;
        let Some(key) = self.keys.get_mut(level).filter(|key| key.possible) else { return Ok(false) };
        if key.mark.line < here.line || key.mark.index + LONGEST_KEY < here.index {
            if key.required {
                return Err(error(key.mark, "a key needs a `:` after it"));
            }
            key.possible = false;
        }
        Ok(key.possible)
    }

    fn save_key(&mut self) -> Result<(), YamlError> {
        if self.key_allowed {
            let mark = self.text.mark;
            let required = self.flow_level == 0 && self.indent == mark.column as isize;
            let token = self.next_number();
            self.forget_key()?;
            let level = self.keys.len() - 1;
            self.keys[level] = SimpleKey { possible: true, required, token, mark };
            self.level_of.insert(token, level);
        }
        Ok(())
    }

    fn forget_key(&mut self) -> Result<(), YamlError> {
        if let Some(key) = self.keys.last_mut().filter(|key| key.possible) {
            if key.required {
                return Err(error(key.mark, "a key needs a `:` after it"));
            }
            key.possible = false;
            self.level_of.remove(&key.token);
        }
        Ok(())
    }

    fn begin_block(&mut self, kind: TokenKind, refusal: &str) -> Result<(), YamlError> {
        if !self.key_allowed {
            return Err(error(self.text.mark, refusal));
        }
        self.roll(self.text.mark, None, kind);
        Ok(())
    }

    /// Opens a block collection where the text is further to the right than before.
    fn roll(&mut self, mark: Mark, before: Option<usize>, kind: TokenKind) {
        let column = mark.column as isize;
        if self.flow_level > 0 || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        match before {
            Some(number) => self.insert(number, kind, mark),
            None => self.push(kind, mark),
        }
    }

    /// Closes the block collections that end because the text is further to the left.
    fn unroll(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.text.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }
}

pub(super) fn error(at: Mark, message: impl Into<String>) -> YamlError {
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    YamlError { message: message.into(), line: number(at.line), column: number(at.column) }
}
