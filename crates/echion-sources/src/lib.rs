//! Where resources come from.

mod folder;
pub mod kubernetes;
pub mod reposerver;

pub use folder::{Folder, FolderSource, Problem, Scan, watch_files};
