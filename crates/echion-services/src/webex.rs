//! Sends to a Webex room or person as a bot (contract 5.20).
//!
//! API: <https://developer.webex.com/docs/api/v1/messages/create-a-message>. *Recipient* is a room's id or a person's e-mail address.

use async_trait::async_trait;
use echion_model::{
    Channel, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, SendErrorKind, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::advised;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::vendor::{self, Opening, Vendor};

/// Longest text in bytes.
const LONGEST: usize = 7439;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "webex",
    aliases: &[],
    summary: "Sends to a Webex room or person as a bot.",
    recipient: "a room's id or a person's e-mail address",
    limits: Limits { body: Some(Length::Bytes(LONGEST)), budget: None },
    example: "token: $webex-token\n",
    options: Options::TABLE,
    open: vendor::open::<Webex>,
    section: None,
};

options! {
    struct Options {
        /// The bot's access token.
        "token" token: Secret,
        /// Where Webex's API is.
        "apiURL" api_url: String = "https://webexapis.com".to_owned(), "https://webexapis.com",
    }
}

#[derive(Debug)]
struct Webex {
    url: Address,
    token: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Webex {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?.join("v1/messages");
        Ok(Self { url, token: options.token, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let body = payload(&message.notification.message, message.recipient);
        let request = Request::post(self.url.clone()).bearer(&self.token).json(&body);
        self.http.deliver(request, message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, self.token.expose())
    }
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    const ADVICE: &[(u16, &str)] = &[
        (401, "set `token` to the bot's access token"),
        (403, "add the bot to the room that the recipient names"),
        (404, "correct the recipient: the id of a room that the bot is in, or a person's address"),
    ];
    advised(answer, ADVICE).map_err(|error| match answer.status {
        // A room that is locked for a moment.
        423 => SendError {
            kind: SendErrorKind::Retryable { retry_after: answer.retry_after },
            hint: String::new(),
            ..error
        },
        _ => error,
    })
}

fn payload(text: &str, recipient: &str) -> Value {
    let to = if is_mail(recipient) { "toPersonEmail" } else { "roomId" };
    json!({ to: recipient, "markdown": crate::section::cut_bytes(text, LONGEST) })
}

/// Whether there is an `@`, and a dot with something on both sides behind it.
fn is_mail(recipient: &str) -> bool {
    let domain = recipient.split_once('@').filter(|(user, _)| !user.is_empty()).map(|(_, domain)| domain);
    let dotted = |domain: &str| domain.char_indices().any(|(at, c)| c == '.' && at > 0 && at + 1 < domain.len());
    domain.is_some_and(dotted) && !recipient.contains(char::is_whitespace)
}
