//! The ledger, and the dispatcher that empties it.

mod ahead;
mod budget;
mod dispatch;
mod lane;
mod ledger;
mod policy;

pub use ahead::RunAhead;
pub use dispatch::{AttemptReporter, Attempted, Clock, Dispatcher, Route, Routes, Totals, Waker};
pub use ledger::SqlLedger;
