//! Booleans, integers, code points and floats.

use super::{Flags, Printer};
use crate::Complex;
use crate::strconv::{self, FloatFormat};

const LOWER: &[u8; 17] = b"0123456789abcdefx";
const UPPER: &[u8; 17] = b"0123456789ABCDEFX";

/// An integer of any type: its bits, and how they are read.
#[derive(Clone, Copy)]
pub(super) struct Integer {
    bits: u64,
    signed: bool,
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Self { bits: value.cast_unsigned(), signed: true }
    }
}

impl From<u64> for Integer {
    fn from(value: u64) -> Self {
        Self { bits: value, signed: false }
    }
}

impl Integer {
    fn is_negative(self) -> bool {
        self.signed && self.bits.cast_signed() < 0
    }

    fn magnitude(self) -> u64 {
        if self.is_negative() { self.bits.wrapping_neg() } else { self.bits }
    }

    /// The code point, or U+FFFD when it is none.
    fn rune(self) -> char {
        u32::try_from(self.bits).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
    }
}

impl Printer<'_> {
    /// An integer for any verb; `false` when integers do not have that verb.
    pub(super) fn integer(&mut self, value: impl Into<Integer>, verb: char) -> bool {
        let value = value.into();
        match verb {
            'v' if self.flags.sharp_v && !value.signed => self.hex_number(value.bits, true),
            'v' | 'd' => self.digits(value, 10, verb),
            'b' => self.digits(value, 2, verb),
            'o' | 'O' => self.digits(value, 8, verb),
            'x' | 'X' => self.digits(value, 16, verb),
            'c' => self.pad(value.rune().encode_utf8(&mut [0; 4]).as_bytes()),
            'q' => {
                let quoted = if self.flags.plus {
                    strconv::quote_rune_to_ascii(u32::from(value.rune()))
                } else {
                    strconv::quote_rune(u32::from(value.rune()))
                };
                self.pad(quoted.as_bytes());
            }
            'U' => self.unicode(value),
            _ => return false,
        }
        true
    }

    /// Hexadecimal with or without `0x`, for addresses and the bytes of `%#v`.
    pub(super) fn hex_number(&mut self, bits: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, prefix);
        self.digits(Integer { bits, signed: false }, 16, 'v');
        self.flags.sharp = sharp;
    }

    fn digits(&mut self, value: Integer, base: u64, verb: char) {
        let Flags { precision, width, minus, plus, sharp, space, zero, .. } = self.flags;
        let negative = value.is_negative();
        let mut least = 0;
        if let Some(precision) = precision {
            least = precision;
            if precision == 0 && value.bits == 0 {
                self.pad_with_spaces(b"");
                return;
            }
        } else if let (true, false, Some(width)) = (zero, minus, width) {
            least = width.saturating_sub(usize::from(negative || plus || space));
        }
        let alphabet = if verb == 'X' { UPPER } else { LOWER };
        // Written from the right, as digits come.
        let mut text = Vec::with_capacity(24);
        let mut rest = value.magnitude();
        loop {
            text.extend(alphabet.get(usize::try_from(rest % base).unwrap_or(0)));
            rest /= base;
            if rest == 0 {
                break;
            }
        }
        if text.len() < least {
            text.resize(least, b'0');
        }
        if sharp {
            match base {
                2 => text.extend_from_slice(b"b0"),
                8 if text.last() != Some(&b'0') => text.push(b'0'),
                16 => text.extend_from_slice(&[alphabet[16], b'0']),
                _ => {}
            }
        }
        if verb == 'O' {
            text.extend_from_slice(b"o0");
        }
        match (negative, plus, space) {
            (true, ..) => text.push(b'-'),
            (_, true, _) => text.push(b'+'),
            (_, _, true) => text.push(b' '),
            _ => {}
        }
        text.reverse();
        self.pad_with_spaces(&text);
    }

    fn unicode(&mut self, value: Integer) {
        let least = self.flags.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{:0>least$}", format!("{:X}", value.bits));
        if self.flags.sharp
            && let Some(c) = u32::try_from(value.bits).ok().and_then(char::from_u32)
            && strconv::is_print(c)
        {
            text.push_str(" '");
            text.push(c);
            text.push('\'');
        }
        self.pad_with_spaces(text.as_bytes());
    }

    /// A float for any verb; `false` when floats do not have that verb.
    pub(super) fn float(&mut self, value: f64, verb: char) -> bool {
        let (format, default) = match verb {
            'v' => ('g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            'f' | 'e' | 'E' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            _ => return false,
        };
        let precision = self.flags.precision.or(default);
        let Some(float_format) = u8::try_from(format).ok().and_then(FloatFormat::from_verb) else { return false };
        let text = strconv::format_float(value, float_format, precision, false);
        self.signed_float(&text, format, precision);
        true
    }

    /// Both parts of a complex number, the second one always with its sign. Returns whether the verb is one for it.
    pub(super) fn complex(&mut self, number: Complex, verb: char) -> bool {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return false;
        }
        self.write(b"(");
        self.float(number.real, verb);
        let plus = std::mem::replace(&mut self.flags.plus, true);
        self.float(number.imaginary, verb);
        self.flags.plus = plus;
        self.write(b"i)");
        true
    }

    fn signed_float(&mut self, text: &str, format: char, precision: Option<usize>) {
        let Flags { plus, space, sharp, zero, minus, width, .. } = self.flags;
        let (sign, digits) = match text.as_bytes() {
            [sign @ (b'-' | b'+'), digits @ ..] => (*sign, digits),
            digits => (b'+', digits),
        };
        let sign = if space && !plus && sign == b'+' { b' ' } else { sign };
        let signed = |digits: &[u8]| [&[sign], digits].concat();
        if matches!(digits.first(), Some(b'I' | b'N')) {
            // Infinities and NaN are words, which zeros in front would spoil. Only an infinity always has its sign.
            let unsigned = digits.first() == Some(&b'N') && !space && !plus;
            let text = if unsigned { digits.to_vec() } else { signed(digits) };
            self.pad_with_spaces(&text);
            return;
        }
        let digits = if sharp && format != 'b' { with_point(digits, format, precision) } else { digits.to_vec() };
        if !plus && sign == b'+' {
            self.pad(&digits);
            return;
        }
        let missing = width.map_or(0, |w| w.saturating_sub(digits.len() + 1));
        if zero && !minus && missing > 0 {
            self.write(&[sign]);
            self.write_repeated(b'0', missing);
            self.write(&digits);
        } else {
            self.pad(&signed(&digits));
        }
    }
}

/// What `#` does to a float: a decimal point always, and for `%g` the zeros that are usually left out.
fn with_point(number: &[u8], format: char, precision: Option<usize>) -> Vec<u8> {
    let mut wanted = match format {
        'g' | 'G' | 'x' => precision.map_or(6, |p| i64::try_from(p).unwrap_or(i64::MAX)),
        _ => 0,
    };
    let hex = matches!(format, 'x' | 'X');
    let is_exponent = |b: &u8| matches!(b, b'p' | b'P') || (!hex && matches!(b, b'e' | b'E'));
    let tail = number.iter().position(is_exponent).unwrap_or(number.len());
    let (mantissa, exponent) = number.split_at_checked(tail).unwrap_or((number, b""));
    let mut significant = false;
    for byte in mantissa.iter().filter(|b| **b != b'.') {
        significant |= *byte != b'0';
        wanted -= i64::from(significant);
    }
    let mut out = mantissa.to_vec();
    if !mantissa.contains(&b'.') {
        // A leading zero counts once as a digit.
        if mantissa == b"0" {
            wanted -= 1;
        }
        out.push(b'.');
    }
    out.resize(out.len() + usize::try_from(wanted).unwrap_or(0), b'0');
    out.extend_from_slice(exponent);
    out
}
