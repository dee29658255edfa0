//! Where resources come from.

mod folder;

pub use folder::{Folder, Observed, Problem, watch};
