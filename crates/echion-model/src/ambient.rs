//! The outside world, as far as conditions and templates may ask it.

use std::fmt;
use std::time::Duration;

/// What the program hands to conditions and templates besides their variables. The engine does no I/O of its own.
pub trait Ambient: fmt::Debug + Send + Sync {
    /// Fills `bytes` with randomness that is fit for keys.
    ///
    /// # Errors
    /// When there is none.
    fn random(&self, bytes: &mut [u8]) -> Result<(), String>;

    /// The address of a host name.
    ///
    /// # Errors
    /// Why it is not known.
    fn resolve(&self, name: &str) -> Result<String, String>;

    /// How long this process has been at work: a clock for budgets, which no text can read.
    fn elapsed(&self) -> Duration;
}
