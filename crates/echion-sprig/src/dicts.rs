//! Dictionaries. Those that change one change it for everyone who has it, as in Go.

use std::borrow::Cow;

use echion_template::{CallContext, Function, is_true, takes};
use echion_value::{List, Map, Str, Type, Value};

use crate::args::{ANY, BOOL, LIST, MAP, Result, TEXT, TEXTS, any, fail, from, make_list, map, text};
use crate::cast::{assert_type, strval};

pub(crate) static ALL: &[Function] = &[
    Function::new("dict", takes(&[ANY], MAP).variadic(), dict).doc(
        "a dictionary of keys and values",
        "{{dict \"a\" 1 \"b\" 2}}",
        "map[a:1 b:2]",
    ),
    Function::new("get", takes(&[MAP, TEXT], ANY), get).doc(
        "the value under a key, or an empty text",
        "{{get (dict \"a\" 1) \"a\"}}",
        "1",
    ),
    Function::new("set", takes(&[MAP, TEXT, ANY], MAP), set).doc(
        "sets a key",
        "{{set (dict \"a\" 1) \"b\" 2}}",
        "map[a:1 b:2]",
    ),
    Function::new("unset", takes(&[MAP, TEXT], MAP), unset).doc(
        "removes a key",
        "{{unset (dict \"a\" 1 \"b\" 2) \"b\"}}",
        "map[a:1]",
    ),
    Function::new("hasKey", takes(&[MAP, TEXT], BOOL), has_key).doc(
        "whether the key is there",
        "{{hasKey (dict \"a\" 1) \"a\"}}",
        "true",
    ),
    Function::new("pluck", takes(&[TEXT, MAP], LIST).variadic(), pluck).doc(
        "what several dictionaries have under a key",
        "{{pluck \"a\" (dict \"a\" 1) (dict \"a\" 2)}}",
        "[1 2]",
    ),
    Function::new("keys", takes(&[MAP], TEXTS).variadic(), keys).doc("all keys", "{{keys (dict \"a\" 1)}}", "[a]"),
    Function::new("values", takes(&[MAP], LIST), values).doc("all values", "{{values (dict \"a\" 1)}}", "[1]"),
    Function::new("pick", takes(&[MAP, TEXT], MAP).variadic(), pick).doc(
        "only these keys",
        "{{pick (dict \"a\" 1 \"b\" 2) \"a\"}}",
        "map[a:1]",
    ),
    Function::new("omit", takes(&[MAP, TEXT], MAP).variadic(), omit).doc(
        "all but these keys",
        "{{omit (dict \"a\" 1 \"b\" 2) \"a\"}}",
        "map[b:2]",
    ),
    Function::new("merge", takes(&[MAP, MAP], ANY).variadic(), merge).doc(
        "adds to the first dictionary what the others have more",
        "{{merge (dict \"a\" 1) (dict \"a\" 2 \"b\" 2)}}",
        "map[a:1 b:2]",
    ),
    Function::new("mustMerge", takes(&[MAP, MAP], ANY).variadic().fallible(), merge).doc("the same as merge", "", ""),
    Function::new("mergeOverwrite", takes(&[MAP, MAP], ANY).variadic(), merge_overwrite).doc(
        "the first map with the keys of the others added, and later values win",
        "{{mergeOverwrite (dict \"a\" 1) (dict \"a\" 2 \"b\" 2)}}",
        "map[a:2 b:2]",
    ),
    Function::new("mustMergeOverwrite", takes(&[MAP, MAP], ANY).variadic().fallible(), merge_overwrite).doc(
        "the same as mergeOverwrite",
        "",
        "",
    ),
    Function::new("dig", takes(&[ANY], ANY).variadic().fallible(), dig).doc(
        "the value at a path of keys, or a default",
        "{{dict \"a\" (dict \"b\" 1) | dig \"a\" \"b\" 0}}",
        "1",
    ),
];

/// What one entry of a new dictionary is accounted for.
const ENTRY: usize = 32;

fn dict(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut entries = Vec::with_capacity(args.len().div_ceil(2));
    for pair in args.chunks(2) {
        let key = strval(call, any(pair, 0))?;
        entries.push((key, pair.get(1).cloned().unwrap_or_else(|| Value::from(""))));
    }
    call.reserve(entries.len().saturating_mul(ENTRY))?;
    Ok(Value::Map(Map::of_any(entries)))
}

fn get(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let found = map(args, 0).get(text(args, 1).as_bytes()).map(Cow::into_owned);
    Ok(found.unwrap_or_else(|| Value::from("")))
}

fn set(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let map = map(args, 0);
    if map.is_nil() {
        return fail("assignment to entry in nil map");
    }
    call.reserve(ENTRY)?;
    map.set(text(args, 1), any(args, 2).clone())?;
    Ok(Value::Map(map))
}

fn unset(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let map = map(args, 0);
    let key = text(args, 1);
    if map.get(key.as_bytes()).is_some() {
        map.remove(key.as_bytes());
    }
    Ok(Value::Map(map))
}

fn has_key(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(map(args, 0).get(text(args, 1).as_bytes()).is_some()))
}

fn maps(args: &[Value]) -> impl Iterator<Item = &Map> {
    args.iter().filter_map(Value::as_map)
}

fn pluck(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let key = text(args, 0);
    let found = maps(from(args, 1)).filter_map(|map| map.get(key.as_bytes()).map(Cow::into_owned));
    Ok(make_list(found.collect()))
}

fn keys(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let count = maps(args).map(Map::len).sum::<usize>();
    call.reserve(count.saturating_mul(ENTRY))?;
    let keys: Vec<Str> =
        maps(args).flat_map(|map| map.entries().iter().map(|(k, _)| k.clone()).collect::<Vec<_>>()).collect();
    Ok(Value::List(List::of_strings(keys)))
}

fn values(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let map = map(args, 0);
    call.reserve(map.len().saturating_mul(ENTRY))?;
    Ok(make_list(map.entries().iter().map(|(_, v)| v.clone()).collect()))
}

/// The entries whose keys are among the other arguments, or are not.
fn chosen(call: &mut CallContext<'_>, args: &[Value], wanted: bool) -> Result {
    let map = map(args, 0);
    let keys = from(args, 1);
    call.reserve(map.len().saturating_mul(ENTRY + keys.len()))?;
    let listed = |key: &Str| keys.iter().any(|k| matches!(k, Value::Str(k) if k == key));
    let entries = map.entries();
    let entries = entries.iter().filter(|(k, _)| listed(k) == wanted).cloned();
    Ok(Value::Map(Map::of_any(entries.collect())))
}

fn pick(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    chosen(call, args, true)
}

fn omit(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    chosen(call, args, false)
}

fn merge(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    merged(call, args, false)
}

fn merge_overwrite(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    merged(call, args, true)
}

/// How deep dictionaries are merged.
const DEPTH: usize = 400;

fn merged(call: &mut CallContext<'_>, args: &[Value], overwrite: bool) -> Result {
    let mut into = map(args, 0);
    if into.is_nil() && args.len() > 1 {
        into = Map::new(Type::Any, Vec::new());
    }
    for other in from(args, 1) {
        if let Value::Map(other) = other {
            merge_map(call, &into, other, overwrite, 0)?;
        }
    }
    Ok(Value::Map(into))
}

/// Nothing replaces a value that is not empty, unless it overwrites. Two dictionaries are merged, two lists are not.
fn merge_map(call: &mut CallContext<'_>, into: &Map, other: &Map, overwrite: bool, depth: usize) -> Result<()> {
    if depth > DEPTH {
        return fail("the value is nested too deeply");
    }
    if into.same(other) {
        return Ok(());
    }
    let entries = other.entries();
    call.reserve(entries.len().saturating_mul(ENTRY))?;
    for (key, new) in entries.iter() {
        let old = into.get(key.as_bytes()).map(Cow::into_owned);
        if new.is_nil() {
            if overwrite {
                into.set(key.clone(), new.clone())?;
            }
            continue;
        }
        if let (Value::Map(new), Some(Value::Map(old))) = (new, &old)
            && !old.is_nil()
        {
            merge_map(call, old, new, overwrite, depth + 1)?;
            continue;
        }
        if overwrite || old.is_none_or(|old| !is_true(&old)) {
            into.set(key.clone(), new.clone())?;
        }
    }
    Ok(())
}

fn dig(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let [path @ .., default, dict] = args else { return fail("dig needs at least three arguments") };
    if path.is_empty() {
        return fail("dig needs at least three arguments");
    }
    let mut value = assert_type(dict, MAP)?;
    for key in path {
        assert_type(key, TEXT)?;
    }
    for (i, key) in path.iter().enumerate() {
        if i > 0 {
            value = assert_type(&value, MAP)?;
        }
        let (Value::Map(map), Value::Str(key)) = (&value, key) else { return Ok(default.clone()) };
        let Some(found) = map.get(key.as_bytes()).map(Cow::into_owned) else { return Ok(default.clone()) };
        value = found;
    }
    Ok(value)
}
