//! Types and deep equality.

use std::convert::Infallible;

use echion_template::{CallContext, Function, takes};
use echion_value::{Map, Value};

use crate::args::{ANY, BOOL, Result, TEXT, any, bytes, fail, kind, type_name};

pub(crate) static ALL: &[Function] = &[
    Function::new("typeOf", takes(&[ANY], TEXT), type_of).doc("the Go type", "{{typeOf 1}}", "int"),
    Function::new("typeIs", takes(&[TEXT, ANY], BOOL), type_is).doc(
        "whether the Go type is that",
        "{{typeIs \"int\" 1}}",
        "true",
    ),
    Function::new("typeIsLike", takes(&[TEXT, ANY], BOOL), type_is_like).doc(
        "whether the type of a value, or what it points to, has that name",
        "{{typeIsLike \"int\" 1}}",
        "true",
    ),
    Function::new("kindOf", takes(&[ANY], TEXT), kind_of).doc("the Go kind", "{{kindOf (list 1)}}", "slice"),
    Function::new("kindIs", takes(&[TEXT, ANY], BOOL), kind_is).doc(
        "whether the Go kind is that",
        "{{kindIs \"map\" (dict)}}",
        "true",
    ),
    Function::new("deepEqual", takes(&[ANY, ANY], BOOL), deep_equal).doc(
        "whether all parts are equal",
        "{{deepEqual (list 1 2) (list 1 2)}}",
        "true",
    ),
    Function::new("deepCopy", takes(&[ANY], ANY), deep_copy).doc(
        "a copy whose dictionaries are its own",
        "{{deepCopy (dict \"a\" 1)}}",
        "map[a:1]",
    ),
    Function::new("mustDeepCopy", takes(&[ANY], ANY).fallible(), deep_copy).doc("the same as deepCopy", "", ""),
];

fn type_of(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::from(type_name(any(args, 0))))
}

fn type_is(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(bytes(args, 0) == type_name(any(args, 1)).as_bytes()))
}

fn type_is_like(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let name = type_name(any(args, 1));
    let target = bytes(args, 0);
    Ok(Value::Bool(target == name.as_bytes() || [b"*", target].concat() == name.as_bytes()))
}

fn kind_of(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::from(kind(any(args, 0))))
}

fn kind_is(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(bytes(args, 0) == kind(any(args, 1)).as_bytes()))
}

fn deep_equal(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    call.weigh(any(args, 0))?;
    Ok(Value::Bool(equal(any(args, 0), any(args, 1))))
}

/// Go's `reflect.DeepEqual`. The first value must have been weighed.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    echion_value::deep_equal(a, b, &mut || Ok::<(), Infallible>(())).unwrap_or_else(|never| match never {})
}

fn deep_copy(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let value = any(args, 0);
    if matches!(value, Value::Nil) {
        return fail("reflect: call of reflect.Value.Type on zero Value");
    }
    call.weigh(value)?;
    copy(value, 0)
}

/// How deep values are copied.
const DEPTH: usize = 400;

fn copy(value: &Value, depth: usize) -> Result {
    if depth > DEPTH {
        return fail("the value is nested too deeply");
    }
    Ok(match value {
        Value::Map(map) if !map.is_nil() => {
            let entries = map.entries();
            let entries = entries.iter().map(|(k, v)| Ok((k.clone(), copy(v, depth + 1)?)));
            Value::Map(Map::new(map.element(), entries.collect::<Result<_>>()?))
        }
        Value::List(list) if !list.is_nil() => {
            let items = list.items().iter().map(|v| copy(v, depth + 1)).collect::<Result<_>>()?;
            Value::List(echion_value::List::new(list.list_type(), items))
        }
        other => other.clone(),
    })
}
