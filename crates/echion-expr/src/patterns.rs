//! Regular expressions.

/// A compiled regular expression.
pub(crate) type Pattern = regex::bytes::Regex;

/// The pattern, or Go's complaint.
pub(crate) fn compile(pattern: &[u8]) -> Result<Pattern, String> {
    let text = std::str::from_utf8(pattern).map_err(|_| "error parsing regexp: invalid UTF-8".to_owned())?;
    regex::bytes::Regex::new(text).map_err(|error| format!("error parsing regexp: {error}"))
}
