//! Durations: Go's signed 64-bit nanoseconds.

use super::digits::leading_int;
use super::parse::quote;

/// One nanosecond.
pub const NANOSECOND: i64 = 1;
/// One microsecond in nanoseconds.
pub const MICROSECOND: i64 = 1_000;
/// One millisecond in nanoseconds.
pub const MILLISECOND: i64 = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// One minute in nanoseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in nanoseconds.
pub const HOUR: i64 = 60 * MINUTE;

/// Go's `Duration.String`: `1h2m3.5s`, below a second `1.5ms`, `2µs` or `3ns`, and `0s`.
pub fn format_duration(duration: i64) -> String {
    let nanos = duration.unsigned_abs();
    let sign = if duration < 0 { "-" } else { "" };
    let second = SECOND.unsigned_abs();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < second {
        let (unit, digits, suffix) = match nanos {
            0..1_000 => (1, 0, "ns"),
            1_000..1_000_000 => (1_000, 3, "µs"),
            _ => (1_000_000, 6, "ms"),
        };
        return format!("{sign}{}{}{suffix}", nanos / unit, fraction(nanos % unit, digits));
    }
    let (seconds, part) = (nanos / second, fraction(nanos % second, 9));
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{sign}{hours}h{minutes}m{seconds}{part}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{seconds}{part}s")
    } else {
        format!("{sign}{seconds}{part}s")
    }
}

/// `.ddd` without trailing zeros, nothing for zero.
fn fraction(value: u64, digits: usize) -> String {
    if value == 0 {
        return String::new();
    }
    let text = format!(".{value:0digits$}");
    text.trim_end_matches('0').to_owned()
}

/// Go's `time.ParseDuration`, with its error texts.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text.as_bytes()));
    const LIMIT: u64 = 1 << 63;
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = leading_int(rest).ok_or_else(invalid)?;
        let mut has_digits = after.len() != rest.len();
        rest = after;
        let (mut part, mut scale) = (0, 1.0);
        if let [b'.', after @ ..] = rest {
            let (value, its_scale, after_fraction) = leading_fraction(after);
            has_digits |= after_fraction.len() != after.len();
            (part, scale, rest) = (value, its_scale, after_fraction);
        }
        if !has_digits {
            return Err(invalid());
        }
        let end = rest.iter().position(|&c| c == b'.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit_name, after) = rest.split_at(end);
        if unit_name.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text.as_bytes())));
        }
        rest = after;
        let unit = unit_nanos(unit_name)
            .ok_or_else(|| format!("time: unknown unit {} in duration {}", quote(unit_name), quote(text.as_bytes())))?;
        let mut value = whole.checked_mul(unit).filter(|&v| v <= LIMIT).ok_or_else(invalid)?;
        if part > 0 {
            // In floating point on purpose: this is where Go's result gets its last digit from.
            let extra = (part as f64 * (unit as f64 / scale)) as u64;
            value = value.checked_add(extra).filter(|&v| v <= LIMIT).ok_or_else(invalid)?;
        }
        total = total.checked_add(value).filter(|&t| t <= LIMIT).ok_or_else(invalid)?;
    }
    if negative {
        return Ok(total.cast_signed().wrapping_neg());
    }
    i64::try_from(total).map_err(|_| invalid())
}

fn unit_nanos(name: &[u8]) -> Option<u64> {
    let nanos = match name {
        b"ns" => NANOSECOND,
        // Both the micro sign and the Greek letter are in use.
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => MICROSECOND,
        b"ms" => MILLISECOND,
        b"s" => SECOND,
        b"m" => MINUTE,
        b"h" => HOUR,
        _ => return None,
    };
    Some(nanos.unsigned_abs())
}

/// The digits at the front as an integer and its power of ten; digits that no longer fit are skipped.
fn leading_fraction(text: &[u8]) -> (u64, f64, &[u8]) {
    let (mut value, mut scale, mut full) = (0_u64, 1.0, false);
    let mut rest = text;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        rest = after;
        let next = if full || value > i64::MAX.unsigned_abs() / 10 {
            None
        } else {
            Some(value * 10 + u64::from(digit - b'0')).filter(|&n| n <= 1 << 63)
        };
        match next {
            Some(next) => {
                value = next;
                scale *= 10.0;
            }
            None => full = true,
        }
    }
    (value, scale, rest)
}

/// Go's `Duration.Truncate`: towards zero to a multiple of `unit`; unchanged if the unit is not positive.
pub fn truncate_duration(duration: i64, unit: i64) -> i64 {
    if unit <= 0 { duration } else { duration - duration % unit }
}

/// Go's `Duration.Round`: to the nearest multiple of `unit`, halves away from zero; unchanged if the unit is not
/// positive, and the longest duration if the result does not fit.
pub fn round_duration(duration: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return duration;
    }
    let past = (duration % unit).abs();
    let magnitude_down = duration - duration % unit;
    if past < unit - past {
        magnitude_down
    } else if duration < 0 {
        magnitude_down.saturating_sub(unit)
    } else {
        magnitude_down.saturating_add(unit)
    }
}

/// Go's `Duration.Abs`: the shortest duration becomes the longest one.
pub fn abs_duration(duration: i64) -> i64 {
    duration.saturating_abs()
}

/// Go's `Duration.Hours`.
pub fn duration_hours(duration: i64) -> f64 {
    in_unit(duration, HOUR)
}

/// Go's `Duration.Minutes`.
pub fn duration_minutes(duration: i64) -> f64 {
    in_unit(duration, MINUTE)
}

/// Go's `Duration.Seconds`.
pub fn duration_seconds(duration: i64) -> f64 {
    in_unit(duration, SECOND)
}

/// Go's `Duration.Milliseconds`.
pub fn duration_millis(duration: i64) -> i64 {
    duration / MILLISECOND
}

/// Go's `Duration.Microseconds`.
pub fn duration_micros(duration: i64) -> i64 {
    duration / MICROSECOND
}

fn in_unit(duration: i64, unit: i64) -> f64 {
    // Whole and part are converted apart, as in Go: one division of the whole would round differently.
    (duration / unit) as f64 + (duration % unit) as f64 / unit as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_like_go() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (100 * MILLISECOND, "100ms"),
            (3_300_000_000, "3.3s"),
            (MINUTE, "1m0s"),
            (4 * MINUTE + 5 * SECOND, "4m5s"),
            (5 * HOUR + 6 * MINUTE + 7 * SECOND + MILLISECOND, "5h6m7.001s"),
            (-1_500 * MILLISECOND, "-1.5s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(format_duration(nanos), text);
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn durations_parse_like_go() {
        assert_eq!(parse_duration("1.5h"), Ok(90 * MINUTE));
        assert_eq!(parse_duration("+5s"), Ok(5 * SECOND));
        assert_eq!(parse_duration("-0"), Ok(0));
        assert_eq!(parse_duration(".5s"), Ok(500 * MILLISECOND));
        assert_eq!(parse_duration("5.s"), Ok(5 * SECOND));
        assert_eq!(parse_duration("1µs1μs1us"), Ok(3_000));
        assert_eq!(parse_duration("0.3333333333333333333h"), Ok(20 * MINUTE));
        assert_eq!(parse_duration("9007199254.740993ms"), Ok(9_007_199_254_740_993));
        assert_eq!(parse_duration("0.9223372036854775807h"), Ok(55 * MINUTE + 20_413_933_267));
    }

    #[test]
    fn bad_durations_have_go_texts() {
        let error = |s: &str| parse_duration(s).unwrap_err();
        assert_eq!(error("x"), "time: invalid duration \"x\"");
        assert_eq!(error(""), "time: invalid duration \"\"");
        assert_eq!(error("-"), "time: invalid duration \"-\"");
        assert_eq!(error(".s"), "time: invalid duration \".s\"");
        assert_eq!(error("1h "), "time: unknown unit \"h \" in duration \"1h \"");
        assert_eq!(error("1"), "time: missing unit in duration \"1\"");
        assert_eq!(error("1d"), "time: unknown unit \"d\" in duration \"1d\"");
        assert_eq!(error("1天"), r#"time: unknown unit "\xe5\xa4\xa9" in duration "1\xe5\xa4\xa9""#);
        assert_eq!(error("9223372036854775808ns"), "time: invalid duration \"9223372036854775808ns\"");
        assert_eq!(error("3000000h"), "time: invalid duration \"3000000h\"");
        assert_eq!(error("-9223372036854775809ns"), "time: invalid duration \"-9223372036854775809ns\"");
    }

    #[test]
    fn rounding_is_away_from_zero_at_halves_and_saturates() {
        assert_eq!(round_duration(1_500, 1_000), 2_000);
        assert_eq!(round_duration(-1_500, 1_000), -2_000);
        assert_eq!(round_duration(1_499, 1_000), 1_000);
        assert_eq!(round_duration(7, 0), 7);
        assert_eq!(round_duration(i64::MAX, HOUR), i64::MAX);
        assert_eq!(round_duration(i64::MIN, HOUR), i64::MIN);
        assert_eq!(round_duration(i64::MIN, i64::MAX), -i64::MAX);
        assert_eq!(truncate_duration(-1_999, 1_000), -1_000);
        assert_eq!(truncate_duration(5, -1), 5);
        assert_eq!(abs_duration(i64::MIN), i64::MAX);
    }

    #[test]
    fn units() {
        assert_eq!(duration_hours(90 * MINUTE), 1.5);
        assert_eq!(duration_minutes(90 * SECOND), 1.5);
        assert_eq!(duration_seconds(-1_500 * MILLISECOND), -1.5);
        assert_eq!(duration_millis(1_999_999), 1);
        assert_eq!(duration_micros(-1_999), -1);
    }
}
