//! Dates and durations. `Local` is UTC.

use std::sync::Arc;

use echion_template::{CallContext, Function, Uses, takes};
use echion_value::time::{self, Time, Zone};
use echion_value::{CallError, Signature, Type, Value};

use crate::args::string;

const TEXT: Type = Type::String;

const DATE: Signature = takes(&[TEXT, Type::Any], TEXT);
const DATE_IN_ZONE: Signature = takes(&[TEXT, Type::Any, TEXT], TEXT);
const MODIFY: Signature = takes(&[TEXT, Type::Time], Type::Time);
const TO_DATE: Signature = takes(&[TEXT, TEXT], Type::Time);
const ANY: Signature = takes(&[Type::Any], TEXT);

/// The functions of this family.
pub(crate) static ALL: &[Function] = &[
    Function::new("ago", ANY, ago).doc("How long ago a time was.", r#"{{ ago (now) }}"#, "0s").using(Uses::CLOCK),
    DATE_FUNCTION,
    IN_ZONE,
    IN_ZONE.alias("date_in_zone"),
    MODIFY_FUNCTION,
    MODIFY_FUNCTION.alias("date_modify"),
    MUST_MODIFY,
    MUST_MODIFY.alias("must_date_modify"),
    Function::new("duration", ANY, duration).doc("Seconds as a duration.", r#"{{ duration "95" }}"#, "1m35s"),
    Function::new("durationRound", ANY, duration_round)
        .doc("A duration in its largest unit.", r#"{{ durationRound "2h10m5s" }}"#, "2h")
        .using(Uses::CLOCK),
    Function::new("htmlDate", ANY, |call, args| in_zone(call, "2006-01-02", args.first(), "Local"))
        .doc("The date of a time as HTML wants it.", "{{ htmlDate 0 }}", "1970-01-01")
        .using(Uses::CLOCK),
    Function::new("htmlDateInZone", takes(&[Type::Any, TEXT], TEXT), |call, args| {
        in_zone(call, "2006-01-02", args.first(), &string(args, 1))
    })
    .doc("The date of a time in a zone as HTML wants it.", r#"{{ htmlDateInZone 0 "UTC" }}"#, "1970-01-01")
    .using(Uses::CLOCK),
    Function::new("mustToDate", TO_DATE.fallible(), must_to_date).doc(
        "Reads a time by a layout; an error when it does not fit.",
        r#"{{ mustToDate "2006-01-02" "2024-02-29" | date "02.01." }}"#,
        "29.02.",
    ),
    Function::new("now", takes(&[], Type::Time), |call, _| Ok(value(call.now.clone())))
        .doc("The current time.", r#"{{ now | date "2006" | len }}"#, "4")
        .using(Uses::CLOCK),
    Function::new("toDate", TO_DATE, |call, args| must_to_date(call, args).or_else(|_| Ok(value(Time::default()))))
        .doc(
            "Reads a time by a layout; the zero time when it does not fit.",
            r#"{{ toDate "2006-01-02" "2024-02-29" | date "02.01." }}"#,
            "29.02.",
        ),
    Function::new("unixEpoch", takes(&[Type::Time], TEXT), |_, args| {
        Ok(Value::from(time_of(args, 0).unix().to_string()))
    })
    .doc("A time in seconds since 1970.", r#"{{ toDate "2006-01-02" "1970-01-02" | unixEpoch }}"#, "86400"),
];

const DATE_FUNCTION: Function =
    Function::new("date", DATE, |call, args| in_zone(call, &string(args, 0), args.get(1), "Local"))
        .doc("Formats a time by a layout.", r#"{{ date "2006-01-02" 0 }}"#, "1970-01-01")
        .using(Uses::CLOCK);

const IN_ZONE: Function = Function::new("dateInZone", DATE_IN_ZONE, |call, args| {
    in_zone(call, &string(args, 0), args.get(1), &string(args, 2))
})
.doc("Formats a time in a zone by a layout.", r#"{{ dateInZone "15:04" 0 "Asia/Shanghai" }}"#, "08:00")
.using(Uses::CLOCK);

const MODIFY_FUNCTION: Function =
    Function::new("dateModify", MODIFY, |call, args| must_modify(call, args).or_else(|_| Ok(value(time_of(args, 1)))))
        .doc("A time moved by a duration.", r#"{{ toDate "2006" "2024" | dateModify "24h" | date "01-02" }}"#, "01-02");

const MUST_MODIFY: Function = Function::new("mustDateModify", MODIFY.fallible(), must_modify).doc(
    "A time moved by a duration; an error when it is none.",
    r#"{{ toDate "2006" "2024" | mustDateModify "24h" | date "01-02" }}"#,
    "01-02",
);

fn value(time: Time) -> Value {
    Value::Time(Arc::new(time))
}

fn time_of(args: &[Value], index: usize) -> Time {
    match args.get(index) {
        Some(Value::Time(time)) => Time::clone(time),
        _ => Time::default(),
    }
}

/// A time, or seconds since 1970; everything else is now.
fn moment(call: &CallContext<'_>, value: Option<&Value>) -> Time {
    match value {
        Some(Value::Time(time)) => Time::clone(time),
        Some(Value::Int(n) | Value::Int64(n)) => Time::from_unix(*n, 0),
        Some(Value::Int32(n)) => Time::from_unix(i64::from(*n), 0),
        _ => call.now.clone(),
    }
}

fn in_zone(call: &mut CallContext<'_>, layout: &str, date: Option<&Value>, zone: &str) -> Result<Value, CallError> {
    let zone = Zone::load(zone).unwrap_or(Zone::Utc);
    Ok(Value::from(moment(call, date).in_zone(zone).format(layout)))
}

fn must_modify(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let by = time::parse_duration(&string(args, 0)).map_err(CallError)?;
    Ok(value(time_of(args, 1).add(by)))
}

fn must_to_date(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let time = time::parse_in_location(string(args, 0), string(args, 1), &Zone::Local);
    time.map(value).map_err(|error| CallError::new(error.to_string()))
}

fn ago(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let since = match args.first() {
        // Only int64 counts as seconds here, not int.
        Some(Value::Int64(n)) => Time::from_unix(*n, 0),
        Some(Value::Time(time)) => Time::clone(time),
        _ => call.now.clone(),
    };
    let ago = time::round_duration(call.now.sub(&since), time::SECOND);
    Ok(Value::from(time::format_duration(ago)))
}

fn duration(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let seconds = match args.first() {
        Some(Value::Str(_)) => string(args, 0).parse().unwrap_or(0),
        Some(Value::Int64(n)) => *n,
        _ => 0,
    };
    Ok(Value::from(time::format_duration(seconds.wrapping_mul(time::SECOND))))
}

fn duration_round(call: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let duration = match args.first() {
        Some(Value::Str(_)) => time::parse_duration(&string(args, 0)).unwrap_or(0),
        Some(Value::Int64(n)) => *n,
        Some(Value::Time(time)) => call.now.sub(time),
        _ => 0,
    };
    let size = duration.unsigned_abs();
    let hour = time::HOUR.unsigned_abs();
    let units = [
        (hour * 24 * 365, "y"),
        (hour * 24 * 30, "mo"),
        (hour * 24, "d"),
        (hour, "h"),
        (time::MINUTE.unsigned_abs(), "m"),
        (time::SECOND.unsigned_abs(), "s"),
    ];
    let unit = units.into_iter().find(|(unit, _)| size > *unit);
    Ok(Value::from(unit.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", size / unit))))
}
