//! Text to tokens.

use std::borrow::Cow;

use echion_value::strconv;

use crate::token::{Kind, Token};

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
/// A trim marker is a minus sign with a space on its inner side.
const TRIM: usize = 2;

/// Cuts a template into tokens, one at a time. After an error there are only ends of file.
pub(crate) struct Lexer<'s> {
    input: &'s str,
    at: usize,
    start: usize,
    line: usize,
    start_line: usize,
    inside: bool,
    parens: usize,
}

type Found<'s> = Option<Token<'s>>;

impl<'s> Lexer<'s> {
    pub(crate) fn new(input: &'s str) -> Self {
        Self { input, at: 0, start: 0, line: 1, start_line: 1, inside: false, parens: 0 }
    }

    pub(crate) fn next_token(&mut self) -> Token<'s> {
        loop {
            let found = if self.inside { self.inside_action() } else { self.text() };
            if let Some(token) = found {
                return token;
            }
        }
    }

    fn rest(&self) -> &'s str {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.bump();
        }
        found
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    /// The token that ends here.
    fn emit(&mut self, kind: Kind) -> Found<'s> {
        let text = self.input.get(self.start..self.at).unwrap_or_default();
        let token = Token { kind, at: self.start, text: Cow::Borrowed(text), line: self.start_line };
        self.start = self.at;
        self.start_line = self.line;
        Some(token)
    }

    /// Moves to `to` without a token.
    fn skip_to(&mut self, to: usize) {
        let skipped = self.input.get(self.at..to).unwrap_or_default();
        self.line += skipped.matches('\n').count();
        self.at = to;
        self.start = to;
        self.start_line = self.line;
    }

    fn error(&mut self, message: impl Into<Cow<'s, str>>) -> Found<'s> {
        let token = Token { kind: Kind::Error, at: self.start, text: message.into(), line: self.start_line };
        self.input = "";
        self.at = 0;
        self.start = 0;
        self.inside = false;
        Some(token)
    }

    fn bad_character(&mut self, c: Option<char>) -> Found<'s> {
        self.error(format!("bad character {}", code_point(c)))
    }

    /// Outside of actions: the text up to the next one.
    fn text(&mut self) -> Found<'s> {
        let rest = self.rest();
        let Some(found) = rest.find(LEFT) else {
            if rest.is_empty() {
                return self.emit(Kind::Eof);
            }
            self.line += rest.matches('\n').count();
            self.at = self.input.len();
            return self.emit(Kind::Text);
        };
        let text = rest.get(..found).unwrap_or_default();
        if !text.is_empty() {
            let delimiter = self.at + found;
            let after = self.input.get(delimiter + LEFT.len()..).unwrap_or_default();
            let kept = if starts_with_trim(after) { text.trim_end_matches(is_space) } else { text };
            self.line += kept.matches('\n').count();
            self.at += kept.len();
            let token = self.emit(Kind::Text);
            self.skip_to(delimiter);
            if !kept.is_empty() {
                return token;
            }
        }
        self.left_delimiter()
    }

    fn left_delimiter(&mut self) -> Found<'s> {
        self.at += LEFT.len();
        let rest = self.rest();
        let marker = if starts_with_trim(rest) { TRIM } else { 0 };
        if rest.get(marker..).is_some_and(|r| r.starts_with("/*")) {
            self.skip_to(self.at + marker);
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelim);
        self.skip_to(self.at + marker);
        self.inside = true;
        self.parens = 0;
        token
    }

    fn comment(&mut self) -> Found<'s> {
        let rest = self.rest();
        let Some(end) = rest.get(2..).and_then(|r| r.find("*/")) else {
            return self.error("unclosed comment");
        };
        let end = self.at + 2 + end + 2;
        let Some(trim) = right_delimiter(self.input.get(end..).unwrap_or_default()) else {
            return self.error("comment ends before closing delimiter");
        };
        let mut after = end + if trim { TRIM } else { 0 } + RIGHT.len();
        if trim {
            after += leading_space(self.input.get(after..).unwrap_or_default());
        }
        self.skip_to(after);
        None
    }

    fn closing(&mut self, trim: bool) -> Found<'s> {
        if trim {
            self.skip_to(self.at + TRIM);
        }
        self.at += RIGHT.len();
        let token = self.emit(Kind::RightDelim);
        if trim {
            self.skip_to(self.at + leading_space(self.rest()));
        }
        self.inside = false;
        token
    }

    fn inside_action(&mut self) -> Found<'s> {
        if let Some(trim) = right_delimiter(self.rest()) {
            return if self.parens == 0 { self.closing(trim) } else { self.error("unclosed left paren") };
        }
        let Some(c) = self.peek() else { return self.error("unclosed action") };
        match c {
            _ if is_space(c) => self.space(),
            '"' => self.quoted(),
            '`' => self.raw_quoted(),
            '\'' => self.char_constant(),
            '$' => {
                self.bump();
                self.name(Kind::Variable)
            }
            '.' => {
                let after = self.rest().as_bytes().get(1);
                if after.is_some_and(|b| !b.is_ascii_digit()) {
                    self.bump();
                    return self.name(Kind::Field);
                }
                self.number()
            }
            '+' | '-' | '0'..='9' => self.number(),
            _ if is_alphanumeric(c) => self.identifier(),
            _ => {
                self.bump();
                self.symbol(c)
            }
        }
    }

    fn symbol(&mut self, c: char) -> Found<'s> {
        match c {
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.bump() == Some('=') {
                    self.emit(Kind::Declare)
                } else {
                    self.error("expected :=")
                }
            }
            '|' => self.emit(Kind::Pipe),
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            ')' => match self.parens.checked_sub(1) {
                Some(parens) => {
                    self.parens = parens;
                    self.emit(Kind::RightParen)
                }
                None => self.error("unexpected right paren"),
            },
            ' '..='~' => self.emit(Kind::Char),
            _ => self.error(format!("unrecognized character in action: {}", code_point(Some(c)))),
        }
    }

    fn space(&mut self) -> Found<'s> {
        let rest = self.rest();
        let length = leading_space(rest);
        // The last space may belong to a closing delimiter with a trim marker.
        let before_last = length.saturating_sub(1);
        if right_delimiter(rest.get(before_last..).unwrap_or_default()) == Some(true) {
            if before_last == 0 {
                return self.closing(true);
            }
            return self.run(before_last);
        }
        self.run(length)
    }

    fn run(&mut self, length: usize) -> Found<'s> {
        let text = self.rest().get(..length).unwrap_or_default();
        self.line += text.matches('\n').count();
        self.at += length;
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Found<'s> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if !self.at_terminator() {
            let c = self.peek();
            return self.bad_character(c);
        }
        let word = self.input.get(self.start..self.at).unwrap_or_default();
        let kind = Kind::keyword(word).unwrap_or(match word {
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        });
        self.emit(kind)
    }

    /// A field or variable, whose first character has been read.
    fn name(&mut self, kind: Kind) -> Found<'s> {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Field { Kind::Dot } else { kind });
        }
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if !self.at_terminator() {
            let c = self.peek();
            return self.bad_character(c);
        }
        self.emit(kind)
    }

    /// Whether a name may end here.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with(RIGHT),
        }
    }

    fn char_constant(&mut self) -> Found<'s> {
        if self.delimited('\'') {
            return self.emit(Kind::CharConstant);
        }
        self.error("unterminated character constant")
    }

    fn quoted(&mut self) -> Found<'s> {
        if self.delimited('"') {
            return self.emit(Kind::String);
        }
        self.error("unterminated quoted string")
    }

    /// Reads up to the closing `quote` in the same line; what is in between is checked later.
    fn delimited(&mut self, quote: char) -> bool {
        self.bump();
        loop {
            match self.bump() {
                None | Some('\n') => return false,
                Some('\\') => {
                    if matches!(self.bump(), None | Some('\n')) {
                        return false;
                    }
                }
                Some(c) if c == quote => return true,
                Some(_) => {}
            }
        }
    }

    fn raw_quoted(&mut self) -> Found<'s> {
        self.bump();
        loop {
            match self.bump() {
                None => return self.error("unterminated raw quoted string"),
                Some('`') => return self.emit(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Found<'s> {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            // 1+2i: no spaces, and the second part is imaginary.
            if !self.scan_number() || self.input.as_bytes().get(self.at - 1) != Some(&b'i') {
                return self.bad_number();
            }
            return self.emit(Kind::Complex);
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Found<'s> {
        let text = self.input.get(self.start..self.at).unwrap_or_default();
        self.error(format!("bad number syntax: {}", strconv::quote(text.as_bytes())))
    }

    /// Reads what looks like a number. Whether it is one is seen later.
    fn scan_number(&mut self) -> bool {
        const DECIMAL: &str = "0123456789_";
        const HEX: &str = "0123456789abcdefABCDEF_";
        self.accept("+-");
        let mut digits = DECIMAL;
        if self.accept("0") {
            if self.accept("xX") {
                digits = HEX;
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        if (digits == DECIMAL && self.accept("eE")) || (digits == HEX && self.accept("pP")) {
            self.accept("+-");
            self.accept_run(DECIMAL);
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}

/// `U+0021 '!'`
fn code_point(c: Option<char>) -> String {
    match c {
        None => "U+FFFFFFFFFFFFFFFF".to_owned(),
        Some(c) if strconv::is_print(c) => format!("U+{:04X} '{c}'", u32::from(c)),
        Some(c) => format!("U+{:04X}", u32::from(c)),
    }
}

/// Whether the text starts with a closing delimiter, and whether that has a trim marker.
fn right_delimiter(text: &str) -> Option<bool> {
    let bytes = text.as_bytes();
    if let [space, b'-', rest @ ..] = bytes
        && is_space(char::from(*space))
        && rest.starts_with(RIGHT.as_bytes())
    {
        return Some(true);
    }
    bytes.starts_with(RIGHT.as_bytes()).then_some(false)
}

fn starts_with_trim(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-', space, ..] if is_space(char::from(*space)))
}

fn leading_space(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_space).len()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
