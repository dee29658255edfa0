//! The methods that values of a type have, known before there is a value.

use echion_value::{Method, Type};

/// The methods of a type.
pub(crate) fn of_type(_: Type) -> &'static [Method] {
    &[]
}
