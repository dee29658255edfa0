//! When Go calls two values the same.

use std::sync::Arc;

use crate::{Object, Value};

/// How deep values are compared before the rest is put off: a value may be nested deeper than the stack.
const RECURSION: usize = 64;

/// Go's `==` of two `interface {}` that hold comparable values: the same type and the same value.
#[must_use]
pub fn identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b))
        | (Value::Int64(a), Value::Int64(b))
        | (Value::Duration(a), Value::Duration(b))
        | (Value::Month(a), Value::Month(b))
        | (Value::Weekday(a), Value::Weekday(b)) => a == b,
        (Value::Int32(a), Value::Int32(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::NilPointer(a), Value::NilPointer(b)) => a == b,
        // Go compares the zone, too, so the same instant in two zones is two values.
        (Value::Time(a), Value::Time(b)) => {
            let (here, there) = (a.location(), b.location());
            a.equal(b) && here.name() == there.name() && here.offset_at(a.unix()) == there.offset_at(a.unix())
        }
        (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// Go's `reflect.DeepEqual`: the same type, and the same all the way down. `work` is called with every pair that is compared, and
/// can end the comparison: a small program can make a value that takes forever to walk through.
///
/// # Errors
/// What `work` says.
pub fn deep_equal<E>(left: &Value, right: &Value, work: &mut impl FnMut() -> Result<(), E>) -> Result<bool, E> {
    let mut comparison = Comparison { work, put_off: Vec::new() };
    let mut equal = comparison.pair(left, right, 0)?;
    while let (true, Some((left, right))) = (equal, comparison.put_off.pop()) {
        equal = comparison.pair(&left, &right, 0)?;
    }
    Ok(equal)
}

struct Comparison<'w, W> {
    work: &'w mut W,
    /// What is nested too deeply to be compared at once.
    put_off: Vec<(Value, Value)>,
}

impl<E, W: FnMut() -> Result<(), E>> Comparison<'_, W> {
    fn pair(&mut self, left: &Value, right: &Value, depth: usize) -> Result<bool, E> {
        (self.work)()?;
        if left.type_of() != right.type_of() || left.is_nil() != right.is_nil() {
            return Ok(false);
        }
        match (left, right) {
            (Value::List(_) | Value::Map(_) | Value::Table(_) | Value::Object(_), _) if depth > RECURSION => {
                self.put_off.push((left.clone(), right.clone()));
                Ok(true)
            }
            (Value::List(a), Value::List(b)) => {
                if a.len() != b.len() || a.same(b) {
                    return Ok(a.len() == b.len());
                }
                self.all(a.items().iter().zip(b.items()), depth)
            }
            (Value::Map(a), Value::Map(b)) => {
                if a.same(b) {
                    return Ok(true);
                }
                let (a, b) = (a.entries(), b.entries());
                if a.len() != b.len() || a.iter().zip(b.iter()).any(|((a, _), (b, _))| a != b) {
                    return Ok(false);
                }
                self.all(a.iter().zip(b.iter()).map(|((_, a), (_, b))| (a, b)), depth)
            }
            (Value::Table(a), Value::Table(b)) => {
                if a.entries().len() != b.entries().len() {
                    return Ok(false);
                }
                for (key, value) in a.entries() {
                    let mut found = None;
                    for (other, candidate) in b.entries() {
                        (self.work)()?;
                        if identical(other, key) {
                            found = Some(candidate);
                            break;
                        }
                    }
                    match found {
                        Some(other) if self.pair(value, other, depth + 1)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            (Value::Object(a), Value::Object(b)) => self.objects(a, b, depth),
            (left, right) => Ok(identical(left, right)),
        }
    }

    fn all<'v>(&mut self, pairs: impl Iterator<Item = (&'v Value, &'v Value)>, depth: usize) -> Result<bool, E> {
        for (left, right) in pairs {
            if !self.pair(left, right, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What pointers point to is compared by its fields; what hides them, by its text.
    fn objects(&mut self, left: &Arc<dyn Object>, right: &Arc<dyn Object>, depth: usize) -> Result<bool, E> {
        if Arc::ptr_eq(left, right) {
            return Ok(true);
        }
        let fields = left.object_type().fields;
        if fields.is_empty() {
            return Ok(left.display().is_some() && left.display() == right.display());
        }
        for field in fields {
            let (a, b) = (left.field(field).unwrap_or_default(), right.field(field).unwrap_or_default());
            if !self.pair(&a, &b, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::time::{self, Zone};
    use crate::{List, Map, Type};

    fn deep(left: &Value, right: &Value) -> bool {
        deep_equal(left, right, &mut || Ok::<(), Infallible>(())).unwrap()
    }

    fn nested(depth: usize, core: Value) -> Value {
        (0..depth).fold(core, |value, _| Value::from(vec![value]))
    }

    #[test]
    fn types_count() {
        assert!(!deep(&Value::Int(1), &Value::Int64(1)));
        assert!(!deep(&Value::List(List::nil(Type::LIST)), &Value::from(Vec::new())));
        assert!(!deep(&Value::Map(Map::nil(Type::Any)), &Value::Map(Map::of_any(vec![]))));
        assert!(deep(&Value::from(vec![Value::Nil]), &Value::from(vec![Value::Nil])));
        assert!(!deep(&Value::Float(f64::NAN), &Value::Float(f64::NAN)));
    }

    #[test]
    fn one_instant_in_two_zones_is_two_values() {
        let time = |text| Value::Time(Arc::new(time::parse(time::RFC3339, text).unwrap()));
        assert!(identical(&time("2024-01-01T10:00:00+02:00"), &time("2024-01-01T10:00:00+02:00")));
        assert!(!identical(&time("2024-01-01T10:00:00+02:00"), &time("2024-01-01T09:00:00+01:00")));
        let zone = |name| Value::from(Zone::load(name).unwrap());
        assert!(deep(&zone("Asia/Tokyo"), &zone("Asia/Tokyo")));
        assert!(!deep(&zone("Asia/Tokyo"), &zone("Asia/Seoul")));
    }

    #[test]
    fn a_hundred_thousand_levels_are_compared() {
        assert!(deep(&nested(100_000, Value::Int(1)), &nested(100_000, Value::Int(1))));
        assert!(!deep(&nested(100_000, Value::Int(1)), &nested(100_000, Value::Int(2))));
    }

    #[test]
    fn who_counts_can_stop() {
        let double = |value: Value| Value::from(vec![value.clone(), value]);
        let (left, right) = (0..80).fold((Value::Nil, Value::Nil), |(a, b), _| (double(a), double(b)));
        let mut pairs = 0;
        let outcome = deep_equal(&left, &right, &mut || {
            pairs += 1;
            if pairs > 1000 { Err(()) } else { Ok(()) }
        });
        assert_eq!(outcome, Err(()));
    }
}
