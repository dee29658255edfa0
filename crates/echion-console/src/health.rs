//! Whether the program makes progress, rather than whether it runs.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A main loop that has not come around for so long hangs.
const STUCK: i64 = 60_000;

/// Progress, as probes ask for it.
#[derive(Debug, Default)]
pub struct Health {
    beat: AtomicI64,
    ready: AtomicBool,
    waits_for: Mutex<String>,
}

impl Health {
    /// The main loop has come around, at a time in milliseconds since 1970.
    pub fn beat(&self, now: i64) {
        self.beat.store(now, Ordering::Relaxed);
    }

    /// Everything is there that is needed to work.
    pub fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Work cannot go on until this is there.
    pub fn waits_for(&self, what: &str) {
        self.ready.store(false, Ordering::Relaxed);
        what.clone_into(&mut self.waits_for.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether the program lives.
    ///
    /// # Errors
    /// What hangs.
    pub fn alive(&self, now: i64) -> Result<(), String> {
        let beat = self.beat.load(Ordering::Relaxed);
        if beat != 0 && now.saturating_sub(beat) > STUCK {
            return Err(format!("the main loop has not come around for {} s", now.saturating_sub(beat) / 1000));
        }
        Ok(())
    }

    /// Whether the program does its work.
    ///
    /// # Errors
    /// What it waits for.
    pub fn working(&self, now: i64) -> Result<(), String> {
        self.alive(now)?;
        if self.ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let waits_for = self.waits_for.lock().unwrap_or_else(PoisonError::into_inner);
        let what = if waits_for.is_empty() { "its start" } else { waits_for.as_str() };
        Err(format!("waiting for {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_waits_lives_and_one_that_hangs_does_not() {
        let health = Health::default();
        assert!(health.alive(5).is_ok() && health.working(5).is_err());
        health.beat(1000);
        health.waits_for("the ConfigMap");
        assert_eq!(health.working(2000).unwrap_err(), "waiting for the ConfigMap");
        health.ready();
        assert!(health.working(2000).is_ok());
        assert!(health.alive(1000 + STUCK).is_ok());
        assert!(health.alive(1001 + STUCK).is_err() && health.working(1001 + STUCK).is_err());
    }
}
