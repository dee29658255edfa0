//! The value of a quoted literal.

/// The bytes of a text literal, quotes included in `literal`; `None` when an escape names no character.
pub(crate) fn unescape_text(literal: &str) -> Option<Vec<u8>> {
    // Line ends of any platform are one newline, as the reference has it.
    let literal = literal.replace("\r\n", "\n").replace('\r', "\n");
    unescape(&literal, true)
}

/// The bytes of a bytes literal: escapes name bytes, other characters become their UTF-8.
pub(crate) fn unescape_bytes(literal: &str) -> Option<Vec<u8>> {
    unescape(literal, false)
}

fn unescape(literal: &str, unicode: bool) -> Option<Vec<u8>> {
    let mut chars = literal.chars();
    chars.next()?;
    chars.next_back()?;
    let mut bytes = Vec::with_capacity(literal.len());
    let push = |bytes: &mut Vec<u8>, c: char| bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        match chars.next()? {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            first @ '0'..='3' => {
                let mut value = first.to_digit(8)?;
                for _ in 0..2 {
                    value = value * 8 + chars.next()?.to_digit(8)?;
                }
                number(&mut bytes, value, unicode)?;
            }
            'x' => {
                let value = hex(&mut chars, 2)?;
                number(&mut bytes, value, unicode)?;
            }
            'u' | 'U' if !unicode => return None,
            'u' if chars.as_str().starts_with('{') => {
                chars.next();
                let mut value = 0;
                loop {
                    match chars.next()? {
                        '}' => break,
                        digit => value = value * 16 + digit.to_digit(16)?,
                    }
                }
                character(&mut bytes, value)?;
            }
            'u' => character(&mut bytes, hex(&mut chars, 4)?)?,
            'U' => character(&mut bytes, hex(&mut chars, 8)?)?,
            c @ ('\\' | '\'' | '"' | '`') => push(&mut bytes, c),
            _ => return None,
        }
    }
    Some(bytes)
}

/// A number denotes a character in a string, and a byte among bytes.
fn number(bytes: &mut Vec<u8>, value: u32, unicode: bool) -> Option<()> {
    if unicode {
        return character(bytes, value);
    }
    bytes.push(u8::try_from(value).ok()?);
    Some(())
}

/// What the reference writes for a number: U+FFFD for half of a surrogate pair, and one byte for what it takes for a negative
/// number.
fn character(bytes: &mut Vec<u8>, value: u32) -> Option<()> {
    if value > i32::MAX.cast_unsigned() {
        bytes.push(value.to_le_bytes()[0]);
        return Some(());
    }
    let character = match value {
        0xD800..0xE000 => char::REPLACEMENT_CHARACTER,
        value => char::from_u32(value)?,
    };
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

fn hex(chars: &mut std::str::Chars<'_>, count: usize) -> Option<u32> {
    let mut value: u32 = 0;
    for _ in 0..count {
        value = value << 4 | chars.next()?.to_digit(16)?;
    }
    Some(value)
}
