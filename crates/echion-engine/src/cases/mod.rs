//! One conformance case in, one answer out: what `--jsonl` does for each line.
