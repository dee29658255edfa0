//! The services against the sandbox, over real connections on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod channels;
mod clouds;
mod differences;
mod dingtalk;
mod egress;
mod email;
mod limits;
mod nats;
mod secrets;
mod stand_ins;
mod suite;
mod transport;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use echion_model::{
    DeliveryId, Environment, LedgerError, Memory, Message, NoMemory, Notification, Receipt, SendError, SendErrorKind,
    Service, yaml,
};
use echion_sandbox::{DingTalkOptions, Fault, Options, Received, Sandbox};
use serde_json::{Value, json};

const NOW: i64 = 1_700_000_000_000;
const RETRY: SendErrorKind = SendErrorKind::Retryable { retry_after: None };

async fn sandbox() -> Sandbox {
    robots(DingTalkOptions::default()).await
}

async fn robots(dingtalk: DingTalkOptions) -> Sandbox {
    Sandbox::start(Options { dingtalk, ..Options::new(|| NOW) }).await.unwrap()
}

/// A service instance called `hook`.
fn open(kind: &str, options: &str) -> Arc<dyn Service> {
    let kind = echion_services::ALL.iter().find(|k| k.name == kind).unwrap();
    (kind.open)("hook", &yaml::parse(options).unwrap(), &Environment::default()).unwrap_or_else(|e| panic!("{e:?}"))
}

/// A notification with one section.
fn notification(key: &str, section: Value) -> Notification {
    let sections = [(key.to_owned(), section)].into();
    Notification { message: "hello".to_owned(), sections }
}

/// A webhook's notification.
fn request(method: &str, path: &str, body: &str) -> Notification {
    notification("webhook", json!({"hook": {"method": method, "path": path, "body": body}}))
}

async fn send_at(
    service: &Arc<dyn Service>,
    notification: &Notification,
    id: &str,
    now: i64,
) -> Result<Receipt, SendError> {
    let id = DeliveryId(id.to_owned());
    service.send(Message { notification, recipient: "", id: &id, now, memory: &NoMemory }).await
}

async fn send(service: &Arc<dyn Service>, notification: &Notification) -> Result<Receipt, SendError> {
    send_at(service, notification, "id-1", NOW).await
}

/// A memory that is forgotten with the test.
#[derive(Debug, Default)]
struct Pad(std::sync::Mutex<std::collections::BTreeMap<String, String>>);

#[async_trait::async_trait]
impl Memory for Pad {
    async fn recall(&self, key: &str, _: i64) -> Result<Option<String>, LedgerError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    async fn remember(&self, key: &str, value: &str, _: i64, _: Duration) -> Result<(), LedgerError> {
        self.0.lock().unwrap().insert(key.to_owned(), value.to_owned());
        Ok(())
    }
}

fn accepted(sandbox: &Sandbox) -> Vec<Received> {
    sandbox.messages().into_iter().filter(|message| message.accepted).collect()
}

/// Faults without an answer that can be used, but for `hang`.
fn broken() -> [Fault; 3] {
    let none = Fault::default();
    [Fault { drop: true, ..none.clone() }, Fault { cut: true, ..none.clone() }, Fault { garbled: true, ..none }]
}

fn pause(seconds: u64) -> SendErrorKind {
    SendErrorKind::RateLimited { retry_after: Duration::from_secs(seconds) }
}
