//! The vectors, run through the engine.

mod expr;
mod trigger;
