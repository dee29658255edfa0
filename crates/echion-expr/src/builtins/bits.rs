//! Bits of integers.

use echion_value::{Signature, Type, Value};

use super::{Args, Builtin, Check, type_name};
use crate::error::EvalError;
use crate::limits::Meter;

const ONE: &[Signature] = &[Signature::new(&[Type::Int], Type::Int)];
const TWO: &[Signature] = &[Signature::new(&[Type::Int, Type::Int], Type::Int)];

macro_rules! bitwise {
    ($name:literal, $about:literal, $example:expr, |$a:ident, $b:ident| $body:expr) => {
        Builtin {
            name: $name,
            signature: "(int, int) int",
            about: $about,
            example: $example,
            check: Check::Overloads(TWO),
            run: |_, args| {
                let ($a, $b) = (int($name, args, 0)?, int($name, args, 1)?);
                $body.map(Value::Int)
            },
        }
    };
}

pub(super) const ALL: &[Builtin] = &[
    bitwise!("bitand", "Bits that both have.", ("bitand(6, 3)", "2"), |a, b| Ok(a & b)),
    bitwise!("bitor", "Bits that either has.", ("bitor(6, 3)", "7"), |a, b| Ok(a | b)),
    bitwise!("bitxor", "Bits that one has and the other has not.", ("bitxor(6, 3)", "5"), |a, b| Ok(a ^ b)),
    bitwise!("bitnand", "Bits of the first that the second has not.", ("bitnand(6, 3)", "4"), |a, b| Ok(a & !b)),
    bitwise!("bitshl", "Bits moved to the left.", ("bitshl(1, 4)", "16"), |a, b| shift(a, b, |a, by| {
        a.checked_shl(by).unwrap_or(0)
    })),
    bitwise!("bitshr", "Bits moved to the right, the sign kept.", ("bitshr(-16, 2)", "-4"), |a, b| shift(
        a,
        b,
        |a, by| { a >> by.min(63) }
    )),
    bitwise!("bitushr", "Bits moved to the right, zeros from the left.", ("bitushr(16, 2)", "4"), |a, b| shift(
        a,
        b,
        |a, by| a.cast_unsigned().checked_shr(by).unwrap_or(0).cast_signed()
    )),
    Builtin {
        name: "bitnot",
        signature: "(int) int",
        about: "Every bit the other way round.",
        example: ("bitnot(5)", "-6"),
        check: Check::Overloads(ONE),
        run: bitnot,
    },
];

fn bitnot(_: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    Ok(Value::Int(!int("bitnot", args, 0)?))
}

fn shift(value: i64, by: i64, shifted: impl Fn(i64, u32) -> i64) -> Result<i64, EvalError> {
    if by < 0 {
        return Err(EvalError::new(format!("invalid operation: negative shift count {by} (type int)")));
    }
    Ok(shifted(value, u32::try_from(by).unwrap_or(u32::MAX)))
}

fn int(name: &str, args: Args<'_, '_>, index: usize) -> Result<i64, EvalError> {
    match args.get(index).map(AsRef::as_ref) {
        Some(Value::Int(n) | Value::Int64(n)) => Ok(*n),
        Some(Value::Int32(n)) => Ok(i64::from(*n)),
        Some(Value::Uint8(n)) => Ok(i64::from(*n)),
        Some(Value::Uint64(n)) => Ok(n.cast_signed()),
        other => {
            let found = type_name(other.unwrap_or(&Value::Nil));
            Err(EvalError::new(format!("cannot use {found} as argument (type int) to call {name}")))
        }
    }
}
