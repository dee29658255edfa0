//! Times as people and HTTP write them.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment in UTC, taken apart.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    /// Days since 1970-01-01, a Thursday.
    days: i64,
    seconds: i64,
}

fn civil(millis: i64) -> Civil {
    let seconds = millis.div_euclid(1000);
    let days = seconds.div_euclid(86_400);
    // Eras of 400 years that begin in March, so that the leap day is the last one.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
        days,
        seconds: seconds.rem_euclid(86_400),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, as the header `Date` has it.
pub(crate) fn http_date(millis: i64) -> String {
    let c = civil(millis);
    let pick = |list: &[&'static str], index: i64| usize::try_from(index).ok().and_then(|i| list.get(i).copied());
    let weekday = pick(&WEEKDAYS, c.days.rem_euclid(7)).unwrap_or_default();
    let month = pick(&MONTHS, c.month - 1).unwrap_or_default();
    format!("{weekday}, {:02} {month} {:04} {} GMT", c.day, c.year, time_of_day(millis))
}

/// `08:49:37`, in UTC.
pub(crate) fn time_of_day(millis: i64) -> String {
    let seconds = civil(millis).seconds;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_http_writes_them() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(1_709_164_800_000), "Thu, 29 Feb 2024 00:00:00 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(1_704_067_199_999), "Sun, 31 Dec 2023 23:59:59 GMT");
    }
}
