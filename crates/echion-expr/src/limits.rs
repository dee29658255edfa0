//! What one evaluation may use.

use echion_value::time::Time;

use crate::error::EvalError;

/// Bounds of one evaluation. Every loop that a user can write is counted against one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions, and elements that builtins visit.
    pub steps: u64,
    /// Elements of all lists and maps that are made, as the reference counts them: the count must stay below.
    pub elements: u64,
    /// Bytes of all texts that are made.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 50_000_000, elements: 1_000_000, bytes: 64 << 20 }
    }
}

/// What an evaluation needs besides the environment.
#[derive(Clone, Default)]
pub struct Context<'c> {
    /// The time that `now()` gives.
    pub now: Time,
    /// What the evaluation may use.
    pub limits: Limits,
    /// Asked now and then whether time is up; evaluation stops when it says so.
    pub expired: Option<&'c dyn Fn() -> bool>,
}

/// How many steps pass between two checks of the deadline.
const STEPS_PER_LOOK: u64 = 4096;

/// What one evaluation has used.
pub(crate) struct Meter<'c> {
    pub(crate) context: &'c Context<'c>,
    steps: u64,
    elements: u64,
    bytes: u64,
    next_look: u64,
}

impl<'c> Meter<'c> {
    pub(crate) fn new(context: &'c Context<'c>) -> Self {
        Self { context, steps: 0, elements: 0, bytes: 0, next_look: STEPS_PER_LOOK }
    }

    /// Accounts for work.
    pub(crate) fn work(&mut self, steps: usize) -> Result<(), EvalError> {
        self.steps = self.steps.saturating_add(steps as u64);
        if self.steps < self.next_look { Ok(()) } else { self.look() }
    }

    #[cold]
    fn look(&mut self) -> Result<(), EvalError> {
        self.next_look = self.steps.saturating_add(STEPS_PER_LOOK);
        if self.steps > self.context.limits.steps {
            return Err(EvalError::budget("step budget exceeded"));
        }
        if self.context.expired.is_some_and(|expired| expired()) {
            return Err(EvalError::budget("time budget exceeded"));
        }
        Ok(())
    }

    /// Accounts for the elements of a new list or map.
    pub(crate) fn grow(&mut self, elements: usize) -> Result<(), EvalError> {
        self.elements = self.elements.saturating_add(elements as u64);
        if self.elements >= self.context.limits.elements {
            return Err(EvalError::budget("memory budget exceeded"));
        }
        self.work(elements)
    }

    /// How long the next text may be.
    pub(crate) fn room(&self) -> usize {
        usize::try_from(self.context.limits.bytes.saturating_sub(self.bytes)).unwrap_or(usize::MAX)
    }

    /// Accounts for a new text. The reference does not count them.
    pub(crate) fn write(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes > self.context.limits.bytes {
            return Err(EvalError::budget("memory budget exceeded"));
        }
        self.work(bytes / 16)
    }
}
