//! What the program reports over HTTP: metrics and health.

mod health;
mod metrics;
mod server;

pub use health::Health;
pub use metrics::{MetricHelp, Metrics};
pub use server::{bind, serve};
