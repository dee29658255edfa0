//! The controller against a real API server and etcd.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `kube-apiserver` and `etcd`; without it they are built once, into the user's cache.

mod controller;
mod rbac;
mod recorder;
mod scenarios;
mod servers;
mod waves;
