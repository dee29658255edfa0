//! Types and deep equality.

use echion_template::{Function, Host, takes};
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

fn type_of(_: &mut Host<'_>, args: &[Value]) -> Result {
    Ok(Value::from(type_name(any(args, 0))))
}

fn type_is(_: &mut Host<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(bytes(args, 0) == type_name(any(args, 1)).as_bytes()))
}

fn type_is_like(_: &mut Host<'_>, args: &[Value]) -> Result {
    let name = type_name(any(args, 1));
    let target = bytes(args, 0);
    Ok(Value::Bool(target == name.as_bytes() || [b"*", target].concat() == name.as_bytes()))
}

fn kind_of(_: &mut Host<'_>, args: &[Value]) -> Result {
    Ok(Value::from(kind(any(args, 0))))
}

fn kind_is(_: &mut Host<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(bytes(args, 0) == kind(any(args, 1)).as_bytes()))
}

fn deep_equal(host: &mut Host<'_>, args: &[Value]) -> Result {
    host.weigh(any(args, 0))?;
    Ok(Value::Bool(equal(any(args, 0), any(args, 1))))
}

/// Go's `reflect.DeepEqual`. The first value must have been weighed.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    let mut pending = vec![(a.clone(), b.clone())];
    while let Some((a, b)) = pending.pop() {
        if a.type_of() != b.type_of() || a.is_nil() != b.is_nil() {
            return false;
        }
        let same = match (&a, &b) {
            (Value::Nil, _) | (Value::NilPointer(_), _) => true,
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
            (Value::Time(a), Value::Time(b)) => a.equal(b) && a.location().name() == b.location().name(),
            (Value::List(a), Value::List(b)) => {
                pending.extend(a.items().iter().cloned().zip(b.items().iter().cloned()));
                a.len() == b.len()
            }
            (Value::Map(a), Value::Map(b)) => {
                let (a, b) = (a.entries(), b.entries());
                pending.extend(a.iter().map(|(_, v)| v.clone()).zip(b.iter().map(|(_, v)| v.clone())));
                a.len() == b.len() && a.iter().zip(b.iter()).all(|((a, _), (b, _))| a == b)
            }
            (Value::Object(a), Value::Object(b)) => std::sync::Arc::ptr_eq(a, b),
            _ => false,
        };
        if !same {
            return false;
        }
    }
    true
}

fn deep_copy(host: &mut Host<'_>, args: &[Value]) -> Result {
    let value = any(args, 0);
    if matches!(value, Value::Nil) {
        return fail("reflect: call of reflect.Value.Type on zero Value");
    }
    host.weigh(value)?;
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
