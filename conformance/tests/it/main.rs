//! The vectors, run through the engine.

mod vectors;
