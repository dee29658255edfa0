//! What every service file has in common: options are read, secrets are noted, outcomes are cleaned.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use echion_model::yaml::Node;
use echion_model::{
    Channel, Egress, Environment, Message, OptionsError, Receipt, Retry, Secret, SendError, Service, ServiceKind,
    nearest,
};
use rustls::pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::http::{Address, Http, Transport, certificate_file};
use crate::redact::Redactor;
use crate::section::Rendered;

/// What a service file provides besides its kind. `open::<V>` makes a [`Service`] of it.
#[async_trait]
pub(crate) trait Vendor: fmt::Debug + Send + Sync + Sized + 'static {
    /// The type.
    const KIND: &'static ServiceKind;

    /// How long a request may take unless the options say otherwise.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// The options, declared with `options!`.
    type Options: DeserializeOwned;

    /// An instance, without network.
    fn open(options: Self::Options, opening: &Opening<'_>) -> Result<Self, OptionsError>;

    /// Sends one message and reads the answer.
    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError>;

    /// The channel: where the vendor counts. By default one for the instance, with the vendor's rate.
    fn channel(&self, name: &str, _recipient: &str) -> Channel {
        channel(name, Self::KIND)
    }

    /// Whether the receiver reads what templates render as JSON.
    fn wants_json(&self) -> bool {
        false
    }
}

/// The channel of an instance whose vendor does not count: `<type>/<name>`, with the rate of the type.
pub(crate) fn channel(name: &str, kind: &ServiceKind) -> Channel {
    let budget = kind.limits.budget;
    Channel {
        name: format!("{}/{name}", kind.name),
        budget,
        concurrency: 8,
        retry: Retry::default(),
        idempotent: false,
    }
}

/// The channel of a vendor that counts by a token, which all services with that token share.
pub(crate) fn by_token(kind: &ServiceKind, url: &Address, token: &str) -> Channel {
    Channel { name: counted(kind.name, url, token), ..channel(kind.name, kind) }
}

/// The channel of a vendor that counts by an address given for each recipient, which all services with that address share. A recipient without
/// a usable address has one of its own.
pub(crate) fn by_address(kind: &ServiceKind, name: &str, recipient: &str, url: Option<&Secret>) -> Channel {
    match url.and_then(|url| Address::parse(url.expose()).ok()) {
        Some(url) => by_token(kind, &url, ""),
        None => of_place(channel(name, kind), recipient),
    }
}

/// The channel of a vendor that counts by a key given for each recipient. A recipient without a key has one of its own.
pub(crate) fn by_key(kind: &ServiceKind, name: &str, recipient: &str, url: &Address, key: Option<&Secret>) -> Channel {
    match key {
        Some(key) => by_token(kind, url, key.expose().trim()),
        None => of_place(channel(name, kind), recipient),
    }
}

/// Narrows a channel to a place that the vendor counts by itself, such as a chat.
pub(crate) fn of_place(channel: Channel, place: &str) -> Channel {
    Channel { name: format!("{}/{place}", channel.name), ..channel }
}

/// The name of the channel of what a vendor counts: the type, and a hash of origin, path and token. The token cannot be read out of it.
pub(crate) fn counted(kind: &str, url: &Address, token: &str) -> String {
    let url = url.url();
    let text = format!("{}{}\n{token}", url.origin().ascii_serialization(), url.path().trim_end_matches('/'));
    hashed(kind, &text)
}

/// The type, and a hash of what identifies a channel.
pub(crate) fn hashed(kind: &str, identity: &str) -> String {
    let hash = hex::encode(Sha256::digest(identity));
    format!("{kind}/{}", &hash[..12])
}

/// The section of a service that sends nothing without one.
pub(crate) fn needed(message: &Message<'_>, key: &str) -> Result<Rendered, SendError> {
    Rendered::of(message.notification, key).ok_or_else(|| {
        let hint = format!("give the template a section `{key}`");
        SendError::rejected(format!("no template of this condition has a section `{key}`"), hint)
    })
}

/// What the options hold for a recipient.
pub(crate) fn of_recipient<'a, T>(
    map: &'a BTreeMap<String, T>,
    option: &str,
    recipient: &str,
) -> Result<&'a T, SendError> {
    map.get(recipient).ok_or_else(|| {
        let names = map.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let known = if names.is_empty() { "it is empty".to_owned() } else { format!("it has {names}") };
        let hint = format!("add it to `{option}` of the service, or correct the subscription: {known}");
        SendError::attention(format!("recipient `{recipient}` is not in `{option}`"), hint)
    })
}

/// The options on their way to an instance.
pub(crate) struct Opening<'a> {
    /// The instance's name.
    pub(crate) name: &'a str,
    kind: &'static ServiceKind,
    node: &'a Node,
    environment: &'a Environment,
    timeout: Duration,
    secrets: RefCell<Vec<Secret>>,
    /// Keys that the shared options do not have; `None` as long as they are not asked for.
    unshared: Cell<Option<Vec<String>>>,
    remarks: RefCell<Vec<OptionsError>>,
}

/// How a hint begins that names what is meant.
const MEANT: &str = "did you mean";

/// Headers that frame a request: they follow from what is sent, and Argo CD Notifications ignores them, too.
const FRAMING: [&str; 4] = ["content-length", "transfer-encoding", "trailer", "host"];

impl Opening<'_> {
    /// The HTTP side of the instance; with it the shared options are accepted.
    pub(crate) fn http(&self) -> Result<Http, OptionsError> {
        let mut transport = self.node.decode::<Transport>().map_err(|error| self.decode_error(error))?;
        self.secrets.borrow_mut().extend(transport.secrets);
        let unknown = transport.unknown.into_iter().filter(|(key, _)| self.get(key).is_some());
        self.unshared.set(Some(unknown.map(|(key, _)| key).collect()));
        transport.value.headers.0.retain(|(name, _)| {
            let is_framing = FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing));
            if is_framing {
                self.remark("headers", format!("the header `{name}` is not sent: it follows from the request"));
            }
            !is_framing
        });
        Http::open(transport.value, self.timeout, self.environment, self.redactor(), &|key, m| self.refuse(key, m))
    }

    /// Notes a secret that is part of an option.
    pub(crate) fn note(&self, secret: Secret) {
        self.secrets.borrow_mut().push(secret);
    }

    /// What must not be said, as far as it is known by now.
    pub(crate) fn redactor(&self) -> Redactor {
        Redactor::new(&self.secrets.borrow())
    }

    /// A variable of the process that holds its identity in a cloud. That identity is the controller's, not a tenant's.
    pub(crate) fn variable(&self, name: &str) -> Option<Secret> {
        let variables = &self.environment.variables;
        variables.get(name).filter(|value| self.environment.tenant.is_none() && !value.is_empty()).cloned()
    }

    /// What a tenant's services may reach; `None` where the options are an administrator's.
    pub(crate) fn egress(&self) -> Option<Egress> {
        self.environment.tenant.as_ref().map(|tenant| tenant.egress.clone())
    }

    /// The folder with certificates by host.
    pub(crate) fn certificates(&self) -> Option<PathBuf> {
        self.environment.certificates.clone()
    }

    /// Certificates that are mounted for a host.
    pub(crate) fn certificates_of(&self, host: &str) -> Option<Vec<CertificateDer<'static>>> {
        certificate_file(self.environment.certificates.as_deref()?, host)
    }

    /// Whether the options are a tenant's.
    pub(crate) fn tenant(&self) -> bool {
        self.environment.tenant.is_some()
    }

    /// Reads an address out of an option.
    pub(crate) fn address(&self, key: &str, text: &str) -> Result<Address, OptionsError> {
        Address::parse(text).map_err(|error| self.refuse(key, format!("`{key}` {error}")))
    }

    /// Refuses options without this one.
    pub(crate) fn require(&self, key: &str, missing: bool) -> Result<(), OptionsError> {
        if missing { Err(self.refuse(key, format!("expected `{key}`"))) } else { Ok(()) }
    }

    /// Whether the options may name files of this machine; tenants may not.
    pub(crate) fn file(&self, key: &str, path: &str) -> Result<(), OptionsError> {
        if self.tenant() && !path.is_empty() {
            return Err(self.refuse(key, format!("`{key}`: files of the controller are not read here")));
        }
        Ok(())
    }

    /// Whether certificates may be left unchecked; only an administrator may allow it to a tenant.
    pub(crate) fn insecure(&self, key: &str) -> Result<(), OptionsError> {
        match &self.environment.tenant {
            Some(tenant) if !tenant.insecure_skip_verify => {
                Err(self.refuse(key, format!("`{key}` is not allowed here")))
            }
            _ => Ok(()),
        }
    }

    /// An error at an option.
    pub(crate) fn refuse(&self, key: &str, message: String) -> OptionsError {
        let at = self.get(key).map_or(self.node.at(), Node::at);
        OptionsError { message: self.redactor().clean(&message), at, hint: self.hint() }
    }

    /// Notes something worth a warning at an option.
    pub(crate) fn remark(&self, key: &str, message: String) {
        let remark = OptionsError { hint: format!("remove it from `{key}`"), ..self.refuse(key, message) };
        self.remarks.borrow_mut().push(remark);
    }

    /// Remarks on keys that the options do not have, nor the shared ones where they count.
    fn unknown(&self, unknown: Vec<(String, (u32, u32))>) -> Vec<OptionsError> {
        let unshared = self.unshared.take();
        let shared = if unshared.is_some() { Transport::TABLE } else { &[] };
        let redactor = self.redactor();
        let unknown = unknown.into_iter().filter(|(key, _)| unshared.as_ref().is_none_or(|keys| keys.contains(key)));
        let remark = |(key, at): (String, (u32, u32))| {
            let near = nearest(&key, self.kind.options.iter().chain(shared).map(|option| option.name));
            let hint = near.map_or_else(|| self.hint(), |near| format!("{MEANT} `{near}`?"));
            let message = format!("`{}` has no option `{}`", self.kind.name, redactor.clean(&key));
            OptionsError { message, at, hint }
        };
        unknown.map(remark).collect()
    }

    fn get(&self, key: &str) -> Option<&Node> {
        let named = |(name, _): &&(Node, Node)| name.text().is_some_and(|name| name.eq_ignore_ascii_case(key));
        self.node.entries().iter().find(named).map(|(_, value)| value)
    }

    fn decode_error(&self, error: echion_model::yaml::DecodeError) -> OptionsError {
        OptionsError { message: self.redactor().clean(&error.to_string()), at: error.at, hint: self.hint() }
    }

    fn hint(&self) -> String {
        format!("`echion services {}` lists the options", self.kind.name)
    }
}

/// Opens an instance of `V`; it is what a kind's `open` points to.
pub(crate) fn open<V: Vendor>(
    name: &str,
    node: &Node,
    environment: &Environment,
) -> Result<Arc<dyn Service>, OptionsError> {
    let opening = Opening {
        name,
        kind: V::KIND,
        node,
        environment,
        timeout: V::TIMEOUT,
        secrets: RefCell::new(environment.secrets.clone()),
        unshared: Cell::new(None),
        remarks: RefCell::default(),
    };
    let decoded = node.decode::<V::Options>().map_err(|error| opening.decode_error(error))?;
    opening.secrets.borrow_mut().extend(decoded.secrets);
    let opened = V::open(decoded.value, &opening);
    let unknown = opening.unknown(decoded.unknown);
    let vendor = opened.map_err(|error| {
        // What is missing may be there under a misspelt name.
        match unknown.iter().find(|remark| remark.hint.starts_with(MEANT)) {
            Some(OptionsError { message, at, hint }) => {
                OptionsError { message: error.message, at: *at, hint: format!("{message}: {hint}") }
            }
            None => error,
        }
    })?;
    let remarks = unknown.into_iter().chain(opening.remarks.take()).collect();
    Ok(Arc::new(Instance { name: name.to_owned(), vendor, redactor: opening.redactor(), remarks }))
}

#[derive(Debug)]
struct Instance<V> {
    name: String,
    vendor: V,
    redactor: Redactor,
    remarks: Vec<OptionsError>,
}

#[async_trait]
impl<V: Vendor> Service for Instance<V> {
    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        // Services quote through redactors of their own; this is the net below.
        self.redactor.outcome(self.vendor.send(message).await)
    }

    fn channel(&self, recipient: &str) -> Channel {
        self.vendor.channel(&self.name, recipient)
    }

    fn wants_json(&self) -> bool {
        self.vendor.wants_json()
    }

    fn remarks(&self) -> Vec<OptionsError> {
        self.remarks.clone()
    }
}
