//! Named character classes, as the inside of a bracket expression of the `regex` crate.

/// The body and the sign of a Perl class `\d \s \w \D \S \W`, all ASCII.
pub(super) fn perl(letter: u8) -> Option<(&'static str, bool)> {
    let body = match letter.to_ascii_lowercase() {
        b'd' => "0-9",
        // Unlike the POSIX class this one has no vertical tab.
        b's' => r"\t\n\x0C\r\x20",
        b'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some((body, letter.is_ascii_uppercase()))
}

/// The body of a POSIX class `[:name:]`, all ASCII.
pub(super) fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => "0-9",
        "graph" => r"\x21-\x7E",
        "lower" => "a-z",
        "print" => r"\x20-\x7E",
        "punct" => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        "space" => r"\t\n\x0B\x0C\r\x20",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    })
}

/// What matches nothing.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// The body of a Unicode class: a general category, a script, or one of Go's `Any`, `ASCII` and `Assigned`. Case, blanks,
/// hyphens and underscores do not matter in names (since Go 1.25). The crate has more properties than Go, which are
/// unknown here as they are there.
pub(super) fn unicode(name: &str) -> Option<String> {
    let plain: String =
        (name.chars()).filter(|c| !matches!(c, ' ' | '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
    if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    match plain.as_str() {
        "any" => return Some(r"\x{0}-\x{10FFFF}".to_owned()),
        "ascii" => return Some(r"\x00-\x7F".to_owned()),
        "assigned" => return Some(r"\P{gc=Cn}".to_owned()),
        // No text that is UTF-8 holds one.
        "cs" | "surrogate" => return Some(NOTHING.to_owned()),
        _ => {}
    }
    if let Some((short, _)) = CATEGORIES.iter().find(|(short, long)| plain == *short || plain == *long) {
        return Some(format!(r"\p{{gc={short}}}"));
    }
    // The crate also knows the codes of scripts (Grek); Go knows full names only, and these are the short ones of them.
    const SHORT: [&str; 14] =
        ["ahom", "cham", "han", "kawi", "lao", "lisu", "modi", "mro", "newa", "nko", "thai", "toto", "vai", "yi"];
    if (plain.len() <= 4 && !SHORT.contains(&plain.as_str())) || plain.starts_with("is") {
        return None;
    }
    let class = format!(r"\p{{sc={plain}}}");
    regex::Regex::new(&class).is_ok().then_some(class)
}

/// The general categories with their aliases.
const CATEGORIES: &[(&str, &str)] = &[
    ("c", "other"),
    ("cc", "control"),
    ("cc", "cntrl"),
    ("cf", "format"),
    ("cn", "unassigned"),
    ("co", "privateuse"),
    ("l", "letter"),
    ("lc", "casedletter"),
    ("ll", "lowercaseletter"),
    ("lm", "modifierletter"),
    ("lo", "otherletter"),
    ("lt", "titlecaseletter"),
    ("lu", "uppercaseletter"),
    ("m", "mark"),
    ("m", "combiningmark"),
    ("mc", "spacingmark"),
    ("me", "enclosingmark"),
    ("mn", "nonspacingmark"),
    ("n", "number"),
    ("nd", "decimalnumber"),
    ("nd", "digit"),
    ("nl", "letternumber"),
    ("no", "othernumber"),
    ("p", "punctuation"),
    ("p", "punct"),
    ("pc", "connectorpunctuation"),
    ("pd", "dashpunctuation"),
    ("pe", "closepunctuation"),
    ("pf", "finalpunctuation"),
    ("pi", "initialpunctuation"),
    ("po", "otherpunctuation"),
    ("ps", "openpunctuation"),
    ("s", "symbol"),
    ("sc", "currencysymbol"),
    ("sk", "modifiersymbol"),
    ("sm", "mathsymbol"),
    ("so", "othersymbol"),
    ("z", "separator"),
    ("zl", "lineseparator"),
    ("zp", "paragraphseparator"),
    ("zs", "spaceseparator"),
];
