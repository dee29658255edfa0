//! The sprig functions that templates may call, one file per family.

mod args;
mod dates;
mod hashes;
mod regexes;
mod urls;
mod versions;

use std::sync::LazyLock;

use echion_template::Functions;

static FUNCTIONS: LazyLock<Functions> =
    LazyLock::new(|| Functions::new(&[dates::ALL, hashes::ALL, regexes::ALL, urls::ALL, versions::ALL]));

/// Every function that a template can call: Go's own and sprig's.
#[must_use]
pub fn functions() -> &'static Functions {
    &FUNCTIONS
}
