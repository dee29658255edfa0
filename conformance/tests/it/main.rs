//! The vectors, run through the engine.
