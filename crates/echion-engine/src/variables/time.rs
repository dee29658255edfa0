//! `time`: the clock, parsing, durations and layouts of Go's package of that name.

use std::sync::{Arc, LazyLock};

use echion_value::time::{self, Time};
use echion_value::{CallError, Func, Map, Signature, Str, Type, Value};

use super::text;

static NOW: Signature = Signature::new(&[], Type::Time);
static PARSE: Signature = Signature::new(&[Type::String], Type::Time);

/// What does not depend on the clock.
static MEMBERS: LazyLock<Vec<(Str, Value)>> = LazyLock::new(|| {
    let parse = Func::new(&PARSE, |args| {
        let parsed = time::parse(time::RFC3339, text(args, 0)?);
        parsed.map(|time| Value::Time(Arc::new(time))).map_err(|error| CallError(error.to_string()))
    });
    let durations = [
        ("Nanosecond", time::NANOSECOND),
        ("Microsecond", time::MICROSECOND),
        ("Millisecond", time::MILLISECOND),
        ("Second", time::SECOND),
        ("Minute", time::MINUTE),
        ("Hour", time::HOUR),
    ];
    let layouts = [
        ("Layout", time::LAYOUT),
        ("ANSIC", time::ANSIC),
        ("UnixDate", time::UNIX_DATE),
        ("RubyDate", time::RUBY_DATE),
        ("RFC822", time::RFC822),
        ("RFC822Z", time::RFC822Z),
        ("RFC850", time::RFC850),
        ("RFC1123", time::RFC1123),
        ("RFC1123Z", time::RFC1123Z),
        ("RFC3339", time::RFC3339),
        ("RFC3339Nano", time::RFC3339_NANO),
        ("Kitchen", time::KITCHEN),
        ("Stamp", time::STAMP),
        ("StampMilli", time::STAMP_MILLI),
        ("StampMicro", time::STAMP_MICRO),
        ("StampNano", time::STAMP_NANO),
    ];
    let mut members = vec![(Str::from("Parse"), Value::Func(parse))];
    members.extend(durations.map(|(name, duration)| (Str::from(name), Value::Duration(duration))));
    members.extend(layouts.map(|(name, layout)| (Str::from(name), Value::from(layout))));
    members
});

/// The members of `time`; `now` is asked whenever an expression or template calls `time.Now`.
#[must_use]
pub fn time(now: impl Fn() -> Time + Send + Sync + 'static) -> Map {
    let now = Func::new(&NOW, move |_| Ok(Value::Time(Arc::new(now()))));
    let mut members = MEMBERS.clone();
    members.push((Str::from("Now"), Value::Func(now)));
    Map::of_any(members)
}
