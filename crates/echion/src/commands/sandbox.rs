//! `echion sandbox`.
