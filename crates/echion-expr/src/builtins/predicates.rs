//! Builtins that run a predicate for each element. The compiler turns them into loops, so nothing here is called.

use echion_value::Value;

use super::{Args, Builtin, Check, Slot};
use crate::error::EvalError;
use crate::limits::Meter;

const LIST: Slot = Slot { predicate: false, optional: false };
const PREDICATE: Slot = Slot { predicate: true, optional: false };
const OPTIONAL_PREDICATE: Slot = Slot { predicate: true, optional: true };
const OPTIONAL: Slot = Slot { predicate: false, optional: true };

fn never(_: &mut Meter<'_>, _: Args<'_, '_>) -> Result<Value, EvalError> {
    Err(EvalError::new("a loop cannot be called"))
}

const fn looping(
    name: &'static str,
    signature: &'static str,
    about: &'static str,
    example: (&'static str, &'static str),
    slots: &'static [Slot],
) -> Builtin {
    Builtin { name, signature, about, example, check: Check::Loop(slots), run: never }
}

const TWO: &[Slot] = &[LIST, PREDICATE];

pub(super) const ALL: &[Builtin] = &[
    looping(
        "all",
        "(list, predicate) bool",
        "Whether the predicate holds for every element.",
        ("all([1, 2], # > 0)", "true"),
        TWO,
    ),
    looping(
        "none",
        "(list, predicate) bool",
        "Whether the predicate holds for no element.",
        ("none([1, 2], # > 2)", "true"),
        TWO,
    ),
    looping(
        "any",
        "(list, predicate) bool",
        "Whether the predicate holds for some element.",
        ("any([1, 2], # > 1)", "true"),
        TWO,
    ),
    looping(
        "one",
        "(list, predicate) bool",
        "Whether the predicate holds for exactly one element.",
        ("one([1, 2], # > 1)", "true"),
        TWO,
    ),
    looping(
        "filter",
        "(list, predicate) list",
        "The elements for which the predicate holds.",
        ("filter([1, 2, 3], # > 1)", "[2 3]"),
        TWO,
    ),
    looping(
        "map",
        "(list, predicate) list",
        "What the predicate makes of each element.",
        ("map([1, 2], # * 2)", "[2 4]"),
        TWO,
    ),
    looping(
        "count",
        "(list, [predicate]) int",
        "How many elements the predicate holds for; without one, how many are true.",
        ("count([1, 2, 3], # > 1)", "2"),
        &[LIST, OPTIONAL_PREDICATE],
    ),
    looping(
        "sum",
        "(list, [predicate]) number",
        "The sum of the elements, or of what the predicate makes of them.",
        ("sum([1, 2, 3])", "6"),
        &[LIST, OPTIONAL_PREDICATE],
    ),
    looping(
        "find",
        "(list, predicate) any",
        "The first element for which the predicate holds, or nil.",
        ("find([1, 2, 3], # > 1)", "2"),
        TWO,
    ),
    looping(
        "findIndex",
        "(list, predicate) int",
        "The index of the first such element, or nil.",
        ("findIndex([1, 2, 3], # > 1)", "1"),
        TWO,
    ),
    looping(
        "findLast",
        "(list, predicate) any",
        "The last element for which the predicate holds, or nil.",
        ("findLast([1, 2, 3], # > 1)", "3"),
        TWO,
    ),
    looping(
        "findLastIndex",
        "(list, predicate) int",
        "The index of the last such element, or nil.",
        ("findLastIndex([1, 2, 3], # > 1)", "2"),
        TWO,
    ),
    looping(
        "groupBy",
        "(list, predicate) map",
        "The elements by what the predicate makes of them.",
        ("groupBy([1, 2, 3], # % 2)[1]", "[1 3]"),
        TWO,
    ),
    looping(
        "sortBy",
        "(list, predicate, [order]) list",
        "The elements in the order of what the predicate makes of them.",
        ("sortBy([3, 1, 2], -#)", "[3 2 1]"),
        &[LIST, PREDICATE, OPTIONAL],
    ),
    looping(
        "reduce",
        "(list, predicate, [initial]) any",
        "Folds the list; `#acc` is the value so far.",
        ("reduce([1, 2, 3], #acc + #, 10)", "16"),
        &[LIST, PREDICATE, OPTIONAL],
    ),
];
