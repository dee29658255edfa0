//! Texts: trimming, cutting, joining, splitting.

use echion_template::{CallContext, Function, takes};
use echion_value::strconv::decode_rune;
use echion_value::{List, Map, Str, Type, Value, format, strconv};

use crate::args::{ANY, BOOL, INT, Result, TEXT, TEXT_MAP, TEXTS, any, bytes, fail, int, make_text, text};
use crate::cast::{strslice, strval};

pub(crate) static ALL: &[Function] = &[
    Function::new("hello", takes(&[], TEXT), hello).doc("a greeting", "{{hello}}", "Hello!"),
    Function::new("trim", takes(&[TEXT], TEXT), trim).doc("without space at both ends", "{{trim \" a \"}}", "a"),
    Function::new("trimAll", takes(&[TEXT, TEXT], TEXT), trim_all).doc(
        "without these characters at both ends",
        "{{trimAll \"$\" \"$5.00$\"}}",
        "5.00",
    ),
    Function::new("trimall", takes(&[TEXT, TEXT], TEXT), trim_all).doc("the same as trimAll", "", ""),
    Function::new("trimPrefix", takes(&[TEXT, TEXT], TEXT), trim_prefix).doc(
        "without this beginning",
        "{{trimPrefix \"v\" \"v1.2\"}}",
        "1.2",
    ),
    Function::new("trimSuffix", takes(&[TEXT, TEXT], TEXT), trim_suffix).doc(
        "without this end",
        "{{trimSuffix \".git\" \"repo.git\"}}",
        "repo",
    ),
    Function::new("contains", takes(&[TEXT, TEXT], BOOL), contains).doc(
        "whether the first text is in the second",
        "{{contains \"cat\" \"catch\"}}",
        "true",
    ),
    Function::new("hasPrefix", takes(&[TEXT, TEXT], BOOL), has_prefix).doc(
        "whether the second text begins with the first",
        "{{hasPrefix \"cat\" \"catch\"}}",
        "true",
    ),
    Function::new("hasSuffix", takes(&[TEXT, TEXT], BOOL), has_suffix).doc(
        "whether the second text ends with the first",
        "{{hasSuffix \"tch\" \"catch\"}}",
        "true",
    ),
    Function::new("replace", takes(&[TEXT, TEXT, TEXT], TEXT), replace).doc(
        "every occurrence of the first text by the second",
        "{{\"a b\" | replace \" \" \"-\"}}",
        "a-b",
    ),
    Function::new("repeat", takes(&[INT, TEXT], TEXT), repeat).doc(
        "the text so many times",
        "{{repeat 3 \"ab\"}}",
        "ababab",
    ),
    Function::new("trunc", takes(&[INT, TEXT], TEXT), trunc).doc(
        "so many bytes from the front, or with a minus from the end",
        "{{trunc 7 \"4f1c2d9e8b\"}}",
        "4f1c2d9",
    ),
    Function::new("substr", takes(&[INT, INT, TEXT], TEXT), substr).doc(
        "the bytes from a start up to an end",
        "{{substr 0 3 \"harbor\"}}",
        "har",
    ),
    Function::new("indent", takes(&[INT, TEXT], TEXT), indent).doc("every line indented", "{{indent 2 \"a\"}}", "  a"),
    Function::new("nindent", takes(&[INT, TEXT], TEXT), nindent).doc(
        "a new line and every line indented",
        "{{nindent 2 \"a\"}}",
        "\n  a",
    ),
    Function::new("plural", takes(&[TEXT, TEXT, INT], TEXT), plural).doc(
        "the first text for one, else the second",
        "{{3 | plural \"pod\" \"pods\"}}",
        "pods",
    ),
    Function::new("quote", takes(&[ANY], TEXT).variadic(), quote).doc(
        "in double quotes, escaped",
        "{{quote \"a\" 1}}",
        "\"a\" \"1\"",
    ),
    Function::new("squote", takes(&[ANY], TEXT).variadic(), squote).doc(
        "in single quotes",
        "{{squote \"a\" 1}}",
        "'a' '1'",
    ),
    Function::new("cat", takes(&[ANY], TEXT).variadic(), cat).doc("with spaces between", "{{cat \"a\" 1}}", "a 1"),
    Function::new("join", takes(&[TEXT, ANY], TEXT), join).doc(
        "the elements of a list with a text between",
        "{{list 1 \"a\" | join \", \"}}",
        "1, a",
    ),
    Function::new("split", takes(&[TEXT, TEXT], TEXT_MAP), split).doc(
        "the parts of a text, as `_0`, `_1`, ...",
        "{{(split \"/\" \"a/b\")._1}}",
        "b",
    ),
    Function::new("splitn", takes(&[TEXT, INT, TEXT], TEXT_MAP), splitn).doc(
        "the parts between separators, at most so many, as `_0`, `_1` and so on",
        "{{(splitn \"/\" 2 \"a/b/c\")._1}}",
        "b/c",
    ),
    Function::new("splitList", takes(&[TEXT, TEXT], TEXTS), split_list).doc(
        "the parts of a text as a list",
        "{{splitList \"/\" \"a/b\"}}",
        "[a b]",
    ),
    Function::new("fail", takes(&[TEXT], TEXT).fallible(), fail_with).doc(
        "ends the rendering with an error",
        "{{ if false }}{{ fail \"no\" }}{{ end }}ok",
        "ok",
    ),
];

fn hello(_: &mut CallContext<'_>, _: &[Value]) -> Result {
    Ok(Value::from("Hello!"))
}

/// The characters of a text with the bytes they are made of; `None` for a byte that is no UTF-8.
pub(crate) fn runes(text: &[u8]) -> impl Iterator<Item = (Option<char>, &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (c, width) = decode_rune(rest);
        let (here, after) = rest.split_at_checked(width.max(1))?;
        rest = after;
        Some((c, here))
    })
}

/// Cuts what `out` accepts off both ends.
fn trimmed(text: &[u8], out: impl Fn(Option<char>) -> bool) -> &[u8] {
    let mut start = 0;
    let mut end = 0;
    let mut at = 0;
    for (c, here) in runes(text) {
        let next = at + here.len();
        if !out(c) {
            if end == 0 {
                start = at;
            }
            end = next;
        }
        at = next;
    }
    text.get(start..end).unwrap_or_default()
}

fn trim(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(make_text(trimmed(bytes(args, 0), |c| c.is_some_and(char::is_whitespace))))
}

fn trim_all(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let cutset: Vec<Option<char>> = runes(bytes(args, 0)).map(|(c, _)| c).collect();
    Ok(make_text(trimmed(bytes(args, 1), |c| cutset.contains(&c))))
}

fn trim_prefix(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 1);
    Ok(make_text(text.strip_prefix(bytes(args, 0)).unwrap_or(text)))
}

fn trim_suffix(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 1);
    Ok(make_text(text.strip_suffix(bytes(args, 0)).unwrap_or(text)))
}

fn contains(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(find(bytes(args, 1), bytes(args, 0)).is_some()))
}

fn has_prefix(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(bytes(args, 1).starts_with(bytes(args, 0))))
}

fn has_suffix(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(bytes(args, 1).ends_with(bytes(args, 0))))
}

/// Where `part` first is in `text`.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if let (Ok(text), Ok(part)) = (std::str::from_utf8(text), std::str::from_utf8(part)) {
        return text.find(part);
    }
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// The parts of `text` between `separator`, at most `limit`; an empty separator splits after every character.
fn parts<'t>(text: &'t [u8], separator: &[u8], limit: usize) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    if limit == 0 {
        return parts;
    }
    while parts.len() + 1 < limit {
        let (part, after) = if separator.is_empty() {
            let (_, width) = decode_rune(rest);
            if rest.len() <= width {
                break;
            }
            (width, width)
        } else {
            match find(rest, separator) {
                Some(at) => (at, at + separator.len()),
                None => break,
            }
        };
        parts.push(rest.get(..part).unwrap_or_default());
        rest = rest.get(after..).unwrap_or_default();
    }
    if !(separator.is_empty() && text.is_empty()) {
        parts.push(rest);
    }
    parts
}

fn replace(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let (old, new, text) = (bytes(args, 0), bytes(args, 1), bytes(args, 2));
    let mut pieces = parts(text, old, usize::MAX);
    if old.is_empty() {
        // Go inserts before every character and at the end.
        pieces.insert(0, b"");
        if !text.is_empty() {
            pieces.push(b"");
        }
    }
    let size = text.len() + new.len().saturating_mul(pieces.len().saturating_sub(1));
    call.reserve(size)?;
    Ok(make_text(pieces.join(new)))
}

/// So many copies of a text.
fn copies(call: &mut CallContext<'_>, count: i64, text: &[u8]) -> Result<Vec<u8>> {
    let Ok(count) = usize::try_from(count) else { return fail("strings: negative Repeat count") };
    match text.len().checked_mul(count) {
        None => return fail("strings: Repeat output length overflow"),
        Some(size) => call.reserve(size)?,
    }
    Ok(text.repeat(count))
}

fn repeat(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(make_text(copies(call, int(args, 0), bytes(args, 1))?))
}

fn trunc(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 1);
    let count = int(args, 0);
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let part =
        if count < 0 { text.len().checked_sub(size).and_then(|from| text.get(from..)) } else { text.get(..size) };
    Ok(make_text(part.unwrap_or(text)))
}

fn substr(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let (start, end, text) = (int(args, 0), int(args, 1), bytes(args, 2));
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let bounds = |text: String| fail(format!("runtime error: slice bounds out of range {text}"));
    let (start, end) = if start < 0 {
        if end < 0 {
            return bounds(format!("[:{end}]"));
        }
        if end > length {
            return bounds(format!("[:{end}] with length {length}"));
        }
        (0, end)
    } else if end < 0 || end > length {
        (start, length)
    } else {
        (start, end)
    };
    if start > end {
        return bounds(format!("[{start}:{end}]"));
    }
    let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
    Ok(make_text(text.get(range).unwrap_or_default()))
}

fn indented(call: &mut CallContext<'_>, args: &[Value], before: &[u8]) -> Result {
    let padding = copies(call, int(args, 0), b" ")?;
    let text = bytes(args, 1);
    let lines = 1 + text.iter().filter(|b| **b == b'\n').count();
    call.reserve(text.len() + padding.len().saturating_mul(lines) + before.len())?;
    let mut out = before.to_vec();
    for (i, line) in text.split(|b| *b == b'\n').enumerate() {
        if i > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(&padding);
        out.extend_from_slice(line);
    }
    Ok(make_text(out))
}

fn indent(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    indented(call, args, b"")
}

fn nindent(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    indented(call, args, b"\n")
}

fn plural(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(any(args, usize::from(int(args, 2) != 1)).clone())
}

/// The texts of all arguments that are not nil, each made by `write`, with spaces between.
fn each(args: &[Value], mut write: impl FnMut(&Value, &mut Vec<u8>) -> Result<()>) -> Result {
    let mut out = Vec::new();
    for value in args.iter().filter(|value| !matches!(value, Value::Nil)) {
        if !out.is_empty() {
            out.push(b' ');
        }
        write(value, &mut out)?;
    }
    Ok(make_text(out))
}

fn quote(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    each(args, |value, out| {
        let quoted = strconv::quote(strval(call, value)?.as_bytes());
        call.reserve(quoted.len())?;
        out.extend_from_slice(quoted.as_bytes());
        Ok(())
    })
}

fn squote(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    each(args, |value, out| {
        let text = format::sprint(std::slice::from_ref(value), call.room())?;
        call.reserve(text.len() + 2)?;
        out.push(b'\'');
        out.extend_from_slice(&text);
        out.push(b'\'');
        Ok(())
    })
}

fn cat(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut texts = Vec::new();
    for value in args.iter().filter(|value| !matches!(value, Value::Nil)) {
        let text = format::sprint(std::slice::from_ref(value), call.room())?;
        call.reserve(text.len() + 1)?;
        texts.push(text);
    }
    Ok(make_text(texts.join(&b' ')))
}

fn join(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let separator = bytes(args, 0);
    let texts = strslice(call, any(args, 1))?;
    let size = texts.iter().map(Str::len).sum::<usize>();
    call.reserve(size.saturating_add(separator.len().saturating_mul(texts.len())))?;
    let texts: Vec<&[u8]> = texts.iter().map(Str::as_bytes).collect();
    Ok(make_text(texts.join(separator)))
}

fn numbered(parts: &[&[u8]]) -> Value {
    let entry = |(i, part): (usize, &&[u8])| (Str::from(format!("_{i}")), Value::Str(Str::from(*part)));
    Value::Map(Map::new(Type::String, parts.iter().enumerate().map(entry).collect()))
}

fn split(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let parts = parts(bytes(args, 1), bytes(args, 0), usize::MAX);
    call.reserve(parts.len().saturating_mul(32))?;
    Ok(numbered(&parts))
}

fn splitn(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let limit = usize::try_from(int(args, 1)).unwrap_or(usize::MAX);
    let parts = parts(bytes(args, 2), bytes(args, 0), limit);
    call.reserve(parts.len().saturating_mul(32))?;
    Ok(numbered(&parts))
}

fn split_list(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let parts = parts(bytes(args, 1), bytes(args, 0), usize::MAX);
    call.reserve(parts.len().saturating_mul(32))?;
    Ok(Value::List(List::of_strings(parts)))
}

fn fail_with(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    fail(text(args, 0).to_text())
}
