//! What earlier attempts of a delivery have done: it is not done again, since it would arrive twice.

use std::time::Duration;

use echion_model::Message;

/// For how long it is remembered: longer than anything is retried.
const REMEMBERED: Duration = Duration::from_secs(2 * 86_400);

/// The steps that are done.
pub(crate) struct Done {
    key: String,
    steps: String,
}

impl Done {
    /// Recalls the steps of this delivery; `service` is the type and the name of the instance.
    pub(crate) async fn of(message: &Message<'_>, service: &str) -> Self {
        let key = format!("{service}/{}", message.id);
        let steps = message.memory.recall(&key, message.now).await.ok().flatten().unwrap_or_default();
        Self { key, steps }
    }

    /// Whether a step is done.
    pub(crate) fn has(&self, step: &str) -> bool {
        self.steps.lines().any(|before| before == step)
    }

    /// Remembers steps.
    pub(crate) async fn note(&mut self, steps: &[&str], message: &Message<'_>) {
        for step in steps {
            self.steps.push_str(step);
            self.steps.push('\n');
        }
        // They are done whether that can be remembered or not: to fail now would repeat them for sure.
        drop(message.memory.remember(&self.key, &self.steps, message.now, REMEMBERED).await);
    }
}
