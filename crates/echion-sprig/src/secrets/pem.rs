//! PEM: a kind and bytes as lines of base64.

use crate::encoding::{base64_of, from_base64};

/// A block of that kind.
pub(super) fn encode(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("-----BEGIN {kind}-----\n").into_bytes();
    for line in base64_of(bytes).chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("-----END {kind}-----\n").as_bytes());
    out
}

/// The first block of a text: its kind and its bytes.
pub(super) fn decode(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::trim_end);
    loop {
        let line = lines.find(|line| line.starts_with("-----BEGIN "))?;
        let Some(kind) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else { continue };
        let end = format!("-----END {kind}-----");
        let mut ended = false;
        let body: String =
            lines.by_ref().take_while(|line| !std::mem::replace(&mut ended, *line == end) && !ended).collect();
        // Headers, such as those of encrypted keys, are lines with a colon.
        if ended
            && !body.contains(':')
            && let Ok(bytes) = from_base64(body.as_bytes())
        {
            return Some((kind.to_owned(), bytes));
        }
    }
}
