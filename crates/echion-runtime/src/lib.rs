//! The line from a source to a delivery, in one library: source → index → evaluate → plan → ledger → dispatcher. `run`, `controller`, `demo`,
//! `--once` and `--dry-run` choose sources, a ledger and a reporter, and have no path of their own.
//!
//! * [`index`] is pure: observations in, commands out. It holds what is known of resources and knows no clock, no I/O and no task.
//! * [`Driver`] executes the commands. Evaluation runs next to its loop, so that nothing costly delays anybody else.
//! * [`StateMirrors`](state_mirror) write the acknowledged state back to where resources come from.

// Whoever wires the line names its parts by these.
pub use {echion_engine as engine, echion_model as model, echion_value as value};

mod cache;
mod configuration;
mod driver;
mod evaluation;
pub mod index;
mod lanes;
mod outdated;
mod parts;
mod pipeline;
mod projects;
mod reporter;
mod repositories;
pub mod state_mirror;

pub use configuration::{Compile, Configurations};
pub use driver::Driver;
pub use parts::{Parts, RuntimeError, Settings, Summary};
pub use reporter::{Evaluated, Reporter};
pub use repositories::RepositoryServer;
