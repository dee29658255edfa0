//! Maps, and looking into things.

use echion_value::format::display;
use echion_value::{List, Str, Table, Type, Value, identical};

use super::{Args, Builtin, Check, exactly, printed, type_name};
use crate::error::EvalError;
use crate::fetch;
use crate::limits::Meter;
use crate::nature::{LIST, Nature};
use crate::operators::kind_of;

const PAIR: Type = Type::Array(2, &Type::Any);

pub(super) const ALL: &[Builtin] = &[
    Builtin {
        name: "get",
        signature: "(list | map, index | key) any",
        about: "The element or entry, or nil where there is none.",
        example: ("get({'a': 1}, 'a')", "1"),
        check: Check::Rule(|args| exactly(2, args).map(|()| Nature::Unknown)),
        run: |_, args| match args {
            [from, key] => fetch::get(from, key),
            _ => Err(EvalError::new(format!("invalid number of arguments (expected 2, got {})", args.len()))),
        },
    },
    Builtin {
        name: "keys",
        signature: "(map) list",
        about: "The keys of a map.",
        example: ("keys({'a': 1})", "[a]"),
        check: Check::Rule(|args| one_map(args, LIST, |t| format!("cannot get keys from {t}"))),
        run: |meter, args| {
            let pairs = pairs(meter, args, |kind| format!("cannot get keys from {kind}"))?;
            Ok(Value::from(pairs.into_iter().map(|(key, _)| key).collect::<Vec<_>>()))
        },
    },
    Builtin {
        name: "values",
        signature: "(map) list",
        about: "The values of a map.",
        example: ("values({'a': 1})", "[1]"),
        check: Check::Rule(|args| one_map(args, LIST, |t| format!("cannot get values from {t}"))),
        run: |meter, args| {
            let pairs = pairs(meter, args, |kind| format!("cannot get values from {kind}"))?;
            Ok(Value::from(pairs.into_iter().map(|(_, value)| value).collect::<Vec<_>>()))
        },
    },
    Builtin {
        name: "toPairs",
        signature: "(map) list",
        about: "The entries of a map, each a list of key and value.",
        example: ("toPairs({'a': 1})", "[[a 1]]"),
        check: Check::Rule(|args| one_map(args, LIST, |t| format!("cannot transform {t} to pairs"))),
        run: |meter, args| {
            let pairs = pairs(meter, args, |kind| format!("cannot transform {kind} to pairs"))?;
            let pairs = pairs.into_iter().map(|(k, v)| Value::List(List::new(PAIR, vec![k, v]))).collect();
            Ok(Value::List(List::new(Type::List(&PAIR), pairs)))
        },
    },
    Builtin {
        name: "fromPairs",
        signature: "(list) map",
        about: "The map of a list of pairs.",
        example: ("fromPairs([['a', 1]])", "map[a:1]"),
        check: Check::Rule(|args| {
            exactly(1, args)?;
            match &args[0] {
                arg if arg.is_unknown() || arg.is_list() => Ok(Nature::Of(Type::Map(&Type::Any, &Type::Any))),
                arg => Err(format!("cannot transform {} from pairs", printed(arg))),
            }
        }),
        run: from_pairs,
    },
];

fn one_map(args: &[Nature], result: Nature, complaint: impl Fn(String) -> String) -> Result<Nature, String> {
    exactly(1, args)?;
    match &args[0] {
        arg if arg.is_unknown() || arg.is_map() => Ok(result),
        arg => Err(complaint(printed(arg))),
    }
}

fn pairs(
    meter: &mut Meter<'_>,
    args: Args<'_, '_>,
    complaint: impl Fn(&str) -> String,
) -> Result<Vec<(Value, Value)>, EvalError> {
    let pairs = match args.first().map_or(&Value::Nil, AsRef::as_ref) {
        Value::Map(map) => map.entries().iter().map(|(k, v)| (Value::Str(Str::clone(k)), v.clone())).collect(),
        Value::Table(table) => table.entries().to_vec(),
        other => return Err(EvalError::new(complaint(kind_of(other)))),
    };
    meter.grow(pairs.len())?;
    Ok(pairs)
}

fn from_pairs(meter: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let arg = args.first().map_or(&Value::Nil, AsRef::as_ref);
    let Some(items) = fetch::elements(arg) else {
        return Err(EvalError::new(format!("cannot transform {} from pairs", show_as_text(arg))));
    };
    meter.grow(items.len())?;
    let mut entries: Vec<(Value, Value)> = Vec::with_capacity(items.len());
    for item in items {
        let Some(pair) = fetch::elements(&item) else {
            return Err(EvalError::new(format!("invalid pair {}", display(&item))));
        };
        let Ok([key, value]) = <[Value; 2]>::try_from(pair) else {
            return Err(EvalError::new(format!("invalid pair length {}", display(&item))));
        };
        fetch::check_hashable(&key)?;
        meter.work(entries.len() / 8 + 1)?;
        match entries.iter_mut().find(|(other, _)| identical(other, &key)) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }
    Ok(Value::Table(Table::new(Type::Any, Type::Any, entries)))
}

/// Go's `%s` of a reflected value, which complains about what is no text.
fn show_as_text(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        Value::Nil => "%!s(<invalid reflect.Value>)".to_owned(),
        other => format!("%!s({}={})", type_name(other), display(other)),
    }
}
