//! The sprig functions that templates may call, one file per family.

mod checked;
mod dates;
mod hashes;
mod regexes;
mod urls;
mod versions;

use std::sync::LazyLock;

use echion_template::Functions;

/// Every function that templates can call: Go's own and sprig's.
#[must_use]
pub fn functions() -> &'static Functions {
    static FUNCTIONS: LazyLock<Functions> =
        LazyLock::new(|| Functions::new(&[dates::ALL, hashes::ALL, regexes::ALL, urls::ALL, versions::ALL]));
    &FUNCTIONS
}
