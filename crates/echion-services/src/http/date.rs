//! Dates of responses, and when to come again.

use std::time::{Duration, UNIX_EPOCH};

/// `Sun, 06 Nov 1994 08:49:37 GMT` in milliseconds since 1970.
pub(super) fn http_date(text: &str) -> Option<i64> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// How long a vendor wants to be left alone. A date counts from the vendor's own clock, so skew does not matter.
pub(super) fn retry_after(header: impl Fn(&str) -> Option<String>, date: Option<i64>) -> Option<Duration> {
    let until = |end: i64| Some(Duration::from_millis(u64::try_from(end.saturating_sub(date?)).ok()?));
    if let Some(text) = header("retry-after") {
        return match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => until(http_date(&text)?),
        };
    }
    // A limit on requests that is used up ends at a time in seconds since 1970.
    if header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0") {
        let reset = header("x-ratelimit-reset")?.trim().parse::<i64>().ok()?;
        return until(reset.checked_mul(1000)?);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_responses() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800_000));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_pause_is_in_seconds_or_ends_at_a_time() {
        let now = Some(784_111_777_000);
        let after = |headers: &[(&str, &str)]| {
            let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            retry_after(header, now).map(|pause| pause.as_secs())
        };
        assert_eq!(after(&[("retry-after", "7")]), Some(7));
        assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:50:00 GMT")]), Some(23));
        assert_eq!(after(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784112677")]), Some(900));
        for none in [
            &[("retry-after", "soon")][..],
            &[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "784112677")],
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")],
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9223372036854775807")],
            &[("x-ratelimit-remaining", "0")],
            &[],
        ] {
            assert_eq!(after(none), None, "{none:?}");
        }
    }
}
