//! Paths with slashes. They are texts; nothing reads a file system.

use echion_template::{CallContext, Function, takes};
use echion_value::Value;

use crate::args::{BOOL, Result, TEXT, bytes, make_text};

pub(crate) static ALL: &[Function] = &[
    Function::new("base", takes(&[TEXT], TEXT), base).doc(
        "the last element of a path",
        "{{base \"a/b.txt\"}}",
        "b.txt",
    ),
    Function::new("dir", takes(&[TEXT], TEXT), dir).doc("all but the last element", "{{dir \"a/b/c\"}}", "a/b"),
    Function::new("clean", takes(&[TEXT], TEXT), clean).doc(
        "the shortest way to write it",
        "{{clean \"a/../b//c\"}}",
        "b/c",
    ),
    Function::new("ext", takes(&[TEXT], TEXT), ext).doc("the extension", "{{ext \"a.tar.gz\"}}", ".gz"),
    Function::new("isAbs", takes(&[TEXT], BOOL), is_abs).doc(
        "whether it starts at the root",
        "{{isAbs \"/a\"}}",
        "true",
    ),
    Function::new("osBase", takes(&[TEXT], TEXT), base).doc("the same as base", "", ""),
    Function::new("osDir", takes(&[TEXT], TEXT), dir).doc("the same as dir", "", ""),
    Function::new("osClean", takes(&[TEXT], TEXT), clean).doc("the same as clean", "", ""),
    Function::new("osExt", takes(&[TEXT], TEXT), ext).doc("the same as ext", "", ""),
    Function::new("osIsAbs", takes(&[TEXT], BOOL), is_abs).doc("the same as isAbs", "", ""),
];

fn base(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let path = bytes(args, 0);
    if path.is_empty() {
        return Ok(Value::from("."));
    }
    let end = path.iter().rposition(|b| *b != b'/').map_or(0, |i| i + 1);
    let last = path.get(..end).unwrap_or_default().rsplit(|b| *b == b'/').next().unwrap_or_default();
    Ok(if last.is_empty() { Value::from("/") } else { make_text(last) })
}

fn dir(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let path = bytes(args, 0);
    let end = path.iter().rposition(|b| *b == b'/').map_or(0, |i| i + 1);
    Ok(make_text(cleaned(path.get(..end).unwrap_or_default())))
}

fn clean(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(make_text(cleaned(bytes(args, 0))))
}

/// Go's `path.Clean`.
pub(crate) fn cleaned(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut elements: Vec<&[u8]> = Vec::new();
    for element in path.split(|b| *b == b'/') {
        match element {
            b"" | b"." => {}
            b".." => match elements.last() {
                Some(last) if *last != b".." => drop(elements.pop()),
                _ if rooted => {}
                _ => elements.push(element),
            },
            _ => elements.push(element),
        }
    }
    let joined = elements.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

fn ext(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let path = bytes(args, 0);
    let last = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let dot = last.iter().rposition(|b| *b == b'.');
    Ok(make_text(dot.and_then(|dot| last.get(dot..)).unwrap_or_default()))
}

fn is_abs(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::Bool(bytes(args, 0).starts_with(b"/")))
}
