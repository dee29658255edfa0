//! Floating-point numbers to text.

use std::fmt::Write as _;

/// The verb of a float format, as in `strconv.FormatFloat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatFormat {
    /// `-d.dddde±dd`
    LowerExp,
    /// `-d.ddddE±dd`
    UpperExp,
    /// `-ddd.dddd`, never an exponent
    Fixed,
    /// `e` for large and tiny exponents, `f` otherwise
    LowerGeneral,
    /// `E` for large and tiny exponents, `f` otherwise
    UpperGeneral,
    /// `-ddddp±ddd`, the mantissa in full with a binary exponent
    Binary,
    /// `-0x1.yyyyp±dd`
    LowerHex,
    /// `-0X1.YYYYP±dd`
    UpperHex,
}

impl FloatFormat {
    /// The format for a verb letter of Go (`e E f F g G b x X`); `F` is a synonym of `f`.
    pub fn from_verb(verb: u8) -> Option<Self> {
        Some(match verb {
            b'e' => Self::LowerExp,
            b'E' => Self::UpperExp,
            b'f' | b'F' => Self::Fixed,
            b'g' => Self::LowerGeneral,
            b'G' => Self::UpperGeneral,
            b'b' => Self::Binary,
            b'x' => Self::LowerHex,
            b'X' => Self::UpperHex,
            _ => return None,
        })
    }
}

/// The exact expansion of any `f64` ends before this many digits; beyond them there are only zeros to add.
const EXACT_DIGITS: usize = 1100;

/// A decimal number `0.d1d2d3... * 10^point`, without trailing zeros.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// Reads the output of Rust's `{:e}`, which is `d.ddde-N`.
    fn from_exp_text(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        // Zero has no digits at all, and then the point is at the front: this is what %g's choice of form relies on.
        let point = if digits.is_empty() { 0 } else { exponent.parse::<i32>().unwrap_or(0) + 1 };
        Self { digits, point }
    }

    fn digit(&self, index: i32) -> char {
        usize::try_from(index).ok().and_then(|i| self.digits.get(i)).map_or('0', |&d| char::from(d))
    }
}

/// Formats `f` like `strconv.FormatFloat`; no `precision` means the fewest digits that read back as the same number.
/// With `bits32` the number is taken as a `float32`. The caller bounds the precision: every digit asked for is written.
pub fn format_float(f: f64, format: FloatFormat, precision: Option<usize>, bits32: bool) -> String {
    if f.is_nan() {
        return "NaN".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let mut out = String::new();
    match format {
        FloatFormat::Binary => return binary(f, bits32),
        FloatFormat::LowerHex => return hexadecimal(f, precision, bits32, false),
        FloatFormat::UpperHex => return hexadecimal(f, precision, bits32, true),
        _ => {}
    }
    if f.is_sign_negative() {
        out.push('-');
    }
    // Through f32 even for a given precision: a float32 of Go holds the rounded value.
    let abs = if bits32 { f64::from(f as f32).abs() } else { f.abs() };
    if abs.is_infinite() {
        return if f > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shortest =
        || Decimal::from_exp_text(&if bits32 { format!("{:e}", (f as f32).abs()) } else { format!("{abs:e}") });
    let rounded = |digits_after_first: usize| {
        let digits = digits_after_first.min(EXACT_DIGITS);
        Decimal::from_exp_text(&format!("{abs:.digits$e}"))
    };
    match format {
        FloatFormat::LowerExp | FloatFormat::UpperExp => {
            let letter = if format == FloatFormat::LowerExp { 'e' } else { 'E' };
            let (decimal, precision) = match precision {
                None => {
                    let d = shortest();
                    let p = d.digits.len().saturating_sub(1);
                    (d, p)
                }
                Some(p) => (rounded(p), p),
            };
            write_exp(&mut out, &decimal, precision, letter);
        }
        FloatFormat::Fixed => match precision {
            None => {
                let d = shortest();
                let fraction = fraction_digits(&d);
                write_fixed(&mut out, &d, fraction);
            }
            Some(p) => {
                let digits = p.min(EXACT_DIGITS);
                let _ = write!(out, "{abs:.digits$}");
                out.extend(std::iter::repeat_n('0', p - digits));
            }
        },
        _ => {
            let letter = if format == FloatFormat::LowerGeneral { 'e' } else { 'E' };
            let (d, mut precision, mut threshold) = match precision {
                None => (shortest(), usize::MAX, 6),
                Some(p) => {
                    let p = p.max(1);
                    (rounded(p - 1), p, p)
                }
            };
            let count = d.digits.len();
            let exponent = d.point - 1;
            if precision == usize::MAX {
                precision = count;
            } else if threshold > count && i32::try_from(count).unwrap_or(i32::MAX) >= d.point {
                threshold = count;
            }
            if exponent < -4 || exponent >= i32::try_from(threshold).unwrap_or(i32::MAX) {
                write_exp(&mut out, &d, precision.min(count).saturating_sub(1), letter);
            } else {
                let fraction = fraction_digits(&d);
                write_fixed(&mut out, &d, fraction);
            }
        }
    }
    out
}

/// fmt's `%v` of a `float64`: the shortest `%g`.
pub fn format_g_v(f: f64) -> String {
    format_float(f, FloatFormat::LowerGeneral, None, false)
}

/// A float as `encoding/json` writes it, or nothing for NaN and the infinities, which JSON cannot hold.
pub fn json_float(f: f64) -> Option<String> {
    if !f.is_finite() {
        return None;
    }
    let abs = f.abs();
    if abs == 0.0 || (1e-6..1e21).contains(&abs) {
        return Some(format_float(f, FloatFormat::Fixed, None, false));
    }
    let mut text = format_float(f, FloatFormat::LowerExp, None, false);
    // JavaScript's form has no zero in front of a one-digit exponent.
    if let Some(at) = text.find("e-0") {
        text.remove(at + 2);
    }
    Some(text)
}

fn fraction_digits(d: &Decimal) -> usize {
    let count = i32::try_from(d.digits.len()).unwrap_or(i32::MAX);
    usize::try_from(count.saturating_sub(d.point)).unwrap_or(0)
}

fn write_exp(out: &mut String, d: &Decimal, precision: usize, letter: char) {
    out.push(d.digit(0));
    if precision > 0 {
        out.push('.');
        let have = d.digits.get(1..).unwrap_or_default();
        let take = have.len().min(precision);
        out.extend(have.iter().take(take).map(|&b| char::from(b)));
        out.extend(std::iter::repeat_n('0', precision - take));
    }
    let exponent = if d.digits.is_empty() { 0 } else { d.point - 1 };
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{letter}{sign}{:02}", exponent.abs());
}

fn write_fixed(out: &mut String, d: &Decimal, fraction: usize) {
    if d.point > 0 {
        for i in 0..d.point {
            out.push(d.digit(i));
        }
    } else {
        out.push('0');
    }
    if fraction > 0 {
        out.push('.');
        for i in 0..i32::try_from(fraction).unwrap_or(i32::MAX) {
            out.push(d.digit(d.point + i));
        }
    }
}

/// Mantissa with its implicit bit, the exponent of its leading bit, and the number of stored mantissa bits.
fn parts(f: f64, bits32: bool) -> (u64, i32, u32) {
    let (bits, exponent_mask, mantissa_bits, bias) =
        if bits32 { (u64::from((f as f32).to_bits()), 0xff, 23, 127) } else { (f.to_bits(), 0x7ff, 52, 1023) };
    let exponent = i32::try_from((bits >> mantissa_bits) & exponent_mask).unwrap_or(0);
    let mantissa = bits & ((1 << mantissa_bits) - 1);
    if exponent == 0 {
        (mantissa, 1 - bias, mantissa_bits)
    } else {
        (mantissa | 1 << mantissa_bits, exponent - bias, mantissa_bits)
    }
}

fn binary(f: f64, bits32: bool) -> String {
    let (mantissa, exponent, mantissa_bits) = parts(f, bits32);
    let sign = if f.is_sign_negative() { "-" } else { "" };
    let exponent = exponent - mantissa_bits.cast_signed();
    format!("{sign}{mantissa}p{exponent:+}")
}

fn hexadecimal(f: f64, precision: Option<usize>, bits32: bool, upper: bool) -> String {
    const TOP: u64 = 1 << 60;
    let (mut mantissa, mut exponent, mantissa_bits) = parts(f, bits32);
    if mantissa == 0 {
        exponent = 0;
    }
    mantissa <<= 60 - mantissa_bits;
    while mantissa != 0 && mantissa & TOP == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(p) = precision.filter(|&p| p < 15) {
        // Half to even on the hexadecimal digits that stay.
        let shift = p * 4;
        let extra = (mantissa << shift) & (TOP - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut out = String::new();
    if f.is_sign_negative() {
        out.push('-');
    }
    let _ = write!(out, "0x{}", (mantissa >> 60) & 1);
    mantissa <<= 4;
    let digits = match precision {
        None => usize::try_from((64 - mantissa.trailing_zeros()).div_ceil(4)).unwrap_or(0),
        Some(p) => p,
    };
    if digits > 0 {
        out.push('.');
        for _ in 0..digits {
            let _ = write!(out, "{:x}", (mantissa >> 60) & 15);
            mantissa <<= 4;
        }
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "p{sign}{:02}", exponent.abs());
    if upper {
        out.make_ascii_uppercase();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fmt(f: f64, verb: u8, precision: i32) -> String {
        let format = FloatFormat::from_verb(verb).unwrap();
        format_float(f, format, usize::try_from(precision).ok(), false)
    }

    #[test]
    fn shortest_forms_follow_go() {
        assert_eq!(fmt(1.0, b'e', -1), "1e+00");
        assert_eq!(fmt(1.0, b'f', -1), "1");
        assert_eq!(fmt(100.0, b'g', -1), "100");
        assert_eq!(fmt(100_000.0, b'g', -1), "100000");
        assert_eq!(fmt(1_000_000.0, b'g', -1), "1e+06");
        assert_eq!(fmt(0.0, b'e', -1), "0e+00");
        assert_eq!(fmt(-0.0, b'g', -1), "-0");
        assert_eq!(fmt(0.0001, b'g', -1), "0.0001");
        assert_eq!(fmt(0.00001, b'G', -1), "1E-05");
        assert_eq!(fmt(5e-324, b'g', -1), "5e-324");
        assert_eq!(fmt(1.7976931348623157e308, b'g', -1), "1.7976931348623157e+308");
        assert_eq!(fmt(123456.7, b'f', -1), "123456.7");
        assert_eq!(fmt(f64::NAN, b'f', 2), "NaN");
        assert_eq!(fmt(f64::INFINITY, b'g', -1), "+Inf");
        assert_eq!(fmt(f64::NEG_INFINITY, b'e', 3), "-Inf");
    }

    #[test]
    fn given_precision_rounds_half_to_even_on_the_exact_value() {
        assert_eq!(fmt(2.5, b'f', 0), "2");
        assert_eq!(fmt(3.5, b'f', 0), "4");
        assert_eq!(fmt(0.5, b'f', 0), "0");
        assert_eq!(fmt(1.5, b'g', 1), "2");
        assert_eq!(fmt(2.5, b'e', 0), "2e+00");
        assert_eq!(fmt(0.125, b'f', 2), "0.12");
        assert_eq!(fmt(1.005, b'f', 2), "1.00");
        assert_eq!(fmt(1e-7, b'e', 6), "1.000000e-07");
        assert_eq!(fmt(0.0, b'e', 3), "0.000e+00");
        assert_eq!(fmt(1e21, b'f', 6), "1000000000000000000000.000000");
        assert_eq!(fmt(0.1, b'f', 70000).len(), 70002);
        assert_eq!(fmt(0.1, b'e', 70000).len(), 70006);
    }

    #[test]
    fn general_form_with_precision_drops_trailing_zeros() {
        assert_eq!(fmt(100.0, b'g', 3), "100");
        assert_eq!(fmt(100.0, b'g', 2), "1e+02");
        assert_eq!(fmt(1e21, b'g', 3), "1e+21");
        assert_eq!(fmt(400.0, b'g', 17), "400");
        assert_eq!(fmt(1.5, b'g', 10), "1.5");
        assert_eq!(fmt(0.0, b'g', 0), "0");
        assert_eq!(fmt(1234.5678, b'g', 5), "1234.6");
        assert_eq!(fmt(123456789.125, b'G', 6), "1.23457E+08");
    }

    #[test]
    fn v_is_shortest_g() {
        assert_eq!(format_g_v(123456789.125), "1.23456789125e+08");
        assert_eq!(format_g_v(5.4e12), "5.4e+12");
        assert_eq!(format_g_v(9007199254740992.0), "9.007199254740992e+15");
        assert_eq!(format_g_v(2.0), "2");
        assert_eq!(format_g_v(1.5e300), "1.5e+300");
        assert_eq!(format_g_v(-32356801.0), "-3.2356801e+07");
    }

    #[test]
    fn float32_is_shortest_for_its_own_width() {
        let f = f64::from(0.1_f32);
        assert_eq!(format_float(f, FloatFormat::LowerGeneral, None, true), "0.1");
        assert_eq!(format_float(f, FloatFormat::LowerGeneral, None, false), "0.10000000149011612");
    }

    #[test]
    fn json_takes_an_exponent_only_at_the_ends() {
        assert_eq!(json_float(1e-7).as_deref(), Some("1e-7"));
        assert_eq!(json_float(1.5e-10).as_deref(), Some("1.5e-10"));
        assert_eq!(json_float(1e-6).as_deref(), Some("0.000001"));
        assert_eq!(json_float(1e20).as_deref(), Some("100000000000000000000"));
        assert_eq!(json_float(1e21).as_deref(), Some("1e+21"));
        assert_eq!(json_float(-0.0).as_deref(), Some("-0"));
        assert_eq!(json_float(2.0).as_deref(), Some("2"));
        assert_eq!(json_float(f64::NAN), None);
    }

    #[test]
    fn binary_and_hexadecimal_forms() {
        assert_eq!(fmt(2.0, b'b', -1), "4503599627370496p-51");
        assert_eq!(fmt(1.5, b'b', 0), "6755399441055744p-52");
        assert_eq!(fmt(123456789.125, b'b', -1), "8285044871266304p-26");
        assert_eq!(fmt(0.0, b'b', -1), "0p-1074");
        assert_eq!(fmt(123456789.125, b'X', -1), "0X1.D6F34548P+26");
        assert_eq!(fmt(-2.0, b'x', -1), "-0x1p+01");
        assert_eq!(fmt(-2.0, b'x', 4), "-0x1.0000p+01");
        assert_eq!(fmt(1e-7, b'x', -1), "0x1.ad7f29abcaf48p-24");
        assert_eq!(fmt(1e21, b'X', 0), "0X1P+70");
        assert_eq!(fmt(0.0, b'x', -1), "0x0p+00");
        assert_eq!(fmt(2.5, b'x', -1), "0x1.4p+01");
        assert_eq!(fmt(1.0, b'x', 20), "0x1.00000000000000000000p+00");
        assert_eq!(fmt(5e-324, b'x', -1), "0x1p-1074");
    }
}
