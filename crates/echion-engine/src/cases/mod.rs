//! One conformance case in, one answer out: what `--jsonl` does for each line.

mod canned;
pub mod expr;
pub mod template;
pub mod trigger;
