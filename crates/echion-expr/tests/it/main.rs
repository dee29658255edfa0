//! What the language promises whatever text it is given.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that fails panics")]

mod allocations;
mod examples;
mod hostile;
mod random;
mod rules;
mod trace;
