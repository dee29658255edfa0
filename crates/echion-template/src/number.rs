//! Numbers in templates, which get their type from where they occur.

use echion_value::strconv::{self, NumError};
use echion_value::{Complex, Type, Value};

/// A number as written: every type that can hold it, as Go's constants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Number {
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
    pub(crate) text: Box<str>,
}

impl Number {
    /// A character constant, quotes included.
    pub(crate) fn from_char(text: &str) -> Result<Self, String> {
        let body = text.as_bytes().get(1..).unwrap_or_default();
        let (rune, tail) = match strconv::unquote_char(body, b'\'') {
            Some((rune, _, tail)) => (rune, tail),
            None => return Err("invalid syntax".to_owned()),
        };
        if tail != b"'" {
            return Err(format!("malformed character constant: {text}"));
        }
        Ok(Self {
            int: Some(i64::from(rune)),
            uint: Some(u64::from(rune)),
            float: Some(f64::from(rune)),
            complex: None,
            text: text.into(),
        })
    }

    /// `1+2i`
    pub(crate) fn from_complex(text: &str) -> Result<Self, String> {
        let split = text.bytes().enumerate().skip(1).filter(|(i, b)| {
            matches!(b, b'+' | b'-') && !matches!(text.as_bytes().get(i - 1), Some(b'e' | b'E' | b'p' | b'P'))
        });
        let bad = || format!("illegal number syntax: {}", strconv::quote(text.as_bytes()));
        let at = split.map(|(i, _)| i).next().ok_or_else(bad)?;
        let (real, imaginary) = text.split_at_checked(at).ok_or_else(bad)?;
        let imaginary = imaginary.strip_suffix('i').unwrap_or(imaginary);
        let parse =
            |part: &str| strconv::parse_float(part).map_err(|_| "syntax error scanning complex number".to_owned());
        Ok(Self { text: text.into(), ..Self::default() }.simplified(parse(real)?, parse(imaginary)?))
    }

    /// Any other number.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut number = Self { text: text.into(), ..Self::default() };
        if let Some(imaginary) = text.strip_suffix('i')
            && let Ok(imaginary) = strconv::parse_float(imaginary)
        {
            return Ok(number.simplified(0.0, imaginary));
        }
        let quoted = || strconv::quote(text.as_bytes());
        number.uint = strconv::parse_uint(text, 0, 64).ok();
        number.int = strconv::parse_int(text, 0, 64).ok();
        if number.int == Some(0) {
            number.uint = Some(0);
        }
        #[expect(clippy::cast_precision_loss, reason = "Go's constants lose digits as well")]
        if let Some(float) = number.int.map(|n| n as f64).or(number.uint.map(|n| n as f64)) {
            number.float = Some(float);
        } else if let Ok(float) = parse_float(text) {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quoted()));
            }
            number.float = Some(float);
            number.int = whole(float);
            number.uint = whole(float).and_then(|n| u64::try_from(n).ok());
        }
        if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
            return Err(format!("illegal number syntax: {}", quoted()));
        }
        Ok(number)
    }

    fn simplified(mut self, real: f64, imaginary: f64) -> Self {
        if imaginary == 0.0 {
            self.float = Some(real);
            self.int = whole(real);
            self.uint = self.int.and_then(|n| u64::try_from(n).ok());
        }
        self.complex = Some((real, imaginary));
        self
    }

    /// The value where no type is asked for: the spelling decides.
    pub(crate) fn value(&self) -> Result<Value, String> {
        let text = self.text.as_ref();
        if let Some((real, imaginary)) = self.complex {
            return Ok(Complex { real, imaginary }.into());
        }
        let hex = text.starts_with("0x") || text.starts_with("0X");
        let hex_int = hex && !text.contains(['p', 'P']);
        let looks_float = !hex_int && !text.starts_with('\'') && text.contains(['.', 'e', 'E', 'p', 'P']);
        match (self.float, self.int, self.uint) {
            (Some(float), ..) if looks_float => Ok(Value::Float(float)),
            (_, Some(int), _) => Ok(Value::Int(int)),
            (_, _, Some(_)) => Err(format!("{text} overflows int")),
            _ => Ok(Value::Nil),
        }
    }

    /// The value as that type, when it can be.
    pub(crate) fn as_type(&self, wanted: Type) -> Option<Value> {
        Some(match wanted {
            Type::Int => Value::Int(self.int?),
            Type::Int64 => Value::Int64(self.int?),
            Type::Int32 => Value::Int32(i32::try_from(self.int?).ok()?),
            Type::Duration => Value::Duration(self.int?),
            Type::Month => Value::Month(self.int?),
            Type::Weekday => Value::Weekday(self.int?),
            Type::Uint8 => Value::Uint8(u8::try_from(self.uint?).ok()?),
            Type::Uint64 => Value::Uint64(self.uint?),
            Type::Float64 => Value::Float(self.float?),
            _ => return None,
        })
    }
}

fn parse_float(text: &str) -> Result<f64, NumError> {
    strconv::parse_float(text)
}

/// The integer that is exactly this float.
fn whole(float: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
    let int = float as i64;
    #[expect(clippy::cast_precision_loss, reason = "compared afterwards")]
    let back = int as f64;
    (back == float).then_some(int)
}
