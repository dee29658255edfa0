//! Regular expressions in Go's syntax.

use echion_template::{CallContext, Function, takes};
use echion_value::regexp::{Regexp, quote_meta};
use echion_value::{CallError, List, Signature, Type, Value, strconv};

use crate::args::{bytes, int};

const TEXT: Type = Type::String;

const MATCH: Signature = takes(&[TEXT, TEXT], Type::Bool);
const FIND: Signature = takes(&[TEXT, TEXT], TEXT);
const FIND_ALL: Signature = takes(&[TEXT, TEXT, Type::Int], Type::STRINGS);
const REPLACE: Signature = takes(&[TEXT, TEXT, TEXT], TEXT);

/// The functions of this family. Those without `must` panic in Go where the pattern is wrong, which templates see as an error too.
pub(crate) static ALL: &[Function] = &[
    Function::new("mustRegexFind", FIND.fallible(), |_, args| find(&must(args)?, args)).doc(
        "The first match.",
        r#"{{ mustRegexFind "b." "abc" }}"#,
        "bc",
    ),
    Function::new("mustRegexFindAll", FIND_ALL.fallible(), |call, args| find_all(call, &must(args)?, args)).doc(
        "All matches, or the first n.",
        r#"{{ mustRegexFindAll "[a-c]" "abc" 2 }}"#,
        "[a b]",
    ),
    Function::new("mustRegexMatch", MATCH.fallible(), |_, args| Ok(Value::Bool(must(args)?.is_match(bytes(args, 1)))))
        .doc("Whether a text matches.", r#"{{ mustRegexMatch "^a" "abc" }}"#, "true"),
    Function::new("mustRegexReplaceAll", REPLACE.fallible(), |call, args| replace(call, &must(args)?, args)).doc(
        "The text with every match replaced.",
        r#"{{ mustRegexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }}"#,
        "-W-xxW-",
    ),
    Function::new("mustRegexReplaceAllLiteral", REPLACE.fallible(), |call, args| {
        replace_literal(call, &must(args)?, args)
    })
    .doc(
        "The text with every match replaced, `$` as it is.",
        r#"{{ mustRegexReplaceAllLiteral "b" "abc" "$1" }}"#,
        "a$1c",
    ),
    Function::new("mustRegexSplit", FIND_ALL.fallible(), |call, args| split(call, &must(args)?, args)).doc(
        "The parts between matches.",
        r#"{{ mustRegexSplit "z+" "pizza" -1 }}"#,
        "[pi a]",
    ),
    Function::new("regexFind", FIND, |_, args| find(&panicking(args)?, args)).doc(
        "The first match.",
        r#"{{ regexFind "b." "abc" }}"#,
        "bc",
    ),
    Function::new("regexFindAll", FIND_ALL, |call, args| find_all(call, &panicking(args)?, args)).doc(
        "All matches, or the first n.",
        r#"{{ regexFindAll "[a-c]" "abc" 2 }}"#,
        "[a b]",
    ),
    Function::new("regexMatch", MATCH, |_, args| Ok(Value::Bool(must(args).is_ok_and(|r| r.is_match(bytes(args, 1))))))
        .doc("Whether a text matches; false for a wrong pattern.", r#"{{ regexMatch "^a" "abc" }}"#, "true"),
    Function::new("regexQuoteMeta", takes(&[TEXT], TEXT), |_, args| Ok(Value::Str(quote_meta(bytes(args, 0)).into())))
        .doc("The text as a pattern that matches it.", r#"{{ regexQuoteMeta "1.2" }}"#, r"1\.2"),
    Function::new("regexReplaceAll", REPLACE, |call, args| replace(call, &panicking(args)?, args)).doc(
        "The text with every match replaced.",
        r#"{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }}"#,
        "-W-xxW-",
    ),
    Function::new("regexReplaceAllLiteral", REPLACE, |call, args| replace_literal(call, &panicking(args)?, args)).doc(
        "The text with every match replaced, `$` as it is.",
        r#"{{ regexReplaceAllLiteral "b" "abc" "$1" }}"#,
        "a$1c",
    ),
    Function::new("regexSplit", FIND_ALL, |call, args| split(call, &panicking(args)?, args)).doc(
        "The parts between matches.",
        r#"{{ regexSplit "z+" "pizza" -1 }}"#,
        "[pi a]",
    ),
];

fn must(args: &[Value]) -> Result<Regexp, CallError> {
    Regexp::compile_bytes(bytes(args, 0)).map_err(CallError)
}

/// The same with the text of Go's panic.
fn panicking(args: &[Value]) -> Result<Regexp, CallError> {
    must(args).map_err(|error| {
        let pattern = bytes(args, 0);
        let quoted = if strconv::can_backquote(pattern) {
            format!("`{}`", String::from_utf8_lossy(pattern))
        } else {
            strconv::quote(pattern)
        };
        CallError(format!("regexp: Compile({quoted}): {error}"))
    })
}

fn find(regexp: &Regexp, args: &[Value]) -> Result<Value, CallError> {
    let text = bytes(args, 1);
    let found = regexp.find(text).and_then(|(start, end)| text.get(start..end)).unwrap_or_default();
    Ok(Value::Str(found.into()))
}

fn find_all(call: &mut CallContext<'_>, regexp: &Regexp, args: &[Value]) -> Result<Value, CallError> {
    let text = bytes(args, 1);
    let found = regexp.find_all(text, int(args, 2));
    call.reserve(text.len().saturating_add(found.len().saturating_mul(24)))?;
    if found.is_empty() {
        return Ok(Value::List(List::nil(Type::STRINGS)));
    }
    Ok(Value::List(List::of_strings(found.into_iter().filter_map(|(start, end)| text.get(start..end)))))
}

fn split(call: &mut CallContext<'_>, regexp: &Regexp, args: &[Value]) -> Result<Value, CallError> {
    let text = bytes(args, 1);
    if int(args, 2) == 0 {
        return Ok(Value::List(List::nil(Type::STRINGS)));
    }
    let parts = regexp.split(text, int(args, 2));
    call.reserve(text.len().saturating_add(parts.len().saturating_mul(24)))?;
    Ok(Value::List(List::of_strings(parts)))
}

/// Every position can match and be replaced by the whole replacement; with groups, by texts of the source.
fn room_for(call: &CallContext<'_>, args: &[Value]) -> Result<(), CallError> {
    let (text, with) = (bytes(args, 1).len(), bytes(args, 2).len());
    if text.saturating_add(1).saturating_mul(with.saturating_add(1)) > call.room() {
        return Err(CallError::new("the result of the replacement may become too large"));
    }
    Ok(())
}

fn replace(call: &mut CallContext<'_>, regexp: &Regexp, args: &[Value]) -> Result<Value, CallError> {
    room_for(call, args)?;
    let replaced = regexp.replace_all(bytes(args, 1), bytes(args, 2));
    call.reserve(replaced.len())?;
    Ok(Value::Str(replaced.into()))
}

fn replace_literal(call: &mut CallContext<'_>, regexp: &Regexp, args: &[Value]) -> Result<Value, CallError> {
    room_for(call, args)?;
    let replaced = regexp.replace_all_literal(bytes(args, 1), bytes(args, 2));
    call.reserve(replaced.len())?;
    Ok(Value::Str(replaced.into()))
}
