//! The controller against a real API server and etcd.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `kube-apiserver` and `etcd`; without it they are built once, into the user's cache.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod controller;
mod recorder;
mod scenarios;
mod servers;
mod waves;
