//! The ledger, and the dispatcher that empties it.

mod backoff;
mod budget;
mod dispatch;
mod ledger;
mod memory;

pub use dispatch::{Clock, Directory, Dispatcher, Event, Totals};
pub use ledger::SqlLedger;
