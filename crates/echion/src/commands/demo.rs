//! `echion demo`.
