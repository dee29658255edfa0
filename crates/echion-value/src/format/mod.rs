//! Go's `fmt`: what `print`, `printf` and `%v` make of a value.
//!
//! Values can share parts, so a small value can print as an endless text: every function here has a limit of bytes, and
//! values nested deeper than [`DEPTH`] are not followed.

mod number;
mod printf;
mod text;
mod value;

#[cfg(test)]
mod tests;

use crate::{CallError, Str, Value};

/// The most bytes that [`display`] returns, and a sensible limit for all others.
pub const LIMIT: usize = 16 << 20;

/// How deep containers are followed; what is deeper prints as `...`.
pub const DEPTH: usize = 500;

/// `%v`: the text of a value as Go prints it, cut after [`LIMIT`] bytes.
#[must_use]
pub fn display(value: &Value) -> Str {
    if let Value::Str(s) = value {
        return s.clone();
    }
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, LIMIT);
    printer.arg(Some(value), 'v');
    out.truncate(LIMIT);
    Str::from(out)
}

/// Appends what [`display`] returns to `out`, which may grow up to `limit` bytes.
///
/// # Errors
/// When `out` would become longer than `limit`.
pub fn append(out: &mut Vec<u8>, value: &Value, limit: usize) -> Result<(), CallError> {
    let mut printer = Printer::new(out, limit);
    printer.arg(Some(value), 'v');
    printer.finish()
}

/// `fmt.Sprint`: a space between operands when neither is a string.
///
/// # Errors
/// When the text would be longer than `limit` bytes.
pub fn sprint(args: &[Value], limit: usize) -> Result<Vec<u8>, CallError> {
    written(limit, |p| {
        let mut after_string = true;
        for arg in args {
            let is_string = matches!(arg, Value::Str(_));
            if !is_string && !after_string {
                p.write(b" ");
            }
            p.arg(Some(arg), 'v');
            after_string = is_string;
        }
    })
}

/// `fmt.Sprintln`: a space between all operands, and a newline.
///
/// # Errors
/// When the text would be longer than `limit` bytes.
pub fn sprintln(args: &[Value], limit: usize) -> Result<Vec<u8>, CallError> {
    written(limit, |p| {
        for (i, arg) in args.iter().enumerate() {
            if i > 0 {
                p.write(b" ");
            }
            p.arg(Some(arg), 'v');
        }
        p.write(b"\n");
    })
}

/// `fmt.Sprintf`. A format that does not fit the arguments is no error: the text says what is wrong, as in Go.
///
/// # Errors
/// When the text would be longer than `limit` bytes.
pub fn sprintf(format: &[u8], args: &[Value], limit: usize) -> Result<Vec<u8>, CallError> {
    written(limit, |p| p.printf(format, args))
}

fn written(limit: usize, write: impl FnOnce(&mut Printer<'_>)) -> Result<Vec<u8>, CallError> {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, limit);
    write(&mut printer);
    printer.finish()?;
    Ok(out)
}

/// The flags, width and precision of one verb.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`, which is not `+` for the parts of the value.
    plus_v: bool,
    /// `%#v`, likewise.
    sharp_v: bool,
}

struct Printer<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
    full: bool,
    flags: Flags,
    /// Set while an error text is written, which does without `String` methods.
    erroring: bool,
}

impl<'a> Printer<'a> {
    fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        Self { out, limit, full: false, flags: Flags::default(), erroring: false }
    }

    fn finish(self) -> Result<(), CallError> {
        if self.full { Err(CallError::new(format!("the text is longer than {} bytes", self.limit))) } else { Ok(()) }
    }

    fn write(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.out.len());
        if bytes.len() > room {
            self.full = true;
        }
        self.out.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn write_char(&mut self, c: char) {
        self.write(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn write_repeated(&mut self, byte: u8, count: usize) {
        let room = self.limit.saturating_sub(self.out.len());
        if count > room {
            self.full = true;
        }
        self.out.resize(self.out.len() + count.min(room), byte);
    }

    /// Writes `text` in the width asked for. Zeros are only ever put on the left.
    fn pad(&mut self, text: &[u8]) {
        let missing = self.flags.width.map_or(0, |width| width.saturating_sub(text::rune_count(text)));
        let fill = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        if self.flags.minus {
            self.write(text);
            self.write_repeated(fill, missing);
        } else {
            self.write_repeated(fill, missing);
            self.write(text);
        }
    }

    /// The same, with spaces even when the `0` flag is there.
    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }
}
