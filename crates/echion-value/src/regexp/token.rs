//! The small pieces of a pattern: escapes, named classes and repeat counts.

use super::class;
use super::syntax::{SyntaxError, fail, read, split_char};

/// The upper bound of a repetition; a count is `None` where it is too large to be represented.
#[derive(Debug, Clone, Copy)]
pub(super) enum Max {
    Count(Option<i64>),
    Unbounded,
}

/// The bounds of `{n}`, `{n,}` or `{n,m}` and what follows; nothing if the text is no repetition.
pub(super) fn counts(text: &str) -> Option<(Option<i64>, Max, &str)> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Max::Count(min), rest),
        Some(rest) if rest.starts_with('}') => (Max::Unbounded, rest),
        Some(rest) => {
            let (max, rest) = count(rest)?;
            (Max::Count(max), rest)
        }
    };
    Some((min, max, rest.strip_prefix('}')?))
}

/// A number without leading zeros; its value is `None` if it is huge.
fn count(text: &str) -> Option<(Option<i64>, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length)?;
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().ok(), rest))
}

/// A character of a bracket expression that begins at `bracket`.
pub(super) fn class_char<'a>(text: &'a str, bracket: &'a str) -> Result<(u32, &'a str), SyntaxError<'a>> {
    match split_char(text) {
        None => Err(fail("missing closing ]", bracket)),
        Some(('\\', _)) => escaped(text),
        Some((c, rest)) => Ok((u32::from(c), rest)),
    }
}

/// The body and the sign of `\pN` or `\p{Name}`.
pub(super) fn unicode_class(text: &str) -> Result<(String, bool, &str), SyntaxError<'_>> {
    let wrong = |at| fail("invalid character class range", at);
    let mut negated = text.starts_with(r"\P");
    let after = text.get(2..).unwrap_or_default();
    let (name, rest) = match split_char(after) {
        Some(('{', inner)) => inner.split_once('}').ok_or(wrong(text))?,
        Some((c, rest)) => (after.get(..c.len_utf8()).unwrap_or_default(), rest),
        None => return Err(wrong(text)),
    };
    let plain = name.strip_prefix('^').unwrap_or(name);
    negated ^= plain.len() != name.len();
    let body = class::unicode(plain).ok_or(wrong(read(text, rest)))?;
    Ok((body, negated, rest))
}

/// The code point that a backslash sequence denotes.
pub(super) fn escaped(text: &str) -> Result<(u32, &str), SyntaxError<'_>> {
    let Some((c, mut rest)) = text.get(1..).and_then(split_char) else {
        return Err(fail("trailing backslash at end of expression", ""));
    };
    let octal = |text: &str| text.chars().next().and_then(|c| c.to_digit(8));
    let value = match c {
        // A single digit other than 0 would refer back to a group, which this family of engines cannot do.
        '0'..='7' if c == '0' || octal(rest).is_some() => {
            let mut value = c.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = octal(rest) else { break };
                value = value * 8 + digit;
                rest = rest.get(1..).unwrap_or_default();
            }
            Some(value)
        }
        'x' => hexadecimal(&mut rest),
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
        _ => None,
    };
    match value {
        Some(value) => Ok((value, rest)),
        None => Err(fail("invalid escape sequence", read(text, rest))),
    }
}

/// What follows `\x`: two digits, or any number of them in braces. `rest` ends up behind what was read.
fn hexadecimal(rest: &mut &str) -> Option<u32> {
    let (first, after) = split_char(rest)?;
    *rest = after;
    if first != '{' {
        let (second, after) = split_char(rest)?;
        *rest = after;
        return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
    }
    let mut value = None;
    loop {
        let (c, after) = split_char(rest)?;
        *rest = after;
        if c == '}' {
            return value;
        }
        let next = value.unwrap_or(0) * 16 + c.to_digit(16)?;
        if next > u32::from(char::MAX) {
            return None;
        }
        value = Some(next);
    }
}
