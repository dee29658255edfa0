//! Sends to a Telegram chat as a bot (contract 5.19).
//!
//! API: <https://core.telegram.org/bots/api#sendmessage>. *Recipient* is a chat's id, with `|<topic>` for a topic, or a channel's name.

use std::time::Duration;

use async_trait::async_trait;
use echion_model::{Budget, Channel, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use serde_json::Value;

use crate::answer::PAUSE;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::cut;
use crate::vendor::{self, Opening, Vendor};

/// Longest text in characters.
const LONGEST: usize = 4096;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "telegram",
    aliases: &[],
    summary: "Sends to a Telegram chat as a bot.",
    recipient: "a chat's id, with `|<topic id>` for a topic, or a channel's name without `@`",
    limits: Limits {
        body: Some(Length::Characters(LONGEST)),
        budget: Some(Budget { count: 20, window: Duration::from_secs(60) }),
    },
    example: "token: $telegram-token\n",
    options: Options::TABLE,
    open: vendor::open::<Telegram>,
    section: None,
};

options! {
    struct Options {
        /// The bot's token, as @BotFather gave it.
        "token" token: Secret,
        /// Where the bot API is.
        "apiURL" api_url: String = "https://api.telegram.org".to_owned(), "https://api.telegram.org",
        /// How Telegram reads the text: `Markdown`, `MarkdownV2`, `HTML`, or `none`.
        "parseMode" parse_mode: String = "Markdown".to_owned(), "Markdown",
    }
}

#[derive(Debug)]
struct Telegram {
    url: Address,
    parse_mode: String,
    http: Http,
}

#[async_trait]
impl Vendor for Telegram {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("token", options.token.is_empty())?;
        let bot = format!("bot{}", options.token.expose().trim());
        let url = opening.address("apiURL", &options.api_url)?.segments([bot.as_str(), "sendMessage"]);
        Ok(Self { url, parse_mode: options.parse_mode, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let mut form = address(message.recipient)?;
        form.push(("text", cut(&message.notification.message, LONGEST)));
        let mode = Some(self.parse_mode.as_str()).filter(|mode| *mode != "none");
        match self.post(&form, mode, message.now).await {
            // A name such as `my_app` is no Markdown. Better plain than not at all.
            Err(error) if mode.is_some() && error.reason.contains("can't parse entities") => {
                self.post(&form, None, message.now).await
            }
            other => other,
        }
    }

    fn channel(&self, _: &str, recipient: &str) -> Channel {
        // The rate is a group's, whatever the topic; the path holds the bot's token.
        let chat = recipient.split_once('|').map_or(recipient, |(chat, _)| chat).trim_start_matches('@');
        Channel { concurrency: 1, ..vendor::of_place(vendor::by_token(&KIND, &self.url, ""), chat) }
    }
}

impl Telegram {
    async fn post(&self, form: &[(&str, String)], mode: Option<&str>, now: i64) -> Result<Receipt, SendError> {
        let mut pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        pairs.extend(mode.map(|mode| ("parse_mode", mode)));
        self.http.deliver(Request::post(self.url.clone()).form(&pairs), now, classify).await
    }
}

/// `chat_id` and, for a topic, `message_thread_id`.
fn address(recipient: &str) -> Result<Vec<(&'static str, String)>, SendError> {
    let number = |text: &str| text.parse::<i64>().map(|n| n.to_string()).ok();
    let (chat, topic) = recipient.split_once('|').map_or((recipient, None), |(chat, topic)| (chat, Some(topic)));
    let wrong = || {
        let hint = "write a chat's id such as `-1001234`, with a topic `-1001234|5`, or a channel's name";
        SendError::rejected(format!("recipient `{recipient}` is no chat"), hint)
    };
    if !chat.starts_with('-') && number(chat).is_none() {
        // A channel's name; it does not begin with a digit.
        return Ok(vec![("chat_id", format!("@{}", recipient.trim_start_matches('@')))]);
    }
    let mut form = vec![("chat_id", number(chat).ok_or_else(wrong)?)];
    if let Some(topic) = topic {
        form.push(("message_thread_id", number(topic).ok_or_else(wrong)?));
    }
    Ok(form)
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json().unwrap_or_default();
    match body.get("ok").and_then(Value::as_bool) {
        Some(true) if (200..300).contains(&answer.status) => {
            return Ok(Receipt { answer: format!("HTTP {} ok", answer.status) });
        }
        Some(false) => {}
        _ => {
            answer.by_status()?;
            return Err(answer.unknown("Telegram"));
        }
    }
    let said = answer.quote(body.get("description").and_then(Value::as_str).unwrap_or_default());
    let code = body.get("error_code").and_then(Value::as_u64).unwrap_or_default();
    let reason = format!("{code}: {said}");
    let hint = match code {
        429 => {
            let seconds = body.pointer("/parameters/retry_after").and_then(Value::as_u64);
            return Err(SendError::rate_limited(reason, seconds.map_or(PAUSE, Duration::from_secs)));
        }
        500..=599 => return Err(SendError::retryable(reason)),
        401 | 404 => "set `token` to the token that @BotFather gave",
        403 => "add the bot to the chat, and let it write there",
        400 if said.contains("chat not found") => "correct the recipient: a chat's id, or a channel's name",
        400 if body.pointer("/parameters/migrate_to_chat_id").is_some() => {
            "the group became a supergroup: use its new id"
        }
        _ => return Err(SendError::rejected(reason, "correct what Telegram objects to in the template")),
    };
    Err(SendError::attention(reason, hint))
}
