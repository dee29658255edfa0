//! The one error type of the language.

use std::fmt;
use std::sync::Arc;

/// When an error was found, which decides what it means for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not an expression.
    Syntax,
    /// The text is an expression that can never work.
    Check,
    /// This evaluation failed; another one, over other values, may not.
    Run,
    /// A limit was reached, while compiling or while evaluating.
    Budget,
}

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    line: usize,
    column: usize,
    source: Arc<str>,
}

impl Error {
    /// An error at the character number `at`, counted from zero.
    pub(crate) fn new(kind: ErrorKind, message: String, at: u32, source: &Arc<str>) -> Box<Self> {
        let (mut line, mut column) = (1, 0);
        for c in source.chars().take(at as usize) {
            if c == '\n' {
                line += 1;
                column = 0;
            } else {
                column += 1;
            }
        }
        Box::new(Self { kind, message, line, column: column + 1, source: source.clone() })
    }

    /// When it was found.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether compiling failed, rather than one evaluation.
    #[must_use]
    pub fn is_syntax_or_check(&self) -> bool {
        matches!(self.kind, ErrorKind::Syntax | ErrorKind::Check)
    }

    /// What went wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line, counted from one.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from one.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The whole text of the expression.
    #[must_use]
    pub fn source_text(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Error {
    /// The reference's form: the message, the place, and the line with a caret below. Nothing can be shown of an empty line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tab is shown as one blank, so that the caret stands below the right character.
        let line = self.source.split('\n').nth(self.line - 1).unwrap_or_default().replace('\t', " ");
        if line.is_empty() {
            return f.write_str(&self.message);
        }
        let dots = ".".repeat(self.column - 1);
        write!(f, "{} ({}:{})\n | {line}\n | {dots}^", self.message, self.line, self.column)
    }
}

impl std::error::Error for Error {}

/// A failure while compiling, before it is bound to its source.
#[derive(Debug)]
pub(crate) struct CompileError {
    pub(crate) kind: ErrorKind,
    pub(crate) at: u32,
    pub(crate) message: String,
}

impl CompileError {
    pub(crate) fn syntax(at: u32, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Syntax, at, message: message.into() }
    }

    pub(crate) fn check(at: u32, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Check, at, message: message.into() }
    }

    pub(crate) fn budget(at: u32, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Budget, at, message: message.into() }
    }
}

/// A failure while evaluating; the machine knows where it happened. In a box, so that results without one fit in registers.
#[derive(Debug)]
pub(crate) struct EvalError(Box<(ErrorKind, String)>);

impl EvalError {
    #[cold]
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(Box::new((ErrorKind::Run, message.into())))
    }

    #[cold]
    pub(crate) fn budget(message: impl Into<String>) -> Self {
        Self(Box::new((ErrorKind::Budget, message.into())))
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.0.1
    }

    /// The error that it is at the character number `at`.
    #[cold]
    pub(crate) fn at(self, at: u32, source: &Arc<str>) -> Box<Error> {
        let (kind, message) = *self.0;
        Error::new(kind, message, at, source)
    }
}

impl From<echion_value::CallError> for EvalError {
    fn from(error: echion_value::CallError) -> Self {
        Self::new(error.0)
    }
}
