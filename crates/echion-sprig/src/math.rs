//! Numbers.

use echion_template::{CallContext, Function, takes};
use echion_value::Value;

use crate::args::{ANY, FLOAT, INT, INT64, Result, any, fail, from, int};
use crate::cast::{to_float64, to_int64};
use crate::decimal::Decimal;

pub(crate) static ALL: &[Function] = &[
    Function::new("add", takes(&[ANY], INT64).variadic(), add).doc("the sum", "{{add 1 2 3}}", "6"),
    Function::new("add1", takes(&[ANY], INT64), add1).doc("one more", "{{add1 1}}", "2"),
    Function::new("sub", takes(&[ANY, ANY], INT64), sub).doc("the difference", "{{sub 5 2}}", "3"),
    Function::new("mul", takes(&[ANY, ANY], INT64).variadic(), mul).doc("the product", "{{mul 2 3}}", "6"),
    Function::new("div", takes(&[ANY, ANY], INT64), div).doc("the whole quotient", "{{div 7 2}}", "3"),
    Function::new("mod", takes(&[ANY, ANY], INT64), modulo).doc("the remainder", "{{mod 7 2}}", "1"),
    Function::new("max", takes(&[ANY, ANY], INT64).variadic(), max).doc("the largest", "{{max 1 3 2}}", "3"),
    Function::new("biggest", takes(&[ANY, ANY], INT64).variadic(), max).doc("the same as max", "", ""),
    Function::new("min", takes(&[ANY, ANY], INT64).variadic(), min).doc("the smallest", "{{min 1 3 2}}", "1"),
    Function::new("addf", takes(&[ANY], FLOAT).variadic(), addf).doc("the sum", "{{addf 0.1 0.2}}", "0.3"),
    Function::new("add1f", takes(&[ANY], FLOAT), add1f).doc("one more", "{{add1f 1.5}}", "2.5"),
    Function::new("subf", takes(&[ANY, ANY], FLOAT).variadic(), subf).doc("the difference", "{{subf 7.5 2 3}}", "2.5"),
    Function::new("mulf", takes(&[ANY, ANY], FLOAT).variadic(), mulf).doc("the product", "{{mulf 1.5 2}}", "3"),
    Function::new("divf", takes(&[ANY, ANY], FLOAT).variadic(), divf).doc("the quotient", "{{divf 10 2 4}}", "1.25"),
    Function::new("maxf", takes(&[ANY, ANY], FLOAT).variadic(), maxf).doc("the largest", "{{maxf 1 2.5}}", "2.5"),
    Function::new("minf", takes(&[ANY, ANY], FLOAT).variadic(), minf).doc("the smallest", "{{minf 1.5 2}}", "1.5"),
    Function::new("floor", takes(&[ANY], FLOAT), floor).doc("rounded down", "{{floor 1.9}}", "1"),
    Function::new("ceil", takes(&[ANY], FLOAT), ceil).doc("rounded up", "{{ceil 1.1}}", "2"),
    Function::new("round", takes(&[ANY, INT, FLOAT], FLOAT).variadic(), round).doc(
        "rounded to so many digits behind the point",
        "{{round 1.256 2}}",
        "1.26",
    ),
];

fn add(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int64(args.iter().fold(0, |sum, v| sum.wrapping_add(to_int64(v)))))
}

fn add1(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int64(to_int64(any(args, 0)).wrapping_add(1)))
}

fn sub(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int64(to_int64(any(args, 0)).wrapping_sub(to_int64(any(args, 1)))))
}

fn mul(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int64(args.iter().fold(1, |product, v| product.wrapping_mul(to_int64(v)))))
}

fn quotient(args: &[Value], divide: fn(i64, i64) -> i64) -> Result {
    match (to_int64(any(args, 0)), to_int64(any(args, 1))) {
        (_, 0) => fail("runtime error: integer divide by zero"),
        (a, b) => Ok(Value::Int64(divide(a, b))),
    }
}

fn div(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    quotient(args, i64::wrapping_div)
}

fn modulo(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    quotient(args, i64::wrapping_rem)
}

fn max(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int64(args.iter().map(to_int64).max().unwrap_or(0)))
}

fn min(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Int64(args.iter().map(to_int64).min().unwrap_or(0)))
}

type Operation = fn(&Decimal, &Decimal) -> Result<Decimal>;

/// Applies a decimal operation from left to right.
fn decimal(first: &Value, others: &[Value], operation: Operation) -> Result {
    let mut result = Decimal::from_float(to_float64(first))?;
    for other in others {
        result = operation(&result, &Decimal::from_float(to_float64(other))?)?;
    }
    Ok(Value::Float(result.to_float()))
}

fn addf(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    decimal(&Value::Float(0.0), args, Decimal::add)
}

fn add1f(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    decimal(any(args, 0), &[Value::Int(1)], Decimal::add)
}

fn subf(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    decimal(any(args, 0), from(args, 1), Decimal::subtract)
}

fn mulf(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    decimal(any(args, 0), from(args, 1), Decimal::multiply)
}

fn divf(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    decimal(any(args, 0), from(args, 1), Decimal::divide)
}

/// Go's `math.Max` and `math.Min`: NaN is contagious.
fn extreme(args: &[Value], wins: fn(f64, f64) -> f64) -> Result {
    let mut all = args.iter().map(to_float64);
    let first = all.next().unwrap_or(0.0);
    Ok(Value::Float(all.fold(first, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { wins(a, b) })))
}

fn maxf(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    extreme(args, f64::max)
}

fn minf(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    extreme(args, f64::min)
}

fn floor(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Float(to_float64(any(args, 0)).floor()))
}

fn ceil(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Float(to_float64(any(args, 0)).ceil()))
}

fn round(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let value = to_float64(any(args, 0));
    let round_up_from = args.get(2).map_or(0.5, to_float64);
    let places = i32::try_from(int(args, 1).clamp(-400, 400)).unwrap_or(0);
    let power = 10_f64.powi(places);
    let scaled = power * value;
    let rounded = if scaled.fract() >= round_up_from { scaled.ceil() } else { scaled.floor() };
    Ok(Value::Float(rounded / power))
}
