//! Strings and bytes: `%s`, `%q`, `%x`.

use super::Printer;
use crate::strconv;

impl Printer<'_> {
    /// A string for any verb; `false` when strings do not have that verb.
    pub(super) fn string(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.pad(truncated(text, self.flags.precision)),
            'x' => self.hex(text, b"0123456789abcdefx"),
            'X' => self.hex(text, b"0123456789ABCDEFX"),
            'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = truncated(text, self.flags.precision);
        if self.flags.sharp && strconv::can_backquote(text) {
            self.pad(&[b"`", text, b"`"].concat());
        } else if self.flags.plus {
            self.pad(strconv::quote_to_ascii(text).as_bytes());
        } else {
            self.pad(strconv::quote(text).as_bytes());
        }
    }

    fn hex(&mut self, text: &[u8], digits: &[u8; 17]) {
        let text = self.flags.precision.and_then(|n| text.get(..n)).unwrap_or(text);
        let prefix: &[u8] = if self.flags.sharp { &[b'0', digits[16]] } else { b"" };
        let mut out = Vec::with_capacity(text.len().saturating_mul(2).min(self.limit));
        for (i, byte) in text.iter().enumerate() {
            if out.len() > self.limit {
                break;
            }
            if i == 0 {
                out.extend_from_slice(prefix);
            } else if self.flags.space {
                out.push(b' ');
                out.extend_from_slice(prefix);
            }
            for digit in [byte >> 4, byte & 15] {
                out.extend(digits.get(usize::from(digit)));
            }
        }
        self.pad(&out);
    }
}

/// The first `runes` code points of a text, where each byte that is not UTF-8 counts as one.
fn truncated(text: &[u8], runes: Option<usize>) -> &[u8] {
    let Some(runes) = runes else { return text };
    let mut rest = text;
    for _ in 0..runes {
        if rest.is_empty() {
            break;
        }
        rest = rest.get(rune_len(rest)..).unwrap_or_default();
    }
    text.get(..text.len() - rest.len()).unwrap_or(text)
}

/// How many code points Go counts.
pub(super) fn rune_count(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

/// The length of the first code point; 1 for a byte that is not UTF-8.
fn rune_len(text: &[u8]) -> usize {
    let head = text.get(..4).unwrap_or(text);
    let valid = match head.utf8_chunks().next() {
        Some(chunk) => chunk.valid().chars().next(),
        None => None,
    };
    valid.map_or(1, char::len_utf8)
}
