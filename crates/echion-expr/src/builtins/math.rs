//! Numbers.

use std::cmp::Ordering;

use echion_value::Value;

use super::lists::MAX_DEPTH;
use super::{Args, Builtin, Check, exactly, is_number, printed, type_name};
use crate::ast::Binary;
use crate::error::EvalError;
use crate::fetch;
use crate::limits::Meter;
use crate::nature::{FLOAT, Nature};
use crate::operators::{compare, float_of, kind_of};

macro_rules! rounding {
    ($name:literal, $about:literal, $example:expr, $round:expr) => {
        Builtin {
            name: $name,
            signature: "(number) float",
            about: $about,
            example: $example,
            check: Check::Rule(|args| {
                exactly(1, args)?;
                if args[0].is_unknown() || has_number_kind(&args[0]) {
                    return Ok(FLOAT);
                }
                Err(format!("invalid argument for {} (type {})", $name, printed(&args[0])))
            }),
            run: |_, args| {
                let arg = args.first().map_or(&Value::Nil, AsRef::as_ref);
                let round: fn(f64) -> f64 = $round;
                match arg {
                    Value::Float(f) => Ok(Value::Float(round(*f))),
                    number if is_number(number) => Ok(Value::Float(float_of(number).unwrap_or_default())),
                    _ => Err(EvalError::new(format!("invalid argument for {} (type {})", $name, type_name(arg)))),
                }
            },
        }
    };
}

pub(super) const ALL: &[Builtin] = &[
    Builtin {
        name: "abs",
        signature: "(number) number",
        about: "The number without its sign.",
        example: ("abs(-3)", "3"),
        check: Check::Rule(|args| {
            exactly(1, args)?;
            if args[0].is_unknown() || has_number_kind(&args[0]) {
                return Ok(args[0].clone());
            }
            Err(format!("invalid argument for abs (type {})", printed(&args[0])))
        }),
        run: abs,
    },
    rounding!("ceil", "The next whole number above.", ("ceil(1.2)", "2"), f64::ceil),
    rounding!("floor", "The next whole number below.", ("floor(1.8)", "1"), f64::floor),
    rounding!("round", "The nearest whole number; halves go away from zero.", ("round(2.5)", "3"), f64::round),
    Builtin {
        name: "max",
        signature: "(number | list...) number",
        about: "The greatest number.",
        example: ("max(1, [7, 3])", "7"),
        check: Check::Rule(|args| aggregate("max", args)),
        run: |meter, args| extreme(meter, "max", Binary::Less, args),
    },
    Builtin {
        name: "min",
        signature: "(number | list...) number",
        about: "The least number.",
        example: ("min(4, [7, 3])", "3"),
        check: Check::Rule(|args| aggregate("min", args)),
        run: |meter, args| extreme(meter, "min", Binary::More, args),
    },
    Builtin {
        name: "mean",
        signature: "(number | list...) float",
        about: "The mean of the numbers.",
        example: ("mean(1, [2, 6])", "3"),
        check: Check::Rule(|args| aggregate("mean", args)),
        run: |meter, args| {
            let mut mean = Mean::default();
            for arg in args {
                match fetch::elements(arg) {
                    Some(items) => items.iter().try_for_each(|item| mean.add(meter, item, 1))?,
                    None => mean.add(meter, arg, 0)?,
                }
            }
            Ok(Value::Float(if mean.count == 0 { 0.0 } else { mean.total / mean.count as f64 }))
        },
    },
    Builtin {
        name: "median",
        signature: "(number | list...) float",
        about: "The number in the middle.",
        example: ("median(1, 7, 3)", "3"),
        check: Check::Rule(|args| aggregate("median", args)),
        run: |meter, args| {
            let mut numbers = numbers(meter, "median", args)?;
            numbers.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
            let middle = numbers.len() / 2;
            let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
            let odd = numbers.len() % 2 == 1;
            Ok(Value::Float(if odd || numbers.is_empty() { at(middle) } else { (at(middle - 1) + at(middle)) / 2.0 }))
        },
    },
];

/// Whether the Go kind is a number's, which durations and months have, too.
fn has_number_kind(nature: &Nature) -> bool {
    matches!(nature.kind(), "int" | "int64" | "int32" | "uint8" | "uint64" | "float64")
}

fn aggregate(name: &str, args: &[Nature]) -> Result<Nature, String> {
    for arg in args {
        if arg.is_unknown() || arg.is_list() {
            return Ok(Nature::Unknown);
        }
        if !has_number_kind(arg) {
            return Err(format!("invalid argument for {name} (type {})", printed(arg)));
        }
    }
    args.first().cloned().ok_or_else(|| format!("not enough arguments to call {name}"))
}

fn abs(_: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    Ok(match args.first().map_or(&Value::Nil, AsRef::as_ref) {
        Value::Int(n) => Value::Int(n.wrapping_abs()),
        Value::Int64(n) => Value::Int64(n.wrapping_abs()),
        Value::Int32(n) => Value::Int32(n.wrapping_abs()),
        Value::Float(f) => Value::Float(if *f < 0.0 { -f } else { *f }),
        number @ (Value::Uint8(_) | Value::Uint64(_)) => number.clone(),
        other => return Err(EvalError::new(format!("invalid argument for abs (type {})", type_name(other)))),
    })
}

fn extreme(meter: &mut Meter<'_>, name: &str, worse: Binary, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let mut best = None;
    for arg in args {
        let candidate = if let Some(items) = fetch::elements(arg) {
            meter.work(items.len())?;
            extreme_of_list(meter, name, worse, items, 1)?
        } else if matches!(kind_of(arg), "int" | "int64" | "int32" | "uint8" | "uint64" | "float64") {
            Some(arg.as_ref().clone())
        } else if args.len() == 1 {
            return Ok(arg.as_ref().clone());
        } else {
            return Err(EvalError::new(format!("invalid argument for {name} (type {})", type_name(arg))));
        };
        best = better(worse, best, candidate)?;
    }
    Ok(best.unwrap_or_default())
}

fn extreme_of_list(
    meter: &mut Meter<'_>,
    name: &str,
    worse: Binary,
    items: Vec<Value>,
    depth: usize,
) -> Result<Option<Value>, EvalError> {
    if depth > MAX_DEPTH {
        return Err(EvalError::new("recursion depth exceeded"));
    }
    let mut best = None;
    for item in items {
        let candidate = match fetch::elements(&item) {
            Some(inner) => {
                meter.work(inner.len())?;
                extreme_of_list(meter, name, worse, inner, depth + 1)?
            }
            None if is_number(&item) => Some(item),
            None => return Err(EvalError::new(format!("invalid argument for {name} (type {})", type_name(&item)))),
        };
        best = better(worse, best, candidate)?;
    }
    Ok(best)
}

fn better(worse: Binary, best: Option<Value>, candidate: Option<Value>) -> Result<Option<Value>, EvalError> {
    match (best, candidate) {
        (Some(best), Some(candidate)) => Ok(Some(if compare(worse, &best, &candidate)? { candidate } else { best })),
        (best, candidate) => Ok(best.or(candidate)),
    }
}

/// What `mean` has seen so far. A list within a list is summed on its own, which shows in the last digits.
#[derive(Default)]
struct Mean {
    total: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, meter: &mut Meter<'_>, value: &Value, depth: usize) -> Result<(), EvalError> {
        if depth > MAX_DEPTH {
            return Err(EvalError::new("recursion depth exceeded"));
        }
        meter.work(1)?;
        let Some(items) = fetch::elements(value) else {
            self.total += real("mean", value)?;
            self.count += 1;
            return Ok(());
        };
        let mut inner = Mean::default();
        items.iter().try_for_each(|item| inner.add(meter, item, depth + 1))?;
        self.total += inner.total;
        self.count += inner.count;
        Ok(())
    }
}

/// The number as a float, with the numbers that durations and months are.
fn real(name: &str, value: &Value) -> Result<f64, EvalError> {
    match value {
        Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => Ok(*n as f64),
        other => float_of(other)
            .ok_or_else(|| EvalError::new(format!("invalid argument for {name} (type {})", type_name(other)))),
    }
}

fn numbers(meter: &mut Meter<'_>, name: &str, args: Args<'_, '_>) -> Result<Vec<f64>, EvalError> {
    let mut numbers = Vec::new();
    for arg in args {
        collect(meter, name, arg, &mut numbers, 0)?;
    }
    Ok(numbers)
}

fn collect(
    meter: &mut Meter<'_>,
    name: &str,
    value: &Value,
    into: &mut Vec<f64>,
    depth: usize,
) -> Result<(), EvalError> {
    if depth > MAX_DEPTH {
        return Err(EvalError::new("recursion depth exceeded"));
    }
    meter.work(1)?;
    if let Some(items) = fetch::elements(value) {
        return items.iter().try_for_each(|item| collect(meter, name, item, into, depth + 1));
    }
    into.push(real(name, value)?);
    Ok(())
}
