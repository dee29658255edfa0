//! Quoted text: Go string and character literals.

use std::sync::LazyLock;

/// The next character of Go text and its width. Where the bytes are no UTF-8 it is `None` and one byte wide; at the end
/// of the text the width is 0.
pub fn decode_rune(s: &[u8]) -> (Option<char>, usize) {
    let Some(&first) = s.first() else {
        return (None, 0);
    };
    if first < 0x80 {
        return (Some(char::from(first)), 1);
    }
    let head = s.get(..s.len().min(4)).unwrap_or_default();
    // A whole character followed by a broken one is still a character: check the valid part only.
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => head.get(..error.valid_up_to()).and_then(|v| std::str::from_utf8(v).ok()).unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(c) => (Some(c), c.len_utf8()),
        None => (None, 1),
    }
}

/// Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space. The categories come from
/// the Unicode version of the `regex` crate, so characters assigned between that version and Go's may differ.
pub fn is_print(c: char) -> bool {
    static PRINTABLE: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").ok());
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let mut buffer = [0; 4];
    match &*PRINTABLE {
        Some(regex) => regex.is_match(c.encode_utf8(&mut buffer)),
        None => !c.is_control() && !c.is_whitespace(),
    }
}

/// `strconv.Quote`: a double-quoted Go literal; what is not printable is escaped, bytes that are no UTF-8 as `\xNN`.
pub fn quote(s: &[u8]) -> String {
    quote_with(s, '"', false)
}

/// `strconv.QuoteToASCII`: like [`quote`], and everything outside ASCII is escaped too.
pub fn quote_to_ascii(s: &[u8]) -> String {
    quote_with(s, '"', true)
}

/// `strconv.QuoteRune`; what is no Unicode scalar value is quoted as U+FFFD.
pub fn quote_rune(rune: u32) -> String {
    quote_rune_with(rune, false)
}

/// `strconv.QuoteRuneToASCII`; what is no Unicode scalar value is quoted as U+FFFD.
pub fn quote_rune_to_ascii(rune: u32) -> String {
    quote_rune_with(rune, true)
}

/// `strconv.CanBackquote`: whether the string can be written between backquotes unchanged, on one line.
pub fn can_backquote(s: &[u8]) -> bool {
    std::str::from_utf8(s)
        .is_ok_and(|text| text.chars().all(|c| c != '\u{FEFF}' && (c >= ' ' || c == '\t') && c != '`' && c != '\u{7F}'))
}

fn quote_rune_with(rune: u32, ascii: bool) -> String {
    let c = char::from_u32(rune).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut out = String::from("'");
    escape(&mut out, c, '\'', ascii);
    out.push('\'');
    out
}

fn quote_with(mut s: &[u8], delimiter: char, ascii: bool) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push(delimiter);
    while let Some(&first) = s.first() {
        let (c, width) = decode_rune(s);
        match c {
            Some(c) => escape(&mut out, c, delimiter, ascii),
            None => out.push_str(&format!("\\x{first:02x}")),
        }
        s = s.get(width..).unwrap_or_default();
    }
    out.push(delimiter);
    out
}

fn escape(out: &mut String, c: char, delimiter: char, ascii: bool) {
    if c == delimiter || c == '\\' {
        out.push('\\');
        out.push(c);
        return;
    }
    if (c.is_ascii() || !ascii) && is_print(c) {
        out.push(c);
        return;
    }
    match c {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ => {
            let code = u32::from(c);
            out.push_str(&match code {
                0..0x20 | 0x7f => format!("\\x{code:02x}"),
                0x20..0x1_0000 => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            });
        }
    }
}

/// `strconv.Unquote`: the value of a double-quoted, backquoted or single-quoted Go literal.
pub fn unquote(literal: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let (&delimiter, rest) = literal.as_ref().split_first()?;
    let (&last, mut body) = rest.split_last()?;
    if last != delimiter {
        return None;
    }
    match delimiter {
        // Carriage returns do not count in raw literals, as in Go's source files.
        b'`' => (!body.contains(&b'`')).then(|| body.iter().copied().filter(|&b| b != b'\r').collect()),
        b'"' | b'\'' => {
            let mut out = Vec::with_capacity(body.len());
            let mut count = 0_usize;
            while let Some(&first) = body.first() {
                if first == b'\n' {
                    return None;
                }
                let (value, multibyte, tail) = unquote_char(body, delimiter)?;
                match (multibyte, u8::try_from(value)) {
                    (false, Ok(byte)) => out.push(byte),
                    _ => {
                        let c = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                body = tail;
                count += 1;
            }
            (delimiter == b'"' || count == 1).then_some(out)
        }
        _ => None,
    }
}

/// `strconv.UnquoteChar`: the first character or escape of a literal's body, whether it denotes a character in UTF-8
/// (and not for one byte), and what follows it. `delimiter` is the quote that encloses the body; it must not appear
/// unescaped, and only it may be escaped.
pub fn unquote_char(s: &[u8], delimiter: u8) -> Option<(u32, bool, &[u8])> {
    let (&first, rest) = s.split_first()?;
    if first == delimiter && matches!(delimiter, b'\'' | b'"') {
        return None;
    }
    if first >= 0x80 {
        let (c, width) = decode_rune(s);
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        return Some((u32::from(c), true, s.get(width..)?));
    }
    if first != b'\\' {
        return Some((u32::from(first), false, rest));
    }
    let (&kind, rest) = rest.split_first()?;
    let byte = |value: u8| Some((u32::from(value), false, rest));
    match kind {
        b'a' => byte(0x07),
        b'b' => byte(0x08),
        b'f' => byte(0x0c),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'v' => byte(0x0b),
        b'\\' => byte(b'\\'),
        b'\'' | b'"' if kind == delimiter => byte(kind),
        b'x' | b'u' | b'U' => {
            let count = match kind {
                b'x' => 2,
                b'u' => 4,
                _ => 8,
            };
            let (digits, tail) = rest.split_at_checked(count)?;
            let mut value = 0_u32;
            for &digit in digits {
                value = value << 4 | char::from(digit).to_digit(16)?;
            }
            if kind == b'x' {
                return Some((value, false, tail));
            }
            char::from_u32(value)?;
            Some((value, true, tail))
        }
        b'0'..=b'7' => {
            let (digits, tail) = rest.split_at_checked(2)?;
            let mut value = u32::from(kind - b'0');
            for &digit in digits {
                value = value << 3 | char::from(digit).to_digit(8)?;
            }
            (value <= 255).then_some((value, false, tail))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_escapes_what_does_not_print() {
        assert_eq!(quote(b"a\"b\n"), r#""a\"b\n""#);
        assert_eq!(quote("Zürich".as_bytes()), "\"Zürich\"");
        assert_eq!(quote(b"\x07\x08\x0c\n\r\t\x0b\x00\x7f'\\"), r#""\a\b\f\n\r\t\v\x00\x7f'\\""#);
        assert_eq!(quote(b"\xff\xe7\xb1"), r#""\xff\xe7\xb1""#);
        assert_eq!(quote("\u{FFFD}".as_bytes()), "\"\u{FFFD}\"");
        assert_eq!(quote("\u{a0}\u{200b}\u{feff}\u{e000}".as_bytes()), r#""\u00a0\u200b\ufeff\ue000""#);
        assert_eq!(quote("\u{10ffff}😀".as_bytes()), "\"\\U0010ffff😀\"");
        assert_eq!(quote("é\u{301}".as_bytes()), "\"é\u{301}\"");
        assert_eq!(quote("a\u{ad}\u{2028}".as_bytes()), r#""a\u00ad\u2028""#);
    }

    #[test]
    fn quote_to_ascii_escapes_all_the_rest() {
        assert_eq!(quote_to_ascii("Zü😀".as_bytes()), r#""Z\u00fc\U0001f600""#);
        assert_eq!(quote_to_ascii(b"\x80"), r#""\x80""#);
    }

    #[test]
    fn runes() {
        assert_eq!(quote_rune(1), r"'\x01'");
        assert_eq!(quote_rune(u32::from('x')), "'x'");
        assert_eq!(quote_rune(u32::from('\'')), r"'\''");
        assert_eq!(quote_rune(u32::from('"')), "'\"'");
        assert_eq!(quote_rune(0xd800), "'\u{FFFD}'");
        assert_eq!(quote_rune(u32::MAX - 41), "'\u{FFFD}'");
        assert_eq!(quote_rune_to_ascii(0xffff_ffff), r"'\ufffd'");
    }

    #[test]
    fn backquotes_hold_one_line_without_control_characters() {
        assert!(can_backquote(b"a\t\"\\ \xc3\xbc"));
        assert!(!can_backquote(b"a`"));
        assert!(!can_backquote(b"a\n"));
        assert!(!can_backquote(b"\x7f"));
        assert!(!can_backquote(b"\xff"));
        assert!(!can_backquote("\u{feff}".as_bytes()));
    }

    #[test]
    fn unquote_reads_all_three_literals() {
        let ok = |s: &str| unquote(s).map(|v| String::from_utf8_lossy(&v).into_owned());
        assert_eq!(ok(r#""a\tb\"\\\u00fc\U0001F600""#).as_deref(), Some("a\tb\"\\ü😀"));
        assert_eq!(ok("`a\\n\r\nb`").as_deref(), Some("a\\n\nb"));
        assert_eq!(ok("'x'").as_deref(), Some("x"));
        assert_eq!(ok(r"'\''").as_deref(), Some("'"));
        assert_eq!(ok("'☺'").as_deref(), Some("☺"));
        assert_eq!(ok("\"'\"").as_deref(), Some("'"));
        assert_eq!(ok("\"\"").as_deref(), Some(""));
        assert_eq!(unquote(r#""\xff\377\x41""#), Some(vec![0xff, 0xff, b'A']));
        assert_eq!(unquote(b"\"\xff\""), Some("\u{FFFD}".into()));
        for bad in [
            "",
            "\"",
            "\"a",
            "a",
            "\"a\nb\"",
            "''",
            "'ab'",
            r#""\'""#,
            r#"'\"'"#,
            r#""\x4""#,
            r#""\400""#,
            r#""\18""#,
            r#""\ud800""#,
            r#""\q""#,
            "`a`b`",
            "\"a\"b\"",
            r#""\""#,
            "'\n'",
        ] {
            assert_eq!(unquote(bad), None, "{bad}");
        }
    }

    #[test]
    fn decode_rune_is_one_byte_wide_on_bad_text() {
        assert_eq!(decode_rune("üx".as_bytes()), (Some('ü'), 2));
        assert_eq!(decode_rune(b"\xc3"), (None, 1));
        assert_eq!(decode_rune(b"\xed\xa0\x80"), (None, 1));
        assert_eq!(decode_rune(b"\xc3\xbc\xff\xff"), (Some('ü'), 2));
        assert_eq!(decode_rune(b""), (None, 0));
    }
}
