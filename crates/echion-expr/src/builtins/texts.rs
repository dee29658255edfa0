//! Texts. Indices and lengths are in bytes here, as in Go; only `len` counts characters.

use echion_value::{List, Signature, Str, Type, Value};

use super::{ANY, Args, Builtin, Check, text, type_text};
use crate::error::EvalError;
use crate::limits::Meter;
use crate::operators::int_of;

const S: Type = Type::String;
const TO_TEXT: &[Signature] = &[Signature::new(&[S], S)];
const ONE_OR_TWO: &[Signature] = &[Signature::new(&[S], S), Signature::new(&[S, S], S)];
const TWO_OR_ONE: &[Signature] = &[Signature::new(&[S, S], S), Signature::new(&[S], S)];
const SPLIT: &[Signature] =
    &[Signature::new(&[S, S], Type::STRINGS), Signature::new(&[S, S, Type::Int], Type::STRINGS)];
const INDEX: &[Signature] = &[Signature::new(&[S, S], Type::Int)];
const TEST: &[Signature] = &[Signature::new(&[S, S], Type::Bool)];
const JOIN: &[Signature] = &[
    Signature::new(&[Type::STRINGS, S], S),
    Signature::new(&[Type::LIST, S], S),
    Signature::new(&[Type::LIST], S),
    Signature::new(&[Type::STRINGS], S),
];
const REPLACE: &[Signature] = &[Signature::new(&[S, S, S], S), Signature::new(&[S, S, S, Type::Int], S)];

macro_rules! builtin {
    ($name:literal, $signature:literal, $about:literal, $example:expr, $overloads:expr, $run:expr) => {
        Builtin {
            name: $name,
            signature: $signature,
            about: $about,
            example: $example,
            check: Check::Overloads($overloads),
            run: $run,
        }
    };
}

pub(super) const ALL: &[Builtin] = &[
    builtin!(
        "trim",
        "(string, [chars]) string",
        "Without white space, or the given characters, at both ends.",
        ("trim('--x-', '-')", "x"),
        ONE_OR_TWO,
        trim
    ),
    builtin!(
        "trimPrefix",
        "(string, [prefix]) string",
        "Without the prefix, a space if none is given.",
        ("trimPrefix('v1.2', 'v')", "1.2"),
        TWO_OR_ONE,
        |_, args| {
            let (s, prefix) = (text(args, 0)?, affix(args)?);
            made(s.strip_prefix(prefix).unwrap_or(s))
        }
    ),
    builtin!(
        "trimSuffix",
        "(string, [suffix]) string",
        "Without the suffix, a space if none is given.",
        ("trimSuffix('a.git', '.git')", "a"),
        TWO_OR_ONE,
        |_, args| {
            let (s, suffix) = (text(args, 0)?, affix(args)?);
            made(s.strip_suffix(suffix).unwrap_or(s))
        }
    ),
    builtin!("upper", "(string) string", "In capital letters.", ("upper('abc')", "ABC"), TO_TEXT, |meter, args| {
        case(meter, args, upper)
    }),
    builtin!("lower", "(string) string", "In small letters.", ("lower('ABC')", "abc"), TO_TEXT, |meter, args| {
        case(meter, args, lower)
    }),
    builtin!(
        "split",
        "(string, separator, [count]) list",
        "The parts between separators.",
        ("split('a,b,c', ',', 2)", "[a b,c]"),
        SPLIT,
        |meter, args| { split(meter, args, false) }
    ),
    builtin!(
        "splitAfter",
        "(string, separator, [count]) list",
        "The parts, each with the separator that ends it.",
        ("splitAfter('a,b', ',')", "[a, b]"),
        SPLIT,
        |meter, args| { split(meter, args, true) }
    ),
    builtin!(
        "replace",
        "(string, old, new, [count]) string",
        "With every occurrence, or the first ones, replaced.",
        ("replace('aXbX', 'X', '-', 1)", "a-bX"),
        REPLACE,
        replace
    ),
    builtin!(
        "repeat",
        "(string, count) string",
        "The text several times.",
        ("repeat('ab', 2)", "abab"),
        &[Signature::new(&[S, Type::Int], S)],
        repeat
    ),
    builtin!(
        "join",
        "(list, [glue]) string",
        "The texts of a list, with the glue between them.",
        ("join(['a', 'b'], '-')", "a-b"),
        JOIN,
        join
    ),
    builtin!(
        "indexOf",
        "(string, part) int",
        "Where the part begins first, in bytes, or -1.",
        ("indexOf('abcabc', 'c')", "2"),
        INDEX,
        |_, args| { Ok(index(find(text(args, 0)?, text(args, 1)?))) }
    ),
    builtin!(
        "lastIndexOf",
        "(string, part) int",
        "Where the part begins last, in bytes, or -1.",
        ("lastIndexOf('abcabc', 'c')", "5"),
        INDEX,
        |_, args| {
            let (s, part) = (text(args, 0)?, text(args, 1)?);
            Ok(index((0..=s.len()).rev().find(|at| s[*at..].starts_with(part))))
        }
    ),
    builtin!(
        "hasPrefix",
        "(string, prefix) bool",
        "Whether the text begins so.",
        ("hasPrefix('abc', 'ab')", "true"),
        TEST,
        |_, args| { Ok(Value::Bool(text(args, 0)?.starts_with(text(args, 1)?))) }
    ),
    builtin!(
        "hasSuffix",
        "(string, suffix) bool",
        "Whether the text ends so.",
        ("hasSuffix('abc', 'bc')", "true"),
        TEST,
        |_, args| { Ok(Value::Bool(text(args, 0)?.ends_with(text(args, 1)?))) }
    ),
    builtin!(
        "string",
        "(any) string",
        "The text of anything, as it is printed.",
        ("string([1, 2])", "[1 2]"),
        &[Signature::new(&[ANY], S)],
        |meter, args| {
            let shown = echion_value::format::display(args.first().map_or(&Value::Nil, AsRef::as_ref));
            meter.write(shown.len())?;
            Ok(Value::Str(shown))
        }
    ),
];

fn made(bytes: &[u8]) -> Result<Value, EvalError> {
    Ok(Value::Str(Str::from(bytes)))
}

fn index(at: Option<usize>) -> Value {
    Value::Int(at.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX)))
}

fn affix<'x>(args: Args<'x, '_>) -> Result<&'x [u8], EvalError> {
    if args.len() > 1 { text(args, 1) } else { Ok(b" ") }
}

/// Where `part` begins in `s`.
pub(crate) fn find(s: &[u8], part: &[u8]) -> Option<usize> {
    match part {
        [] => Some(0),
        [first, ..] => {
            let last = s.len().checked_sub(part.len())?;
            let mut from = 0;
            while from <= last {
                from += s[from..=last].iter().position(|b| b == first)?;
                if s[from..].starts_with(part) {
                    return Some(from);
                }
                from += 1;
            }
            None
        }
    }
}

fn trim(_: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let s = text(args, 0)?;
    let set: Option<Vec<char>> = match args.len() {
        1 => None,
        _ => Some(String::from_utf8_lossy(text(args, 1)?).chars().collect()),
    };
    let drops = |c: char| set.as_ref().map_or(c.is_whitespace(), |set| set.contains(&c));
    let chars = runes(s);
    let first = chars.iter().position(|(c, _)| !drops(*c)).unwrap_or(chars.len());
    let last = chars.iter().rposition(|(c, _)| !drops(*c)).map_or(first, |last| last + 1);
    made(&chars[first..last].iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Vec<u8>>())
}

/// The characters with their bytes; a byte that is no UTF-8 counts as U+FFFD.
fn runes(s: &[u8]) -> Vec<(char, &[u8])> {
    let mut runes = Vec::new();
    let mut at = 0;
    for chunk in s.utf8_chunks() {
        for c in chunk.valid().chars() {
            runes.push((c, &s[at..at + c.len_utf8()]));
            at += c.len_utf8();
        }
        for _ in chunk.invalid() {
            runes.push((char::REPLACEMENT_CHARACTER, &s[at..=at]));
            at += 1;
        }
    }
    runes
}

fn case(meter: &mut Meter<'_>, args: Args<'_, '_>, change: fn(char) -> char) -> Result<Value, EvalError> {
    let s = text(args, 0)?;
    meter.write(s.len())?;
    let changed: String = runes(s).into_iter().map(|(c, _)| change(c)).collect();
    Ok(Value::from(changed))
}

/// Go changes one character into one character, so what would become several stays, with a few exceptions.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => match c as u32 {
            u @ (0x1F80..=0x1F87 | 0x1F90..=0x1F97 | 0x1FA0..=0x1FA7) => char::from_u32(u + 8).unwrap_or(c),
            u @ (0x1FB3 | 0x1FC3 | 0x1FF3) => char::from_u32(u + 9).unwrap_or(c),
            _ => c,
        },
    }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn split(meter: &mut Meter<'_>, args: Args<'_, '_>, keep: bool) -> Result<Value, EvalError> {
    let (s, separator) = (text(args, 0)?, text(args, 1)?);
    let limit = match args.get(2) {
        Some(count) => int_of(count)?,
        None => -1,
    };
    let limit = if limit < 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    if limit == 0 {
        return Ok(Value::List(List::nil(Type::STRINGS)));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    if separator.is_empty() {
        let mut at = 0;
        for (_, bytes) in runes(s) {
            if parts.len() + 1 == limit {
                parts.push(&s[at..]);
                break;
            }
            parts.push(bytes);
            at += bytes.len();
        }
    } else {
        let mut rest = s;
        while parts.len() + 1 < limit {
            let Some(at) = find(rest, separator) else { break };
            parts.push(&rest[..if keep { at + separator.len() } else { at }]);
            rest = &rest[at + separator.len()..];
        }
        parts.push(rest);
    }
    meter.write(s.len())?;
    meter.work(parts.len())?;
    Ok(Value::List(List::of_strings(parts.into_iter().map(Str::from))))
}

fn replace(meter: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let (s, old, new) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
    let limit = match args.get(3) {
        Some(count) => int_of(count)?,
        None => -1,
    };
    let mut limit = if limit < 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let mut out = Vec::with_capacity(s.len());
    let mut rest = s;
    if old.is_empty() {
        // Go finds the empty text before every character and at the end.
        for (_, bytes) in runes(s) {
            if limit == 0 {
                break;
            }
            limit -= 1;
            meter.write(new.len())?;
            out.extend_from_slice(new);
            out.extend_from_slice(bytes);
            rest = &rest[bytes.len()..];
        }
        if limit > 0 {
            out.extend_from_slice(new);
        }
    } else {
        while limit > 0 {
            let Some(at) = find(rest, old) else { break };
            limit -= 1;
            meter.write(at + new.len())?;
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(new);
            rest = &rest[at + old.len()..];
        }
    }
    meter.write(rest.len())?;
    out.extend_from_slice(rest);
    Ok(Value::Str(Str::from(out)))
}

fn repeat(meter: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let s = text(args, 0)?;
    let count = int_of(args.get(1).map_or(&Value::Nil, AsRef::as_ref))?;
    let Ok(count) = usize::try_from(count) else {
        return Err(EvalError::new(format!("invalid argument for repeat (expected positive integer, got {count})")));
    };
    // The reference counts each byte of the result as an element.
    meter.grow(s.len().saturating_mul(count))?;
    if count > 1_000_000 {
        return Err(EvalError::budget("memory budget exceeded"));
    }
    made(&s.repeat(count))
}

fn join(meter: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let list = args.first().map_or(&Value::Nil, AsRef::as_ref);
    let glue = if args.len() > 1 { text(args, 1)? } else { b"" };
    let items = match list {
        Value::List(list) if [Type::LIST, Type::STRINGS].contains(&list.list_type()) => list.items(),
        other => return Err(EvalError::new(format!("invalid argument for join (type {})", type_text(other)))),
    };
    let mut out: Vec<u8> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let Value::Str(s) = item else { return Err(super::not_a(item, "string")) };
        meter.write(s.len() + glue.len())?;
        if i > 0 {
            out.extend_from_slice(glue);
        }
        out.extend_from_slice(s.as_bytes());
    }
    Ok(Value::Str(Str::from(out)))
}
