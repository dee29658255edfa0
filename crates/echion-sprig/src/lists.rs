//! Lists.

use echion_template::{CallContext, Function, takes};
use echion_value::{List, Type, Value};

use crate::args::{ANY, BOOL, INT, LIST, Result, TEXTS, any, elements, fail, from, int, kind, list, make_list};
use crate::cast::{strslice, strval, to_int64};
use crate::defaults::is_empty;
use crate::reflect::equal;

/// `[][]interface {}`
const LISTS: Type = Type::List(&Type::LIST);

pub(crate) static ALL: &[Function] = &[
    Function::new("list", takes(&[ANY], LIST).variadic(), new).doc(
        "a list of the arguments",
        "{{list 1 \"a\"}}",
        "[1 a]",
    ),
    Function::new("tuple", takes(&[ANY], LIST).variadic(), new).doc("the same as list", "{{tuple 1 2}}", "[1 2]"),
    Function::new("append", takes(&[ANY, ANY], LIST), append).doc(
        "the list with one more at the end",
        "{{append (list 1) 2}}",
        "[1 2]",
    ),
    Function::new("push", takes(&[ANY, ANY], LIST), append).doc("the same as append", "", ""),
    Function::new("mustAppend", takes(&[ANY, ANY], LIST).fallible(), append).doc("the same as append", "", ""),
    Function::new("mustPush", takes(&[ANY, ANY], LIST).fallible(), append).doc("the same as append", "", ""),
    Function::new("prepend", takes(&[ANY, ANY], LIST), prepend).doc(
        "the list with one more in front",
        "{{prepend (list 1) 0}}",
        "[0 1]",
    ),
    Function::new("mustPrepend", takes(&[ANY, ANY], LIST).fallible(), prepend).doc("the same as prepend", "", ""),
    Function::new("first", takes(&[ANY], ANY), first).doc("the first element", "{{first (list 1 2)}}", "1"),
    Function::new("mustFirst", takes(&[ANY], ANY).fallible(), first).doc("the same as first", "", ""),
    Function::new("last", takes(&[ANY], ANY), last).doc("the last element", "{{last (list 1 2)}}", "2"),
    Function::new("mustLast", takes(&[ANY], ANY).fallible(), last).doc("the same as last", "", ""),
    Function::new("rest", takes(&[ANY], LIST), rest).doc("all but the first", "{{rest (list 1 2 3)}}", "[2 3]"),
    Function::new("mustRest", takes(&[ANY], LIST).fallible(), rest).doc("the same as rest", "", ""),
    Function::new("initial", takes(&[ANY], LIST), initial).doc("all but the last", "{{initial (list 1 2 3)}}", "[1 2]"),
    Function::new("mustInitial", takes(&[ANY], LIST).fallible(), initial).doc("the same as initial", "", ""),
    Function::new("reverse", takes(&[ANY], LIST), reverse).doc("backwards", "{{reverse (list 1 2)}}", "[2 1]"),
    Function::new("mustReverse", takes(&[ANY], LIST).fallible(), reverse).doc("the same as reverse", "", ""),
    Function::new("uniq", takes(&[ANY], LIST), uniq).doc("without repetitions", "{{uniq (list 1 1 2)}}", "[1 2]"),
    Function::new("mustUniq", takes(&[ANY], LIST).fallible(), uniq).doc("the same as uniq", "", ""),
    Function::new("without", takes(&[ANY, ANY], LIST).variadic(), without).doc(
        "without these elements",
        "{{without (list 1 2 3) 2}}",
        "[1 3]",
    ),
    Function::new("mustWithout", takes(&[ANY, ANY], LIST).variadic().fallible(), without).doc(
        "the same as without",
        "",
        "",
    ),
    Function::new("compact", takes(&[ANY], LIST), compact).doc(
        "without empty elements",
        "{{compact (list 1 0 \"\" 2)}}",
        "[1 2]",
    ),
    Function::new("mustCompact", takes(&[ANY], LIST).fallible(), compact).doc("the same as compact", "", ""),
    Function::new("has", takes(&[ANY, ANY], BOOL), has).doc(
        "whether the element is in the list",
        "{{has 2 (list 1 2)}}",
        "true",
    ),
    Function::new("mustHas", takes(&[ANY, ANY], BOOL).fallible(), has).doc("the same as has", "", ""),
    Function::new("slice", takes(&[ANY, ANY], ANY).variadic(), slice).doc(
        "the elements from a start up to an end",
        "{{slice (list 1 2 3) 1 3}}",
        "[2 3]",
    ),
    Function::new("mustSlice", takes(&[ANY, ANY], ANY).variadic().fallible(), slice).doc("the same as slice", "", ""),
    Function::new("concat", takes(&[ANY], ANY).variadic(), concat).doc(
        "lists one after the other",
        "{{concat (list 1) (list 2)}}",
        "[1 2]",
    ),
    Function::new("chunk", takes(&[INT, ANY], LISTS), chunk).doc(
        "lists of so many elements each",
        "{{chunk 2 (list 1 2 3)}}",
        "[[1 2] [3]]",
    ),
    Function::new("mustChunk", takes(&[INT, ANY], LISTS).fallible(), chunk).doc("the same as chunk", "", ""),
    Function::new("sortAlpha", takes(&[ANY], TEXTS), sort_alpha).doc(
        "the texts of the elements, sorted",
        "{{sortAlpha (list \"b\" \"a\")}}",
        "[a b]",
    ),
    Function::new("until", takes(&[INT], Type::INTS), until).doc("the numbers below", "{{until 3}}", "[0 1 2]"),
    Function::new("untilStep", takes(&[INT, INT, INT], Type::INTS), until_step).doc(
        "the numbers from a start up to an end in steps",
        "{{untilStep 3 9 3}}",
        "[3 6]",
    ),
    Function::new("seq", takes(&[INT], Type::String).variadic(), seq).doc(
        "numbers as a text, like the shell's command",
        "{{seq 0 2 4}}",
        "0 2 4",
    ),
];

/// What one element of a new list is accounted for.
const ELEMENT: usize = 16;

fn new(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    made(call, args.to_vec())
}

fn made(call: &mut CallContext<'_>, items: Vec<Value>) -> Result {
    call.reserve(items.len().saturating_mul(ELEMENT))?;
    Ok(make_list(items))
}

fn append(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut items = elements(any(args, 0), |kind| format!("Cannot push on type {kind}"))?;
    items.push(any(args, 1).clone());
    made(call, items)
}

fn prepend(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut items = elements(any(args, 0), |kind| format!("Cannot prepend on type {kind}"))?;
    items.insert(0, any(args, 1).clone());
    made(call, items)
}

/// One element, without copying the list.
fn one(value: &Value, what: &str, at: impl FnOnce(&List) -> Option<Value>) -> Result {
    match value {
        Value::List(list) => Ok(at(list).unwrap_or_default()),
        other => {
            let items = elements(other, |kind| format!("Cannot find {what} on type {kind}"))?;
            Ok(at(&List::of_any(items)).unwrap_or_default())
        }
    }
}

fn first(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    one(any(args, 0), "first", |list| list.items().first().cloned())
}

fn last(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    one(any(args, 0), "last", |list| list.items().last().cloned())
}

fn rest(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut items = elements(any(args, 0), |kind| format!("Cannot find rest on type {kind}"))?;
    if items.is_empty() {
        return Ok(Value::List(List::nil(LIST)));
    }
    items.remove(0);
    made(call, items)
}

fn initial(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut items = elements(any(args, 0), |kind| format!("Cannot find initial on type {kind}"))?;
    if items.pop().is_none() {
        return Ok(Value::List(List::nil(LIST)));
    }
    made(call, items)
}

fn reverse(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut items = elements(any(args, 0), |kind| format!("Cannot find reverse on type {kind}"))?;
    items.reverse();
    made(call, items)
}

/// Accounts for comparing each of `items` with up to `others` values.
fn reserve_comparisons(call: &mut CallContext<'_>, items: usize, others: usize) -> Result<()> {
    call.reserve(items.saturating_mul(others).saturating_mul(2))
}

fn uniq(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let items = elements(any(args, 0), |kind| format!("Cannot find uniq on type {kind}"))?;
    call.weigh(any(args, 0))?;
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        reserve_comparisons(call, 1, kept.len())?;
        if !kept.iter().any(|there| equal(&item, there)) {
            kept.push(item);
        }
    }
    made(call, kept)
}

fn without(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut items = elements(any(args, 0), |kind| format!("Cannot find without on type {kind}"))?;
    let out = from(args, 1);
    call.weigh(any(args, 0))?;
    reserve_comparisons(call, items.len(), out.len())?;
    items.retain(|item| !out.iter().any(|other| equal(item, other)));
    made(call, items)
}

fn compact(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut items = elements(any(args, 0), |kind| format!("Cannot compact on type {kind}"))?;
    items.retain(|item| !is_empty(item));
    made(call, items)
}

fn has(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    if matches!(any(args, 1), Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let items = elements(any(args, 1), |kind| format!("Cannot find has on type {kind}"))?;
    call.weigh(any(args, 1))?;
    Ok(Value::Bool(items.iter().any(|item| equal(item, any(args, 0)))))
}

fn slice(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let value = any(args, 0);
    let items = elements(value, |kind| format!("list should be type of slice or array but {kind}"))?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |at: usize, default: usize| args.get(at).map_or(Some(default), |v| usize::try_from(to_int64(v)).ok());
    let range = bound(1, 0).zip(bound(2, items.len()));
    let Some(part) = range.and_then(|(start, end)| items.get(start..end)) else {
        return fail("reflect.Value.Slice: slice index out of bounds");
    };
    call.reserve(part.len() * ELEMENT)?;
    Ok(match value {
        Value::List(list) => Value::List(List::new(list.list_type(), part.to_vec())),
        _ => crate::args::make_bytes(
            part.iter().filter_map(|v| if let Value::Uint8(b) = v { Some(*b) } else { None }).collect(),
        ),
    })
}

fn concat(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut all = Vec::new();
    for value in args {
        all.append(&mut elements(value, |kind| format!("Cannot concat type {kind} as list"))?);
        call.reserve(all.len().saturating_mul(ELEMENT))?;
    }
    if all.is_empty() {
        return Ok(Value::List(List::nil(LIST)));
    }
    Ok(make_list(all))
}

fn chunk(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let items = elements(any(args, 1), |kind| format!("Cannot chunk type {kind}"))?;
    call.reserve(items.len().saturating_mul(2 * ELEMENT))?;
    let chunks: Vec<Value> = match usize::try_from(int(args, 0)) {
        Ok(size) if size > 0 => items.chunks(size).map(|chunk| make_list(chunk.to_vec())).collect(),
        _ => return fail("runtime error: makeslice: len out of range"),
    };
    Ok(Value::List(List::new(LISTS, chunks)))
}

fn sort_alpha(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let value = any(args, 0);
    let texts = if list(value).is_some() {
        let mut texts = strslice(call, value)?;
        texts.sort();
        texts
    } else if kind(value) == "invalid" {
        vec![strval(call, value)?]
    } else {
        strslice(call, value)?
    };
    Ok(Value::List(List::of_strings(texts)))
}

/// The numbers from `start` up to `stop`, exclusive.
fn numbers(call: &mut CallContext<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    let down = stop < start;
    if (down && step >= 0) || (!down && step <= 0) {
        return Ok(Vec::new());
    }
    let distance = i128::from(stop).abs_diff(i128::from(start));
    let count = distance.div_ceil(u128::from(step.unsigned_abs()));
    call.reserve(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(ELEMENT))?;
    let mut numbers = Vec::new();
    let mut next = Some(start);
    while let Some(n) = next.filter(|n| if down { *n > stop } else { *n < stop }) {
        numbers.push(n);
        next = n.checked_add(step);
    }
    Ok(numbers)
}

fn ints(numbers: Vec<i64>) -> Value {
    Value::List(List::new(Type::INTS, numbers.into_iter().map(Value::Int).collect()))
}

fn until(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let count = int(args, 0);
    Ok(ints(numbers(call, 0, count, if count < 0 { -1 } else { 1 })?))
}

fn until_step(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(ints(numbers(call, int(args, 0), int(args, 1), int(args, 2))?))
}

fn seq(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let direction = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match args.len() {
        1 => (1, direction(1, int(args, 0)), int(args, 0)),
        2 => (int(args, 0), direction(int(args, 0), int(args, 1)), int(args, 1)),
        3 => (int(args, 0), int(args, 1), int(args, 2)),
        _ => return Ok(Value::from("")),
    };
    let increment = direction(start, end);
    if args.len() == 3 && increment < 0 && step > 0 {
        return Ok(Value::from(""));
    }
    let numbers = numbers(call, start, end.saturating_add(increment), step)?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(Value::from(texts.join(" ")))
}
