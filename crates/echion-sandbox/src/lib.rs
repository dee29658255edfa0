//! Local stand-ins.
