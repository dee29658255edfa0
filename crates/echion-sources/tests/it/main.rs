//! Sources against servers that are scripted: the API server, and a repo-server that speaks its protocol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

mod api;
mod fake;
mod lease;
mod mirror;
mod observing;
mod reposerver;
