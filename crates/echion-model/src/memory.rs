//! What services remember between messages, across restarts: the thread of a group, the message to update.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::LedgerError;

/// Texts under keys, each with an end. Keys begin with the name of the service. Times are milliseconds since 1970.
#[async_trait]
pub trait Memory: Send + Sync + fmt::Debug {
    /// What was remembered under a key, unless its time is over.
    async fn recall(&self, key: &str, now: i64) -> Result<Option<String>, LedgerError>;

    /// Remembers a text under a key for a time; an earlier one is replaced.
    async fn remember(&self, key: &str, value: &str, now: i64, keep: Duration) -> Result<(), LedgerError>;
}

/// Remembers nothing: for a single message by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

#[async_trait]
impl Memory for NoMemory {
    async fn recall(&self, _: &str, _: i64) -> Result<Option<String>, LedgerError> {
        Ok(None)
    }

    async fn remember(&self, _: &str, _: &str, _: i64, _: Duration) -> Result<(), LedgerError> {
        Ok(())
    }
}
