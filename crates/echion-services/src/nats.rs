//! Publishes to a subject of NATS (contract 5.9).
//!
//! Protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>. *Recipient* is the subject.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::header::HeaderName;
use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, HeaderValue, PublishErrorKind, ServerAddr, ServerError,
};
use async_trait::async_trait;
use echion_model::{Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use futures::StreamExt as _;
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc;
use url::Url;

use crate::answer::excerpt;
use crate::http::certificate_file;
use crate::options::options;
use crate::tls::{self, Trust};
use crate::vendor::{self, Opening, Vendor};

/// How long connecting to one server may take, connecting to all of them, and the whole.
const PATIENCE: (Duration, Duration, Duration) =
    (Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(20));

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
        /// The server, such as `nats://nats.example.com:4222`, or several separated by commas; `tls://` wants encryption. Credentials may
        /// stand in it: `nats://user:password@…` or `nats://token@…`.
        "url" url: Secret,
        /// Headers of every message.
        "headers" headers: BTreeMap<String, Secret>,
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
    servers: Vec<Server>,
    headers: Vec<(HeaderName, Secret)>,
    nkey: Secret,
    username: String,
    password: Secret,
    /// The folder with certificates by host.
    certificates: Option<PathBuf>,
}

#[async_trait]
impl Vendor for Nats {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        tls::install();
        let Options { url, headers, nkey, username, password } = options;
        opening.require("url", url.is_empty())?;
        let texts = url.expose().split(',').map(str::trim).filter(|text| !text.is_empty());
        let servers = texts.map(|text| Server::parse(text, opening)).collect::<Result<Vec<_>, _>>()?;
        if let Some(egress) = opening.egress() {
            // The library resolves names by itself, so one that leads to the controller's network would not be noticed.
            let is_permitted = |host: &str| match host.parse() {
                Ok(address) => egress.permits(host, address),
                Err(_) => egress.permits_host(host),
            };
            if !servers.iter().all(|server| is_permitted(server.address.host())) {
                let message = "`url`: self-service configuration reaches a server by its public address, or by a name that the \
                               administrator allows with `--self-service-egress-allow`";
                return Err(opening.refuse("url", message.to_owned()));
            }
        }
        opening.require("url", servers.is_empty())?;
        let headers = headers.into_iter().map(|(name, value)| header(&name, &value, opening));
        let headers = headers.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { servers, headers, nkey, username, password, certificates: opening.certificates() })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        if message.recipient.is_empty() || message.recipient.contains(char::is_whitespace) {
            let hint = "name the subject as recipient, such as `argocd.deployed`";
            return Err(SendError::rejected(format!("`{}` is not a subject", message.recipient), hint));
        }
        let sent = AtomicBool::new(false);
        let done = tokio::time::timeout(PATIENCE.2, self.publish(message, &sent)).await;
        done.unwrap_or_else(|_| Err(broken(&sent, &format!("no confirmation within {} seconds", PATIENCE.2.as_secs()))))
    }
}

/// One server, without the credentials that stood in its address.
struct Server {
    address: ServerAddr,
    login: Option<(String, Option<Secret>)>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("****")
    }
}

impl Server {
    fn parse(text: &str, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let wrong = || {
            let message = "`url` is not an address such as `nats://nats.example.com:4222`";
            opening.refuse("url", message.to_owned())
        };
        let text = if text.contains("://") { text.to_owned() } else { format!("nats://{text}") };
        let mut url = Url::parse(&text).map_err(|_| wrong())?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some((decoded(user), password.map(|password| Secret::new(decoded(password))))),
        };
        if let Some((user, password)) = &login {
            // A name alone is a token.
            opening.note(password.clone().unwrap_or_else(|| Secret::new(user.as_str())));
        }
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| wrong())?;
        Ok(Self { address: ServerAddr::from_url(url).map_err(|_| wrong())?, login })
    }
}

/// A header that the protocol can carry. The newline at the end of a Secret's value is not meant.
fn header(name: &str, value: &Secret, opening: &Opening<'_>) -> Result<(HeaderName, Secret), OptionsError> {
    let value = value.expose().trim();
    let header = name.parse::<HeaderName>().ok().filter(|_| !name.is_empty());
    let header = header.ok_or_else(|| {
        let message = format!("`headers`: `{name}` is not a header's name: use ASCII letters, digits and dashes");
        opening.refuse("headers", message)
    })?;
    if value.parse::<HeaderValue>().is_err() {
        return Err(opening.refuse("headers", format!("`headers`: the value of `{name}` has more than one line")));
    }
    Ok((header, Secret::new(value)))
}

impl Nats {
    /// The trust of all services, with what is mounted for the server.
    fn trusted(&self, host: &str) -> Result<rustls::ClientConfig, SendError> {
        let only = self.certificates.as_deref().and_then(|folder| certificate_file(folder, host));
        let config = Trust { only, ..Trust::default() }.client();
        config.map_err(|error| SendError::attention(error.to_string(), "check the certificates of the server"))
    }

    /// Connects to the first server that takes the connection, with the events of that connection.
    async fn connect(&self) -> Result<(Client, mpsc::UnboundedReceiver<Event>), SendError> {
        let count = u32::try_from(self.servers.len()).unwrap_or(u32::MAX).max(1);
        let patience = PATIENCE.0.min(PATIENCE.1 / count);
        let mut last = None;
        for server in &self.servers {
            let (events, seen) = mpsc::unbounded_channel();
            let callback = move |event| {
                drop(events.send(event));
                std::future::ready(())
            };
            let mut options = ConnectOptions::new().name("echion").connection_timeout(patience);
            // Nobody reconnects: a message that may have left would leave twice.
            options = options.max_reconnects(1).event_callback(callback);
            options = options.tls_client_config(self.trusted(server.address.host())?);
            if !self.nkey.is_empty() {
                options = options.nkey(self.nkey.expose().trim().to_owned());
            }
            options = match &server.login {
                Some((user, Some(password))) => options.user_and_password(user.clone(), password.expose().to_owned()),
                Some((token, None)) => options.token(token.clone()),
                None if !self.username.is_empty() && !self.password.is_empty() => {
                    options.user_and_password(self.username.clone(), self.password.expose().to_owned())
                }
                None => options,
            };
            match options.connect(server.address.clone()).await {
                Ok(client) => return Ok((client, seen)),
                Err(error) => {
                    // One that objects says more than one that is away.
                    let error = refused(&error);
                    if last.as_ref().is_none_or(|last: &SendError| last.hint.is_empty()) {
                        last = Some(error);
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| SendError::retryable("no server")))
    }

    async fn publish(&self, message: Message<'_>, sent: &AtomicBool) -> Result<Receipt, SendError> {
        let (client, mut seen) = self.connect().await?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            // It was checked when the service was opened.
            if let Ok(value) = value.expose().parse::<HeaderValue>() {
                headers.insert(name.clone(), value);
            }
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
                Event::ServerError(error) if !is_about_inbox(&error) => return Err(denied(&error)),
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
        let broke = |error: String| broken(sent, &format!("no confirmation: {error}"));
        // Its own inbox: another subscriber, such as one of `>`, cannot answer in the server's place.
        let inbox = client.new_inbox();
        let mut heard = client.subscribe(inbox.clone()).await.map_err(|error| broke(error.to_string()))?;
        client.publish(inbox, Vec::new().into()).await.map_err(|error| broke(error.to_string()))?;
        client.flush().await.map_err(|error| broke(error.to_string()))?;
        loop {
            tokio::select! {
                biased;
                event = seen.recv() => match event {
                    Some(Event::ServerError(error)) if is_about_inbox(&error) => return Ok(()),
                    Some(Event::ServerError(error)) => return Err(denied(&error)),
                    Some(Event::ClientError(error)) => return Err(broken(sent, &error.to_string())),
                    Some(Event::Disconnected | Event::Closed) | None => return Err(broken(sent, "the connection broke")),
                    Some(_) => {}
                },
                heard = heard.next() => return match heard {
                    Some(_) => Ok(()),
                    None => Err(broken(sent, "the connection broke")),
                },
            }
        }
    }
}

/// Whether a refusal is about the inbox, which is the only subscription.
fn is_about_inbox(error: &ServerError) -> bool {
    let text = error.to_string();
    text.contains("_INBOX.") || text.contains("Subscription")
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
    if let Some(objection) = tls::objection(error) {
        let reason = format!("the certificate of the server is not trusted: {objection}");
        return SendError::attention(reason, "trust it, or the authority that signed it, in argocd-tls-certs-cm");
    }
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            SendError::attention(said, "check `nkey`, `username` and `password`, or the credentials in `url`")
        }
        ConnectErrorKind::ServerParse => SendError::attention(said, "correct `url` of the service"),
        _ => SendError::retryable(said),
    }
}
