//! What the language promises whatever text it is given.
#![expect(clippy::panic, reason = "a test that fails panics")]

mod examples;
mod hostile;
mod random;
mod rules;
mod trace;
