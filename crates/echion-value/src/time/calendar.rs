//! The proleptic Gregorian calendar, for every year that 64 bits of seconds reach.

pub(super) const SECONDS_PER_DAY: i64 = 86_400;

/// Days of a cycle of 400 years, after which the calendar repeats.
const DAYS_PER_CYCLE: i64 = 146_097;
/// The calendar is counted in unsigned seconds from March 1 of this year, as in Go, which decides where it wraps.
const FIRST_YEAR: i64 = -292_277_022_400;
/// Days from March 1 of year 0 to the Unix epoch.
const MARCH_ZERO_TO_UNIX: i64 = 719_468;
/// Days from March 1 of the first year to the Unix epoch.
const FIRST_TO_UNIX: i64 = -FIRST_YEAR / 400 * DAYS_PER_CYCLE + MARCH_ZERO_TO_UNIX;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The English name of a month from 1 to 12; any other number prints like Go's `Month`, as `%!Month(13)`.
pub fn month_name(month: i64) -> String {
    match usize::try_from(month.wrapping_sub(1)).ok().and_then(|i| MONTHS.get(i)) {
        Some(name) => (*name).to_owned(),
        None => format!("%!Month({})", month.cast_unsigned()),
    }
}

/// The English name of a weekday from 0 (Sunday) to 6; any other number prints as `%!Weekday(7)`.
pub fn weekday_name(weekday: i64) -> String {
    match usize::try_from(weekday).ok().and_then(|i| WEEKDAYS.get(i)) {
        Some(name) => (*name).to_owned(),
        None => format!("%!Weekday({})", weekday.cast_unsigned()),
    }
}

/// The position of the month or weekday name that `text` begins with, ignoring ASCII case, and the length of the name.
pub(super) fn find_name(text: &[u8], weekday: bool, short: bool) -> Option<(i64, usize)> {
    let names: &[&str] = if weekday { &WEEKDAYS } else { &MONTHS };
    (0_i64..).zip(names).find_map(|(index, name)| {
        let name = name.as_bytes();
        let wanted = if short { name.get(..3)? } else { name };
        let head = text.get(..wanted.len())?;
        head.eq_ignore_ascii_case(wanted).then_some((index, wanted.len()))
    })
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_in_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of a year that is not a leap year before the first of a month, 1 to 13.
pub(super) fn days_before(month: i64) -> i64 {
    (1..month).map(|m| days_in_month(1, m)).sum()
}

/// Days from the Unix epoch to a date whose month is in 1 to 12; the day may be any number.
pub(super) fn unix_days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last one.
    let year = if month <= 2 { year.wrapping_sub(1) } else { year };
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    cycle.wrapping_mul(DAYS_PER_CYCLE).wrapping_add(day_of_cycle - MARCH_ZERO_TO_UNIX).wrapping_add(day.wrapping_sub(1))
}

/// The fields of a wall clock reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) weekday: i64,
    pub(super) year_day: i64,
}

impl Civil {
    /// The reading of a clock that shows `unix` seconds since the epoch, the zone's offset already added.
    pub(super) fn at(unix: i64) -> Self {
        let absolute = unix.wrapping_add(FIRST_TO_UNIX.wrapping_mul(SECONDS_PER_DAY)).cast_unsigned();
        let of_day = |seconds: u64| i64::try_from(seconds).unwrap_or(0);
        let second_of_day = of_day(absolute % SECONDS_PER_DAY.cast_unsigned());
        let days = of_day(absolute / SECONDS_PER_DAY.cast_unsigned());
        let (cycle, day_of_cycle) = (days / DAYS_PER_CYCLE, days % DAYS_PER_CYCLE);
        let year_of_cycle =
            (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
        let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = FIRST_YEAR + cycle * 400 + year_of_cycle + i64::from(month <= 2);
        let leap_day = i64::from(month > 2 && is_leap(year));
        Self {
            year,
            month,
            day,
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            // March 1 of a year that 400 divides is a Wednesday.
            weekday: (days + 3) % 7,
            year_day: days_before(month) + day + leap_day,
        }
    }
}
