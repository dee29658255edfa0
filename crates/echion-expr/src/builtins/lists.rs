//! Lists.

use echion_value::{List, Type, Value};

use super::{Args, Builtin, Check, exactly, one_list, printed, type_name};
use crate::error::EvalError;
use crate::limits::Meter;
use crate::nature::{INT, LIST, Nature};
use crate::operators::{equal, kind_of};
use crate::{fetch, sort};

/// How deep lists may be nested in each other before a builtin that looks into all of them gives up.
pub(super) const MAX_DEPTH: usize = 500;

pub(super) const ALL: &[Builtin] = &[
    Builtin {
        name: "len",
        signature: "(list | map | string) int",
        about: "How many elements, entries or characters there are.",
        example: ("len('日本')", "2"),
        check: Check::Rule(|args| {
            exactly(1, args)?;
            match args[0].kind() {
                "array" | "map" | "slice" | "string" | "interface" => Ok(INT),
                _ => Err(format!("invalid argument for len (type {})", printed(&args[0]))),
            }
        }),
        run: len,
    },
    Builtin {
        name: "first",
        signature: "(list) any",
        about: "The first element, or nil.",
        example: ("first([1, 2])", "1"),
        check: Check::Rule(|args| end_of(args, "first")),
        run: |_, args| Ok(end(args, 0)),
    },
    Builtin {
        name: "last",
        signature: "(list) any",
        about: "The last element, or nil.",
        example: ("last([1, 2])", "2"),
        check: Check::Rule(|args| end_of(args, "last")),
        run: |_, args| Ok(end(args, -1)),
    },
    Builtin {
        name: "take",
        signature: "(list, int) list",
        about: "The first elements, as many as asked for.",
        example: ("take([1, 2, 3], 2)", "[1 2]"),
        check: Check::Rule(|args| {
            exactly(2, args)?;
            if let Some(list) = args.first().filter(|list| !list.is_unknown() && !list.is_list()) {
                return Err(format!("cannot take from {}", printed(list)));
            }
            if let Some(count) = args.get(1).filter(|count| !count.is_unknown() && !is_int_kind(count)) {
                return Err(format!("cannot take {} elements", printed(count)));
            }
            Ok(args.first().cloned().unwrap_or_default())
        }),
        run: take,
    },
    Builtin {
        name: "reverse",
        signature: "(list) list",
        about: "The elements from the last to the first.",
        example: ("reverse([1, 2, 3])", "[3 2 1]"),
        check: Check::Rule(|args| one_list(args, LIST, |t| format!("cannot reverse {t}"))),
        run: |meter, args| {
            let items = items(args, 0, |kind| format!("cannot reverse {kind}"))?;
            meter.grow(items.len())?;
            Ok(Value::from(items.into_iter().rev().collect::<Vec<_>>()))
        },
    },
    Builtin {
        name: "uniq",
        signature: "(list) list",
        about: "The elements without those that came before.",
        example: ("uniq([1, 2, 1])", "[1 2]"),
        check: Check::Rule(|args| one_list(args, LIST, |t| format!("cannot uniq {t}"))),
        run: uniq,
    },
    Builtin {
        name: "concat",
        signature: "(list...) list",
        about: "All elements of all lists.",
        example: ("concat([1], [2, 3])", "[1 2 3]"),
        check: Check::Rule(|args| {
            if args.is_empty() {
                return Err("invalid number of arguments (expected at least 1, got 0)".to_owned());
            }
            match args.iter().find(|arg| !arg.is_unknown() && !arg.is_list()) {
                Some(arg) => Err(format!("cannot concat {}", printed(arg))),
                None => Ok(LIST),
            }
        }),
        run: |meter, args| {
            let mut all = Vec::new();
            for index in 0..args.len() {
                let items = items(args, index, |kind| format!("cannot concat {kind}"))?;
                meter.grow(items.len())?;
                all.extend(items);
            }
            // Nothing was ever appended to the nil slice.
            Ok(if all.is_empty() { Value::List(List::nil(Type::LIST)) } else { Value::from(all) })
        },
    },
    Builtin {
        name: "flatten",
        signature: "(list) list",
        about: "The elements, those of lists inside the list included.",
        example: ("flatten([1, [2, [3]]])", "[1 2 3]"),
        check: Check::Rule(|args| one_list(args, LIST, |t| format!("cannot flatten {t}"))),
        run: |meter, args| {
            let items = items(args, 0, |kind| format!("cannot flatten {kind}"))?;
            let mut flat = Vec::new();
            flatten(meter, items, &mut flat, 0)?;
            meter.grow(flat.len())?;
            Ok(Value::from(flat))
        },
    },
    Builtin {
        name: "sort",
        signature: "(list, [order]) list",
        about: "The elements in ascending order, or in descending order with \"desc\".",
        example: ("sort([3, 1, 2], 'desc')", "[3 2 1]"),
        check: Check::Rule(|args| {
            if args.is_empty() || args.len() > 2 {
                return Err(format!("invalid number of arguments (expected 1 or 2, got {})", args.len()));
            }
            if !args[0].is_unknown() && !args[0].is_list() {
                return Err(format!("cannot sort {}", printed(&args[0])));
            }
            if let Some(order) = args.get(1).filter(|order| !order.is_unknown() && !order.is_text()) {
                return Err(format!("invalid argument for sort (expected string, got {})", printed(order)));
            }
            Ok(LIST)
        }),
        run: sorted,
    },
];

fn end_of(args: &[Nature], which: &str) -> Result<Nature, String> {
    exactly(1, args)?;
    match &args[0] {
        arg if arg.is_unknown() => Ok(Nature::Unknown),
        arg if arg.is_list() => Ok(arg.element()),
        arg => Err(format!("cannot get {which} element from {}", printed(arg))),
    }
}

fn is_int_kind(nature: &Nature) -> bool {
    matches!(nature.kind(), "int" | "int64" | "int32")
}

fn len(_: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let arg = args.first().map_or(&Value::Nil, AsRef::as_ref);
    let len = match arg {
        Value::Str(s) => s.as_bytes().utf8_chunks().map(|c| c.valid().chars().count() + c.invalid().len()).sum(),
        Value::Nil => None.ok_or_else(|| invalid_len(arg))?,
        other => fetch::length(other).ok_or_else(|| invalid_len(arg))?,
    };
    Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX)))
}

pub(crate) fn invalid_len(value: &Value) -> EvalError {
    EvalError::new(format!("invalid argument for len (type {})", super::type_name(value)))
}

fn end(args: Args<'_, '_>, index: i64) -> Value {
    let list = args.first().map_or(&Value::Nil, AsRef::as_ref);
    fetch::get(list, &Value::Int(index)).ok().unwrap_or_default()
}

fn take(meter: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let [list, count] = args else {
        return Err(EvalError::new(format!("invalid number of arguments (expected 2, got {})", args.len())));
    };
    let Some(len) = fetch::length(list).filter(|_| matches!(kind_of(list), "slice" | "array")) else {
        return Err(EvalError::new(format!("cannot take from {}", kind_of(list))));
    };
    let count = match count.as_ref() {
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) => *n,
        Value::Int32(n) => i64::from(*n),
        other => return Err(EvalError::new(format!("cannot take {} elements", kind_of(other)))),
    };
    let Ok(count) = usize::try_from(count) else {
        return Err(EvalError::new("reflect.Value.Slice: slice index out of bounds"));
    };
    fetch::part(meter, list, 0, count.min(len))
}

/// The elements of a list of any type.
fn items(args: Args<'_, '_>, index: usize, complaint: impl Fn(&str) -> String) -> Result<Vec<Value>, EvalError> {
    let list = args.get(index).map_or(&Value::Nil, AsRef::as_ref);
    fetch::elements(list).ok_or_else(|| EvalError::new(complaint(kind_of(list))))
}

fn uniq(meter: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let items = items(args, 0, |kind| format!("cannot uniq {kind}"))?;
    let mut unique: Vec<Value> = Vec::new();
    for item in items {
        meter.work(unique.len() + 1)?;
        let mut known = false;
        for other in &unique {
            if equal(meter, &item, other)? {
                known = true;
                break;
            }
        }
        if !known {
            unique.push(item);
        }
    }
    meter.grow(unique.len())?;
    Ok(Value::from(unique))
}

fn flatten(meter: &mut Meter<'_>, items: Vec<Value>, into: &mut Vec<Value>, depth: usize) -> Result<(), EvalError> {
    if depth > MAX_DEPTH {
        return Err(EvalError::new("recursion depth exceeded"));
    }
    for item in items {
        match fetch::elements(&item) {
            Some(inner) => {
                meter.work(1 + inner.len())?;
                flatten(meter, inner, into, depth + 1)?;
            }
            None => {
                meter.grow(1)?;
                into.push(item);
            }
        }
    }
    Ok(())
}

fn sorted(meter: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let list = args.first().map_or(&Value::Nil, AsRef::as_ref);
    // Lists of other element types, and what is no list at all, sort to nothing in the reference.
    let sortable = [Type::LIST, Type::INTS, Type::STRINGS, Type::List(&Type::Float64)];
    let items = match list {
        Value::List(list) if sortable.contains(&list.list_type()) => Some(list.items().to_vec()),
        _ => None,
    };
    let descending = match args.get(1).map(AsRef::as_ref) {
        None => false,
        Some(Value::Str(order)) if *order == "asc" => false,
        Some(Value::Str(order)) if *order == "desc" => true,
        Some(Value::Str(order)) => {
            return Err(EvalError::new(format!("invalid order {order}, expected asc or desc")));
        }
        Some(other) => {
            let found = type_name(other);
            return Err(EvalError::new(format!("sort order argument must be a string (got {found})")));
        }
    };
    let Some(items) = items else { return Ok(Value::List(List::nil(Type::LIST))) };
    meter.grow(items.len())?;
    let keyed = items.into_iter().map(|item| (item.clone(), item)).collect();
    Ok(Value::List(List::of_any(sort::sort(meter, keyed, descending)?)))
}
