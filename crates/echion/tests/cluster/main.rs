//! The controller against a real API server and etcd.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `kube-apiserver` and `etcd`; without it they are built once, into the user's cache.

#![allow(dead_code, reason = "the benchmark uses more of what they share")]
#![allow(clippy::disallowed_methods, reason = "servers, clocks and the environment are the tests' own business")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

#[path = "../../../echion-sources/tests/it/fake.rs"]
mod fake;

mod controller;
mod rbac;
mod recorder;
mod repairs;
mod repo_server;
mod restarts;
mod scenarios;
mod secrecy;
mod servers;
mod surface;
mod tenants;
mod waves;
