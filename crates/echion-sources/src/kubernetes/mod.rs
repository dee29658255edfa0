//! Resources of a cluster: what is watched, what is written back, and who leads.

mod access;
mod annotation;
mod backoff;
mod configuration;
mod events;
mod http;
mod kind;
mod kinds;
mod lease;
mod mirror;
mod object;
mod observer;
mod source;
mod split;
mod watch;

pub use access::{Access, AccessError, Connection};
pub use configuration::watch_configuration;
pub use events::{Events, Regarding};
pub use kind::ResourceKind;
pub use kinds::Kinds;
pub use kube::{Client, Error as ApiError};
pub use lease::{Lease, Term};
pub use mirror::KubernetesMirror;
pub use source::{KubernetesSource, Scope};

/// An error of the API server in its own words, which name the right that is missing.
pub(crate) fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => format!("the API server forbids it: {}", status.message),
        kube::Error::Api(status) => format!("the API server answered {}: {}", status.code, status.message),
        other => {
            let mut text = other.to_string();
            let mut cause = std::error::Error::source(other);
            while let Some(error) = cause {
                let more = error.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                cause = error.source();
            }
            text
        }
    }
}

/// Whether the API server refused for want of a right.
#[must_use]
pub fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}
