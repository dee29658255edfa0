use super::*;

fn at(text: &str) -> Time {
    parse(RFC3339, text).unwrap()
}

fn error(layout: &str, value: &str) -> String {
    parse(layout, value).unwrap_err().to_string()
}

fn string(layout: &str, value: &str) -> String {
    parse(layout, value).unwrap().string()
}

#[test]
fn the_zero_time_is_january_first_of_year_one() {
    let zero = Time::default();
    assert!(zero.is_zero());
    assert_eq!(zero.string(), "0001-01-01 00:00:00 +0000 UTC");
    assert_eq!(zero.unix(), -62_135_596_800);
    assert_eq!((zero.weekday(), zero.year_day()), (1, 1));
    assert!(Time::from_unix(-62_135_596_800, 0).is_zero());
    assert_eq!(zero.unix_nano(), -6_795_364_578_871_345_152);
}

#[test]
fn civil_fields() {
    let t = at("2024-02-29T23:59:59.5+05:30");
    assert_eq!((t.year(), t.month(), t.day()), (2024, 2, 29));
    assert_eq!((t.hour(), t.minute(), t.second(), t.nanosecond()), (23, 59, 59, 500_000_000));
    assert_eq!((t.weekday(), t.year_day(), t.iso_week()), (4, 60, (2024, 9)));
    assert_eq!(t.zone(), (String::new(), 19_800));
    assert_eq!(t.unix_nano(), 1_709_231_399_500_000_000);
    assert_eq!(t.unix_milli(), 1_709_231_399_500);
    assert_eq!(at("2024-12-31T00:00:00Z").year_day(), 366);
    assert_eq!(at("2021-01-01T00:00:00Z").iso_week(), (2020, 53));
    assert_eq!(at("2024-12-30T00:00:00Z").iso_week(), (2025, 1));
    assert_eq!(at("2023-01-01T00:00:00Z").iso_week(), (2022, 52));
    assert_eq!(at("0000-03-01T00:00:00Z").weekday(), 3);
}

#[test]
fn every_day_of_some_centuries_comes_back() {
    for day in -800_000..50_000 {
        let t = Time::from_unix(day * 86_400, 0);
        let back = Time::date(t.year(), t.month(), t.day(), 0, 0, 0, 0, Zone::Utc);
        assert_eq!(back.unix(), t.unix());
        assert_eq!(t.weekday(), (day + 4).rem_euclid(7));
    }
}

#[test]
fn date_carries_over() {
    let t = Time::date(2024, 14, -1, 25, -1, 61, -1, Zone::Utc);
    assert_eq!(t.string(), "2025-01-31 01:00:00.999999999 +0000 UTC");
    assert_eq!(Time::date(2023, 2, 29, 0, 0, 0, 0, Zone::Utc).day(), 1);
    assert_eq!(Time::date(2024, 0, 1, 0, 0, 0, 0, Zone::Utc).string(), "2023-12-01 00:00:00 +0000 UTC");
}

#[test]
fn skipped_and_repeated_hours_follow_go() {
    let zurich = Zone::load("Europe/Zurich").unwrap();
    let skipped = Time::date(2024, 3, 31, 2, 30, 0, 0, zurich.clone());
    assert_eq!(skipped.string(), "2024-03-31 03:30:00 +0200 CEST");
    let repeated = Time::date(2024, 10, 27, 2, 30, 0, 0, zurich);
    assert_eq!(repeated.string(), "2024-10-27 02:30:00 +0100 CET");
    let york = Zone::load("America/New_York").unwrap();
    assert_eq!(Time::date(2024, 3, 10, 2, 30, 0, 0, york).string(), "2024-03-10 01:30:00 -0500 EST");
}

#[test]
fn arithmetic_saturates_where_go_does() {
    let t = at("2024-01-31T10:00:00Z");
    assert_eq!(t.add(-1).string(), "2024-01-31 09:59:59.999999999 +0000 UTC");
    assert_eq!(t.add_date(0, 1, 0).string(), "2024-03-02 10:00:00 +0000 UTC");
    assert_eq!(t.sub(&at("2024-01-30T10:00:00.5Z")), 86_399_500_000_000);
    assert_eq!(t.sub(&Time::default()), i64::MAX);
    assert_eq!(Time::default().sub(&t), i64::MIN);
    let (first, last) = (Time::from_unix(i64::MIN, 0), Time::from_unix(i64::MAX - YEAR_ONE_TO_UNIX, 0));
    // Only the seconds saturate.
    assert_eq!(last.add(i64::MAX).sub(&last), 854_775_807);
    for t in [first, last, Time::from_unix(i64::MAX, i64::MAX), Time::from_unix(0, i64::MIN)] {
        for zone in
            [Zone::Utc, Zone::fixed("X", i64::MAX), Zone::fixed("", i64::MIN), Zone::load("Asia/Tokyo").unwrap()]
        {
            let t = t.in_zone(zone);
            let _ = (t.string(), t.go_string(), t.marshal_json(), t.iso_week(), t.unix_nano());
            let _ = (t.truncate(i64::MAX), t.round(i64::MAX), t.add(i64::MIN), t.round(1));
            let _ = t.add_date(i64::MAX, i64::MIN, i64::MAX).format(LAYOUT);
            let _ = t.format("-07:00:00 Z070000 __2 _2 002 06");
        }
    }
    let _ = Time::date(i64::MIN, i64::MIN, i64::MIN, i64::MIN, i64::MIN, i64::MIN, i64::MIN, Zone::Utc).string();
    let _ = Time::date(i64::MAX, i64::MAX, i64::MAX, i64::MAX, i64::MAX, i64::MAX, i64::MAX, Zone::Utc).string();
}

#[test]
fn truncate_and_round_count_from_the_zero_time() {
    let t = at("2024-02-29T23:59:59.5Z");
    assert_eq!(t.truncate(HOUR).string(), "2024-02-29 23:00:00 +0000 UTC");
    assert_eq!(t.round(SECOND).string(), "2024-03-01 00:00:00 +0000 UTC");
    assert_eq!(t.round(HOUR).string(), "2024-03-01 00:00:00 +0000 UTC");
    // Multiples of a week count from a Monday.
    assert_eq!(t.truncate(7 * 24 * HOUR).string(), "2024-02-26 00:00:00 +0000 UTC");
    assert_eq!(t.truncate(0).string(), t.string());
    let old = parse(RFC3339, "0000-06-01T10:30:00Z").unwrap();
    assert_eq!(old.truncate(HOUR).string(), "0000-06-01 10:00:00 +0000 UTC");
}

#[test]
fn comparisons_ignore_the_zone() {
    let (a, b) = (at("2024-01-01T12:00:00Z"), at("2024-01-01T14:00:00+02:00"));
    assert!(a.equal(&b) && !a.before(&b) && !a.after(&b));
    assert_eq!(a.compare(&b.add(1)), -1);
    assert_eq!(a.add(1).compare(&b), 1);
}

#[test]
fn names_out_of_range_show_the_number() {
    assert_eq!(month_name(2), "February");
    assert_eq!(month_name(13), "%!Month(13)");
    assert_eq!(month_name(-1), "%!Month(18446744073709551615)");
    assert_eq!(weekday_name(0), "Sunday");
    assert_eq!(weekday_name(7), "%!Weekday(7)");
}

#[test]
fn format_knows_every_element() {
    let t = parse("2006-01-02 15:04:05 -0700 MST", "2009-02-04 21:00:57.012345600 -0800 PST").unwrap();
    for (layout, want) in [
        (ANSIC, "Wed Feb  4 21:00:57 2009"),
        (UNIX_DATE, "Wed Feb  4 21:00:57 PST 2009"),
        (RUBY_DATE, "Wed Feb 04 21:00:57 -0800 2009"),
        (RFC822, "04 Feb 09 21:00 PST"),
        (RFC850, "Wednesday, 04-Feb-09 21:00:57 PST"),
        (RFC1123Z, "Wed, 04 Feb 2009 21:00:57 -0800"),
        (RFC3339, "2009-02-04T21:00:57-08:00"),
        (RFC3339_NANO, "2009-02-04T21:00:57.0123456-08:00"),
        (KITCHEN, "9:00PM"),
        (LAYOUT, "02/04 09:00:57PM '09 -0800"),
        ("3pm", "9pm"),
        (STAMP, "Feb  4 21:00:57"),
        (STAMP_MILLI, "Feb  4 21:00:57.012"),
        (STAMP_MICRO, "Feb  4 21:00:57.012345"),
        (STAMP_NANO, "Feb  4 21:00:57.012345600"),
        ("05,000 05.99 05,999999", "57,012 57.01 57,012345"),
        ("5.9 4.0", "57 0.0"),
        ("002 __2 _2006 2006", "035  35 _2009 2009"),
        ("January Monday Janet Month MST2", "February Wednesday Janet Month PST4"),
        ("-07 -0700 -07:00 -070000 -07:00:00", "-08 -0800 -08:00 -080000 -08:00:00"),
        ("Z07 Z0700 Z07:00 Z070000 Z07:00:00", "-08 -0800 -08:00 -080000 -08:00:00"),
        ("1/2 15 3 03 4 04 5 05 .0001 06", "2/4 21 9 09 0 00 57 57 .0002 09"),
        ("2006年01月02日", "2009年02月04日"),
        ("", ""),
    ] {
        assert_eq!(t.format(layout), want, "{layout}");
    }
    assert_eq!(t.utc().format("Z07 Z07:00 -07:00 MST"), "Z Z +00:00 UTC");
    assert_eq!(t.in_zone(Zone::fixed("", 19_830)).format("MST Z07:00:00"), "+0530 +05:30:30");
    assert_eq!(t.in_zone(Zone::fixed("", -30)).format("-07:00:00"), "+00:00:-30");
    assert_eq!(Time::date(-5, 1, 1, 0, 0, 0, 0, Zone::Utc).format("2006 06"), "-0005 00");
    assert_eq!(Time::date(12345, 1, 1, 0, 0, 0, 0, Zone::Utc).format("2006 06"), "12345 45");
    assert_eq!(t.format_bytes(b"\xff2006"), b"\xff2009");
}

#[test]
fn json_and_go_syntax() {
    let t = at("2024-02-29T23:59:59.5+05:30");
    assert_eq!(t.marshal_json().unwrap(), "\"2024-02-29T23:59:59.5+05:30\"");
    assert_eq!(t.go_string(), "time.Date(2024, time.February, 29, 23, 59, 59, 500000000, time.Location(\"\"))");
    assert_eq!(t.utc().go_string(), "time.Date(2024, time.February, 29, 18, 29, 59, 500000000, time.UTC)");
    let far = Time::date(10_000, 1, 1, 0, 0, 0, 0, Zone::Utc);
    assert_eq!(far.marshal_json().unwrap_err(), "Time.MarshalJSON: year outside of range [0,9999]");
    let odd = t.in_zone(Zone::fixed("", 24 * 3600));
    assert_eq!(odd.marshal_json().unwrap_err(), "Time.MarshalJSON: timezone hour outside of range [0,23]");
}

#[test]
fn zones_of_parsed_times() {
    assert_eq!(string(RFC3339, "2024-02-29T10:30:00Z"), "2024-02-29 10:30:00 +0000 UTC");
    assert_eq!(string(RFC3339, "2024-02-29T10:30:00+05:30"), "2024-02-29 10:30:00 +0530 +0530");
    assert_eq!(string(RFC3339, "2024-02-29T10:30:00+24:00"), "2024-02-29 10:30:00 +2400 +2400");
    assert_eq!(at("2024-02-29T10:30:00+00:00").location().name(), "Local");
    assert_eq!(at("2024-02-29T10:30:00Z").location().name(), "UTC");
    assert_eq!(string(RFC1123, "Thu, 29 Feb 2024 10:30:00 MST"), "2024-02-29 10:30:00 +0000 MST");
    assert_eq!(string(RFC1123, "Thu, 29 Feb 2024 10:30:00 UTC"), "2024-02-29 10:30:00 +0000 UTC");
    assert_eq!(string("15:04 MST", "10:30 GMT+3"), "0000-01-01 13:30:00 +0300 GMT+3");
    assert_eq!(string("15:04 MST", "10:30 +03"), "0000-01-01 10:30:00 +0000 +03");
    let york = Zone::load("America/New_York").unwrap();
    let here = |layout: &str, value: &str| parse_in_location(layout, value, &york).unwrap().string();
    assert_eq!(here("2006-01-02 15:04", "2024-07-01 10:30"), "2024-07-01 10:30:00 -0400 EDT");
    assert_eq!(here("2006-01-02 15:04 MST", "2024-07-01 10:30 EDT"), "2024-07-01 10:30:00 -0400 EDT");
    assert_eq!(here("2006-01-02 15:04 MST", "2024-07-01 10:30 CET"), "2024-07-01 10:30:00 +0000 CET");
    assert_eq!(here(RFC3339, "2024-07-01T10:30:00-04:00"), "2024-07-01 10:30:00 -0400 EDT");
    assert_eq!(here(RFC3339, "2024-07-01T10:30:00-05:00"), "2024-07-01 10:30:00 -0500 -0500");
}

#[test]
fn parse_accepts_what_go_accepts() {
    assert_eq!(string("a", "a"), "0000-01-01 00:00:00 +0000 UTC");
    assert_eq!(string(KITCHEN, "1:02PM"), "0000-01-01 13:02:00 +0000 UTC");
    assert_eq!(string(KITCHEN, "12:02AM"), "0000-01-01 00:02:00 +0000 UTC");
    assert_eq!(string(RFC3339, "2024-01-01T1:02:03Z"), "2024-01-01 01:02:03 +0000 UTC");
    assert_eq!(string(RFC3339, "2024-01-01T01:02:03,5Z"), "2024-01-01 01:02:03.5 +0000 UTC");
    assert_eq!(string(TIME_ONLY, "01:02:03.1234567891"), "0000-01-01 01:02:03.123456789 +0000 UTC");
    assert_eq!(string(ANSIC, "thu feb  4 21:00:57 2010"), "2010-02-04 21:00:57 +0000 UTC");
    assert_eq!(string("2006-002", "2024-060"), "2024-02-29 00:00:00 +0000 UTC");
    assert_eq!(string("2006 __2", "2023  60"), "2023-03-01 00:00:00 +0000 UTC");
    assert_eq!(string("2006-002", "2024-366"), "2024-12-31 00:00:00 +0000 UTC");
    assert_eq!(string("06-1-2", "68-1-2"), "2068-01-02 00:00:00 +0000 UTC");
    assert_eq!(string("06-1-2", "69-1-2"), "1969-01-02 00:00:00 +0000 UTC");
    assert_eq!(string("06", "-5"), "1995-01-01 00:00:00 +0000 UTC");
    assert_eq!(string("15:04:05.999", "01:02:03"), "0000-01-01 01:02:03 +0000 UTC");
    assert_eq!(string("2006  01", "2024 02"), "2024-02-01 00:00:00 +0000 UTC");
    assert_eq!(string("2006 ", "2024"), "2024-01-01 00:00:00 +0000 UTC");
}

#[test]
fn parse_errors_have_go_texts() {
    let rfc = |value: &str| error(RFC3339, value);
    let cannot = |value: &str, rest: &str, element: &str| {
        format!("parsing time \"{value}\" as \"{RFC3339}\": cannot parse \"{rest}\" as \"{element}\"")
    };
    assert_eq!(rfc("2024-02-29"), cannot("2024-02-29", "", "T"));
    assert_eq!(rfc(""), cannot("", "", "2006"));
    assert_eq!(rfc("yesterday"), cannot("yesterday", "yesterday", "2006"));
    assert_eq!(rfc("odd-类"), cannot(r"odd-\xe7\xb1\xbb", r"odd-\xe7\xb1\xbb", "2006"));
    assert_eq!(rfc("2024-11-03T08:15:00+0800"), cannot("2024-11-03T08:15:00+0800", "+0800", "Z07:00"));
    assert_eq!(rfc("2024-11-03T08:15:00"), cannot("2024-11-03T08:15:00", "", "Z07:00"));
    assert_eq!(rfc("2024-1-03T08:15:00Z"), cannot("2024-1-03T08:15:00Z", "1-03T08:15:00Z", "01"));
    for (value, what) in [
        ("2024-13-03T08:15:00Z", "month"),
        ("2024-02-30T08:15:00Z", "day"),
        ("2023-02-29T08:15:00Z", "day"),
        ("2024-11-00T08:15:00Z", "day"),
        ("2024-11-03T24:00:00Z", "hour"),
        ("2024-11-03T23:60:00Z", "minute"),
        ("2016-12-31T23:59:60Z", "second"),
        ("2024-11-03T08:15:00+25:00", "time zone offset hour"),
        ("2024-11-03T08:15:00-05:61", "time zone offset minute"),
    ] {
        assert_eq!(rfc(value), format!("parsing time \"{value}\": {what} out of range"));
    }
    assert_eq!(rfc("2024-11-03T08:15:00Zx\""), "parsing time \"2024-11-03T08:15:00Zx\\\"\": extra text: \"x\\\"\"");
    assert_eq!(error("abc", "a"), "parsing time \"a\" as \"abc\": cannot parse \"\" as \"abc\"");
    assert_eq!(error("2006-002", "2023-366"), "parsing time \"2023-366\": day-of-year out of range");
    assert_eq!(error("2006-002 01", "2023-032 03"), "parsing time \"2023-032 03\": day-of-year does not match month");
    assert_eq!(error("2006-002 2", "2023-032 3"), "parsing time \"2023-032 3\": day-of-year does not match day");
    assert_eq!(error("MST", "abc"), "parsing time \"abc\" as \"MST\": cannot parse \"abc\" as \"MST\"");
    assert_eq!(error("05.000", "01.00"), "parsing time \"01.00\" as \"05.000\": cannot parse \".00\" as \".000\"");
    assert_eq!(error("PM", "pm"), "parsing time \"pm\" as \"PM\": cannot parse \"pm\" as \"PM\"");
}

#[test]
fn parse_never_panics_on_fragments() {
    let layouts = [RFC3339, RFC850, LAYOUT, "06.000 -070000 MST Z07:00:00 __2 002", "3PM.999 Monday January"];
    let values = ["2024-02-29T23:59:59.5+05:30", "-+.,Z: é\u{0}", "GMT-99999999999999999999", "99999999999999999999"];
    for layout in layouts {
        for value in values {
            for start in 0..value.len() {
                for end in 0..layout.len() {
                    let _ = parse(&layout.as_bytes()[end..], &value.as_bytes()[start..]);
                    let _ = parse(&layout.as_bytes()[..end], &value.as_bytes()[..start]);
                }
            }
        }
    }
}

#[test]
fn the_short_way_of_rfc3339_agrees_with_the_long_one() {
    // A layout that means the same but takes the long way.
    let long = "2006-01-02T15:04:05Z07:00 ";
    for text in [
        "2024-02-29T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2023-02-29T00:00:00Z",
        "2023-00-10T00:00:00Z",
        "2023-01-10T24:00:00Z",
        "2023-01-10T00:00:60Z",
        "2023-01-1xT00:00:00Z",
    ] {
        let (short, long) = (parse(RFC3339, text).ok(), parse(long, format!("{text} ")).ok());
        assert_eq!(short.as_ref().map(Time::go_string), long.as_ref().map(Time::go_string), "{text}");
    }
}
