//! Sends an e-mail over SMTP (contract 5.3).
//!
//! Protocol: RFC 5321, RFC 3207. *Recipient* is one or more addresses, separated by commas.

use std::time::Duration;

use async_trait::async_trait;
use echion_model::{Field, FieldShape, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use crate::http::{install_tls, is_this_machine};
use crate::options::options;
use crate::section::{self, Rendered, field, section};
use crate::vendor::{self, Opening, Vendor};

/// How long one step of the conversation may take, and the whole of it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(60));

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
        /// Who logs in; without it nobody does.
        "username" username: String,
        /// The password.
        "password" password: Secret,
        /// The sender.
        "from" from: String,
        /// The body is HTML.
        "html" html: bool = false, "false",
        /// Accept any certificate. Tenants may not, unless the administrator lets them.
        "insecure_skip_verify" insecure_skip_verify: bool = false, "false",
        /// `auto`: TLS from the beginning on port 465, else STARTTLS where the server has it, and always before a password. `required`, `none`.
        "tls" tls: String = "auto".to_owned(), "auto",
        /// Certificates (PEM) that are trusted beside the system's.
        "caBundle" ca_bundle: String,
    }
}

#[derive(Debug)]
struct Email {
    from: Mailbox,
    html: bool,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

#[async_trait]
impl Vendor for Email {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        install_tls();
        opening.require("host", options.host.is_empty())?;
        opening.require("from", options.from.is_empty())?;
        let from = options.from.parse().map_err(|_| opening.refuse("from", "`from` is not an address".to_owned()))?;
        let login = !options.username.is_empty() && !options.password.is_empty();
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&options.host)
            .port(options.port)
            .hello_name(ClientId::Domain("localhost".to_owned()))
            .timeout(Some(PATIENCE.0))
            .tls(tls(&options, login, opening)?);
        if login {
            transport = transport.credentials(Credentials::new(options.username, options.password.expose().to_owned()));
        }
        Ok(Self { from, html: options.html, transport: transport.build() })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let mail = self.payload(&message)?;
        let sent = tokio::time::timeout(PATIENCE.1, self.transport.send(mail)).await;
        match sent {
            Ok(Ok(response)) => {
                let said = response.first_line().unwrap_or_default();
                Ok(Receipt { answer: format!("{} {}", response.code(), crate::answer::excerpt(said)) })
            }
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(SendError::retryable(format!("no end within {} seconds", PATIENCE.1.as_secs()))),
        }
    }
}

impl Email {
    fn payload(&self, message: &Message<'_>) -> Result<lettre::Message, SendError> {
        let section = Rendered::of(message.notification, "email").unwrap_or_default();
        let date = Duration::from_millis(u64::try_from(message.now).unwrap_or(0));
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .date(std::time::UNIX_EPOCH + date)
            // A repeated attempt has the same name, so that mailboxes can tell.
            .message_id(Some(format!("<{}@echion>", message.id)))
            .subject(section.text("subject").replace(['\r', '\n'], " "));
        let wrong =
            |what: String| SendError::rejected(what, "write addresses as `lee@example.com`, separated by commas");
        let names = message.recipient.split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut none = true;
        for name in names {
            let to: Mailbox = name.parse().map_err(|_| wrong(format!("recipient `{name}` is not an address")))?;
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

fn tls(options: &Options, login: bool, opening: &Opening<'_>) -> Result<Tls, OptionsError> {
    if options.insecure_skip_verify {
        opening.insecure("insecure_skip_verify")?;
    }
    let refuse = |message: &str| opening.refuse("caBundle", message.to_owned());
    let mut parameters =
        TlsParameters::builder(options.host.clone()).dangerous_accept_invalid_certs(options.insecure_skip_verify);
    for pem in pems(&options.ca_bundle) {
        let certificate = Certificate::from_pem(pem.as_bytes());
        parameters =
            parameters.add_root_certificate(certificate.map_err(|_| refuse("`caBundle` holds no certificate in PEM"))?);
    }
    let parameters = parameters.build().map_err(|_| refuse("the certificates cannot be used"))?;
    Ok(match options.tls.as_str() {
        "none" => Tls::None,
        _ if options.port == 465 => Tls::Wrapper(parameters),
        "required" => Tls::Required(parameters),
        // A password is not sent in the open, but on this machine.
        "auto" | "" if login && !is_this_machine(&options.host) => Tls::Required(parameters),
        "auto" | "" => Tls::Opportunistic(parameters),
        _ => return Err(opening.refuse("tls", "`tls` is `auto`, `required` or `none`".to_owned())),
    })
}

fn pems(bundle: &str) -> impl Iterator<Item = String> {
    const END: &str = "-----END CERTIFICATE-----";
    bundle.split_inclusive(END).filter(|pem| !pem.trim().is_empty()).map(|pem| format!("{}\n", pem.trim()))
}

fn classify(error: &lettre::transport::smtp::Error) -> SendError {
    let said = crate::answer::excerpt(&error.to_string());
    if !error.is_permanent() {
        return SendError::retryable(said);
    }
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    let hint = match code.as_str() {
        "530" | "534" | "535" | "538" => "check `username` and `password`",
        "550" | "551" | "553" => "check the recipient, and whether the server lets `from` send to it",
        "552" | "554" => "see what the server objects to, mend it, then re-deliver",
        _ => "see what the server says, mend the cause, then re-deliver",
    };
    SendError::rejected(said, hint)
}
