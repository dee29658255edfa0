//! Dates and durations.

use std::sync::Arc;

use echion_value::time::{self, Time, Zone};
use echion_value::{Signature, Type, Value};

use super::{Args, Builtin, Check, exactly, text};
use crate::error::EvalError;
use crate::limits::Meter;
use crate::nature::{Nature, TIME};

/// The forms that `date` knows, in the order in which it tries them.
const LAYOUTS: [&str; 7] =
    [time::DATE_ONLY, time::TIME_ONLY, time::DATE_TIME, time::RFC3339, time::RFC822, time::RFC850, time::RFC1123];

pub(super) const ALL: &[Builtin] = &[
    Builtin {
        name: "now",
        signature: "([zone]) time",
        about: "The current time.",
        example: ("now() > date('2000-01-01')", "true"),
        check: Check::Rule(|args| match args {
            [Nature::Of(Type::Named("*time.Location"))] => Ok(TIME),
            args => exactly(0, args).map(|()| TIME),
        }),
        run: |meter, args| {
            let now = meter.context.now.clone();
            let zone = args.first().and_then(|zone| Zone::of(zone).cloned());
            Ok(Value::Time(Arc::new(zone.map_or_else(|| now.clone(), |zone| now.in_zone(zone)))))
        },
    },
    Builtin {
        name: "duration",
        signature: "(string) duration",
        about: "The duration that a string such as 1h30m denotes.",
        example: ("duration('90m')", "1h30m0s"),
        check: Check::Overloads(&[Signature::new(&[Type::String], Type::Duration)]),
        run: |_, args| {
            let text = String::from_utf8_lossy(text(args, 0)?);
            time::parse_duration(&text).map(Value::Duration).map_err(EvalError::new)
        },
    },
    Builtin {
        name: "date",
        signature: "(string, [layout], [zone]) time",
        about: "The time that a string denotes, in one of the usual forms or in the form of a Go layout.",
        example: ("date('2024-02-29').Year()", "2024"),
        check: Check::Rule(|args| match args.len() {
            0 => Err("invalid number of arguments (expected at least 1, got 0)".to_owned()),
            count => match count - usize::from(matches!(args[0], Nature::Of(Type::Named("*time.Location")))) {
                0..=3 => Ok(TIME),
                count => Err(format!("invalid number of arguments (expected at most 3, got {count})")),
            },
        }),
        run: date,
    },
    Builtin {
        name: "timezone",
        signature: "(string) location",
        about: "The time zone of that name.",
        example: ("date('2024-01-01').In(timezone('Asia/Shanghai')).Hour()", "8"),
        check: Check::Overloads(&[Signature::new(&[Type::String], Type::Named("*time.Location"))]),
        run: |_, args| zone(args, 0).map(Value::from),
    },
];

fn zone(args: Args<'_, '_>, index: usize) -> Result<Zone, EvalError> {
    Zone::load(&String::from_utf8_lossy(text(args, index)?)).map_err(EvalError::new)
}

fn date(_: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let (first, args) = match args.first().and_then(|first| Zone::of(first).cloned()) {
        Some(zone) => (Some(zone), &args[1..]),
        None => (None, args),
    };
    let value = text(args, 0)?;
    let parsed = |layout: &[u8], zone: Option<&Zone>| match zone {
        Some(zone) => time::parse_in_location(layout, value, zone),
        None => time::parse(layout, value),
    };
    let made = |time: Time| Ok(Value::Time(Arc::new(time)));
    if args.len() > 1 {
        let layout = text(args, 1)?;
        let zone = if args.len() > 2 { Some(zone(args, 2)?) } else { first };
        return parsed(layout, zone.as_ref()).map_or_else(|error| Err(EvalError::new(error.to_string())), made);
    }
    for layout in LAYOUTS {
        if let Ok(time) = parsed(layout.as_bytes(), first.as_ref()) {
            return made(time);
        }
    }
    Err(EvalError::new(format!("invalid date {}", String::from_utf8_lossy(value))))
}
