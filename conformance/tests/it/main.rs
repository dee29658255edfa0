//! The vectors, run through the engine.

mod expr;
mod template;
mod trigger;
