//! The beginning of an evaluation, as far as it needs no stack: most conditions test what paths lead to, and combine the tests.

use echion_value::{Map, Value};

use super::paths::borrowed;
use super::{Ran, size};
use crate::code::{Code, Op};
use crate::limits::Meter;
use crate::machine::conditions::{in_texts, is_constant};

/// Where the machine goes on.
pub(super) struct Start {
    /// The next instruction.
    pub(super) next: usize,
    /// The only value on the stack, if there is one.
    pub(super) holds: Option<bool>,
}

/// Runs instructions as long as there is at most one value, and that is a `bool`. Whatever is unusual is left to the machine.
pub(super) fn run(code: &Code, env: &Map, meter: &mut Meter<'_>, start: &mut Start) -> Ran {
    let ops = code.ops.as_slice();
    while let Some(op) = ops.get(start.next) {
        match (*op, start.holds) {
            (Op::Bool(b), None) => start.holds = Some(b),
            (Op::Path(path), None) => {
                let Some(value) = borrowed(code, env, path) else { return Ok(()) };
                meter.work(1 + code.paths[size(path)].members.len())?;
                if let Some(test) = ops.get(start.next + 1).and_then(|op| test(code, meter, *op, value)) {
                    // Errors are those of the test, and the path is done.
                    start.next += 2;
                    start.holds = Some(test?);
                    continue;
                }
                let Value::Bool(b) = value else { return Ok(()) };
                start.holds = Some(*b);
            }
            (Op::Not, Some(b)) => start.holds = Some(!b),
            (Op::JumpIfTrue(target), Some(true)) | (Op::JumpIfFalse(target), Some(false)) => {
                meter.work(1)?;
                start.next = size(target);
                continue;
            }
            (Op::JumpIfTrue(_), Some(false)) | (Op::JumpIfFalse(_), Some(true)) => {}
            (Op::Pop, Some(_)) => start.holds = None,
            _ => return Ok(()),
        }
        start.next += 1;
        meter.work(1)?;
    }
    Ok(())
}

/// What an instruction says of a value, when it is a test against a constant.
#[inline]
pub(super) fn test(code: &Code, meter: &mut Meter<'_>, op: Op, value: &Value) -> Option<Ran<bool>> {
    Some(match op {
        Op::EqualConstant(constant) => is_constant(meter, value, &code.constants[size(constant)]),
        Op::UnequalConstant(constant) => is_constant(meter, value, &code.constants[size(constant)]).map(|equal| !equal),
        Op::InTexts(constant) => in_texts(value, &code.constants[size(constant)]),
        _ => return None,
    })
}
