//! Services whose vendor gives an address for each place: options hold the addresses by recipient, and the address is what the vendor counts.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use echion_model::{Channel, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::Rendered;
use crate::vendor::{self, Opening, Vendor};
use crate::{discord, googlechat, slack, teams, teams_workflows};

options! {
    pub(crate) struct RecipientUrls {
        /// The addresses by recipient.
        "recipientUrls" urls: BTreeMap<String, Secret>,
    }
}

options! {
    pub(crate) struct Webhooks {
        /// The webhooks' addresses by recipient.
        "webhooks" urls: BTreeMap<String, Secret>,
    }
}

/// Options that hold addresses by recipient.
pub(crate) trait Urls: DeserializeOwned {
    const OPTION: &'static str;

    fn urls(self) -> BTreeMap<String, Secret>;
}

impl Urls for RecipientUrls {
    const OPTION: &'static str = "recipientUrls";

    fn urls(self) -> BTreeMap<String, Secret> {
        self.urls
    }
}

impl Urls for Webhooks {
    const OPTION: &'static str = "webhooks";

    fn urls(self) -> BTreeMap<String, Secret> {
        self.urls
    }
}

/// What distinguishes these services.
pub(crate) trait Hook: fmt::Debug + 'static {
    /// The type.
    const KIND: &'static ServiceKind;

    /// How many requests may be on their way to one address.
    const CONCURRENCY: u32 = 8;

    /// The options.
    type Options: Urls;

    /// Where a message goes, and as what. The section is empty when no template has one.
    fn request(url: Address, section: &Rendered, message: &Message<'_>) -> Result<(Address, Value), SendError>;

    /// Judges the response.
    fn classify(answer: &Answer, url: &Address) -> Result<Receipt, SendError>;
}

/// A service of this sort.
#[derive(Debug)]
pub(crate) struct Hooks<H> {
    urls: BTreeMap<String, Secret>,
    http: Http,
    hook: PhantomData<fn() -> H>,
}

#[async_trait]
impl<H: Hook> Vendor for Hooks<H> {
    const KIND: &'static ServiceKind = H::KIND;
    type Options = H::Options;

    fn open(options: H::Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        Ok(Self { urls: options.urls(), http: opening.http()?, hook: PhantomData })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let (option, recipient) = (H::Options::OPTION, message.recipient);
        let url = vendor::of_recipient(&self.urls, option, recipient)?;
        let url = Address::parse(url.expose()).map_err(|error| {
            let reason = format!("the address of `{recipient}` {error}");
            SendError::attention(reason, format!("correct it in `{option}` of the service"))
        })?;
        let section = Rendered::of(message.notification, H::KIND.name).unwrap_or_default();
        let (url, body) = H::request(url, &section, &message)?;
        let request = Request::post(url.clone()).json(&body);
        self.http.deliver(request, message.now, |answer| H::classify(answer, &url)).await
    }

    fn channel(&self, name: &str, recipient: &str) -> Channel {
        let channel = vendor::by_address(H::KIND, name, recipient, self.urls.get(recipient));
        Channel { concurrency: H::CONCURRENCY, ..channel }
    }
}

/// The channel of an address that one of these vendors counts, for services that do not know whose it is.
pub(crate) fn channel_of(url: &Address) -> Option<Channel> {
    let (host, path) = (url.host(), url.url().path());
    let within = |domains: &[&str]| {
        let is = |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        domains.iter().any(is)
    };
    let (kind, concurrency) = if within(&["hooks.slack.com", "hooks.slack-gov.com"]) {
        (&slack::KIND, 1)
    } else if within(&["discord.com", "discordapp.com"]) && path.contains("/webhooks/") {
        (&discord::KIND, discord::Discord::CONCURRENCY)
    } else if within(&["chat.googleapis.com"]) {
        (&googlechat::KIND, googlechat::GoogleChat::CONCURRENCY)
    } else if teams_workflows::is_workflow(url) {
        (&teams_workflows::KIND, teams_workflows::Workflows::CONCURRENCY)
    } else if within(&["webhook.office.com", "outlook.office.com"]) {
        (&teams::KIND, teams::Teams::CONCURRENCY)
    } else {
        return None;
    };
    Some(Channel { concurrency, ..vendor::by_token(kind, url, "") })
}
