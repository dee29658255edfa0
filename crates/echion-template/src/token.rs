//! The words of a template.

use echion_value::{Value, format};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Dot,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

impl Kind {
    /// The kind of a word with a meaning of its own.
    pub(crate) fn keyword(word: &str) -> Option<Self> {
        Some(match word {
            "." => Self::Dot,
            "nil" => Self::Nil,
            "block" => Self::Block,
            "break" => Self::Break,
            "continue" => Self::Continue,
            "define" => Self::Define,
            "else" => Self::Else,
            "end" => Self::End,
            "if" => Self::If,
            "range" => Self::Range,
            "template" => Self::Template,
            "with" => Self::With,
            _ => return None,
        })
    }

    fn is_keyword(self) -> bool {
        use Kind::{Block, Break, Continue, Define, Dot, Else, End, If, Nil, Range, Template, With};
        matches!(self, Dot | Nil | Block | Break | Continue | Define | Else | End | If | Range | Template | With)
    }
}

/// A token: its kind, where it starts, its text (or what is wrong), and the line it starts in.
#[derive(Clone, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    pub(crate) at: usize,
    pub(crate) text: std::borrow::Cow<'s, str>,
    pub(crate) line: usize,
}

impl Token<'_> {
    /// How error texts name it.
    pub(crate) fn describe(&self) -> String {
        let quoted = |verb: &str| {
            let text = format::sprintf(verb.as_bytes(), &[Value::from(self.text.as_ref())], 1 << 10);
            String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
        };
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.to_string(),
            kind if kind.is_keyword() => format!("<{}>", self.text),
            _ if self.text.len() > 10 => quoted("%.10q..."),
            _ => quoted("%q"),
        }
    }
}
