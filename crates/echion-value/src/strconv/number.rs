//! Text to numbers and booleans.

use std::fmt;

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumErrorKind {
    /// The text does not have the form of the type.
    Syntax,
    /// The form is right but the value does not fit.
    Range,
    /// The base is neither 0 nor 2 to 36.
    Base(u32),
    /// The size is over 64 bits.
    BitSize(u32),
}

/// A failed conversion; it displays exactly like Go's `*strconv.NumError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumError {
    /// The Go function that failed: `ParseInt`, `Atoi`, ...
    pub func: &'static str,
    /// The text that was to be converted.
    pub num: String,
    /// What is wrong with it.
    pub kind: NumErrorKind,
}

impl NumError {
    fn new(func: &'static str, num: &str, kind: NumErrorKind) -> Self {
        Self { func, num: num.to_owned(), kind }
    }
}

impl fmt::Display for NumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = super::quote(self.num.as_bytes());
        write!(f, "strconv.{}: parsing {quoted}: ", self.func)?;
        match self.kind {
            NumErrorKind::Syntax => f.write_str("invalid syntax"),
            NumErrorKind::Range => f.write_str("value out of range"),
            NumErrorKind::Base(base) => write!(f, "invalid base {base}"),
            NumErrorKind::BitSize(bits) => write!(f, "invalid bit size {bits}"),
        }
    }
}

impl std::error::Error for NumError {}

/// `strconv.ParseUint`; `bits` 0 means 64. With base 0 a prefix chooses the base and underscores may separate digits.
pub fn parse_uint(s: &str, base: u32, bits: u32) -> Result<u64, NumError> {
    unsigned(s, base, bits).map_err(|kind| NumError::new("ParseUint", s, kind))
}

/// `strconv.ParseInt`; `bits` 0 means 64. With base 0 a prefix chooses the base and underscores may separate digits.
pub fn parse_int(s: &str, base: u32, bits: u32) -> Result<i64, NumError> {
    signed(s, base, bits).map_err(|kind| NumError::new("ParseInt", s, kind))
}

/// `strconv.Atoi`: a decimal number of 64 bits.
pub fn atoi(s: &str) -> Result<i64, NumError> {
    signed(s, 10, 64).map_err(|kind| NumError::new("Atoi", s, kind))
}

/// `strconv.ParseBool`.
pub fn parse_bool(s: &str) -> Result<bool, NumError> {
    match s {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(NumError::new("ParseBool", s, NumErrorKind::Syntax)),
    }
}

/// `strconv.ParseFloat` for 64 bits.
pub fn parse_float(s: &str) -> Result<f64, NumError> {
    float(s.as_bytes()).map_err(|kind| NumError::new("ParseFloat", s, kind))
}

fn signed(s: &str, base: u32, bits: u32) -> Result<i64, NumErrorKind> {
    let (negative, magnitude) = match s.as_bytes().first() {
        Some(b'+') => (false, s.get(1..).unwrap_or_default()),
        Some(b'-') => (true, s.get(1..).unwrap_or_default()),
        _ => (false, s),
    };
    let value = unsigned(magnitude, base, bits)?;
    let cutoff = 1_u64 << (if bits == 0 { 64 } else { bits } - 1);
    if (!negative && value >= cutoff) || (negative && value > cutoff) {
        return Err(NumErrorKind::Range);
    }
    let value = value.cast_signed();
    Ok(if negative { value.wrapping_neg() } else { value })
}

fn unsigned(s: &str, base: u32, bits: u32) -> Result<u64, NumErrorKind> {
    let whole = s.as_bytes();
    if whole.is_empty() {
        return Err(NumErrorKind::Syntax);
    }
    let (radix, digits) = match (base, whole) {
        (2..=36, _) => (base, whole),
        (0, [b'0', b'b' | b'B', rest @ ..]) if !rest.is_empty() => (2, rest),
        (0, [b'0', b'o' | b'O', rest @ ..]) if !rest.is_empty() => (8, rest),
        (0, [b'0', b'x' | b'X', rest @ ..]) if !rest.is_empty() => (16, rest),
        (0, [b'0', rest @ ..]) => (8, rest),
        (0, _) => (10, whole),
        _ => return Err(NumErrorKind::Base(base)),
    };
    let max = match bits {
        0 | 64 => u64::MAX,
        1..64 => (1_u64 << bits) - 1,
        _ => return Err(NumErrorKind::BitSize(bits)),
    };
    let mut underscores = false;
    let mut value = 0_u64;
    for &c in digits {
        if c == b'_' && base == 0 {
            underscores = true;
            continue;
        }
        let digit = char::from(c).to_digit(radix).ok_or(NumErrorKind::Syntax)?;
        // The first digit too many decides, whatever follows it: Go answers "out of range" for 99999999999999999999x.
        value = value
            .checked_mul(u64::from(radix))
            .and_then(|v| v.checked_add(u64::from(digit)))
            .filter(|&v| v <= max)
            .ok_or(NumErrorKind::Range)?;
    }
    if underscores && !underscores_separate_digits(whole) {
        return Err(NumErrorKind::Syntax);
    }
    Ok(value)
}

/// Whether each underscore is between two digits, or between a base prefix and a digit.
fn underscores_separate_digits(s: &[u8]) -> bool {
    #[derive(PartialEq)]
    enum Saw {
        Start,
        Digit,
        Underscore,
        Other,
    }
    let unsigned = match s {
        [b'+' | b'-', rest @ ..] => rest,
        _ => s,
    };
    let (mut saw, hex, number) = match unsigned {
        [b'0', b'x' | b'X', rest @ ..] => (Saw::Digit, true, rest),
        [b'0', b'b' | b'B' | b'o' | b'O', rest @ ..] => (Saw::Digit, false, rest),
        _ => (Saw::Start, false, unsigned),
    };
    for &c in number {
        saw = if c.is_ascii_digit() || (hex && c.is_ascii_hexdigit()) {
            Saw::Digit
        } else if c == b'_' {
            if saw != Saw::Digit {
                return false;
            }
            Saw::Underscore
        } else {
            if saw == Saw::Underscore {
                return false;
            }
            Saw::Other
        };
    }
    saw != Saw::Underscore
}

fn float(s: &[u8]) -> Result<f64, NumErrorKind> {
    if let Some(special) = special_float(s) {
        return Ok(special);
    }
    let (negative, rest) = match s {
        [b'+', rest @ ..] => (false, rest),
        [b'-', rest @ ..] => (true, rest),
        _ => (false, s),
    };
    let (hex, rest) = match rest {
        [b'0', b'x' | b'X', rest @ ..] if !rest.is_empty() => (true, rest),
        _ => (false, rest),
    };
    let mut digits = String::new();
    let mut point = None;
    let mut underscores = false;
    let mut i = 0;
    while let Some(&c) = rest.get(i) {
        match c {
            b'_' => underscores = true,
            b'.' if point.is_none() => point = Some(digits.len()),
            b'0'..=b'9' => digits.push(char::from(c)),
            _ if hex && c.is_ascii_hexdigit() => digits.push(char::from(c)),
            _ => break,
        }
        i += 1;
    }
    if digits.is_empty() {
        return Err(NumErrorKind::Syntax);
    }
    let fraction = point.map_or(0, |p| digits.len() - p);
    let exponent_letter = if hex { b'p' } else { b'e' };
    let mut exponent = 0_i64;
    if rest.get(i).map(u8::to_ascii_lowercase) == Some(exponent_letter) {
        i += 1;
        let sign = match rest.get(i) {
            Some(b'+') => {
                i += 1;
                1
            }
            Some(b'-') => {
                i += 1;
                -1
            }
            _ => 1,
        };
        if !rest.get(i).is_some_and(u8::is_ascii_digit) {
            return Err(NumErrorKind::Syntax);
        }
        while let Some(&c) = rest.get(i) {
            match c {
                b'_' => underscores = true,
                // Past 10000 the answer is zero or out of range already.
                b'0'..=b'9' if exponent < 10_000 => exponent = exponent * 10 + i64::from(c - b'0'),
                b'0'..=b'9' => {}
                _ => break,
            }
            i += 1;
        }
        exponent *= sign;
    } else if hex {
        return Err(NumErrorKind::Syntax);
    }
    if i != rest.len() || (underscores && !underscores_separate_digits(s)) {
        return Err(NumErrorKind::Syntax);
    }
    let fraction = i64::try_from(fraction).unwrap_or(i64::MAX);
    let magnitude = if hex {
        hex_float(&digits, exponent.saturating_sub(fraction.saturating_mul(4)))
    } else {
        let exponent = exponent.saturating_sub(fraction);
        format!("{digits}e{exponent}").parse::<f64>().map_err(|_| NumErrorKind::Syntax)?
    };
    if magnitude.is_infinite() {
        return Err(NumErrorKind::Range);
    }
    Ok(if negative { -magnitude } else { magnitude })
}

fn special_float(s: &[u8]) -> Option<f64> {
    let (sign, rest) = match s {
        [b'+', rest @ ..] => (Some(1.0), rest),
        [b'-', rest @ ..] => (Some(-1.0), rest),
        _ => (None, s),
    };
    if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
        return Some(f64::INFINITY * sign.unwrap_or(1.0));
    }
    (sign.is_none() && rest.eq_ignore_ascii_case(b"nan")).then_some(f64::NAN)
}

/// `digits * 2^exponent`, rounded half to even.
fn hex_float(digits: &str, mut exponent: i64) -> f64 {
    let mut mantissa = 0_u64;
    let mut sticky = false;
    for digit in digits.chars().filter_map(|c| c.to_digit(16)) {
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
        } else {
            sticky |= digit != 0;
            exponent = exponent.saturating_add(4);
        }
    }
    if mantissa == 0 {
        return 0.0;
    }
    let shift = mantissa.leading_zeros();
    mantissa <<= shift;
    // The value is 1.xxx * 2^top.
    let top = exponent.saturating_add(63 - i64::from(shift));
    if top > 1023 {
        return f64::INFINITY;
    }
    if top < -1076 {
        return 0.0;
    }
    // Below the smallest normal number the mantissa loses one bit for each step of the exponent.
    let drop = 11 + u32::try_from((-1022 - top).max(0)).unwrap_or(0);
    let (kept, lost, half) = if drop >= 64 {
        (0, u128::from(mantissa), 1_u128 << (drop - 1))
    } else {
        (mantissa >> drop, u128::from(mantissa & ((1 << drop) - 1)), 1_u128 << (drop - 1))
    };
    let up = lost > half || (lost == half && (sticky || kept & 1 == 1));
    let kept = kept + u64::from(up);
    // Adding to the bits instead of or-ing them lets a carry out of the mantissa raise the exponent, up to infinity.
    let biased = u64::try_from((top + 1022).max(0)).unwrap_or(0);
    let bits = if top < -1022 { kept } else { (biased << 52) + kept };
    f64::from_bits(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T: fmt::Debug>(result: Result<T, NumError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn integers_know_prefixes_and_underscores_with_base_zero_only() {
        assert_eq!(parse_int("0x1F", 0, 64), Ok(31));
        assert_eq!(parse_int("-0b101", 0, 64), Ok(-5));
        assert_eq!(parse_int("0o17", 0, 64), Ok(15));
        assert_eq!(parse_int("017", 0, 64), Ok(15));
        assert_eq!(parse_int("0", 0, 64), Ok(0));
        assert_eq!(parse_int("1_000", 0, 64), Ok(1000));
        assert_eq!(parse_int("0x_1", 0, 64), Ok(1));
        assert!(parse_int("1__0", 0, 64).is_err());
        assert!(parse_int("1_", 0, 64).is_err());
        assert!(parse_int("_1", 0, 64).is_err());
        assert!(parse_int("1_000", 10, 64).is_err());
        assert!(parse_int("08", 0, 64).is_err());
        assert!(parse_int("0x", 0, 64).is_err());
        assert_eq!(parse_int("zz", 36, 64), Ok(35 * 36 + 35));
        assert_eq!(parse_uint("18446744073709551615", 10, 64), Ok(u64::MAX));
    }

    #[test]
    fn integer_limits() {
        assert_eq!(parse_int("-9223372036854775808", 10, 64), Ok(i64::MIN));
        assert_eq!(parse_int("-128", 10, 8), Ok(-128));
        assert!(parse_int("128", 10, 8).is_err());
        assert_eq!(atoi("+5"), Ok(5));
        assert_eq!(
            text(parse_int("9223372036854775808", 10, 64)),
            "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        );
        assert_eq!(
            text(parse_int("99999999999999999999x", 10, 64)),
            "strconv.ParseInt: parsing \"99999999999999999999x\": value out of range"
        );
        assert_eq!(text(atoi("-")), "strconv.Atoi: parsing \"-\": invalid syntax");
        assert_eq!(text(atoi("")), "strconv.Atoi: parsing \"\": invalid syntax");
        assert_eq!(text(atoi("ü\n")), "strconv.Atoi: parsing \"ü\\n\": invalid syntax");
        assert_eq!(text(parse_uint("-1", 10, 64)), "strconv.ParseUint: parsing \"-1\": invalid syntax");
        assert_eq!(text(parse_int("1", 1, 64)), "strconv.ParseInt: parsing \"1\": invalid base 1");
        assert_eq!(text(parse_int("1", 10, 65)), "strconv.ParseInt: parsing \"1\": invalid bit size 65");
    }

    #[test]
    fn booleans() {
        assert_eq!(parse_bool("T"), Ok(true));
        assert_eq!(parse_bool("False"), Ok(false));
        assert_eq!(text(parse_bool("yes")), "strconv.ParseBool: parsing \"yes\": invalid syntax");
    }

    #[test]
    fn floats() {
        assert_eq!(parse_float("1."), Ok(1.0));
        assert_eq!(parse_float(".5e1"), Ok(5.0));
        assert_eq!(parse_float("+1e-3"), Ok(0.001));
        assert_eq!(parse_float("1_23.50_0_0e+1_2"), Ok(1.235e14));
        assert_eq!(parse_float("-iNf"), Ok(f64::NEG_INFINITY));
        assert_eq!(parse_float("Infinity"), Ok(f64::INFINITY));
        assert!(parse_float("nan").unwrap().is_nan());
        assert_eq!(parse_float("1e-400"), Ok(0.0));
        assert_eq!(parse_float(&"9".repeat(400)).unwrap_err().kind, NumErrorKind::Range);
        assert_eq!(parse_float(&format!("0.{}1e401", "0".repeat(400))), Ok(1.0));
        for bad in
            ["", "+", ".", "1e", "5.e", "0x", "0x1.8", "1x", "+nan", "infinit", "1__2", "_1", " 1", "1e+", "0x1p"]
        {
            assert!(parse_float(bad).is_err(), "{bad}");
        }
        assert_eq!(text(parse_float("1e400")), "strconv.ParseFloat: parsing \"1e400\": value out of range");
    }

    #[test]
    fn hexadecimal_floats_round_half_to_even() {
        assert_eq!(parse_float("0x1p0"), Ok(1.0));
        assert_eq!(parse_float("-0x1.8p+1"), Ok(-3.0));
        assert_eq!(parse_float("0x.8p1"), Ok(1.0));
        assert_eq!(parse_float("0x1p-1074"), Ok(5e-324));
        assert_eq!(parse_float("0x1p-1075"), Ok(0.0));
        assert_eq!(parse_float("0x1.8p-1075"), Ok(5e-324));
        assert_eq!(parse_float("0x1.fffffffffffffp1023"), Ok(f64::MAX));
        assert!(parse_float("0x1.fffffffffffff8p1023").is_err());
        assert_eq!(parse_float("0x1.00000000000008p0"), Ok(1.0));
        assert_eq!(parse_float("0x1.000000000000081p0"), Ok(1.0 + f64::EPSILON));
        assert_eq!(parse_float("0x1.00000000000018p0"), Ok(1.0 + 2.0 * f64::EPSILON));
        assert_eq!(parse_float("0x0.0000000000000fffffffffffffp-1022"), parse_float("0x0.0000000000001p-1022"));
        assert_eq!(parse_float("0x1_0p1"), Ok(32.0));
    }
}
