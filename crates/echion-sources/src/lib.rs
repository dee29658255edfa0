//! Where resources come from.

mod folder;
pub mod kubernetes;
pub mod reposerver;

pub use folder::{FileError, Folder, FolderSource, Scan, watch_files};
