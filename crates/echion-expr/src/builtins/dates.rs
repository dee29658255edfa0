//! Dates and durations.

use super::Builtin;

pub(super) const ALL: &[Builtin] = &[];
