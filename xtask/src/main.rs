//! Checks of the workspace that no compiler makes.
fn main() {}
