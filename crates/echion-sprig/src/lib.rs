//! The sprig functions that templates may call, one file per family.
