//! Values for what is missing.

use echion_template::{CallContext, Function, is_true, takes};
use echion_value::Value;

use crate::args::{ANY, BOOL, Result, any, from};

pub(crate) static ALL: &[Function] = &[
    Function::new("default", takes(&[ANY, ANY], ANY).variadic(), default).doc(
        "the second argument, or the first when that is empty",
        "{{\"\" | default \"none\"}}",
        "none",
    ),
    Function::new("empty", takes(&[ANY], BOOL), empty).doc(
        "whether it is zero, empty or missing",
        "{{empty 0}}",
        "true",
    ),
    Function::new("coalesce", takes(&[ANY], ANY).variadic(), coalesce).doc(
        "the first argument that is not empty",
        "{{coalesce 0 \"\" 3}}",
        "3",
    ),
    Function::new("all", takes(&[ANY], BOOL).variadic(), all).doc("whether none is empty", "{{all 1 \"\"}}", "false"),
    Function::new("any", takes(&[ANY], BOOL).variadic(), any_of).doc("whether one is not empty", "{{any 0 1}}", "true"),
    Function::new("ternary", takes(&[ANY, ANY, BOOL], ANY), ternary).doc(
        "the first argument when the last is true, else the second",
        "{{true | ternary \"yes\" \"no\"}}",
        "yes",
    ),
];

/// Whether sprig calls it empty: the same values that are false in `if`.
pub(crate) fn is_empty(value: &Value) -> bool {
    !is_true(value)
}

fn default(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let given = any(args, 1);
    Ok(if is_empty(given) { any(args, 0).clone() } else { given.clone() })
}

fn empty(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(is_empty(any(args, 0))))
}

fn coalesce(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(args.iter().find(|value| !is_empty(value)).cloned().unwrap_or_default())
}

fn all(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(!args.iter().any(is_empty)))
}

fn any_of(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(from(args, 0).iter().any(is_true)))
}

fn ternary(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(any(args, usize::from(!is_true(any(args, 2)))).clone())
}
