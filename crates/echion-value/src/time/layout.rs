//! Layouts: a time is formatted and parsed by the example of January 2, 15:04:05, 2006.

use super::calendar::{Civil, month_name, weekday_name};
use super::{Time, zone::Zone};

/// Go's `time.Layout`.
pub const LAYOUT: &str = "01/02 03:04:05PM '06 -0700";
/// Go's `time.ANSIC`.
pub const ANSIC: &str = "Mon Jan _2 15:04:05 2006";
/// Go's `time.UnixDate`.
pub const UNIX_DATE: &str = "Mon Jan _2 15:04:05 MST 2006";
/// Go's `time.RubyDate`.
pub const RUBY_DATE: &str = "Mon Jan 02 15:04:05 -0700 2006";
/// Go's `time.RFC822`.
pub const RFC822: &str = "02 Jan 06 15:04 MST";
/// Go's `time.RFC822Z`.
pub const RFC822Z: &str = "02 Jan 06 15:04 -0700";
/// Go's `time.RFC850`.
pub const RFC850: &str = "Monday, 02-Jan-06 15:04:05 MST";
/// Go's `time.RFC1123`.
pub const RFC1123: &str = "Mon, 02 Jan 2006 15:04:05 MST";
/// Go's `time.RFC1123Z`.
pub const RFC1123Z: &str = "Mon, 02 Jan 2006 15:04:05 -0700";
/// Go's `time.RFC3339`.
pub const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
/// Go's `time.RFC3339Nano`.
pub const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";
/// Go's `time.Kitchen`.
pub const KITCHEN: &str = "3:04PM";
/// Go's `time.Stamp`.
pub const STAMP: &str = "Jan _2 15:04:05";
/// Go's `time.StampMilli`.
pub const STAMP_MILLI: &str = "Jan _2 15:04:05.000";
/// Go's `time.StampMicro`.
pub const STAMP_MICRO: &str = "Jan _2 15:04:05.000000";
/// Go's `time.StampNano`.
pub const STAMP_NANO: &str = "Jan _2 15:04:05.000000000";
/// Go's `time.DateTime`.
pub const DATE_TIME: &str = "2006-01-02 15:04:05";
/// Go's `time.DateOnly`.
pub const DATE_ONLY: &str = "2006-01-02";
/// Go's `time.TimeOnly`.
pub const TIME_ONLY: &str = "15:04:05";

/// How a number is aligned in its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pad {
    None,
    Space,
    Zero,
}

/// The form of a numeric zone offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetForm {
    /// UTC is written `Z`.
    pub(super) z: bool,
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// An element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    ShortMonth,
    Month(Pad),
    LongWeekday,
    ShortWeekday,
    Day(Pad),
    YearDay(Pad),
    Hour,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    LongYear,
    ShortYear,
    /// `PM`, or `pm` in lower case.
    HalfDay {
        upper: bool,
    },
    Abbreviation,
    Offset(OffsetForm),
    /// A fraction of a second with its separator; optional ones (`9`) drop trailing zeros.
    Fraction {
        optional: bool,
        digits: usize,
        separator: u8,
    },
}

const fn offset(z: bool, colon: bool, minutes: bool, seconds: bool) -> Element {
    Element::Offset(OffsetForm { z, colon, minutes, seconds })
}

/// Offsets without their sign or `Z`; the longer ones must be tried first.
const OFFSETS: [(&[u8], bool, bool, bool); 5] = [
    (b"070000", false, true, true),
    (b"07:00:00", true, true, true),
    (b"0700", false, true, false),
    (b"07:00", true, true, false),
    (b"07", false, false, false),
];

/// The text before the first element of a layout, the element, and the text after it.
pub(super) fn next_element(layout: &[u8]) -> (&[u8], Option<Element>, &[u8]) {
    for start in 0..layout.len() {
        let (prefix, rest) = layout.split_at(start);
        if let Some((skipped, element, length)) = element_at(rest) {
            let prefix = layout.get(..start + skipped).unwrap_or(prefix);
            return (prefix, Some(element), rest.get(length..).unwrap_or_default());
        }
    }
    (layout, None, &[])
}

/// The element that `text` begins with: how many bytes of it are literal, the element, and where it ends.
fn element_at(text: &[u8]) -> Option<(usize, Element, usize)> {
    use Element as E;
    // "Jan" and "Mon" in front of more lower-case letters are words: Janet, Month.
    let word_goes_on = || text.get(3).is_some_and(u8::is_ascii_lowercase);
    let (element, length) = match text {
        [b'J', b'a', b'n', b'u', b'a', b'r', b'y', ..] => (E::LongMonth, 7),
        [b'J', b'a', b'n', ..] if !word_goes_on() => (E::ShortMonth, 3),
        [b'M', b'o', b'n', b'd', b'a', b'y', ..] => (E::LongWeekday, 6),
        [b'M', b'o', b'n', ..] if !word_goes_on() => (E::ShortWeekday, 3),
        [b'M', b'S', b'T', ..] => (E::Abbreviation, 3),
        [b'0', b'1', ..] => (E::Month(Pad::Zero), 2),
        [b'0', b'2', ..] => (E::Day(Pad::Zero), 2),
        [b'0', b'3', ..] => (E::Hour12(Pad::Zero), 2),
        [b'0', b'4', ..] => (E::Minute(Pad::Zero), 2),
        [b'0', b'5', ..] => (E::Second(Pad::Zero), 2),
        [b'0', b'6', ..] => (E::ShortYear, 2),
        [b'0', b'0', b'2', ..] => (E::YearDay(Pad::Zero), 3),
        [b'1', b'5', ..] => (E::Hour, 2),
        [b'1', ..] => (E::Month(Pad::None), 1),
        [b'2', b'0', b'0', b'6', ..] => (E::LongYear, 4),
        [b'2', ..] => (E::Day(Pad::None), 1),
        // A literal underscore in front of the year, not a padded day.
        [b'_', b'2', b'0', b'0', b'6', ..] => return Some((1, E::LongYear, 5)),
        [b'_', b'2', ..] => (E::Day(Pad::Space), 2),
        [b'_', b'_', b'2', ..] => (E::YearDay(Pad::Space), 3),
        [b'3', ..] => (E::Hour12(Pad::None), 1),
        [b'4', ..] => (E::Minute(Pad::None), 1),
        [b'5', ..] => (E::Second(Pad::None), 1),
        [b'P', b'M', ..] => (E::HalfDay { upper: true }, 2),
        [b'p', b'm', ..] => (E::HalfDay { upper: false }, 2),
        [sign @ (b'-' | b'Z'), digits @ ..] => {
            let (form, colon, minutes, seconds) = OFFSETS.into_iter().find(|(form, ..)| digits.starts_with(form))?;
            (offset(*sign == b'Z', colon, minutes, seconds), form.len() + 1)
        }
        [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] => {
            let same = text.iter().skip(1).take_while(|&b| b == digit).count();
            // Another digit behind it makes the run a literal.
            if text.get(same + 1).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let element = E::Fraction {
                optional: *digit == b'9',
                // Go keeps twelve bits of the count.
                digits: same & 0xfff,
                separator: *separator,
            };
            (element, same + 1)
        }
        _ => return None,
    };
    Some((0, element, length))
}

impl Time {
    /// Go's `Time.Format`.
    pub fn format(&self, layout: &str) -> String {
        // A layout of whole characters stays one: elements are ASCII.
        match String::from_utf8(self.format_bytes(layout.as_bytes())) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }

    /// Go's `Time.Format` for a layout that need not be UTF-8.
    pub fn format_bytes(&self, layout: &[u8]) -> Vec<u8> {
        let (abbreviation, offset) = match self.location() {
            Zone::Utc | Zone::Local => ("UTC".to_owned(), 0),
            zone => zone.lookup(self.unix()),
        };
        let civil = Civil::at(self.unix().wrapping_add(offset));
        let mut out = Vec::with_capacity(layout.len() + 10);
        let mut rest = layout;
        while !rest.is_empty() {
            let (prefix, element, suffix) = next_element(rest);
            out.extend_from_slice(prefix);
            let Some(element) = element else { break };
            rest = suffix;
            write_element(&mut out, element, &civil, self.nanosecond(), &abbreviation, offset);
        }
        out
    }
}

fn write_element(out: &mut Vec<u8>, element: Element, civil: &Civil, nanos: i64, abbreviation: &str, offset: i64) {
    match element {
        Element::LongMonth => out.extend_from_slice(month_name(civil.month).as_bytes()),
        Element::ShortMonth => out.extend(month_name(civil.month).bytes().take(3)),
        Element::Month(pad) => write_padded(out, civil.month, pad, 2),
        Element::LongWeekday => out.extend_from_slice(weekday_name(civil.weekday).as_bytes()),
        Element::ShortWeekday => out.extend(weekday_name(civil.weekday).bytes().take(3)),
        Element::Day(pad) => write_padded(out, civil.day, pad, 2),
        Element::YearDay(pad) => write_padded(out, civil.year_day, pad, 3),
        Element::Hour => write_int(out, civil.hour, 2),
        Element::Hour12(pad) => {
            let hour = civil.hour % 12;
            write_padded(out, if hour == 0 { 12 } else { hour }, pad, 2);
        }
        Element::Minute(pad) => write_padded(out, civil.minute, pad, 2),
        Element::Second(pad) => write_padded(out, civil.second, pad, 2),
        Element::LongYear => write_int(out, civil.year, 4),
        Element::ShortYear => write_int(out, civil.year.max(0) % 100, 2),
        Element::HalfDay { upper } => out.extend_from_slice(match (civil.hour >= 12, upper) {
            (true, true) => b"PM",
            (true, false) => b"pm",
            (false, true) => b"AM",
            (false, false) => b"am",
        }),
        Element::Abbreviation if !abbreviation.is_empty() => out.extend_from_slice(abbreviation.as_bytes()),
        Element::Abbreviation => write_offset(out, offset, false, true, false),
        Element::Offset(form) if form.z && offset == 0 => out.push(b'Z'),
        Element::Offset(form) => write_offset(out, offset, form.colon, form.minutes, form.seconds),
        Element::Fraction { optional, digits, separator } => {
            if optional && (digits == 0 || nanos == 0) {
                return;
            }
            let all = format!("{nanos:09}");
            let mut kept = all.get(..digits.min(9)).unwrap_or(&all);
            if optional {
                kept = kept.trim_end_matches('0');
                if kept.is_empty() {
                    return;
                }
            }
            out.push(separator);
            out.extend_from_slice(kept.as_bytes());
        }
    }
}

fn write_offset(out: &mut Vec<u8>, offset: i64, colon: bool, minutes: bool, seconds: bool) {
    let whole = offset / 60;
    // Less than a minute west counts as east here, and then its seconds keep their own sign, as in Go.
    let (sign, second) = if whole < 0 { (b'-', offset.wrapping_neg() % 60) } else { (b'+', offset % 60) };
    let whole = whole.abs();
    out.push(sign);
    write_int(out, whole / 60, 2);
    if minutes {
        if colon {
            out.push(b':');
        }
        write_int(out, whole % 60, 2);
    }
    if seconds {
        if colon {
            out.push(b':');
        }
        write_int(out, second, 2);
    }
}

fn write_padded(out: &mut Vec<u8>, value: i64, pad: Pad, width: usize) {
    match pad {
        Pad::None => write_int(out, value, 0),
        Pad::Zero => write_int(out, value, width),
        Pad::Space => out.extend_from_slice(format!("{value:width$}").as_bytes()),
    }
}

/// The number with at least `width` digits; the sign does not count.
fn write_int(out: &mut Vec<u8>, value: i64, width: usize) {
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(format!("{:0width$}", value.unsigned_abs()).as_bytes());
}
