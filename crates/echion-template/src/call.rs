//! What a rendering may use of the outside world, and how much of everything.

use echion_value::time::Time;
use echion_value::{CallError, Value};

/// How much one rendering may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Actions, calls and iterations.
    pub steps: u64,
    /// Bytes of output.
    pub output: usize,
    /// Bytes of one value that a function makes.
    pub result: usize,
    /// Bytes of all values that functions make.
    pub total: usize,
    /// Nested templates, blocks and parentheses.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 5_000_000, output: 16 << 20, result: 16 << 20, total: 256 << 20, depth: 400 }
    }
}

/// How many values [`CallContext::weigh`] counts as one byte of a result.
const VALUE_WEIGHT: usize = 16;

/// Fills a buffer with random bytes, or says why it cannot.
pub type Random<'h> = &'h mut dyn FnMut(&mut [u8]) -> Result<(), String>;
/// Looks up a host name.
pub type Resolve<'h> = &'h dyn Fn(&str) -> Result<String, String>;
/// Whether it is too late to go on.
pub type Expired<'h> = &'h dyn Fn() -> bool;

/// What functions get of the outside world. Templates cannot read the time by themselves.
pub struct CallContext<'h> {
    /// The current time.
    pub now: Time,
    random: Option<Random<'h>>,
    resolve: Option<Resolve<'h>>,
    expired: Option<Expired<'h>>,
    result: usize,
    left: usize,
}

impl std::fmt::Debug for CallContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Default for CallContext<'_> {
    fn default() -> Self {
        Self::new(Time::default())
    }
}

impl<'h> CallContext<'h> {
    /// A context that knows the time and nothing else.
    #[must_use]
    pub fn new(now: Time) -> Self {
        let Limits { result, total, .. } = Limits::default();
        Self { now, random: None, resolve: None, expired: None, result, left: total }
    }

    /// The same, with a source of random bytes.
    #[must_use]
    pub fn with_random(self, random: Random<'h>) -> Self {
        Self { random: Some(random), ..self }
    }

    /// The same, with a way to look up host names.
    #[must_use]
    pub fn with_resolver(self, resolve: Resolve<'h>) -> Self {
        Self { resolve: Some(resolve), ..self }
    }

    /// The same, with a deadline that is asked for now and then.
    #[must_use]
    pub fn with_deadline(self, expired: Expired<'h>) -> Self {
        Self { expired: Some(expired), ..self }
    }

    /// Fills `bytes` at random.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn random(&mut self, bytes: &mut [u8]) -> Result<(), CallError> {
        let random = self.random.as_mut().ok_or_else(|| CallError::new("there is no source of randomness here"))?;
        random(bytes).map_err(CallError)
    }

    /// The address of a host name.
    ///
    /// # Errors
    /// When it is not found, or none may be looked up.
    pub fn resolve(&self, name: &str) -> Result<String, CallError> {
        let resolve = self.resolve.ok_or_else(|| CallError::new("host names cannot be looked up here"))?;
        resolve(name).map_err(CallError)
    }

    /// The most bytes that the next result may have.
    #[must_use]
    pub fn room(&self) -> usize {
        self.result.min(self.left)
    }

    /// Accounts for a result of that many bytes, before it is made.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), CallError> {
        if bytes > self.room() {
            return Err(CallError::new(format!("a result of {bytes} bytes is too large")));
        }
        self.left -= bytes;
        Ok(())
    }

    /// Accounts for work that takes as long as it takes to make that many bytes, before it is begun.
    ///
    /// # Errors
    /// When there is no room for it, or no time.
    pub fn work(&mut self, bytes: usize) -> Result<(), CallError> {
        if self.is_expired() {
            return Err(CallError::new("the template takes too long"));
        }
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(CallError::new("the template asks for too much work")),
        }
    }

    /// Accounts for work on all parts of a value: values that share parts can be much larger than their memory.
    ///
    /// # Errors
    /// When the value is too large.
    pub fn weigh(&mut self, value: &Value) -> Result<(), CallError> {
        let mut pending = vec![value.clone()];
        let mut weight = 0usize;
        while let Some(value) = pending.pop() {
            weight = weight.saturating_add(VALUE_WEIGHT);
            match value {
                Value::Str(s) => weight = weight.saturating_add(s.len()),
                Value::Bytes(Some(bytes)) => weight = weight.saturating_add(bytes.len()),
                Value::List(list) => pending.extend(list.items().iter().cloned()),
                Value::Map(map) => pending.extend(map.entries().iter().map(|(_, v)| v.clone())),
                Value::Table(table) => pending.extend(table.entries().iter().map(|(_, v)| v.clone())),
                _ => {}
            }
            if weight > self.room() || pending.len() > self.room() {
                return Err(CallError::new("the value is too large"));
            }
        }
        self.left -= weight;
        Ok(())
    }

    pub(crate) fn start(&mut self, limits: &Limits) {
        self.result = limits.result;
        self.left = limits.total;
    }

    pub(crate) fn is_expired(&self) -> bool {
        self.expired.is_some_and(|expired| expired())
    }
}
