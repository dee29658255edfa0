//! `$name` in service options refers to an entry of the Secret (contract 1.4).

use std::collections::BTreeMap;

use echion_model::Secret;

/// What a substitution found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Names that the Secret does not have.
    pub(super) missing: Vec<String>,
    /// The values that were used.
    pub(super) used: Vec<Secret>,
}

/// Replaces every `$name` that the Secret knows; names it does not know are left and reported. `None` when nothing changed.
pub(super) fn substitute(text: &str, secrets: &BTreeMap<String, Vec<u8>>, found: &mut Found) -> Option<String> {
    let mut out = String::new();
    let mut changed = false;
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, token) = rest.split_at(at);
        out.push_str(before);
        let name_len = token[1..].find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
        let (name, after) = token[1..].split_at(name_len.unwrap_or(token.len() - 1));
        match secrets.get(name).filter(|_| !name.is_empty()) {
            Some(value) => {
                let value = String::from_utf8_lossy(value);
                out.push_str(&value);
                found.used.push(Secret::new(value));
                changed = true;
            }
            None => {
                out.push('$');
                out.push_str(name);
                if !name.is_empty() {
                    found.missing.push(name.to_owned());
                }
            }
        }
        rest = after;
    }
    out.push_str(rest);
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract section 10.
    #[test]
    fn tokens_are_greedy_and_stop_at_other_characters() {
        let secrets = BTreeMap::from([("k".to_owned(), b"V".to_vec()), ("k-b".to_owned(), b"W".to_vec())]);
        let mut found = Found::default();
        let mut run = |text: &str| substitute(text, &secrets, &mut found);
        assert_eq!(run("a$k-b").as_deref(), Some("aW"));
        assert_eq!(run("$k.x").as_deref(), Some("V.x"));
        assert_eq!(run("Bearer $k $k").as_deref(), Some("Bearer V V"));
        assert_eq!(run("100$ $nope"), None);
        assert_eq!(found.missing, ["nope"]);
        let used: Vec<&str> = found.used.iter().map(Secret::expose).collect();
        assert_eq!(used, ["W", "V", "V", "V"]);
    }
}
