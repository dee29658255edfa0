//! Instants, layouts and durations with the behaviour of Go's `time`.
//!
//! The calendar is proleptic Gregorian and our own, since Go's reaches every year that fits in 64 bits of seconds; only
//! the rules of named zones come from jiff. Nothing reads a clock or a file here: zones are bundled, and `Local` is UTC.

mod calendar;
mod digits;
mod duration;
mod layout;
mod parse;
mod zone;

use std::cmp::Ordering;

pub use calendar::{month_name, weekday_name};
pub use duration::{
    HOUR, MICROSECOND, MILLISECOND, MINUTE, NANOSECOND, SECOND, abs_duration, duration_hours, duration_micros,
    duration_millis, duration_minutes, duration_seconds, format_duration, parse_duration, round_duration,
    truncate_duration,
};
pub use layout::{
    ANSIC, DATE_ONLY, DATE_TIME, KITCHEN, LAYOUT, RFC822, RFC822Z, RFC850, RFC1123, RFC1123Z, RFC3339, RFC3339_NANO,
    RUBY_DATE, STAMP, STAMP_MICRO, STAMP_MILLI, STAMP_NANO, TIME_ONLY, UNIX_DATE,
};
pub use parse::{ParseError, parse, parse_in_location};
pub use zone::{NamedZone, Zone};

use calendar::{Civil, SECONDS_PER_DAY};

/// Seconds from 0001-01-01 00:00:00 UTC, Go's zero time, to the Unix epoch.
const YEAR_ONE_TO_UNIX: i64 = 62_135_596_800;

/// An instant with nanosecond precision, and the zone it is shown in.
#[derive(Debug, Clone)]
pub struct Time {
    /// Counted from year 1 as in Go, so that sums saturate and comparisons wrap at the same instants as there.
    seconds: i64,
    nanos: u32,
    zone: Zone,
}

impl Default for Time {
    /// Go's zero `time.Time`: January 1 of year 1, UTC.
    fn default() -> Self {
        Self { seconds: 0, nanos: 0, zone: Zone::Utc }
    }
}

impl Time {
    /// The instant `seconds` and `nanos` after the Unix epoch, in UTC; nanoseconds outside a second carry over.
    pub fn from_unix(seconds: i64, nanos: i64) -> Self {
        let carry = nanos.div_euclid(SECOND);
        Self {
            seconds: seconds.wrapping_add(carry).wrapping_add(YEAR_ONE_TO_UNIX),
            nanos: u32::try_from(nanos.rem_euclid(SECOND)).unwrap_or(0),
            zone: Zone::Utc,
        }
    }

    /// `time.Date`: the instant of a wall clock reading in a zone. Fields out of their range carry over, and a reading
    /// that a change of the clocks skips or repeats is taken with the offset of one side of the change.
    #[expect(clippy::too_many_arguments, reason = "the fields of a date, in Go's order")]
    pub fn date(
        year: i64,
        month: i64,
        day: i64,
        hour: i64,
        minute: i64,
        second: i64,
        nanosecond: i64,
        zone: Zone,
    ) -> Self {
        fn carry(high: i64, low: i64, base: i64) -> (i64, i64) {
            (high.wrapping_add(low.div_euclid(base)), low.rem_euclid(base))
        }
        let (year, month) = carry(year, month.wrapping_sub(1), 12);
        let (second, nanosecond) = carry(second, nanosecond, SECOND);
        let (minute, second) = carry(minute, second, 60);
        let (hour, minute) = carry(hour, minute, 60);
        let (day, hour) = carry(day, hour, 24);
        let days = calendar::unix_days(year, month + 1, day);
        let mut unix = days.wrapping_mul(SECONDS_PER_DAY).wrapping_add(hour * 3600 + minute * 60 + second);
        // The offset in force is looked up as if the reading were UTC, then once more at the instant that results.
        let guess = zone.offset_at(unix);
        if guess != 0 {
            unix = unix.wrapping_sub(zone.offset_at(unix.wrapping_sub(guess)));
        }
        Self::from_unix(unix, nanosecond).in_zone(zone)
    }

    /// Seconds since the Unix epoch.
    pub fn unix(&self) -> i64 {
        self.seconds.wrapping_sub(YEAR_ONE_TO_UNIX)
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_milli(&self) -> i64 {
        self.unix().wrapping_mul(1_000).wrapping_add(self.nanosecond() / MILLISECOND)
    }

    /// Microseconds since the Unix epoch.
    pub fn unix_micro(&self) -> i64 {
        self.unix().wrapping_mul(1_000_000).wrapping_add(self.nanosecond() / MICROSECOND)
    }

    /// Nanoseconds since the Unix epoch; it wraps outside the years 1678 to 2262.
    pub fn unix_nano(&self) -> i64 {
        self.unix().wrapping_mul(SECOND).wrapping_add(self.nanosecond())
    }

    /// The zone the time is shown in: Go's `Location`.
    pub fn location(&self) -> &Zone {
        &self.zone
    }

    /// The abbreviation and the offset in seconds east of UTC that the zone has at this instant.
    pub fn zone(&self) -> (String, i64) {
        self.zone.lookup(self.unix())
    }

    /// The same instant in UTC.
    pub fn utc(&self) -> Self {
        self.in_zone(Zone::Utc)
    }

    /// The same instant in the local zone.
    pub fn local(&self) -> Self {
        self.in_zone(Zone::Local)
    }

    /// The same instant in another zone.
    pub fn in_zone(&self, zone: Zone) -> Self {
        Self { seconds: self.seconds, nanos: self.nanos, zone }
    }

    /// Whether this is Go's zero time, in whatever zone.
    pub fn is_zero(&self) -> bool {
        self.seconds == 0 && self.nanos == 0
    }

    fn civil(&self) -> Civil {
        let unix = self.unix();
        Civil::at(unix.wrapping_add(self.zone.offset_at(unix)))
    }

    /// The year.
    pub fn year(&self) -> i64 {
        self.civil().year
    }

    /// The month, 1 to 12.
    pub fn month(&self) -> i64 {
        self.civil().month
    }

    /// The day of the month, from 1.
    pub fn day(&self) -> i64 {
        self.civil().day
    }

    /// The hour, 0 to 23.
    pub fn hour(&self) -> i64 {
        self.civil().hour
    }

    /// The minute, 0 to 59.
    pub fn minute(&self) -> i64 {
        self.civil().minute
    }

    /// The second, 0 to 59.
    pub fn second(&self) -> i64 {
        self.civil().second
    }

    /// The nanosecond within the second.
    pub fn nanosecond(&self) -> i64 {
        i64::from(self.nanos)
    }

    /// The day of the week, 0 for Sunday.
    pub fn weekday(&self) -> i64 {
        self.civil().weekday
    }

    /// The day of the year, from 1.
    pub fn year_day(&self) -> i64 {
        self.civil().year_day
    }

    /// The ISO 8601 year and week.
    pub fn iso_week(&self) -> (i64, i64) {
        let civil = self.civil();
        // The week belongs to the year of its Thursday.
        let to_thursday = 4 - if civil.weekday == 0 { 7 } else { civil.weekday };
        let day = civil.year_day + to_thursday;
        let (year, day) = if day < 1 {
            (civil.year - 1, day + calendar::days_in_year(civil.year - 1))
        } else if day > calendar::days_in_year(civil.year) {
            (civil.year + 1, day - calendar::days_in_year(civil.year))
        } else {
            (civil.year, day)
        };
        (year, (day - 1) / 7 + 1)
    }

    /// The instant `duration` nanoseconds later, in the same zone; it stops at the ends of Go's range.
    #[must_use]
    pub fn add(&self, duration: i64) -> Self {
        let nanos = self.nanosecond() + duration % SECOND;
        let delta = duration / SECOND + nanos.div_euclid(SECOND);
        let seconds = match self.seconds.checked_add(delta) {
            Some(sum) => sum,
            None if delta > 0 => i64::MAX,
            // Not i64::MIN: that is where Go stops.
            None => -i64::MAX,
        };
        Self { seconds, nanos: u32::try_from(nanos.rem_euclid(SECOND)).unwrap_or(0), zone: self.zone.clone() }
    }

    /// The nanoseconds from `other` to this instant; a distance beyond 64 bits is the longest one.
    pub fn sub(&self, other: &Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let total = seconds * i128::from(SECOND) + i128::from(self.nanos) - i128::from(other.nanos);
        i64::try_from(total).unwrap_or(if total < 0 { i64::MIN } else { i64::MAX })
    }

    /// The same wall clock reading some years, months and days later; a day that the month lacks carries over.
    #[must_use]
    pub fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        Self::date(
            civil.year.wrapping_add(years),
            civil.month.wrapping_add(months),
            civil.day.wrapping_add(days),
            civil.hour,
            civil.minute,
            civil.second,
            self.nanosecond(),
            self.zone.clone(),
        )
    }

    /// Nanoseconds since the last multiple of `duration` since the zero time.
    fn past_multiple(&self, duration: i64) -> i64 {
        let total = i128::from(self.seconds) * i128::from(SECOND) + i128::from(self.nanos);
        i64::try_from(total.rem_euclid(i128::from(duration.max(1)))).unwrap_or(0)
    }

    /// Rounded down to a multiple of `duration` since the zero time; unchanged if the duration is not positive.
    #[must_use]
    pub fn truncate(&self, duration: i64) -> Self {
        if duration <= 0 {
            return self.clone();
        }
        self.add(-self.past_multiple(duration))
    }

    /// Rounded to the nearest multiple of `duration` since the zero time, halves up; unchanged if the duration is not
    /// positive.
    #[must_use]
    pub fn round(&self, duration: i64) -> Self {
        if duration <= 0 {
            return self.clone();
        }
        let past = self.past_multiple(duration);
        if past < duration - past { self.add(-past) } else { self.add(duration - past) }
    }

    /// Compares the instants, whatever the zones.
    pub fn cmp_instant(&self, other: &Self) -> Ordering {
        (self.seconds, self.nanos).cmp(&(other.seconds, other.nanos))
    }

    /// Go's `Compare`: -1, 0 or 1.
    pub fn compare(&self, other: &Self) -> i64 {
        self.cmp_instant(other) as i64
    }

    /// Whether this instant is earlier.
    pub fn before(&self, other: &Self) -> bool {
        self.cmp_instant(other).is_lt()
    }

    /// Whether this instant is later.
    pub fn after(&self, other: &Self) -> bool {
        self.cmp_instant(other).is_gt()
    }

    /// Whether both are the same instant, whatever the zones.
    pub fn equal(&self, other: &Self) -> bool {
        self.cmp_instant(other).is_eq()
    }

    /// Go's `Time.String`, which `%v` prints.
    pub fn string(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }

    /// Go's `Time.GoString`, which `%#v` prints.
    pub fn go_string(&self) -> String {
        let civil = self.civil();
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            Zone::Local => "time.Local".to_owned(),
            other => format!("time.Location({})", parse::quote(other.name().as_bytes())),
        };
        format!(
            "time.Date({}, time.{}, {}, {}, {}, {}, {}, {zone})",
            civil.year,
            month_name(civil.month),
            civil.day,
            civil.hour,
            civil.minute,
            civil.second,
            self.nanos
        )
    }

    /// The quoted RFC 3339 form with nanoseconds that `encoding/json` writes; RFC 3339 cannot hold every year and offset.
    pub fn marshal_json(&self) -> Result<String, String> {
        if !(0..=9999).contains(&self.year()) {
            return Err("Time.MarshalJSON: year outside of range [0,9999]".to_owned());
        }
        if self.zone().1.unsigned_abs() >= 24 * 3600 {
            return Err("Time.MarshalJSON: timezone hour outside of range [0,23]".to_owned());
        }
        Ok(format!("\"{}\"", self.format(RFC3339_NANO)))
    }
}

#[cfg(test)]
mod tests;
