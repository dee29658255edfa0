//! Where resources come from.

mod folder;
pub mod kubernetes;

pub use folder::{Folder, Observed, Problem, watch};
