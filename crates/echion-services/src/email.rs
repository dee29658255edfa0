//! Sends an e-mail over SMTP (contract 5.3).
//!
//! Protocol: RFC 5321, RFC 3207. *Recipient* is one or more addresses, separated by commas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Channel, Egress, Field, FieldShape, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use lettre::Address;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::ClientConfig;

use crate::answer::excerpt;
use crate::done::Done;
use crate::egress;
use crate::http::is_this_machine;
use crate::options::options;
use crate::section::{self, Rendered, field, section};
use crate::smtp::{self, Connected, Encryption, Place};
use crate::tls::{self, Trust};
use crate::vendor::{self, Opening, Vendor};

/// How long one step of the conversation may take, and the whole of it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(60));

/// How long the end of the conversation may take once its outcome is known.
const GOODBYE: Duration = Duration::from_secs(2);

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "email",
    aliases: &[],
    summary: "Sends an e-mail over SMTP.",
    recipient: "one or more addresses, separated by commas",
    limits: Limits { body: None, budget: None },
    example: "host: smtp.example.com\nport: 587\nusername: echion\npassword: $email-password\nfrom: echion@example.com\n",
    options: Options::TABLE,
    open: vendor::open::<Email>,
    section: section!("email", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[
    field("subject", FieldShape::Text, "the subject"),
    field("body", FieldShape::Text, "the body; the `message` unless set"),
];

options! {
    struct Options {
        /// The mail server.
        "host" host: String,
        /// Its port: 587 or 25 with STARTTLS, 465 with TLS from the beginning.
        "port" port: u16 = 587, "587",
        /// The user who logs in; without it, or where the server offers no login, there is none.
        "username" username: String,
        /// The password.
        "password" password: Secret,
        /// The sender.
        "from" from: String,
        /// The body is HTML.
        "html" html: bool = false, "false",
        /// Accept any certificate. Tenants may not, unless the administrator lets them.
        "insecure_skip_verify" insecure_skip_verify: bool = false, "false",
        /// `auto`: TLS from the beginning on port 465, else STARTTLS where the server has it; no password goes without. `required`, `none`.
        "tls" tls: String = "auto".to_owned(), "auto",
        /// Certificates (PEM) that are trusted in addition to the system's.
        "caBundle" ca_bundle: String,
    }
}

#[derive(Debug)]
struct Email {
    name: String,
    from: Mailbox,
    html: bool,
    server: (String, u16),
    user: String,
    credentials: Option<Credentials>,
    encryption: Encryption,
    config: Arc<ClientConfig>,
    /// A password may leave unencrypted.
    bare: bool,
    /// What a tenant may reach.
    egress: Option<Egress>,
}

#[async_trait]
impl Vendor for Email {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        tls::install();
        opening.require("host", options.host.is_empty())?;
        opening.require("from", options.from.is_empty())?;
        let from = mailbox(&options.from);
        let from = from.ok_or_else(|| opening.refuse("from", "`from` is not an address".to_owned()))?;
        let login = !options.username.is_empty() && !options.password.is_empty();
        let (encryption, config) = (encryption(&options, opening)?, Arc::new(trust(&options, opening)?));
        // A password is not sent in the open, but on this machine.
        let bare = options.tls == "none" || is_this_machine(&options.host);
        let name = format!("{}/{}", KIND.name, opening.name);
        let Options { host, port, username: user, password, html, .. } = options;
        let credentials = login.then(|| Credentials::new(user.clone(), password.expose().to_owned()));
        Ok(Self {
            name,
            from,
            html,
            server: (host, port),
            user,
            credentials,
            encryption,
            config,
            bare,
            egress: opening.egress(),
        })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let mail = self.payload(&message)?;
        let mut done = Done::of(&message, &self.name).await;
        let left = AtomicBool::new(false);
        let sent = tokio::time::timeout(PATIENCE.1, self.deliver(&mail, &done, &left)).await;
        let Sent { response, taken, refused } = match sent {
            Ok(sent) => sent?,
            Err(_) => {
                let what = format!("no end within {} seconds", PATIENCE.1.as_secs());
                return Err(broken(left.load(Ordering::Relaxed), what));
            }
        };
        let said = format!("{} {}", response.code(), excerpt(response.first_line().unwrap_or_default()));
        let Some((to, error)) = refused.first() else { return Ok(Receipt { answer: said }) };
        // The others have it: from now on it is for those alone who may have it later.
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        done.note(&taken, &message).await;
        let which = format!(
            "{} of {} recipients refused, `{to}`: {}",
            refused.len(),
            taken.len() + refused.len(),
            error.reason
        );
        match refused.iter().find(|(_, error)| error.hint.is_empty()) {
            Some((_, error)) => Err(SendError { reason: which, ..error.clone() }),
            None => Ok(Receipt { answer: format!("{said}; {which}") }),
        }
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        // One mailbox is one channel.
        let (host, port) = &self.server;
        let name = vendor::hashed(KIND.name, &format!("{}:{port}\n{}", host.to_lowercase(), self.user));
        Channel { name, ..vendor::channel(KIND.name, &KIND) }
    }
}

impl Email {
    /// The conversation with the server. `left` is set before the first byte of the mail itself: what breaks from there on may have arrived.
    async fn deliver(&self, mail: &lettre::Message, done: &Done, left: &AtomicBool) -> Result<Sent, SendError> {
        let Connected { mut connection, is_encrypted } = self.connect().await?;
        let sent = match self.login(&mut connection, is_encrypted).await {
            Ok(()) => converse(&mut connection, mail, done, left).await,
            Err(error) => Err(error),
        };
        // The outcome is known by now; a server that does not say goodbye changes nothing.
        drop(tokio::time::timeout(GOODBYE, connection.abort()).await);
        sent
    }

    async fn connect(&self) -> Result<Connected, SendError> {
        let (host, port) = &self.server;
        // An administrator may reach every address.
        let any = Egress::any();
        let addresses = egress::resolve(self.egress.as_ref().unwrap_or(&any), host, *port).await;
        let addresses = addresses.map_err(egress::error)?;
        let place =
            Place { host: host.as_str(), addresses: &addresses, encryption: self.encryption, config: &self.config };
        let hello = hello();
        let connected = smtp::connect(place, &hello, |error| classify(&error, false));
        let late = |_| Err(SendError::retryable(format!("no connection within {} seconds", PATIENCE.0.as_secs())));
        tokio::time::timeout(PATIENCE.0, connected).await.unwrap_or_else(late)
    }

    /// Logs in where the server offers it. Where it does not, as internal relays do not, the mail goes without: no password leaves.
    async fn login(&self, connection: &mut AsyncSmtpConnection, is_encrypted: bool) -> Result<(), SendError> {
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let failed = |error: Error| classify(&error, false);
        if connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            // Mechanisms that are not known are not kept.
            let offered = connection.command(Ehlo::new(hello())).await.map_err(failed)?;
            let offered =
                offered.message().find_map(|line| line.strip_prefix("AUTH").map(str::trim).map(str::to_owned));
            let Some(mechanisms) = offered.filter(|mechanisms| !mechanisms.is_empty()) else { return Ok(()) };
            let reason = format!("the server's only way to log in is {}", excerpt(&mechanisms));
            return Err(SendError::attention(reason, "use a port or a server that offers PLAIN or LOGIN, over TLS"));
        }
        if !is_encrypted && !self.bare {
            let reason = "the server wants a login, but offers no STARTTLS";
            let hint = "use port 465 or 587, or allow the password to be sent in the open: `tls: none`";
            return Err(SendError::attention(reason, hint));
        }
        connection.auth(DEFAULT_MECHANISMS, credentials).await.map(drop).map_err(failed)
    }

    fn payload(&self, message: &Message<'_>) -> Result<lettre::Message, SendError> {
        let section = Rendered::of(message.notification, "email").unwrap_or_default();
        let date = Duration::from_millis(u64::try_from(message.now).unwrap_or(0));
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .date(std::time::UNIX_EPOCH + date)
            // A repeated attempt has the same name, so that mailboxes can recognise it.
            .message_id(Some(format!("<{}@echion>", message.id)))
            .subject(section.text("subject").replace(['\r', '\n'], " "));
        let wrong =
            |what: String| SendError::rejected(what, "write addresses as `lee@example.com`, separated by commas");
        let names = message.recipient.split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut none = true;
        for name in names {
            let to = mailbox(name).ok_or_else(|| wrong(format!("recipient `{name}` is not an address")))?;
            mail = mail.to(to);
            none = false;
        }
        if none {
            return Err(wrong("no recipient is named".to_owned()));
        }
        let body = section.some("body").unwrap_or(&message.notification.message).to_owned();
        let kind = if self.html { ContentType::TEXT_HTML } else { ContentType::TEXT_PLAIN };
        let part = SinglePart::builder().header(kind).body(body);
        mail.singlepart(part).map_err(|error| wrong(format!("the mail cannot be written: {error}")))
    }
}

/// How the server is greeted, as Argo CD Notifications does.
fn hello() -> ClientId {
    ClientId::Domain("localhost".to_owned())
}

/// Who has the mail, and who does not.
struct Sent {
    response: Response,
    taken: Vec<String>,
    refused: Vec<(String, SendError)>,
}

/// From the sender to the end of the mail. A recipient who is refused does not stop the others.
async fn converse(
    connection: &mut AsyncSmtpConnection,
    mail: &lettre::Message,
    done: &Done,
    left: &AtomicBool,
) -> Result<Sent, SendError> {
    let failed = |error: Error| classify(&error, false);
    let (envelope, text) = (mail.envelope(), mail.formatted());
    let mut parameters = Vec::new();
    let international = envelope.from().into_iter().chain(envelope.to()).any(|address| !address.to_string().is_ascii());
    if international && connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !text.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(failed)?;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for to in envelope.to().iter().filter(|to| !done.has(to.as_ref())) {
        match connection.command(Rcpt::new(to.clone(), Vec::new())).await {
            Ok(_) => taken.push(to.to_string()),
            Err(error) if error.is_permanent() || error.is_transient() => {
                refused.push((to.to_string(), failed(error)));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    if taken.is_empty()
        && let Some((_, error)) = refused.pop()
    {
        return Err(error);
    }
    connection.command(Data).await.map_err(failed)?;
    left.store(true, Ordering::Relaxed);
    let response = connection.message(&text).await.map_err(|error| classify(&error, true))?;
    Ok(Sent { response, taken, refused })
}

/// `lee@example.com` or `Lee <lee@example.com>`. A domain in letters of its own goes out as punycode, which every server takes.
fn mailbox(text: &str) -> Option<Mailbox> {
    let Mailbox { name, email } = text.parse().ok()?;
    let email = match url::Host::parse(email.domain()) {
        Ok(url::Host::Domain(domain)) if !email.domain().is_ascii() => Address::new(email.user(), domain).ok()?,
        _ => email,
    };
    Some(Mailbox { name, email })
}

fn trust(options: &Options, opening: &Opening<'_>) -> Result<ClientConfig, OptionsError> {
    if options.insecure_skip_verify {
        opening.insecure("insecure_skip_verify")?;
    }
    let refuse = |message: &str| opening.refuse("caBundle", message.to_owned());
    let mut trust = Trust { anything: options.insecure_skip_verify, ..Trust::default() };
    trust.only = opening.certificates_of(&options.host);
    if !options.ca_bundle.trim().is_empty() {
        let certificates = tls::certificates(options.ca_bundle.as_bytes());
        trust.extra = certificates.ok_or_else(|| refuse("`caBundle` holds no certificate in PEM"))?;
    }
    trust.client().map_err(|_| refuse("the certificates cannot be used"))
}

fn encryption(options: &Options, opening: &Opening<'_>) -> Result<Encryption, OptionsError> {
    Ok(match options.tls.as_str() {
        "none" => Encryption::Never,
        _ if options.port == 465 => Encryption::Wrapped,
        "required" => Encryption::Required,
        "auto" | "" => Encryption::Offered,
        _ => return Err(opening.refuse("tls", "`tls` is `auto`, `required` or `none`".to_owned())),
    })
}

/// A server that accepted the whole mail and then broke off may have taken it.
fn broken(left: bool, what: String) -> SendError {
    if left { SendError::unknown(what) } else { SendError::retryable(what) }
}

fn classify(error: &Error, left: bool) -> SendError {
    let said = excerpt(&error.to_string());
    if error.is_transient() {
        return SendError::retryable(said);
    }
    if error.is_client() {
        return SendError::attention(said, "check `tls`, `username` and what the server supports");
    }
    if !error.is_permanent() {
        return broken(left, said);
    }
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    match code.as_str() {
        "530" | "534" | "535" | "538" => SendError::attention(said, "check `username` and `password`"),
        "523" | "552" => SendError::rejected(said, "shorten the template"),
        // The server has seen the whole mail.
        _ if left => SendError::rejected(said, "correct what the server objects to in the template"),
        "500" | "502" => SendError::attention(
            said,
            "the server does not know a command that every mail server has: check `host` and `port`",
        ),
        "550" | "551" | "553" => {
            SendError::attention(said, "check the recipient, and whether the server lets `from` send to it")
        }
        _ => SendError::attention(said, "correct what the server reports"),
    }
}
