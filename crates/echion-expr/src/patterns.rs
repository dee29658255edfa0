//! Regular expressions.

use echion_value::regexp::Regexp;

/// A compiled regular expression.
pub(crate) type Pattern = Regexp;

/// The pattern, or Go's complaint.
pub(crate) fn compile(pattern: &[u8]) -> Result<Pattern, String> {
    Regexp::compile_bytes(pattern)
}
