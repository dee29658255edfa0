//! The methods of Go's `time` types, and `*time.Location` as a value.
//!
//! Of several results (`Clock`, `Date`, `ISOWeek`, `Zone`) a call gives the first, as Go's expression language does.

use std::any::Any;
use std::sync::Arc;

use crate::time::{self, Time, Zone};
use crate::{CallError, Method, Object, ObjectType, Signature, Type, Value};

const LOCATION_NAME: &str = "*time.Location";
const LOCATION: Type = Type::Named(LOCATION_NAME);

type Call = fn(&Value, &[Value]) -> Result<Value, CallError>;

const fn method(name: &'static str, params: &'static [Type], result: Type, call: Call) -> Method {
    Method { name, signature: Signature::new(params, result), call }
}

const fn several(name: &'static str, result: Type, more: &'static [Type], call: Call) -> Method {
    Method { name, signature: Signature::new(&[], result).and(more), call }
}

const fn bytes(name: &'static str, call: Call) -> Method {
    Method { name, signature: Signature::new(&[], Type::BYTES).fallible(), call }
}

/// Methods of `time.Time`.
pub(crate) static TIME: &[Method] = &[
    method("Add", &[Type::Duration], Type::Time, |t, args| Ok(instant(this(t)?.add(whole(args, 0)?)))),
    method("AddDate", &[Type::Int, Type::Int, Type::Int], Type::Time, |t, args| {
        Ok(instant(this(t)?.add_date(whole(args, 0)?, whole(args, 1)?, whole(args, 2)?)))
    }),
    method("After", &[Type::Time], Type::Bool, |t, args| Ok(Value::Bool(this(t)?.after(other(args)?)))),
    method("Before", &[Type::Time], Type::Bool, |t, args| Ok(Value::Bool(this(t)?.before(other(args)?)))),
    several("Clock", Type::Int, &[Type::Int, Type::Int], |t, _| Ok(Value::Int(this(t)?.hour()))),
    method("Compare", &[Type::Time], Type::Int, |t, args| Ok(Value::Int(this(t)?.compare(other(args)?)))),
    several("Date", Type::Int, &[Type::Month, Type::Int], |t, _| Ok(Value::Int(this(t)?.year()))),
    method("Day", &[], Type::Int, |t, _| Ok(Value::Int(this(t)?.day()))),
    method("Equal", &[Type::Time], Type::Bool, |t, args| Ok(Value::Bool(this(t)?.equal(other(args)?)))),
    method("Format", &[Type::String], Type::String, |t, args| match args.first() {
        Some(Value::Str(layout)) => Ok(Value::Str(this(t)?.format_bytes(layout.as_bytes()).into())),
        _ => Err(misfit()),
    }),
    method("GoString", &[], Type::String, |t, _| Ok(Value::from(this(t)?.go_string()))),
    method("Hour", &[], Type::Int, |t, _| Ok(Value::Int(this(t)?.hour()))),
    several("ISOWeek", Type::Int, &[Type::Int], |t, _| Ok(Value::Int(this(t)?.iso_week().0))),
    method("In", &[LOCATION], Type::Time, |t, args| match args.first().and_then(Zone::of) {
        Some(zone) => Ok(instant(this(t)?.in_zone(zone.clone()))),
        None => Err(CallError::new("time: missing Location in call to Time.In")),
    }),
    method("IsDST", &[], Type::Bool, |t, _| this(t).map(|t| Value::Bool(t.location().is_dst_at(t.unix())))),
    method("IsZero", &[], Type::Bool, |t, _| Ok(Value::Bool(this(t)?.is_zero()))),
    method("Local", &[], Type::Time, |t, _| Ok(instant(this(t)?.local()))),
    method("Location", &[], LOCATION, |t, _| Ok(Value::from(this(t)?.location().clone()))),
    bytes("MarshalJSON", |t, _| {
        let text = this(t)?.marshal_json().map_err(CallError)?;
        Ok(Value::Bytes(Some(text.into_bytes().into())))
    }),
    bytes("MarshalText", |t, _| {
        let text = this(t)?.marshal_json().map_err(|e| CallError(e.replace("MarshalJSON", "MarshalText")))?;
        Ok(Value::Bytes(Some(text.trim_matches('"').as_bytes().into())))
    }),
    method("Minute", &[], Type::Int, |t, _| Ok(Value::Int(this(t)?.minute()))),
    method("Month", &[], Type::Month, |t, _| Ok(Value::Month(this(t)?.month()))),
    method("Nanosecond", &[], Type::Int, |t, _| Ok(Value::Int(this(t)?.nanosecond()))),
    method("Round", &[Type::Duration], Type::Time, |t, args| Ok(instant(this(t)?.round(whole(args, 0)?)))),
    method("Second", &[], Type::Int, |t, _| Ok(Value::Int(this(t)?.second()))),
    method("String", &[], Type::String, |t, _| Ok(Value::from(this(t)?.string()))),
    method("Sub", &[Type::Time], Type::Duration, |t, args| Ok(Value::Duration(this(t)?.sub(other(args)?)))),
    method("Truncate", &[Type::Duration], Type::Time, |t, args| Ok(instant(this(t)?.truncate(whole(args, 0)?)))),
    method("UTC", &[], Type::Time, |t, _| Ok(instant(this(t)?.utc()))),
    method("Unix", &[], Type::Int64, |t, _| Ok(Value::Int64(this(t)?.unix()))),
    method("UnixMicro", &[], Type::Int64, |t, _| Ok(Value::Int64(this(t)?.unix_micro()))),
    method("UnixMilli", &[], Type::Int64, |t, _| Ok(Value::Int64(this(t)?.unix_milli()))),
    method("UnixNano", &[], Type::Int64, |t, _| Ok(Value::Int64(this(t)?.unix_nano()))),
    method("Weekday", &[], Type::Weekday, |t, _| Ok(Value::Weekday(this(t)?.weekday()))),
    method("Year", &[], Type::Int, |t, _| Ok(Value::Int(this(t)?.year()))),
    method("YearDay", &[], Type::Int, |t, _| Ok(Value::Int(this(t)?.year_day()))),
    several("Zone", Type::String, &[Type::Int], |t, _| Ok(Value::from(this(t)?.zone().0))),
];

/// Methods of `time.Duration`.
pub(crate) static DURATION: &[Method] = &[
    method("Abs", &[], Type::Duration, |d, _| Ok(Value::Duration(time::abs_duration(number(d)?)))),
    method("Hours", &[], Type::Float64, |d, _| Ok(Value::Float(time::duration_hours(number(d)?)))),
    method("Microseconds", &[], Type::Int64, |d, _| Ok(Value::Int64(time::duration_micros(number(d)?)))),
    method("Milliseconds", &[], Type::Int64, |d, _| Ok(Value::Int64(time::duration_millis(number(d)?)))),
    method("Minutes", &[], Type::Float64, |d, _| Ok(Value::Float(time::duration_minutes(number(d)?)))),
    method("Nanoseconds", &[], Type::Int64, |d, _| Ok(Value::Int64(number(d)?))),
    method("Round", &[Type::Duration], Type::Duration, |d, args| {
        Ok(Value::Duration(time::round_duration(number(d)?, whole(args, 0)?)))
    }),
    method("Seconds", &[], Type::Float64, |d, _| Ok(Value::Float(time::duration_seconds(number(d)?)))),
    method("String", &[], Type::String, |d, _| Ok(Value::from(time::format_duration(number(d)?)))),
    method("Truncate", &[Type::Duration], Type::Duration, |d, args| {
        Ok(Value::Duration(time::truncate_duration(number(d)?, whole(args, 0)?)))
    }),
];

/// Methods of `time.Month`.
pub(crate) static MONTH: &[Method] =
    &[method("String", &[], Type::String, |m, _| Ok(Value::from(time::month_name(number(m)?))))];

/// Methods of `time.Weekday`.
pub(crate) static WEEKDAY: &[Method] =
    &[method("String", &[], Type::String, |d, _| Ok(Value::from(time::weekday_name(number(d)?))))];

static LOCATION_TYPE: ObjectType = ObjectType {
    name: LOCATION_NAME,
    fields: &[],
    tags: &[],
    methods: &[method("String", &[], Type::String, |zone, _| match Zone::of(zone) {
        Some(zone) => Ok(Value::from(zone.name())),
        None => Err(misfit()),
    })],
};

impl Object for Zone {
    fn object_type(&self) -> &'static ObjectType {
        &LOCATION_TYPE
    }

    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn display(&self) -> Option<String> {
        Some(self.name().to_owned())
    }
}

impl Zone {
    /// The zone that a `*time.Location` points to; `None` for other values and a nil pointer.
    #[must_use]
    pub fn of(value: &Value) -> Option<&Self> {
        let Value::Object(object) = value else { return None };
        let object: &dyn Any = object.as_ref();
        object.downcast_ref()
    }
}

/// `*time.Location`
impl From<Zone> for Value {
    fn from(zone: Zone) -> Self {
        Value::Object(Arc::new(zone))
    }
}

impl Type {
    /// The methods that all values of the type have, known before there is a value. Named types have them only with a value.
    #[must_use]
    pub fn methods(self) -> &'static [Method] {
        match self {
            Type::Time => TIME,
            Type::Duration => DURATION,
            Type::Month => MONTH,
            Type::Weekday => WEEKDAY,
            LOCATION => LOCATION_TYPE.methods,
            _ => &[],
        }
    }
}

fn instant(time: Time) -> Value {
    Value::Time(Arc::new(time))
}

fn this(value: &Value) -> Result<&Time, CallError> {
    match value {
        Value::Time(time) => Ok(time),
        _ => Err(misfit()),
    }
}

fn other(args: &[Value]) -> Result<&Time, CallError> {
    this(args.first().unwrap_or(&Value::Nil))
}

fn whole(args: &[Value], index: usize) -> Result<i64, CallError> {
    number(args.get(index).unwrap_or(&Value::Nil))
}

fn number(value: &Value) -> Result<i64, CallError> {
    match value {
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => Ok(*n),
        _ => Err(misfit()),
    }
}

/// Callers check arguments against the signature, so this is never read.
fn misfit() -> CallError {
    CallError::new("reflect: call with a value of another type")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(on: &Value, name: &str, args: &[Value]) -> Value {
        let method = on.method(name).unwrap();
        assert_eq!(method.signature.params.len(), args.len());
        let result = (method.call)(on, args).unwrap();
        assert_eq!(result.type_of(), Some(method.signature.result), "{name}");
        result
    }

    fn text(value: &Value) -> String {
        crate::format::display(value).to_string()
    }

    fn sample() -> Value {
        instant(time::parse(time::RFC3339, "2024-07-05T03:04:05.006Z").unwrap())
    }

    #[test]
    fn every_method_without_arguments_answers_with_its_type() {
        for value in [sample(), Value::Duration(1), Value::Month(2), Value::Weekday(3), Value::from(Zone::Utc)] {
            for method in value.methods().iter().filter(|m| m.signature.params.is_empty()) {
                call(&value, method.name, &[]);
            }
        }
    }

    #[test]
    fn times_know_calendar_and_zone() {
        let there = call(&sample(), "In", &[Value::from(Zone::load("America/New_York").unwrap())]);
        assert_eq!(text(&there), "2024-07-04 23:04:05.006 -0400 EDT");
        assert_eq!(text(&call(&there, "IsDST", &[])), "true");
        assert_eq!(text(&call(&there, "Location", &[])), "America/New_York");
        assert_eq!(text(&call(&there, "Weekday", &[])), "Thursday");
        assert_eq!(text(&call(&sample(), "Sub", &[there])), "0s");
        let hour = [Value::Duration(time::HOUR)];
        assert_eq!(text(&call(&sample(), "Truncate", &hour)), "2024-07-05 03:00:00 +0000 UTC");
        assert_eq!(text(&call(&Value::Duration(time::HOUR * 3 / 2), "Hours", &[])), "1.5");
    }

    #[test]
    fn a_missing_location_is_an_error() {
        let time = sample();
        let error = (time.method("In").unwrap().call)(&time, &[Value::NilPointer("*time.Location")]).unwrap_err();
        assert_eq!(error.0, "time: missing Location in call to Time.In");
    }
}
