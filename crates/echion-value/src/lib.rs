//! The dynamic value that the expression and the template language share.
//!
//! Both languages were written for Go, and what users wrote in them depends on Go's kinds: `int` is not `int64`, a missing
//! key is not `nil`, a string is bytes, a `map` can be changed through every name it has. [`Value`] keeps those
//! distinctions; everything else in this crate is what Go's standard library does with such values.
//!
//! Nothing here does I/O or reads a clock, and nothing panics on any value.

mod callable;
mod complex;
mod decode;
mod equality;
pub mod format;
pub mod json;
mod list;
mod map;
mod methods;
mod object;
pub mod regexp;
pub mod strconv;
mod text;
pub mod time;
mod types;
mod value;

pub use callable::{CallError, Func, Method, Signature};
pub use complex::Complex;
pub use equality::{deep_equal, identical};
pub use list::List;
pub use map::{Map, Table};
pub use object::{Object, ObjectType};
pub use text::Str;
pub use types::Type;
pub use value::Value;
