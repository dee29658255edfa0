//! The controller against a real API server and etcd.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `kube-apiserver` and `etcd`; without it they are built once, into the user's cache.

#[path = "../../../echion-sources/tests/it/fake.rs"]
mod fake;

mod controller;
mod recorder;
mod repo_server;
mod scenarios;
mod servers;
mod waves;
