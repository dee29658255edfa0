//! The texts of scalars, in their four forms.

use super::YamlError;
use super::scanner::{Scanner, error};
use super::text::{Mark, Text};

/// What chomping does with the line breaks at the end.
#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

/// A literal (`|`) or folded (`>`) text. One that the text ends with has a final line break only where there is one.
pub(super) fn block(scanner: &mut Scanner<'_>) -> Result<String, YamlError> {
    let above = scanner.indent;
    let text = &mut scanner.text;
    let start = text.mark;
    let literal = text.byte(0) == b'|';
    text.skip();
    let (chomping, increment) = block_header(text, start)?;
    // What a document consists of has no indentation above it.
    let mut indent = increment.map_or(0, |increment| increment + usize::try_from(above).unwrap_or(0));
    let (mut out, mut line_break, mut breaks) = (String::new(), String::new(), String::new());
    block_breaks(text, &mut indent, above, &mut breaks, start)?;
    let mut indented = false;
    while text.mark.column == indent && !text.at_end(0) {
        let more = text.at_blank(0);
        if !literal && !indented && !more && line_break.starts_with('\n') {
            if breaks.is_empty() {
                out.push(' ');
            }
        } else {
            out.push_str(&line_break);
        }
        line_break.clear();
        out.push_str(&breaks);
        breaks.clear();
        indented = more;
        while !text.at_break_or_end(0) {
            text.read(&mut out);
        }
        text.read_break(&mut line_break);
        block_breaks(text, &mut indent, above, &mut breaks, start)?;
    }
    if chomping != Chomping::Strip {
        out.push_str(&line_break);
    }
    if chomping == Chomping::Keep {
        out.push_str(&breaks);
    }
    Ok(out)
}

fn block_header(text: &mut Text<'_>, start: Mark) -> Result<(Chomping, Option<usize>), YamlError> {
    let (mut chomping, mut increment) = (None, None);
    for _ in 0..2 {
        match text.byte(0) {
            c @ (b'+' | b'-') if chomping.is_none() => {
                chomping = Some(if c == b'+' { Chomping::Keep } else { Chomping::Strip });
            }
            b'0' if increment.is_none() => return Err(error(start, "an indentation is a digit from 1 to 9")),
            c @ b'1'..=b'9' if increment.is_none() => increment = Some(usize::from(c - b'0')),
            _ => break,
        }
        text.skip();
    }
    text.skip_blanks();
    text.skip_comment();
    if !text.at_break_or_end(0) {
        return Err(error(start, "a text that begins with `|` or `>` begins in the next line"));
    }
    text.skip_break();
    Ok((chomping.unwrap_or(Chomping::Clip), increment))
}

/// Reads empty lines and the indentation after them, which the first line with a text decides.
fn block_breaks(
    text: &mut Text<'_>,
    indent: &mut usize,
    above: isize,
    breaks: &mut String,
    start: Mark,
) -> Result<(), YamlError> {
    let mut deepest = 0;
    loop {
        while (*indent == 0 || text.mark.column < *indent) && text.byte(0) == b' ' {
            text.skip();
        }
        deepest = deepest.max(text.mark.column);
        if (*indent == 0 || text.mark.column < *indent) && text.byte(0) == b'\t' {
            return Err(error(start, "a line of this text is indented with a tab: write blanks"));
        }
        if !text.at_break(0) {
            break;
        }
        text.read_break(breaks);
    }
    if *indent == 0 {
        *indent = deepest.max(usize::try_from(above + 1).unwrap_or(0)).max(1);
    }
    Ok(())
}

/// Blanks and line breaks between two words of a flow scalar.
#[derive(Default)]
struct Gap {
    blanks: String,
    line_break: String,
    breaks: String,
    lines: bool,
}

impl Gap {
    /// Reads what may become part of the text.
    fn read_one(&mut self, text: &mut Text<'_>) {
        if text.at_blank(0) {
            if self.lines { text.skip() } else { text.read(&mut self.blanks) }
        } else if self.lines {
            text.read_break(&mut self.breaks);
        } else {
            self.blanks.clear();
            text.read_break(&mut self.line_break);
            self.lines = true;
        }
    }

    /// One line break is a blank, further ones stay.
    fn write(self, out: &mut String) {
        if !self.lines {
            out.push_str(&self.blanks);
            return;
        }
        if !self.line_break.starts_with('\n') {
            out.push_str(&self.line_break);
        } else if self.breaks.is_empty() {
            out.push(' ');
        }
        out.push_str(&self.breaks);
    }
}

/// A text in quotes.
pub(super) fn quoted(scanner: &mut Scanner<'_>) -> Result<String, YamlError> {
    let start = scanner.text.mark;
    let quote = scanner.text.byte(0);
    scanner.text.skip();
    let mut out = String::new();
    loop {
        let text = &mut scanner.text;
        if text.at_document_marker() {
            return Err(error(start, "the quote is not closed before the document ends"));
        }
        if text.at_end(0) {
            return Err(error(start, "the quote is not closed"));
        }
        let mut gap = Gap::default();
        while !scanner.text.at_space_or_end(0) {
            let text = &mut scanner.text;
            match text.byte(0) {
                b'\'' if quote == b'\'' && text.byte(1) == b'\'' => {
                    out.push('\'');
                    text.skip_many(2);
                }
                c if c == quote => break,
                b'\\' if quote == b'"' && text.at_break(1) => {
                    text.skip();
                    text.skip_break();
                    gap.lines = true;
                    break;
                }
                b'\\' if quote == b'"' => escape(scanner, &mut out)?,
                _ => text.read(&mut out),
            }
        }
        let text = &mut scanner.text;
        if text.byte(0) == quote {
            text.skip();
            return Ok(out);
        }
        let escaped = gap.lines;
        while text.at_blank(0) || text.at_break(0) {
            gap.read_one(text);
        }
        if escaped {
            out.push_str(&gap.breaks);
        } else {
            gap.write(&mut out);
        }
    }
}

/// What `\` and a letter stand for.
fn escape(scanner: &mut Scanner<'_>, out: &mut String) -> Result<(), YamlError> {
    let start = scanner.text.mark;
    let letter = scanner.text.byte(1);
    let digits = match letter {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        _ => 0,
    };
    out.push(match letter {
        b'0' => '\0',
        b'a' => '\x07',
        b'b' => '\x08',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\x0B',
        b'f' => '\x0C',
        b'r' => '\r',
        b'e' => '\x1B',
        b' ' | b'"' | b'\'' | b'\\' => char::from(letter),
        b'N' => '\u{85}',
        b'_' => '\u{A0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        b'/' => {
            scanner.note(start, "the escape `\\/`", "write `/`");
            '/'
        }
        b'x' | b'u' | b'U' => {
            let mut number = 0_u32;
            for ahead in 2..2 + digits {
                let digit = char::from(scanner.text.byte(ahead)).to_digit(16);
                let digit =
                    digit.ok_or_else(|| error(start, format!("`\\{}` takes {digits} digits", char::from(letter))))?;
                number = number.checked_mul(16).map_or(u32::MAX, |n| n.saturating_add(digit));
            }
            char::from_u32(number).ok_or_else(|| error(start, "no character has this number"))?
        }
        _ => return Err(error(start, "unknown escape: write `\\\\` for a backslash, or use single quotes")),
    });
    scanner.text.skip_many(2 + digits);
    Ok(())
}

/// A text without quotes.
pub(super) fn plain(scanner: &mut Scanner<'_>) -> Result<String, YamlError> {
    let (flow, least) = (scanner.flow_level > 0, scanner.indent + 1);
    let start = scanner.text.mark;
    let mut out = String::new();
    let mut gap = Gap::default();
    loop {
        let text = &mut scanner.text;
        if text.at_document_marker() || text.byte(0) == b'#' {
            break;
        }
        let mut word = false;
        while !scanner.text.at_space_or_end(0) {
            let c = scanner.text.byte(0);
            if c == b'?' && flow && word {
                scanner.note(
                    scanner.text.mark,
                    "`?` in a text without quotes inside brackets",
                    "put the text into quotes",
                );
            } else if flow && matches!(c, b',' | b'?' | b'[' | b']' | b'{' | b'}')
                || c == b':' && scanner.text.at_space_or_end(1)
            {
                break;
            }
            word = true;
            std::mem::take(&mut gap).write(&mut out);
            scanner.text.read(&mut out);
        }
        let text = &mut scanner.text;
        if !text.at_blank(0) && !text.at_break(0) {
            break;
        }
        while text.at_blank(0) || text.at_break(0) {
            if gap.lines && (text.mark.column as isize) < least && text.byte(0) == b'\t' {
                return Err(error(start, "a line of this text is indented with a tab: write blanks"));
            }
            gap.read_one(text);
        }
        if !flow && (text.mark.column as isize) < least {
            break;
        }
    }
    if gap.lines {
        scanner.key_allowed = true;
    }
    Ok(out)
}
