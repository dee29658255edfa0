//! Reading times by a layout.

use std::fmt;

use super::calendar::{days_before, days_in_month, find_name, is_leap};
use super::digits::{leading_int, leading_signed};
use super::layout::{Element, OffsetForm, Pad, next_element};
use super::{Time, Zone};

/// A text that does not fit its layout; it displays exactly like Go's `*time.ParseError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    layout: Vec<u8>,
    value: Vec<u8>,
    layout_element: Vec<u8>,
    value_element: Vec<u8>,
    message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parsing time {}", quote(&self.value))?;
        if !self.message.is_empty() {
            return f.write_str(&self.message);
        }
        write!(
            f,
            " as {}: cannot parse {} as {}",
            quote(&self.layout),
            quote(&self.value_element),
            quote(&self.layout_element)
        )
    }
}

impl std::error::Error for ParseError {}

/// Go's `time.Parse`: a text without any zone is in UTC, and an offset that the local zone has makes a local time.
pub fn parse(layout: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<Time, ParseError> {
    let (layout, value) = (layout.as_ref(), value.as_ref());
    if layout == super::RFC3339.as_bytes()
        && let Some(time) = plain(value)
    {
        return Ok(time);
    }
    parse_with(layout, value, &Zone::Utc, &Zone::Local)
}

/// Exactly `2006-01-02T15:04:05Z`, the form of all times in a resource; anything else takes the long way.
fn plain(value: &[u8]) -> Option<Time> {
    let value: &[u8; 20] = value.try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if marks.iter().any(|(at, mark)| value[*at] != *mark) {
        return None;
    }
    let number = |digits: &[u8], least: i64, most: i64| {
        let mut number = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
        }
        (least..=most).contains(&number).then_some(number)
    };
    let year = number(&value[..4], 0, 9999)?;
    let month = number(&value[5..7], 1, 12)?;
    let day = number(&value[8..10], 1, days_in_month(year, month))?;
    let (hour, minute) = (number(&value[11..13], 0, 23)?, number(&value[14..16], 0, 59)?);
    let second = number(&value[17..19], 0, 59)?;
    Some(Time::date(year, month, day, hour, minute, second, 0, Zone::Utc))
}

/// Go's `time.ParseInLocation`: `zone` takes the place of UTC and of the local zone.
pub fn parse_in_location(layout: impl AsRef<[u8]>, value: impl AsRef<[u8]>, zone: &Zone) -> Result<Time, ParseError> {
    parse_with(layout.as_ref(), value.as_ref(), zone, zone)
}

/// The quoting of Go's time package: bytes outside ASCII and control characters are `\xNN`, all else is unchanged.
pub(super) fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=0x7f => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// What an element found wrong.
enum Wrong {
    /// The text does not have the form of the element.
    Form,
    /// The named field is out of range; `rest` is what follows it.
    Range(&'static str),
}

/// The fields seen so far, `None` where Go distinguishes "not seen" from any value.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    am: bool,
    pm: bool,
    utc: bool,
    offset: Option<i64>,
    abbreviation: Option<Vec<u8>>,
}

fn parse_with(layout: &[u8], value: &[u8], default: &Zone, local: &Zone) -> Result<Time, ParseError> {
    let error = |layout_element: &[u8], value_element: &[u8], message: String| ParseError {
        layout: layout.to_vec(),
        value: value.to_vec(),
        layout_element: layout_element.to_vec(),
        value_element: value_element.to_vec(),
        message,
    };
    let mut fields = Fields::default();
    let (mut layout_rest, mut rest) = (layout, value);
    loop {
        let (prefix, element, suffix) = next_element(layout_rest);
        if let Err(at) = skip(&mut rest, prefix) {
            return Err(error(prefix, at, String::new()));
        }
        let Some(element) = element else {
            if !rest.is_empty() {
                return Err(error(b"", rest, format!(": extra text: {}", quote(rest))));
            }
            break;
        };
        let element_text = layout_rest.get(prefix.len()..layout_rest.len() - suffix.len()).unwrap_or_default();
        layout_rest = suffix;
        let before = rest;
        match fields.read(element, &mut rest, layout_rest) {
            Ok(()) => {}
            Err(Wrong::Form) => return Err(error(element_text, before, String::new())),
            Err(Wrong::Range(field)) => {
                return Err(error(element_text, rest, format!(": {field} out of range")));
            }
        }
    }
    fields.resolve(default, local).map_err(|message| error(b"", rest, format!(": {message}")))
}

/// Takes the literal `prefix` off the front of `rest`; a run of blanks matches any run of blanks, even an empty one at the
/// end. On failure the text that did not match comes back.
fn skip<'a>(rest: &mut &'a [u8], prefix: &[u8]) -> Result<(), &'a [u8]> {
    fn trim(text: &[u8]) -> &[u8] {
        let blanks = text.iter().take_while(|&&b| b == b' ').count();
        text.get(blanks..).unwrap_or_default()
    }
    let mut prefix = prefix;
    while let Some((&wanted, prefix_rest)) = prefix.split_first() {
        match rest.split_first() {
            Some((&b' ', _)) | None if wanted == b' ' => {
                prefix = trim(prefix);
                *rest = trim(rest);
            }
            Some((&have, after)) if have == wanted => {
                prefix = prefix_rest;
                *rest = after;
            }
            _ => return Err(rest),
        }
    }
    Ok(())
}

impl Fields {
    /// Reads one element off the front of `rest`.
    fn read(&mut self, element: Element, rest: &mut &[u8], layout_rest: &[u8]) -> Result<(), Wrong> {
        match element {
            Element::ShortYear => {
                let year = leading_signed(take(rest, 2)?).ok_or(Wrong::Form)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Element::LongYear => {
                if !rest.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Wrong::Form);
                }
                self.year = leading_signed(take(rest, 4)?).ok_or(Wrong::Form)?;
            }
            Element::ShortMonth => self.month = Some(name(rest, false, true)? + 1),
            Element::LongMonth => self.month = Some(name(rest, false, false)? + 1),
            // A weekday must be one but adds nothing to the date.
            Element::ShortWeekday => drop(name(rest, true, true)?),
            Element::LongWeekday => drop(name(rest, true, false)?),
            Element::Month(pad) => self.month = Some(in_range(number(rest, pad)?, 1..=12, "month")?),
            Element::Day(pad) => {
                if pad == Pad::Space {
                    skip_blank(rest);
                }
                self.day = Some(number(rest, pad)?);
            }
            Element::YearDay(pad) => {
                if pad == Pad::Space {
                    skip_blank(rest);
                    skip_blank(rest);
                }
                self.year_day = Some(year_day(rest, pad)?);
            }
            Element::Hour => self.hour = in_range(number(rest, Pad::None)?, 0..=23, "hour")?,
            Element::Hour12(pad) => self.hour = in_range(number(rest, pad)?, 0..=12, "hour")?,
            Element::Minute(pad) => self.minute = in_range(number(rest, pad)?, 0..=59, "minute")?,
            Element::Second(pad) => {
                self.second = in_range(number(rest, pad)?, 0..=59, "second")?;
                self.unannounced_fraction(rest, layout_rest)?;
            }
            Element::HalfDay { upper } => match (take(rest, 2)?, upper) {
                (b"PM", true) | (b"pm", false) => self.pm = true,
                (b"AM", true) | (b"am", false) => self.am = true,
                _ => return Err(Wrong::Form),
            },
            Element::Offset(form) => match rest.split_first() {
                Some((b'Z', after)) if form.z => {
                    self.utc = true;
                    *rest = after;
                }
                _ => self.offset = Some(offset(rest, form)?),
            },
            Element::Abbreviation => {
                if let Some(after) = rest.strip_prefix(b"UTC") {
                    self.utc = true;
                    *rest = after;
                } else {
                    let length = abbreviation_length(rest).ok_or(Wrong::Form)?;
                    self.abbreviation = Some(take(rest, length)?.to_vec());
                }
            }
            Element::Fraction { optional: false, digits, .. } => {
                self.nanos = fraction(take(rest, digits + 1)?)?;
            }
            Element::Fraction { optional: true, .. } => {
                if starts_fraction(rest) {
                    self.nanos = fraction(take_fraction(rest)?)?;
                }
            }
        }
        Ok(())
    }

    /// Seconds may carry a fraction even where the layout has none.
    fn unannounced_fraction(&mut self, rest: &mut &[u8], layout_rest: &[u8]) -> Result<(), Wrong> {
        let announced = matches!(next_element(layout_rest).1, Some(Element::Fraction { .. }));
        if starts_fraction(rest) && !announced {
            self.nanos = fraction(take_fraction(rest)?)?;
        }
        Ok(())
    }

    /// Puts the fields together.
    fn resolve(mut self, default: &Zone, local: &Zone) -> Result<Time, &'static str> {
        if self.pm && self.hour < 12 {
            self.hour += 12;
        } else if self.am && self.hour == 12 {
            self.hour = 0;
        }
        let (month, day) = match self.year_day {
            Some(year_day) => {
                let (month, day) = month_and_day(self.year, year_day).ok_or("day-of-year out of range")?;
                if self.month.is_some_and(|m| m != month) {
                    return Err("day-of-year does not match month");
                }
                if self.day.is_some_and(|d| d != day) {
                    return Err("day-of-year does not match day");
                }
                (month, day)
            }
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if day < 1 || day > days_in_month(self.year, month) {
            return Err("day out of range");
        }
        let date =
            |zone: Zone| Time::date(self.year, month, day, self.hour, self.minute, self.second, self.nanos, zone);
        if self.utc {
            return Ok(date(Zone::Utc));
        }
        let reading = date(Zone::Utc);
        let name =
            self.abbreviation.map(|name| String::from_utf8_lossy(&name).into_owned()).filter(|name| !name.is_empty());
        // Go marks "no offset" with -1, so one second west is lost.
        if let Some(offset) = self.offset.filter(|&o| o != -1) {
            let instant = reading.plus_seconds(-offset);
            let (local_name, local_offset) = local.lookup(instant.unix());
            if local_offset == offset && name.as_ref().is_none_or(|n| *n == local_name) {
                return Ok(instant.in_zone(local.clone()));
            }
            return Ok(instant.in_zone(Zone::fixed(name.as_deref().unwrap_or_default(), offset)));
        }
        if let Some(name) = name {
            if let Some(offset) = local.offset_of_abbreviation(&name, reading.unix()) {
                return Ok(reading.plus_seconds(-offset).in_zone(local.clone()));
            }
            // An unknown abbreviation keeps its name without an offset, but GMT+3 says its own. Like Go, the clock reading is
            // not moved by it.
            let hours = name.strip_prefix("GMT").and_then(|hours| leading_signed(hours.as_bytes())).unwrap_or(0);
            return Ok(reading.in_zone(Zone::fixed(&name, hours * 3600)));
        }
        Ok(date(default.clone()))
    }
}

impl Time {
    fn plus_seconds(&self, seconds: i64) -> Self {
        Self::from_unix(self.unix().wrapping_add(seconds), self.nanosecond())
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Wrong> {
    let (head, tail) = rest.split_at_checked(length).ok_or(Wrong::Form)?;
    *rest = tail;
    Ok(head)
}

fn skip_blank(rest: &mut &[u8]) {
    if let Some(after) = rest.strip_prefix(b" ") {
        *rest = after;
    }
}

fn name(rest: &mut &[u8], weekday: bool, short: bool) -> Result<i64, Wrong> {
    let (index, length) = find_name(rest, weekday, short).ok_or(Wrong::Form)?;
    take(rest, length)?;
    Ok(index)
}

fn in_range(value: i64, range: std::ops::RangeInclusive<i64>, field: &'static str) -> Result<i64, Wrong> {
    if range.contains(&value) { Ok(value) } else { Err(Wrong::Range(field)) }
}

/// One or two digits; padding with zeros makes both necessary.
fn number(rest: &mut &[u8], pad: Pad) -> Result<i64, Wrong> {
    let digit = |byte: &u8| i64::from(byte - b'0');
    match rest {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', after @ ..] => {
            *rest = after;
            Ok(digit(tens) * 10 + digit(ones))
        }
        [ones @ b'0'..=b'9', after @ ..] if pad != Pad::Zero => {
            *rest = after;
            Ok(digit(ones))
        }
        _ => Err(Wrong::Form),
    }
}

fn year_day(rest: &mut &[u8], pad: Pad) -> Result<i64, Wrong> {
    let count = rest.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    if count == 0 || (pad == Pad::Zero && count != 3) {
        return Err(Wrong::Form);
    }
    leading_signed(take(rest, count)?).ok_or(Wrong::Form)
}

/// The month and the day of a day of the year.
fn month_and_day(year: i64, year_day: i64) -> Option<(i64, i64)> {
    const LEAP_DAY: i64 = 31 + 29;
    if is_leap(year) && year_day == LEAP_DAY {
        return Some((2, 29));
    }
    let day = if is_leap(year) && year_day > LEAP_DAY { year_day - 1 } else { year_day };
    if !(1..=365).contains(&day) {
        return None;
    }
    let month = (1..=12).rev().find(|&m| days_before(m) < day)?;
    Some((month, day - days_before(month)))
}

fn starts_fraction(rest: &[u8]) -> bool {
    matches!(rest, [b'.' | b',', b'0'..=b'9', ..])
}

/// The separator at the front and all digits behind it.
fn take_fraction<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Wrong> {
    let digits = rest.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
    take(rest, digits + 1)
}

/// The nanoseconds of a separator and digits; digits past the ninth do not count.
fn fraction(text: &[u8]) -> Result<i64, Wrong> {
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return Err(Wrong::Form);
    };
    let digits = digits.get(..9).unwrap_or(digits);
    let mut nanos = leading_signed(digits).ok_or(Wrong::Form)?;
    if nanos < 0 {
        return Err(Wrong::Range("fractional second"));
    }
    for _ in digits.len()..9 {
        nanos *= 10;
    }
    Ok(nanos)
}

fn offset(rest: &mut &[u8], form: OffsetForm) -> Result<i64, Wrong> {
    let length = match (form.minutes, form.colon, form.seconds) {
        (false, ..) => 3,
        (true, false, false) => 5,
        (true, true, false) => 6,
        (true, false, true) => 7,
        (true, true, true) => 9,
    };
    let colons_at: &[usize] = match (form.colon, form.seconds) {
        (false, _) => &[],
        (true, false) => &[3],
        (true, true) => &[3, 6],
    };
    let well_formed = rest.len() >= length && colons_at.iter().all(|&at| rest.get(at) == Some(&b':'));
    if !well_formed {
        return Err(Wrong::Form);
    }
    let (sign, digits) = take(rest, length)?.split_first().ok_or(Wrong::Form)?;
    let digits: Vec<u8> = if form.colon {
        digits.iter().enumerate().filter(|(at, _)| at % 3 != 2).map(|(_, &b)| b).collect()
    } else {
        digits.to_vec()
    };
    let mut bad = !matches!(sign, b'+' | b'-');
    let mut total = 0;
    // 24 hours and 60 minutes are let through: people do write them. A field out of range counts more than a bad form.
    let fields =
        [(3600, 24, "time zone offset hour"), (60, 60, "time zone offset minute"), (1, 60, "time zone offset second")];
    let mut out_of_range = None;
    for (pair, (unit, max, field)) in digits.chunks(2).zip(fields) {
        match number(&mut &*pair, Pad::Zero) {
            Ok(value) => {
                if value > max {
                    out_of_range = Some(field);
                }
                total += value * unit;
            }
            Err(_) => {
                bad = true;
                break;
            }
        }
    }
    match out_of_range {
        Some(field) => Err(Wrong::Range(field)),
        None if bad => Err(Wrong::Form),
        None => Ok(if *sign == b'-' { -total } else { total }),
    }
}

/// How many bytes at the front look like the abbreviation of a zone.
fn abbreviation_length(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    // The only ones with a lower-case letter.
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_hours_length(rest).unwrap_or(0));
    }
    if matches!(text, [b'+' | b'-', ..]) {
        return signed_hours_length(text);
    }
    let upper = text.iter().take(6).take_while(|b| b.is_ascii_uppercase()).count();
    let ends_in_t = upper.checked_sub(1).and_then(|last| text.get(last)) == Some(&b'T');
    match upper {
        3 => Some(3),
        4 if ends_in_t || text.starts_with(b"WITA") => Some(4),
        5 if ends_in_t => Some(5),
        _ => None,
    }
}

/// The length of a sign and an hour up to 23.
fn signed_hours_length(text: &[u8]) -> Option<usize> {
    let (b'+' | b'-', digits) = text.split_first()? else {
        return None;
    };
    let (hours, rest) = leading_int(digits)?;
    (rest.len() != digits.len() && hours <= 23).then(|| text.len() - rest.len())
}
