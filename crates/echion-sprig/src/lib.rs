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

/// All families.
static FAMILIES: &[&[Function]] = &[
    cast::ALL,
    chance::ALL,
    dates::ALL,
    defaults::ALL,
    dicts::ALL,
    encoding::ALL,
    escapes::ALL,
    hashes::ALL,
    json::ALL,
    letters::ALL,
    lists::ALL,
    math::ALL,
    network::ALL,
    paths::ALL,
    reflect::ALL,
    regexes::ALL,
    secrets::ALL,
    strings::ALL,
    urls::ALL,
    versions::ALL,
    wrap::ALL,
];

/// Every function that templates can call: Go's own, sprig's, and a few of ours.
#[must_use]
pub fn functions() -> &'static Functions {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| Functions::new(FAMILIES));
    &FUNCTIONS
}
