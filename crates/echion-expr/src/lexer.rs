//! Text to tokens, one at a time: an error in a later token must not hide an earlier error of the parser.

use echion_value::strconv::quote;

use crate::error::CompileError;
use crate::unescape::{unescape_bytes, unescape_text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Identifier,
    Number,
    Text,
    Bytes,
    Operator,
    Bracket,
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// The first character, counted from zero.
    pub(crate) at: u32,
    /// One past the last character.
    pub(crate) end: u32,
    pub(crate) value: Vec<u8>,
}

impl Token {
    pub(crate) fn is(&self, kind: TokenKind, value: &str) -> bool {
        self.kind == kind && self.value == value.as_bytes()
    }

    /// The value of every kind but text and bytes, which alone can hold what is no UTF-8.
    pub(crate) fn word(&self) -> &str {
        std::str::from_utf8(&self.value).unwrap_or_default()
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            TokenKind::Identifier => "Identifier",
            TokenKind::Number => "Number",
            TokenKind::Text => "String",
            TokenKind::Bytes => "Bytes",
            TokenKind::Operator => "Operator",
            TokenKind::Bracket => "Bracket",
            TokenKind::End => "EOF",
        };
        if self.value.is_empty() { f.write_str(kind) } else { write!(f, "{kind}({})", quote(&self.value)) }
    }
}

pub(crate) struct Lexer {
    source: Vec<char>,
    start: usize,
    end: usize,
    /// The word after `not`, when it belongs to the operator.
    pending: Option<Token>,
    finished: bool,
}

impl Lexer {
    pub(crate) fn new(source: &str) -> Self {
        Self { source: source.chars().collect(), start: 0, end: 0, pending: None, finished: false }
    }

    /// The next token; `None` after the last one, which is of kind `End`.
    pub(crate) fn next_token(&mut self) -> Result<Option<Token>, CompileError> {
        if let Some(token) = self.pending.take() {
            return Ok(Some(token));
        }
        if self.finished {
            return Ok(None);
        }
        loop {
            self.start = self.end;
            let Some(c) = self.bump() else {
                self.finished = true;
                let at = self.end.saturating_sub(1);
                return Ok(Some(Token {
                    kind: TokenKind::End,
                    at: position(at),
                    end: position(self.end),
                    value: Vec::new(),
                }));
            };
            let kind = match c {
                c if is_space(c) => continue,
                '\'' | '"' => return self.text(c).map(Some),
                '`' => return self.raw_text().map(Some),
                'b' | 'B' if matches!(self.peek(), Some('\'' | '"')) => return self.bytes().map(Some),
                '0'..='9' => {
                    self.end -= 1;
                    return self.number().map(Some);
                }
                '.' if self.peek().is_some_and(|c| c.is_ascii_digit()) => return self.number().map(Some),
                '?' => {
                    self.accept(".?");
                    TokenKind::Operator
                }
                '/' if self.accept("/") => {
                    while self.bump().is_some_and(|c| c != '\n') {}
                    continue;
                }
                '/' if self.accept("*") => {
                    self.skip_comment()?;
                    continue;
                }
                '#' => return Ok(Some(self.pointer())),
                '|' | ':' => {
                    self.accept(if c == '|' { "|" } else { ":" });
                    TokenKind::Operator
                }
                '(' | '[' | '{' | ')' | ']' | '}' => TokenKind::Bracket,
                '/' | ',' | ';' | '%' | '+' | '-' | '^' => TokenKind::Operator,
                '&' | '!' | '=' | '*' | '<' | '>' => {
                    self.accept("&=*");
                    TokenKind::Operator
                }
                '.' => {
                    self.accept(".");
                    TokenKind::Operator
                }
                c if is_alphanumeric(c) => return Ok(Some(self.identifier())),
                c => return Err(self.fail(format!("unrecognized character: U+{:04X} '{c}'", c as u32))),
            };
            return Ok(Some(self.token(kind)));
        }
    }

    fn peek(&self) -> Option<char> {
        self.source.get(self.end).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.end += 1;
        Some(c)
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|c| set.contains(c));
        if found {
            self.end += 1;
        }
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }

    fn word(&self) -> String {
        self.source.get(self.start..self.end).unwrap_or_default().iter().collect()
    }

    fn token(&self, kind: TokenKind) -> Token {
        Token { kind, at: position(self.start), end: position(self.end), value: self.word().into_bytes() }
    }

    /// An error at the last character that was read.
    fn fail(&self, message: impl Into<String>) -> CompileError {
        CompileError::syntax(position(self.end.saturating_sub(1)), message)
    }

    /// An error at the end of the text, one past the last character.
    fn fail_at_end(&self, message: &str) -> CompileError {
        CompileError::syntax(position(self.end), message)
    }

    fn skip_comment(&mut self) -> Result<(), CompileError> {
        loop {
            match self.bump() {
                None => return Err(self.fail_at_end("unclosed comment")),
                Some('*') if self.accept("/") => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn identifier(&mut self) -> Token {
        self.skip_alphanumeric();
        let mut token = self.token(TokenKind::Identifier);
        match token.word() {
            "in" | "or" | "and" | "matches" | "contains" | "startsWith" | "endsWith" | "let" | "if" | "else" => {
                token.kind = TokenKind::Operator;
            }
            "not" => {
                token.kind = TokenKind::Operator;
                self.start = self.end;
                self.accept_run(" ");
                self.start = self.end;
                let before = self.end;
                self.skip_alphanumeric();
                match self.word().as_str() {
                    "in" | "matches" | "contains" | "startsWith" | "endsWith" => {
                        self.pending = Some(self.token(TokenKind::Operator));
                    }
                    _ => self.end = before,
                }
            }
            _ => {}
        }
        token
    }

    fn skip_alphanumeric(&mut self) {
        while self.peek().is_some_and(is_alphanumeric) {
            self.end += 1;
        }
    }

    /// `#`, `##`, and the name that may follow.
    fn pointer(&mut self) -> Token {
        self.accept("#");
        let token = self.token(TokenKind::Operator);
        self.start = self.end;
        self.skip_alphanumeric();
        if self.start < self.end {
            self.pending = Some(self.token(TokenKind::Identifier));
        }
        token
    }

    fn number(&mut self) -> Result<Token, CompileError> {
        let mut digits = "0123456789_";
        if self.source.get(self.start) != Some(&'.') && self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.source.get(self.start) != Some(&'.') {
            let before = self.end;
            if self.accept(".") {
                if self.peek() == Some('.') {
                    // This dot is the first of a range.
                    self.end = before;
                    return Ok(self.token(TokenKind::Number));
                }
                self.accept_run(digits);
            }
        }
        if self.accept("eE") {
            self.accept("+-");
            self.accept_run(digits);
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.end += 1;
            return Err(self.fail(format!("bad number syntax: {}", quote(self.word().as_bytes()))));
        }
        Ok(self.token(TokenKind::Number))
    }

    fn text(&mut self, delimiter: char) -> Result<Token, CompileError> {
        self.scan_literal(delimiter)?;
        let value = unescape_text(&self.word()).ok_or_else(|| self.fail("unable to unescape string"))?;
        Ok(Token { kind: TokenKind::Text, at: position(self.start), end: position(self.end), value })
    }

    fn bytes(&mut self) -> Result<Token, CompileError> {
        let Some(delimiter) = self.bump() else { return Err(self.fail_at_end("literal not terminated")) };
        self.scan_literal(delimiter)?;
        let word = self.word();
        let value =
            unescape_bytes(word.get(1..).unwrap_or_default()).ok_or_else(|| self.fail("unable to unescape string"))?;
        Ok(Token { kind: TokenKind::Bytes, at: position(self.start), end: position(self.end), value })
    }

    /// Between backquotes nothing is an escape but a doubled backquote.
    fn raw_text(&mut self) -> Result<Token, CompileError> {
        let mut value = String::new();
        loop {
            match self.bump() {
                None => return Err(self.fail_at_end("literal not terminated")),
                Some('`') if self.accept("`") => value.push('`'),
                Some('`') => break,
                Some(c) => value.push(c),
            }
        }
        Ok(Token {
            kind: TokenKind::Text,
            at: position(self.start),
            end: position(self.end),
            value: value.into_bytes(),
        })
    }

    fn scan_literal(&mut self, delimiter: char) -> Result<(), CompileError> {
        let mut c = self.bump();
        while c != Some(delimiter) {
            c = match c {
                None => return Err(self.fail_at_end("literal not terminated")),
                Some('\n') => return Err(self.fail("literal not terminated")),
                Some('\\') => self.scan_escape(delimiter)?,
                Some(_) => self.bump(),
            };
        }
        Ok(())
    }

    /// Reads an escape and the character after it.
    fn scan_escape(&mut self, delimiter: char) -> Result<Option<char>, CompileError> {
        let c = self.bump();
        match c {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => Ok(self.bump()),
            Some(c) if c == delimiter => Ok(self.bump()),
            Some('0'..='7') => self.scan_digits(c, 8, 3),
            Some('x') => {
                let first = self.bump();
                self.scan_digits(first, 16, 2)
            }
            Some('u') if self.peek() == Some('{') => {
                self.end += 1;
                let mut digits = 0;
                while self.peek() != Some('}') {
                    if digits == 6 || !self.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
                        return Err(self.fail("invalid char escape"));
                    }
                    self.end += 1;
                    digits += 1;
                }
                if digits == 0 {
                    return Err(self.fail("invalid char escape"));
                }
                self.end += 1;
                Ok(self.bump())
            }
            Some('u') => {
                let first = self.bump();
                self.scan_digits(first, 16, 4)
            }
            Some('U') => {
                let first = self.bump();
                self.scan_digits(first, 16, 8)
            }
            None => Err(self.fail_at_end("invalid char escape")),
            Some(_) => Err(self.fail("invalid char escape")),
        }
    }

    fn scan_digits(&mut self, first: Option<char>, base: u32, count: usize) -> Result<Option<char>, CompileError> {
        let mut c = first;
        for _ in 0..count {
            match c {
                Some(digit) if digit.is_digit(base) => c = self.bump(),
                Some(_) => return Err(self.fail("invalid char escape")),
                None => return Err(self.fail_at_end("invalid char escape")),
            }
        }
        Ok(c)
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Go's `unicode.IsSpace`.
fn is_space(c: char) -> bool {
    c.is_whitespace()
}

pub(crate) fn is_alphanumeric(c: char) -> bool {
    // Go's letters are the general categories L*, which `is_alphabetic` contains together with some marks and numbers.
    c == '_' || c == '$' || c.is_alphabetic() || (c.is_numeric() && is_decimal_digit(c))
}

/// Category Nd, approximated by what has a digit's value in its script: blocks of ten that start at a known zero.
fn is_decimal_digit(c: char) -> bool {
    const ZEROS: [u32; 22] = [
        0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
        0xF20, 0x1040, 0x17E0, 0x1810, 0xA620, 0xFF10,
    ];
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&(c as u32)))
}
