//! What happens on the line, for people and machines: lines of a command, or the controller's log, metrics and Events.

mod lines;
mod log;

pub(crate) use lines::{LineReporter, explained};
pub(crate) use log::LogReporter;
