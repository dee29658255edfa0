//! Making texts fit: abbreviations and line breaks. Widths count bytes, as in the reference.

use echion_template::{CallContext, Function, takes};
use echion_value::Value;

use crate::args::{INT, Result, TEXT, bytes, int, make_text};

pub(crate) static ALL: &[Function] = &[
    Function::new("abbrev", takes(&[INT, TEXT], TEXT), abbrev).doc(
        "cut with three dots to a width",
        "{{abbrev 5 \"hello world\"}}",
        "he...",
    ),
    Function::new("abbrevboth", takes(&[INT, INT, TEXT], TEXT), abbrev_both).doc(
        "cut on both sides",
        "{{abbrevboth 5 10 \"1234 5678 9123\"}}",
        "...5678...",
    ),
    Function::new("wrap", takes(&[INT, TEXT], TEXT), wrap).doc(
        "broken at spaces into lines of a width",
        "{{wrap 5 \"hello big world\"}}",
        "hello\nbig\nworld",
    ),
    Function::new("wrapWith", takes(&[INT, TEXT, TEXT], TEXT), wrap_with).doc(
        "broken anywhere, with a text between the lines",
        "{{wrapWith 5 \"|\" \"HelloWorld\"}}",
        "Hello|World",
    ),
];

const DOTS: &[u8] = b"...";

fn abbrev(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 1);
    match usize::try_from(int(args, 0)) {
        Ok(width) if width >= 4 => Ok(make_text(abbreviated(text, 0, width))),
        _ => Ok(make_text(text)),
    }
}

fn abbrev_both(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let (left, right, text) = (int(args, 0), int(args, 1), bytes(args, 2));
    if right < 4 || (left > 0 && right < 7) {
        return Ok(make_text(text));
    }
    let offset = usize::try_from(left).unwrap_or(0);
    Ok(make_text(abbreviated(text, offset, usize::try_from(right).unwrap_or(usize::MAX))))
}

fn abbreviated(text: &[u8], offset: usize, width: usize) -> Vec<u8> {
    if text.len() <= width {
        return text.to_vec();
    }
    let room = width - DOTS.len();
    let mut offset = offset.min(text.len());
    if text.len() - offset < room {
        offset = text.len() - room;
    }
    if offset <= 4 {
        return [text.get(..room).unwrap_or_default(), DOTS].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + room < text.len() {
        let rest = text.get(offset..).unwrap_or_default();
        // The second cut needs a width of four as well.
        let rest = if room < 4 { Vec::new() } else { abbreviated(rest, 0, room) };
        return [DOTS, &rest].concat();
    }
    [DOTS, text.get(text.len() - room..).unwrap_or_default()].concat()
}

fn wrap(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    wrapped(call, int(args, 0), b"\n", bytes(args, 1), false)
}

fn wrap_with(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let between = bytes(args, 1);
    wrapped(call, int(args, 0), if between.is_empty() { b"\n" } else { between }, bytes(args, 2), true)
}

fn wrapped(call: &mut CallContext<'_>, width: i64, between: &[u8], text: &[u8], breaks_words: bool) -> Result {
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if let [b' ', after @ ..] = rest {
            rest = after;
            continue;
        }
        let window = rest.get(..=width).unwrap_or(rest);
        let space = window.iter().rposition(|b| *b == b' ');
        // Where the line ends, and where the next one starts.
        let (end, next) = match space {
            Some(space) => (space, space + 1),
            None if breaks_words => (width, width),
            None => match rest.iter().skip(width).position(|b| *b == b' ') {
                Some(space) => (width + space, width + space + 1),
                None => break,
            },
        };
        call.reserve(between.len())?;
        out.extend_from_slice(rest.get(..end).unwrap_or_default());
        out.extend_from_slice(between);
        rest = rest.get(next..).unwrap_or_default();
    }
    call.reserve(text.len())?;
    out.extend_from_slice(rest);
    Ok(make_text(out))
}
