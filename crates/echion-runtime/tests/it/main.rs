//! The line in one process.
