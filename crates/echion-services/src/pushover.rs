//! Sends a push message through Pushover (contract 5.14).
//!
//! API: <https://pushover.net/api>. *Recipient* is the key of a user or group.

use async_trait::async_trait;
use echion_model::{Channel, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use serde_json::Value;

use crate::answer::QUOTA_PAUSE;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::cut;
use crate::vendor::{self, Opening, Vendor};

/// Longest message in characters.
const LONGEST: usize = 1024;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "pushover",
    aliases: &[],
    summary: "Sends a push message through Pushover.",
    recipient: "the key of a user or group",
    limits: Limits { body: Some(Length::Characters(LONGEST)), budget: None },
    example: "token: $pushover-token\n",
    options: Options::TABLE,
    open: vendor::open::<Pushover>,
    section: None,
};

options! {
    struct Options {
        /// The application's token.
        "token" token: Secret,
        /// Where the API is.
        "apiURL" api_url: String = "https://api.pushover.net".to_owned(), "https://api.pushover.net",
    }
}

#[derive(Debug)]
struct Pushover {
    url: Address,
    token: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Pushover {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?.join("1/messages.json");
        Ok(Self { url, token: options.token, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let text = cut(&message.notification.message, LONGEST);
        if text.is_empty() {
            return Err(SendError::rejected("the message is empty", "give the template a `message`"));
        }
        let token = self.token.expose().trim();
        let form = [("token", token), ("user", message.recipient), ("message", &text), ("priority", "0")];
        self.http.deliver(Request::post(self.url.clone()).form(&form), message.now, classify).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, self.token.expose().trim())
    }
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    if answer.status == 429 {
        // The messages that the application has in a month.
        let pause = answer.retry_after.unwrap_or(QUOTA_PAUSE);
        return Err(SendError::quota_exhausted(format!("HTTP 429: {}", answer.said()), pause));
    }
    let body = answer.json().unwrap_or_default();
    match body.get("status").and_then(Value::as_i64) {
        Some(1) if (200..300).contains(&answer.status) => {
            Ok(Receipt { answer: format!("HTTP {} status 1", answer.status) })
        }
        Some(_) if (400..429).contains(&answer.status) || answer.status == 200 => {
            let errors = body.get("errors").and_then(Value::as_array);
            let said: Vec<&str> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
            let hint = "check `token` of the service and the recipient: keys of 30 letters and digits";
            let said = said.join(", ");
            if said.starts_with("message") || said.starts_with("priority") {
                return Err(SendError::rejected(answer.quote(&said), "correct the template"));
            }
            Err(SendError::attention(answer.quote(&said), hint))
        }
        _ => {
            answer.by_status()?;
            Err(answer.unknown("Pushover"))
        }
    }
}
