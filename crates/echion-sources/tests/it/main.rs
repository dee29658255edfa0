//! The repo-server's client against a stand-in that speaks its protocol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

mod fake;
mod reposerver;
