//! JSON text to values by the rules of `json.Unmarshal` into an `interface {}`: every number is a `float64`.

use super::object;
use crate::{CallError, Str, Value};

/// How deep Go's decoder goes; ours stops earlier, since nothing sensible is nested so deep.
const MAX_DEPTH: usize = 500;

/// The value of a JSON text.
///
/// # Errors
/// With Go's words, when the text is not JSON.
pub fn unmarshal(text: &[u8]) -> Result<Value, CallError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value("looking for beginning of value")?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.invalid("after top-level value")),
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

type Read<T> = Result<T, CallError>;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The error at the current character, or that there is none.
    fn invalid(&self, context: &str) -> CallError {
        let Some(c) = self.peek() else { return CallError::new("unexpected end of JSON input") };
        let shown = match c {
            b'\'' => "'\\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            b'\\' => "'\\\\'".to_owned(),
            b'\n' => "'\\n'".to_owned(),
            b'\r' => "'\\r'".to_owned(),
            b'\t' => "'\\t'".to_owned(),
            7 => "'\\a'".to_owned(),
            8 => "'\\b'".to_owned(),
            11 => "'\\v'".to_owned(),
            12 => "'\\f'".to_owned(),
            c if c < 0x20 || c == 0x7f => format!("'\\x{c:02x}'"),
            c if (0x80..0xa0).contains(&c) || c == 0xad => format!("'\\u{:04x}'", u32::from(c)),
            c => format!("'{}'", char::from(c)),
        };
        CallError::new(format!("invalid character {shown} {context}"))
    }

    fn value(&mut self, context: &str) -> Read<Value> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => self.text().map(Value::Str),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.invalid(context)),
        }
    }

    fn nested(&mut self, part: fn(&mut Self) -> Read<Value>) -> Read<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CallError::new("exceeded max depth"));
        }
        self.at += 1;
        let value = part(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Read<Value> {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::from(items));
        }
        loop {
            items.push(self.value("looking for beginning of value")?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::from(items));
                }
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn object(&mut self) -> Read<Value> {
        let mut entries = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(object(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = self.text()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            entries.push((key, self.value("looking for beginning of value")?));
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(object(entries));
                }
                _ => return Err(self.invalid("after object key:value pair")),
            }
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        for (i, expected) in word.bytes().enumerate() {
            if self.peek() != Some(expected) {
                let context = format!("in literal {word} (expecting '{}')", char::from(expected));
                return Err(self.invalid(if i == 0 { "looking for beginning of value" } else { &context }));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self, context: &str) -> Read<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.invalid(context));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let literal = String::from_utf8_lossy(&self.text[start..self.at]);
        match literal.parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(Value::Float(f)),
            _ => Err(CallError::new(format!("json: cannot unmarshal number {literal} into Go value of type float64"))),
        }
    }

    fn text(&mut self) -> Read<Str> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let Some(c) = self.peek() else { return Err(self.invalid("")) };
            match c {
                b'"' => {
                    self.at += 1;
                    // What is no UTF-8 becomes U+FFFD byte by byte.
                    let mut clean = Vec::with_capacity(out.len());
                    for chunk in out.utf8_chunks() {
                        clean.extend_from_slice(chunk.valid().as_bytes());
                        for _ in chunk.invalid() {
                            clean.extend_from_slice("\u{fffd}".as_bytes());
                        }
                    }
                    return Ok(Str::from(clean));
                }
                b'\\' => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                c if c < 0x20 => return Err(self.invalid("in string literal")),
                c => {
                    out.push(c);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let c = self.peek();
        let plain = match c {
            Some(c @ (b'"' | b'\\' | b'/')) => c,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let mut unit = self.hex()?;
                if (0xD800..0xDC00).contains(&unit) && self.text[self.at..].starts_with(b"\\u") {
                    let before = self.at;
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xDC00..0xE000).contains(&low) {
                        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                    } else {
                        self.at = before;
                    }
                }
                let c = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        out.push(plain);
        self.at += 1;
        Ok(())
    }

    fn hex(&mut self) -> Read<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|c| char::from(c).to_digit(16));
            value = value * 16 + digit.ok_or_else(|| self.invalid("in \\u hexadecimal character escape"))?;
            self.at += 1;
        }
        Ok(value)
    }
}
