//! Resources of a cluster: what is watched, what is written back, and who leads.

mod access;
mod annotation;
mod configuration;
mod events;
mod kind;
mod lease;
mod object;
mod watch;

pub use access::{Access, AccessError};
pub use annotation::{Mirrored, write_annotation};
pub use configuration::{ConfigurationChange, watch_configuration};
pub use events::{Events, Regarding};
pub use kind::ResourceKind;
pub use kube::{Client, Error as ApiError};
pub use lease::{Lease, Term};
pub use object::Object;
pub use watch::{Observation, Scope, get, watch};

/// What to say about an answer of the API server: its own words, and where the right is missing, which.
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
