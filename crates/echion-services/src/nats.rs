//! Publishes to a subject of NATS (contract 5.9).
//!
//! Protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>. *Recipient* is the subject.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{ConnectErrorKind, ConnectOptions, Event, HeaderMap, PublishErrorKind, RequestErrorKind, ServerError};
use async_trait::async_trait;
use echion_model::{Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use tokio::sync::mpsc;

use crate::answer::excerpt;
use crate::options::options;
use crate::tls;
use crate::vendor::{self, Opening, Vendor};

/// How long connecting, and all that follows, may take.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));

/// The subject of a request without a responder: the server's response to it confirms all that came before.
const PROBE: &str = "echion-probe";

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "nats",
    aliases: &[],
    summary: "Publishes to a subject of NATS.",
    recipient: "the subject",
    limits: Limits { body: Some(Length::Bytes(1024 * 1024)), budget: None },
    example: "url: nats://nats.example.com:4222\nnkey: $nats-nkey\n",
    options: Options::TABLE,
    open: vendor::open::<Nats>,
    section: None,
};

options! {
    struct Options {
        /// The server, such as `nats://nats.example.com:4222`, or several separated by commas; `tls://` wants encryption.
        "url" url: Secret,
        /// Headers of every message.
        "headers" headers: BTreeMap<String, String>,
        /// The seed of an NKey.
        "nkey" nkey: Secret,
        /// A user.
        "username" username: String,
        /// The user's password.
        "password" password: Secret,
    }
}

#[derive(Debug)]
struct Nats {
    servers: Vec<Secret>,
    headers: BTreeMap<String, String>,
    nkey: Secret,
    username: String,
    password: Secret,
}

#[async_trait]
impl Vendor for Nats {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        tls::install();
        let Options { url, headers, nkey, username, password } = options;
        let servers: Vec<Secret> =
            url.expose().split(',').map(str::trim).filter(|url| !url.is_empty()).map(Secret::new).collect();
        opening.require("url", servers.is_empty())?;
        for server in &servers {
            if server.expose().parse::<async_nats::ServerAddr>().is_err() {
                let message = "`url` is not an address such as `nats://nats.example.com:4222`";
                return Err(opening.refuse("url", message.to_owned()));
            }
        }
        Ok(Self { servers, headers, nkey, username, password })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        if message.recipient.is_empty() || message.recipient.contains(char::is_whitespace) {
            let hint = "name the subject as recipient, such as `argocd.deployed`";
            return Err(SendError::rejected(format!("`{}` is not a subject", message.recipient), hint));
        }
        let sent = AtomicBool::new(false);
        let done = tokio::time::timeout(PATIENCE.1, self.publish(message, &sent)).await;
        done.unwrap_or_else(|_| Err(broken(&sent, &format!("no confirmation within {} seconds", PATIENCE.1.as_secs()))))
    }
}

impl Nats {
    async fn publish(&self, message: Message<'_>, sent: &AtomicBool) -> Result<Receipt, SendError> {
        let (events, mut seen) = mpsc::unbounded_channel();
        let mut options =
            ConnectOptions::new().name("echion").connection_timeout(PATIENCE.0).max_reconnects(1).event_callback(
                move |event| {
                    drop(events.send(event));
                    std::future::ready(())
                },
            );
        if !self.nkey.is_empty() {
            options = options.nkey(self.nkey.expose().trim().to_owned());
        }
        if !self.username.is_empty() && !self.password.is_empty() {
            options = options.user_and_password(self.username.clone(), self.password.expose().to_owned());
        }
        let servers: Vec<&str> = self.servers.iter().map(Secret::expose).collect();
        let client = options.connect(servers).await.map_err(|error| refused(&error))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(name.as_str(), value.as_str());
        }
        // A stream drops a repeated attempt by this.
        headers.insert("Nats-Msg-Id", message.id.0.as_str());
        let body = message.notification.message.clone().into_bytes();
        let broke = |error: String| broken(sent, &format!("the connection broke: {error}"));
        let subject = message.recipient.to_owned();
        client.publish_with_headers(subject, headers, body.into()).await.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                SendError::rejected(error.to_string(), "shorten the template, or raise `max_payload` of the server")
            }
            PublishErrorKind::InvalidSubject => SendError::rejected(error.to_string(), "correct the recipient"),
            PublishErrorKind::Send => broke(error.to_string()),
        })?;
        sent.store(true, Ordering::Relaxed);
        self.confirm(&client, &mut seen, sent).await?;
        // All that the server reported is seen when the client has closed.
        client.drain().await.map_err(|e| broke(e.to_string()))?;
        while let Some(event) = seen.recv().await {
            match event {
                Event::ServerError(error) if !is_about_probe(&error) => return Err(denied(&error)),
                Event::Closed => break,
                _ => {}
            }
        }
        Ok(Receipt { answer: "the server has it".to_owned() })
    }

    /// Waits until the server has processed what was published. It handles lines in their order: when it has responded to a later one, even by
    /// refusing that, a refusal of the message is in.
    async fn confirm(
        &self,
        client: &async_nats::Client,
        seen: &mut mpsc::UnboundedReceiver<Event>,
        sent: &AtomicBool,
    ) -> Result<(), SendError> {
        let probe = format!("{PROBE}.{}", client.new_inbox());
        let mut response = std::pin::pin!(client.request(probe, Vec::new().into()));
        loop {
            tokio::select! {
                biased;
                event = seen.recv() => match event {
                    Some(Event::ServerError(error)) if is_about_probe(&error) => return Ok(()),
                    Some(Event::ServerError(error)) => return Err(denied(&error)),
                    Some(Event::ClientError(error)) => return Err(broken(sent, &error.to_string())),
                    Some(Event::Disconnected | Event::Closed) | None => return Err(broken(sent, "the connection broke")),
                    Some(_) => {}
                },
                response = &mut response => return match response {
                    Err(error) if error.kind() != RequestErrorKind::NoResponders => {
                        Err(broken(sent, &format!("no confirmation: {error}")))
                    }
                    _ => Ok(()),
                },
            }
        }
    }
}

/// Whether a refusal is about the probe: its subject, or the inbox, which is the only subscription.
fn is_about_probe(error: &ServerError) -> bool {
    let text = error.to_string();
    text.contains(PROBE) || text.contains("Subscription")
}

fn denied(error: &ServerError) -> SendError {
    SendError::attention(excerpt(&error.to_string()), "let the user publish to the subject")
}

/// A connection that broke or stalled: retryable as long as the message had not left.
fn broken(sent: &AtomicBool, what: &str) -> SendError {
    match sent.load(Ordering::Relaxed) {
        true => SendError::unknown(excerpt(what)),
        false => SendError::retryable(excerpt(what)),
    }
}

fn refused(error: &async_nats::ConnectError) -> SendError {
    let mut said = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        said = format!("{said}: {cause}");
    }
    let said = excerpt(&said);
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            SendError::attention(said, "check `nkey`, or `username` and `password`")
        }
        ConnectErrorKind::ServerParse => SendError::attention(said, "correct `url` of the service"),
        _ => SendError::retryable(said),
    }
}
