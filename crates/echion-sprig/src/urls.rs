//! Addresses, taken apart and put together as Go does.

use echion_template::{CallContext, Function, takes};
use echion_value::{CallError, Map, Str, Type, Value};

use crate::args::string;

/// The functions of this family.
pub(crate) static ALL: &[Function] = &[
    Function::new("urlJoin", takes(&[Type::MAP], Type::String), join).doc(
        "Puts an address together.",
        r#"{{ urlJoin (dict "scheme" "https" "host" "h.test" "path" "/a") }}"#,
        "https://h.test/a",
    ),
    Function::new("urlParse", takes(&[Type::String], Type::MAP), parse).doc(
        "Takes an address apart.",
        r#"{{ (urlParse "https://h.test:8443/a?b=c").hostname }}"#,
        "h.test",
    ),
];

fn parse(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let source = string(args, 0);
    let refuse = |why: &str| {
        CallError(format!("unable to parse url: parse {}: {why}", echion_value::strconv::quote(source.as_bytes())))
    };
    if source.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err(refuse("net/url: invalid control character in URL"));
    }
    let (rest, fragment) = source.split_once('#').unwrap_or((&source, ""));
    let (scheme, rest) = split_scheme(rest).map_err(refuse)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut host, mut userinfo, mut path, mut opaque) = ("", "", rest, "");
    if !scheme.is_empty() && !rest.starts_with('/') {
        (opaque, path) = (rest, "");
    } else if let Some(after) = rest.strip_prefix("//").filter(|_| !scheme.is_empty() || !rest.starts_with("///")) {
        let (authority, tail) = after.split_at(after.find('/').unwrap_or(after.len()));
        (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        path = tail;
    } else if scheme.is_empty() && rest.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err(refuse("first path segment in URL cannot contain colon"));
    }
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|_| !host.ends_with(']'));
    if let Some(port) = port.filter(|port| !port.bytes().all(|b| b.is_ascii_digit())) {
        return Err(refuse(&format!(
            "invalid port {} after host",
            echion_value::strconv::quote(format!(":{port}").as_bytes())
        )));
    }
    let path = unescape(path)
        .map_err(|bad| refuse(&format!("invalid URL escape {}", echion_value::strconv::quote(bad.as_bytes()))))?;
    let hostname = match port {
        Some(port) => host.strip_suffix(port).and_then(|h| h.strip_suffix(':')).unwrap_or(host),
        None => host,
    };
    let hostname = hostname.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(hostname);
    let entries = [
        ("scheme", scheme.to_ascii_lowercase().into_bytes()),
        ("host", host.as_bytes().to_vec()),
        ("hostname", hostname.as_bytes().to_vec()),
        ("path", path),
        ("query", query.as_bytes().to_vec()),
        ("opaque", opaque.as_bytes().to_vec()),
        ("fragment", unescape(fragment).unwrap_or_else(|_| fragment.as_bytes().to_vec())),
        ("userinfo", userinfo.as_bytes().to_vec()),
    ];
    Ok(Value::Map(Map::of_any(entries.into_iter().map(|(k, v)| (k.into(), Value::Str(v.into()))).collect())))
}

/// The scheme and what follows its colon; no scheme when the text does not begin with one.
fn split_scheme(text: &str) -> Result<(&str, &str), &'static str> {
    for (index, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index == 0 => return Err("missing protocol scheme"),
            ':' => return Ok((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let digits = bytes.get(at + 1..at + 3).and_then(|d| std::str::from_utf8(d).ok());
            match digits
                .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|d| u8::from_str_radix(d, 16).ok())
            {
                Some(decoded) => out.push(decoded),
                None => return Err(String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 3)]).into_owned()),
            }
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    Ok(out)
}

fn join(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let map = args.first().and_then(Value::as_map);
    let part = |key: &str| match map.and_then(|m| m.get(key)).map(std::borrow::Cow::into_owned) {
        None => Ok(Str::default()),
        Some(Value::Str(text)) => Ok(text),
        Some(other) => {
            let kind = other.type_of().map_or("invalid", Type::kind);
            Err(CallError(format!("unable to parse {key} key, must be of type string, but {kind} found")))
        }
    };
    let (scheme, host, path) = (part("scheme")?, part("host")?, part("path")?);
    let (query, opaque, fragment, userinfo) = (part("query")?, part("opaque")?, part("fragment")?, part("userinfo")?);
    let mut out = String::new();
    if !scheme.is_empty() {
        out.push_str(&scheme.to_text());
        out.push(':');
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !userinfo.is_empty() {
            if !host.is_empty() || !userinfo.is_empty() || path.as_bytes().starts_with(b"//") {
                out.push_str("//");
            }
            if !userinfo.is_empty() {
                out.push_str(&userinfo.to_text());
                out.push('@');
            }
            out.push_str(&host.to_text());
        }
        if !path.is_empty() && !path.as_bytes().starts_with(b"/") && !host.is_empty() {
            out.push('/');
        }
        // Without a scheme or host, a colon in the first part would be read as the end of a scheme.
        let first = path.as_bytes().split(|byte| *byte == b'/').next().unwrap_or_default();
        if out.is_empty() && first.contains(&b':') {
            out.push_str("./");
        }
        match path.as_bytes() {
            b"*" => out.push('*'),
            path => escape_into(&mut out, path, b"$&+,/:;=@-_.~"),
        }
    } else {
        out.push_str(&opaque.to_text());
    }
    if !query.is_empty() {
        out.push('?');
        out.push_str(&query.to_text());
    }
    if !fragment.is_empty() {
        out.push('#');
        escape_into(&mut out, fragment.as_bytes(), b"$&+,/:;=?@-_.~!*()");
    }
    Ok(Value::from(out))
}

fn escape_into(out: &mut String, bytes: &[u8], plain: &[u8]) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || plain.contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}
