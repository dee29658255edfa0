//! The sprig functions that templates may call, one file per family.
//!
//! Names, arguments and results are those of sprig 3.3.0, without `env` and `expandenv`, which read the environment of the
//! process. What a function needs of the outside world (the time, randomness, host names) comes from the template's host.

mod args;
mod cast;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod json;
mod letters;
mod lists;
mod math;
mod paths;
mod reflect;
mod strings;
mod wrap;

use std::sync::LazyLock;

use echion_template::{Function, Functions};

/// All families.
static FAMILIES: &[&[Function]] = &[
    cast::FUNCTIONS,
    defaults::FUNCTIONS,
    dicts::FUNCTIONS,
    encoding::FUNCTIONS,
    json::FUNCTIONS,
    letters::FUNCTIONS,
    lists::FUNCTIONS,
    math::FUNCTIONS,
    paths::FUNCTIONS,
    reflect::FUNCTIONS,
    strings::FUNCTIONS,
    wrap::FUNCTIONS,
];

/// Every function that templates can call: Go's own and sprig's.
#[must_use]
pub fn functions() -> &'static Functions {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| Functions::new(FAMILIES));
    &FUNCTIONS
}
