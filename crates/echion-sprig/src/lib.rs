//! The sprig functions that templates may call, one file per family.
//!
//! Names, arguments and results are those of sprig 3.3.0, without `env` and `expandenv`, which read the environment of the
//! process; `escapes` holds the few that are ours. What a function needs of the outside world (the time, randomness, host names)
//! comes from the template's host.

mod args;
mod cast;
mod chance;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod escapes;
mod hashes;
mod json;
mod letters;
mod lists;
mod math;
mod network;
mod paths;
mod reflect;
mod regexes;
mod secrets;
mod strings;
mod urls;
mod versions;
mod wrap;

use std::sync::LazyLock;

use echion_template::{Function, Functions};

/// All families, with their titles.
static FAMILIES: &[(&str, &[Function])] = &[
    ("Conversions", cast::ALL),
    ("Randomness", chance::ALL),
    ("Dates", dates::ALL),
    ("Defaults", defaults::ALL),
    ("Maps", dicts::ALL),
    ("Encodings", encoding::ALL),
    ("Escapes and mentions, which only Echion has", escapes::ALL),
    ("Checksums", hashes::ALL),
    ("JSON", json::ALL),
    ("Letter case", letters::ALL),
    ("Lists", lists::ALL),
    ("Numbers", math::ALL),
    ("Host names", network::ALL),
    ("Paths", paths::ALL),
    ("Types", reflect::ALL),
    ("Regular expressions", regexes::ALL),
    ("Keys, certificates and passwords", secrets::ALL),
    ("Texts", strings::ALL),
    ("URLs", urls::ALL),
    ("Versions", versions::ALL),
    ("Line breaks", wrap::ALL),
];

/// All functions by family: Go's own, then those of this crate. Of two with one name the later one is meant.
pub fn families() -> impl Iterator<Item = (&'static str, &'static [Function])> {
    std::iter::once(("Go's own", echion_template::OWN)).chain(FAMILIES.iter().copied())
}

/// Every function that templates can call: Go's own, sprig's, and a few of ours.
#[must_use]
pub fn functions() -> &'static Functions {
    static FUNCTIONS: LazyLock<Functions> =
        LazyLock::new(|| Functions::new(&FAMILIES.iter().map(|(_, family)| *family).collect::<Vec<_>>()));
    &FUNCTIONS
}
