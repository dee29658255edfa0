//! The dynamic value that the expression and template languages share.

pub mod regexp;
pub mod strconv;
pub mod time;
