//! What can go wrong in a template.

use std::fmt;

/// When it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The text is no template.
    Parse,
    /// The template and the data do not fit.
    Exec,
    /// The template asked for more than its [`Limits`](crate::Limits) allow.
    Budget,
}

/// A template that could not be parsed or rendered. The text is Go's, word for word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// When it went wrong.
    pub phase: Phase,
    /// The whole text, with the template's name and the position in it.
    pub message: String,
    /// The line, counted from one.
    pub line: usize,
    /// The byte in that line, counted from one.
    pub column: usize,
    /// What had been written before.
    pub partial: Vec<u8>,
}

impl Error {
    /// An error at byte `at` of `source`.
    pub(crate) fn new(phase: Phase, message: String, source: &str, at: usize) -> Box<Self> {
        let before = source.get(..at).unwrap_or(source);
        let line = 1 + before.bytes().filter(|b| *b == b'\n').count();
        let column = 1 + before.len() - before.rfind('\n').map_or(0, |i| i + 1);
        Box::new(Self { phase, message, line, column, partial: Vec::new() })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
