//! Shows what would be sent, for `template notify` (contract 5.22). It sends nothing itself: the command line prints.
//!
//! *Recipient* is ignored.

use std::sync::Arc;

use async_trait::async_trait;
use echion_model::yaml::Node;
use echion_model::{
    Channel, Environment, Limits, Message, OptionsError, Receipt, Retry, SendError, Service, ServiceKind,
};

/// The type.
pub static KIND: ServiceKind = ServiceKind {
    name: "console",
    aliases: &[],
    summary: "Shows a notification instead of sending it.",
    recipient: "ignored",
    limits: Limits { body: None, budget: None },
    example: "{}",
    options: &[],
    open,
    section: None,
};

#[derive(Debug)]
struct Console;

fn open(_: &str, _: &Node, _: &Environment) -> Result<Arc<dyn Service>, OptionsError> {
    Ok(Arc::new(Console))
}

#[async_trait]
impl Service for Console {
    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let text = serde_json::to_string_pretty(message.notification)
            .map_err(|error| SendError::rejected(error.to_string(), "report this"))?;
        Ok(Receipt { answer: text })
    }

    fn channel(&self, _: &str) -> Channel {
        Channel { name: "console".to_owned(), budget: None, concurrency: 1, retry: Retry::default(), idempotent: false }
    }
}
