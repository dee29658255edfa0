//! Format strings.

use super::{Flags, Printer};
use crate::Value;

/// Widths, precisions and argument numbers beyond this are not believed.
const LARGEST: i64 = 1_000_000;

impl Printer<'_> {
    pub(super) fn printf(&mut self, format: &[u8], args: &[Value]) {
        let mut scan = Scan { format, at: 0, args, arg: 0, reordered: false, good: true };
        while !self.full {
            scan.good = true;
            self.write(scan.literal());
            if scan.at >= format.len() {
                break;
            }
            scan.at += 1; // the percent sign
            self.flags = Flags::default();
            if !self.verb(&mut scan) {
                break;
            }
        }
        self.flags = Flags::default();
        if !scan.reordered && scan.arg < args.len() {
            self.extra(args.get(scan.arg..).unwrap_or_default());
        }
    }

    /// One verb, its flags first. Returns `false` at the end of the format.
    fn verb(&mut self, scan: &mut Scan<'_>) -> bool {
        scan.flags(&mut self.flags);
        let mut after_index = scan.argument_number();
        if scan.take(b'*') {
            match scan.int_argument() {
                Some(width) => {
                    self.flags.width = usize::try_from(width.unsigned_abs()).ok();
                    if width < 0 {
                        self.flags.minus = true;
                        self.flags.zero = false;
                    }
                }
                None => self.write(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            self.flags.width = scan.number(scan.format.len());
            if after_index && self.flags.width.is_some() {
                scan.good = false;
            }
        }
        if scan.at + 1 < scan.format.len() && scan.take(b'.') {
            if after_index {
                scan.good = false;
            }
            after_index = scan.argument_number();
            if scan.take(b'*') {
                let precision = scan.int_argument();
                self.flags.precision = precision.and_then(|p| usize::try_from(p).ok());
                if self.flags.precision.is_none() {
                    self.write(b"%!(BADPREC)");
                }
                after_index = false;
            } else {
                self.flags.precision = Some(scan.number(scan.format.len()).unwrap_or(0));
            }
        }
        if !after_index {
            scan.argument_number();
        }
        let Some(verb) = scan.rune() else {
            self.write(b"%!(NOVERB)");
            return false;
        };
        if verb == '%' {
            self.write(b"%");
        } else if !scan.good {
            self.complaint(verb, b"(BADINDEX)");
        } else if let Some(arg) = scan.args.get(scan.arg) {
            if matches!(verb, 'v' | 'w') {
                self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
                self.flags.plus_v = std::mem::take(&mut self.flags.plus);
            }
            self.arg(Some(arg), verb);
            scan.arg += 1;
        } else {
            self.complaint(verb, b"(MISSING)");
        }
        true
    }

    fn complaint(&mut self, verb: char, what: &[u8]) {
        self.write(b"%!");
        self.write_char(verb);
        self.write(what);
    }

    fn extra(&mut self, args: &[Value]) {
        self.write(b"%!(EXTRA ");
        for (i, arg) in args.iter().enumerate() {
            if i > 0 {
                self.write(b", ");
            }
            if let Some(t) = arg.type_of() {
                self.write(t.to_string().as_bytes());
                self.write(b"=");
            }
            self.arg(Some(arg), 'v');
        }
        self.write(b")");
    }
}

struct Scan<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    /// The next argument.
    arg: usize,
    /// Whether any `[n]` was there; unused arguments are then no fault.
    reordered: bool,
    /// Whether the argument number of this verb is right.
    good: bool,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn literal(&mut self) -> &'a [u8] {
        let rest = self.format.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == b'%').unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn flags(&mut self, flags: &mut Flags) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
    }

    /// A decimal number before `end`. One that is too large eats the rest, as in Go.
    fn number(&mut self, end: usize) -> Option<usize> {
        let mut number = None;
        while self.at < end
            && let Some(digit @ b'0'..=b'9') = self.peek()
        {
            let so_far = number.unwrap_or(0);
            if so_far > LARGEST {
                self.at = end;
                return None;
            }
            number = Some(so_far * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number.and_then(|n| usize::try_from(n).ok())
    }

    /// `[n]`, which makes argument `n` the next one. Returns whether it was there and well formed.
    fn argument_number(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let start = self.at;
        let rest = self.format.get(start..).unwrap_or_default();
        let Some(close) = rest.iter().position(|b| *b == b']').filter(|_| rest.len() >= 3) else {
            self.good = false;
            self.at = start + 1;
            return false;
        };
        self.at = start + 1;
        let number = self.number(start + close).filter(|_| self.at == start + close);
        self.at = start + close + 1;
        match number {
            Some(n) if (1..=self.args.len()).contains(&n) => {
                self.arg = n - 1;
                true
            }
            well_formed => {
                self.good = false;
                well_formed.is_some()
            }
        }
    }

    /// An integer argument for `*`.
    fn int_argument(&mut self) -> Option<i64> {
        let arg = self.args.get(self.arg)?;
        self.arg += 1;
        let number = match arg {
            Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => *n,
            Value::Int32(n) => i64::from(*n),
            Value::Uint8(n) => i64::from(*n),
            Value::Uint64(n) => i64::try_from(*n).ok()?,
            _ => return None,
        };
        (-LARGEST..=LARGEST).contains(&number).then_some(number)
    }

    /// The verb: any code point.
    fn rune(&mut self) -> Option<char> {
        let rest = self.format.get(self.at..)?;
        let head = rest.get(..4).unwrap_or(rest);
        let chunk = head.utf8_chunks().next()?;
        let c = chunk.valid().chars().next();
        self.at += c.map_or(1, char::len_utf8);
        Some(c.unwrap_or('\u{fffd}'))
    }
}
