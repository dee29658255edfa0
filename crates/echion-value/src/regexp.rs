//! Regular expressions with the syntax and the results of Go's `regexp`.
//!
//! The `regex` crate is of the same family: linear time, leftmost-first. What differs is the syntax, so a pattern is
//! parsed by Go's grammar first and written anew for the crate (see `syntax`), and the rules for empty matches.

mod class;
mod syntax;
mod token;

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::strconv::decode_rune;

/// A compiled pattern may take as many bytes; `\p{L}{1,63}` fits, a pattern made to exhaust memory does not.
const COMPILED_LIMIT: usize = 8 << 20;
/// The translation nests deeper than the pattern; the translation itself bounds the pattern.
const NEST_LIMIT: u32 = 4_000;

/// A compiled regular expression: Go's `*regexp.Regexp`.
#[derive(Debug, Clone)]
pub struct Regexp {
    pattern: String,
    regex: regex::Regex,
    /// The name of each group, empty for the whole match and for groups without one.
    names: Vec<String>,
}

impl Regexp {
    /// Go's `regexp.Compile`, with its error texts.
    pub fn compile(pattern: &str) -> Result<Self, String> {
        let error = |code: &str, at: &str| format!("error parsing regexp: {code}: `{at}`");
        let translated = syntax::translate(pattern).map_err(|e| error(e.code, e.at))?;
        let regex = regex::RegexBuilder::new(&translated.pattern)
            .size_limit(COMPILED_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|e| match e {
                regex::Error::CompiledTooBig(_) => error("expression too large", pattern),
                _ => error("internal error", pattern),
            })?;
        Ok(Self { pattern: pattern.to_owned(), regex, names: translated.names })
    }

    /// [`Regexp::compile`] for a pattern that need not be UTF-8; one that is not is refused as Go does.
    pub fn compile_bytes(pattern: &[u8]) -> Result<Self, String> {
        match std::str::from_utf8(pattern) {
            Ok(pattern) => Self::compile(pattern),
            Err(error) => {
                let rest = pattern.get(error.valid_up_to()..).unwrap_or_default();
                let rest = String::from_utf8_lossy(rest);
                Err(format!("error parsing regexp: invalid UTF-8: `{rest}`"))
            }
        }
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// The name of each group, the whole match first; those without a name are empty. Names may repeat.
    pub fn group_names(&self) -> &[String] {
        &self.names
    }

    /// Whether the pattern matches anywhere.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(&Subject::new(text).text)
    }

    /// The start and end of the first match.
    pub fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        let subject = Subject::new(text);
        let found = self.regex.find(&subject.text)?;
        Some(subject.original(found.range()))
    }

    /// The start and end of the first match and of its groups, in the order of their opening parentheses.
    pub fn captures(&self, text: &[u8]) -> Option<Vec<Option<(usize, usize)>>> {
        let subject = Subject::new(text);
        let captures = self.regex.captures(&subject.text)?;
        Some(subject.groups(&captures))
    }

    /// The first `n` matches that do not overlap, all if `n` is negative. An empty match right behind another match does
    /// not count.
    pub fn find_all(&self, text: &[u8], n: i64) -> Vec<(usize, usize)> {
        let subject = Subject::new(text);
        let limit = usize::try_from(n).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let (mut at, mut previous_end) = (0, None);
        while found.len() < limit && at <= subject.text.len() {
            let Some(next) = self.regex.find_at(&subject.text, at) else {
                break;
            };
            let counts = if next.end() == at {
                at += subject.char_width(at).max(1);
                previous_end != Some(next.start())
            } else {
                at = next.end();
                true
            };
            previous_end = Some(next.end());
            if counts {
                found.push(subject.original(next.range()));
            }
        }
        found
    }

    /// Go's `ReplaceAll`: `$1`, `${1}`, `$name` and `${name}` in the template refer to groups, `$$` is a dollar sign. A
    /// name without braces is as long as possible: `$1x` is the group `1x`.
    pub fn replace_all(&self, text: &[u8], template: &[u8]) -> Vec<u8> {
        self.replace(text, |out, groups| self.expand(out, template, text, groups))
    }

    /// Go's `ReplaceAllLiteral`: the replacement is taken literally.
    pub fn replace_all_literal(&self, text: &[u8], replacement: &[u8]) -> Vec<u8> {
        self.replace(text, |out, _| out.extend_from_slice(replacement))
    }

    fn replace(&self, text: &[u8], insert: impl Fn(&mut Vec<u8>, &[Option<(usize, usize)>])) -> Vec<u8> {
        let subject = Subject::new(text);
        let mut out = Vec::with_capacity(text.len());
        let (mut at, mut copied) = (0, 0);
        while at <= subject.text.len() {
            let Some(captures) = self.regex.captures_at(&subject.text, at) else {
                break;
            };
            let groups = subject.groups(&captures);
            let Some((start, end)) = groups.first().copied().flatten() else {
                break;
            };
            out.extend_from_slice(text.get(copied..start).unwrap_or_default());
            // Not for an empty match right behind another one, which would replace twice.
            if end > copied || start == 0 {
                insert(&mut out, &groups);
            }
            copied = end;
            let match_end = captures.get(0).map_or(at, |m| m.end());
            let width = subject.char_width(at).max(1);
            at = (at + width).max(match_end);
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        out
    }

    fn expand(&self, out: &mut Vec<u8>, template: &[u8], text: &[u8], groups: &[Option<(usize, usize)>]) {
        let mut rest = template;
        while let Some(dollar) = rest.iter().position(|&b| b == b'$') {
            out.extend_from_slice(rest.get(..dollar).unwrap_or_default());
            rest = rest.get(dollar + 1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
                continue;
            }
            let Some((name, after)) = reference(rest) else {
                out.push(b'$');
                continue;
            };
            rest = after;
            let group = match group_number(name) {
                Some(number) => groups.get(number).copied().flatten(),
                // Of the groups that share a name the first one that took part counts.
                None => (self.names.iter().zip(groups))
                    .find_map(|(n, group)| group.filter(|_| !n.is_empty() && n.as_bytes() == name)),
            };
            if let Some((start, end)) = group {
                out.extend_from_slice(text.get(start..end).unwrap_or_default());
            }
        }
        out.extend_from_slice(rest);
    }

    /// Go's `Split`: the texts between the matches, at most `n`, all if `n` is negative, none if it is 0.
    pub fn split<'t>(&self, text: &'t [u8], n: i64) -> Vec<&'t [u8]> {
        if n == 0 {
            return Vec::new();
        }
        if !self.pattern.is_empty() && text.is_empty() {
            return vec![text];
        }
        let limit = usize::try_from(n).unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let (mut start, mut end) = (0, 0);
        for (from, to) in self.find_all(text, n) {
            if parts.len() + 1 == limit {
                break;
            }
            end = from;
            // An empty match at the front separates nothing.
            if to != 0 {
                parts.push(text.get(start..end).unwrap_or_default());
            }
            start = to;
        }
        if end != text.len() {
            parts.push(text.get(start..).unwrap_or_default());
        }
        parts
    }
}

/// Go's `regexp.QuoteMeta`: the text with everything escaped that means something in a pattern.
pub fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// The name behind a `$`, in braces or not, and what follows it.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    static NAME: LazyLock<Option<regex::bytes::Regex>> =
        LazyLock::new(|| regex::bytes::Regex::new(r"^[\p{L}\p{Nd}_]+").ok());
    let (braces, text) = match text {
        [b'{', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let length = NAME.as_ref()?.find(text)?.end();
    let (name, rest) = text.split_at_checked(length)?;
    let rest = if braces { rest.strip_prefix(b"}")? } else { rest };
    Some((name, rest))
}

/// The group that a name of digits refers to; a leading zero makes it a name, and so does a number too large for Go.
fn group_number(name: &[u8]) -> Option<usize> {
    if name.len() > 9 || (name.len() > 1 && name.starts_with(b"0")) {
        return None;
    }
    name.iter().try_fold(0_usize, |number, byte| byte.is_ascii_digit().then(|| number * 10 + usize::from(byte - b'0')))
}

/// A text to search. Where it is no UTF-8 each bad byte counts as one U+FFFD, as in Go; matches are found in a text that
/// has these and their places carried back.
struct Subject<'t> {
    text: Cow<'t, str>,
    /// Where each replaced byte ends in `text`.
    replaced: Vec<usize>,
}

impl<'t> Subject<'t> {
    fn new(bytes: &'t [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self { text: Cow::Borrowed(text), replaced: Vec::new() };
        }
        let mut text = String::with_capacity(bytes.len() * 2);
        let mut replaced = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (c, width) = decode_rune(rest);
            text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            if c.is_none() {
                replaced.push(text.len());
            }
            rest = rest.get(width..).unwrap_or_default();
        }
        Self { text: Cow::Owned(text), replaced }
    }

    fn char_width(&self, at: usize) -> usize {
        let next = self.text.get(at..).and_then(|rest| rest.chars().next());
        next.map_or(0, char::len_utf8)
    }

    fn original(&self, range: std::ops::Range<usize>) -> (usize, usize) {
        // U+FFFD takes two bytes more than the one it replaces.
        let back = |at: usize| at - 2 * self.replaced.partition_point(|&end| end <= at);
        (back(range.start), back(range.end))
    }

    fn groups(&self, captures: &regex::Captures<'_>) -> Vec<Option<(usize, usize)>> {
        captures.iter().map(|group| group.map(|g| self.original(g.range()))).collect()
    }
}

#[cfg(test)]
mod tests;
