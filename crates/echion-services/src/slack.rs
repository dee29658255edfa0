//! Posts to Slack: threads, updates in place, attachments, blocks (contract 5.16).
//!
//! API: <https://docs.slack.dev/reference/methods/chat.postMessage>. *Recipient* is a channel by name or id, or a user's id.

use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Budget, Channel, Field, FieldShape, LedgerError, Length, Limits, Message, OptionsError, Receipt, Secret, SendError,
    ServiceKind,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::answer::PAUSE;
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, section};
use crate::vendor::{self, Opening, Vendor};

/// Longest text in characters; Slack cuts there itself.
const LONGEST: usize = 40_000;

/// How long a thread is remembered.
const KEEP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "slack",
    aliases: &[],
    summary: "Posts to Slack: threads, updates in place, attachments, blocks.",
    recipient: "a channel by name or id, or a user's id",
    limits: Limits {
        body: Some(Length::Characters(LONGEST)),
        budget: Some(Budget { count: 10, window: Duration::from_secs(10) }),
    },
    example: "token: $slack-token\n",
    options: Options::TABLE,
    open: vendor::open::<Slack>,
    section: section!("slack", FIELDS, section::whole),
};

static FIELDS: &[Field] = &[
    field("attachments", FieldShape::Json, "a list of attachments"),
    field("blocks", FieldShape::Json, "a list of blocks"),
    field("username", FieldShape::Text, "the name that the message appears under, over the option"),
    field("icon", FieldShape::Text, "`:emoji:` or the address of an image, over the option"),
    field("groupingKey", FieldShape::Text, "messages with the same key to the same recipient belong to one thread"),
    field("notifyBroadcast", FieldShape::Flag, "show a reply in the channel as well"),
    field(
        "deliveryPolicy",
        FieldShape::Plain,
        "`Post` (replies), `PostAndUpdate` (replies, and updates the first), `Update`",
    ),
];

options! {
    struct Options {
        /// The bot's token, beginning with `xoxb-`.
        "token" token: Secret,
        /// The name that messages appear under; the bot needs `chat:write.customize` for it.
        "username" username: String,
        /// `:emoji:` or the address of an image.
        "icon" icon: String,
        /// Where Slack's API is.
        "apiURL" api_url: String = "https://slack.com/api/".to_owned(), "https://slack.com/api/",
        /// Do not unfold links.
        "disableUnfurl" disable_unfurl: bool = false, "false",
        /// Accepted for compatibility; sending needs no such secret.
        "signingSecret" signing_secret: Secret,
        /// Accepted for compatibility; recipients name the channels.
        "channels" channels: Vec<String>,
    }
}

#[derive(Debug)]
struct Slack {
    name: String,
    token: Secret,
    username: String,
    icon: String,
    url: Address,
    disable_unfurl: bool,
    http: Http,
    /// Messages of threads go one after the other: two at once would begin two threads.
    threads: Mutex<()>,
}

/// The first message of a thread.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Parent {
    channel: String,
    ts: String,
}

type Form = Vec<(&'static str, String)>;

#[async_trait]
impl Vendor for Slack {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let Options { token, username, icon, disable_unfurl, api_url, .. } = options;
        opening.require("token", token.is_empty())?;
        let url = opening.address("apiURL", &api_url)?;
        let (name, threads) = (opening.name.to_owned(), Mutex::default());
        Ok(Self { name, token, username, icon, url, disable_unfurl, http: opening.http()?, threads })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let section = Rendered::of(message.notification, "slack");
        let form = self.payload(&message.notification.message, section.as_ref())?;
        let section = section.unwrap_or_default();
        let broadcast = section.flag("notifyBroadcast") == Some(true);
        let Some(grouping) = section.some("groupingKey") else {
            return self.post(&message, form, None, broadcast).await.map(|(_, receipt)| receipt);
        };
        let _one = self.threads.lock().await;
        let thread = format!("slack/{}/{}/{grouping}", self.name, message.recipient);
        let parent = recall(&message, &thread).await?.and_then(|text| serde_json::from_str::<Parent>(&text).ok());
        let policy = section.text("deliveryPolicy");
        match parent {
            None => self.begin(&message, form, broadcast, &thread).await,
            Some(parent) if policy == "Update" => {
                self.update_or_begin(&message, form, parent, broadcast, &thread).await
            }
            Some(parent) if policy == "PostAndUpdate" => {
                // When only the update failed, the next attempt does not post the reply again.
                let posted = format!("slack/{}/posted/{}", self.name, message.id);
                if recall(&message, &posted).await?.is_none() {
                    self.post(&message, form.clone(), Some(&parent.ts), broadcast).await?;
                    let day = Duration::from_secs(86_400);
                    drop(message.memory.remember(&posted, "1", message.now, day).await);
                }
                self.update(&message, form, &parent).await
            }
            Some(parent) => self.post(&message, form, Some(&parent.ts), broadcast).await.map(|(_, receipt)| receipt),
        }
    }

    fn channel(&self, _: &str, recipient: &str) -> Channel {
        // Slack counts by channel.
        let bot = vendor::by_token(&KIND, &self.url, self.token.expose().trim());
        Channel { concurrency: 1, ..vendor::of_place(bot, recipient) }
    }

    fn wants_json(&self) -> bool {
        true
    }
}

impl Slack {
    /// The fields that every call about this message has.
    fn payload(&self, text: &str, section: Option<&Rendered>) -> Result<Form, SendError> {
        let mut form: Form = vec![("token", self.token.expose().to_owned()), ("text", cut(text, LONGEST))];
        let of = |name: &str, option: &str| {
            section.and_then(|section| section.some(name)).map_or_else(|| option.to_owned(), str::to_owned)
        };
        let username = of("username", &self.username);
        if !username.is_empty() {
            form.push(("username", username));
        }
        let icon = of("icon", &self.icon);
        if icon.len() > 2 && icon.starts_with(':') && icon.ends_with(':') {
            form.push(("icon_emoji", icon));
        } else if Address::parse(&icon).is_ok() {
            form.push(("icon_url", icon));
        }
        if let Some(section) = section {
            for name in ["attachments", "blocks"] {
                let mut list = section.list(name)?.unwrap_or_default();
                // An attachment without blocks has an empty list, as in Argo CD Notifications: whoever imitates Slack may expect it.
                for attachment in list.iter_mut().filter(|_| name == "attachments").filter_map(Value::as_object_mut) {
                    attachment.entry("blocks").or_insert(Value::Null);
                }
                form.push((name, Value::Array(list).to_string()));
            }
        }
        if self.disable_unfurl {
            form.extend([("unfurl_links", "false".to_owned()), ("unfurl_media", "false".to_owned())]);
        }
        Ok(form)
    }

    async fn post(
        &self,
        message: &Message<'_>,
        mut form: Form,
        thread: Option<&str>,
        broadcast: bool,
    ) -> Result<(Option<Parent>, Receipt), SendError> {
        form.push(("channel", message.recipient.to_owned()));
        if let Some(ts) = thread {
            form.push(("thread_ts", ts.to_owned()));
        }
        if broadcast {
            form.push(("reply_broadcast", "true".to_owned()));
        }
        self.call(message, "chat.postMessage", &form).await
    }

    /// Posts the first message of a thread and remembers it.
    async fn begin(
        &self,
        message: &Message<'_>,
        form: Form,
        broadcast: bool,
        thread: &str,
    ) -> Result<Receipt, SendError> {
        let (parent, receipt) = self.post(message, form, None, broadcast).await?;
        if let Some(text) = parent.and_then(|parent| serde_json::to_string(&parent).ok()) {
            // The message is there. Without this the next one begins a thread of its own, which is the smaller harm.
            drop(message.memory.remember(thread, &text, message.now, KEEP).await);
        }
        Ok(receipt)
    }

    async fn update(&self, message: &Message<'_>, mut form: Form, parent: &Parent) -> Result<Receipt, SendError> {
        let Parent { channel, ts } = parent.clone();
        form.extend([("channel", channel), ("thread_ts", ts.clone()), ("ts", ts), ("as_user", "true".to_owned())]);
        self.call(message, "chat.update", &form).await.map(|(_, receipt)| receipt)
    }

    /// Updates the first message; when somebody deleted it, a new one takes its place.
    async fn update_or_begin(
        &self,
        message: &Message<'_>,
        form: Form,
        parent: Parent,
        broadcast: bool,
        thread: &str,
    ) -> Result<Receipt, SendError> {
        match self.update(message, form.clone(), &parent).await {
            Err(error) if error.reason.starts_with("message_not_found") => {
                self.begin(message, form, broadcast, thread).await
            }
            other => other,
        }
    }

    async fn call(
        &self,
        message: &Message<'_>,
        method: &str,
        form: &Form,
    ) -> Result<(Option<Parent>, Receipt), SendError> {
        let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = Request::post(self.url.join(method)).form(&pairs);
        let mut parent = None;
        let receipt = self
            .http
            .deliver(request, message.now, |answer| {
                parent = answer.json().and_then(|body| serde_json::from_value(body).ok());
                classify(answer)
            })
            .await?;
        Ok((parent, receipt))
    }
}

async fn recall(message: &Message<'_>, key: &str) -> Result<Option<String>, SendError> {
    let failed = |error: LedgerError| SendError::retryable(format!("could not {error}"));
    message.memory.recall(key, message.now).await.map_err(failed)
}

/// Slack refuses with HTTP 200 and a word.
fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("Slack")?;
    let code = match (body.get("ok").and_then(Value::as_bool), body.get("error").and_then(Value::as_str)) {
        (Some(true), _) => return Ok(Receipt { answer: format!("HTTP {} ok", answer.status) }),
        (Some(false), Some(code)) => answer.quote(code),
        _ => return Err(answer.unknown("Slack")),
    };
    // What Slack says besides: the scope that is missing, or which block is wrong.
    let needed = body.get("needed").and_then(Value::as_str).map(|scope| answer.quote(scope));
    let told = body.pointer("/response_metadata/messages").and_then(Value::as_array).into_iter().flatten();
    let told: Vec<String> = told.filter_map(Value::as_str).map(|text| answer.quote(text)).take(3).collect();
    let reason = match told.as_slice() {
        [] => code.clone(),
        told => format!("{code}: {}", told.join("; ")),
    };
    let rejected = |hint: &str| Err(SendError::rejected(reason.clone(), hint));
    let hint = match code.as_str() {
        "ratelimited" | "rate_limited" => {
            return Err(SendError::rate_limited(code, answer.retry_after.unwrap_or(PAUSE)));
        }
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "team_added_to_org" => {
            return Err(SendError::retryable(code));
        }
        "channel_not_found" => "correct the recipient, or invite the bot to the private channel",
        "not_in_channel" => "invite the bot to the channel, or give it `chat:write.public`",
        "is_archived" => "the channel is archived: choose another one",
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            "set `token` to the bot's token, which begins with `xoxb-`"
        }
        "missing_scope" if needed.is_some() => {
            let scope = needed.unwrap_or_default();
            let hint = format!("give the bot the scope `{scope}`, and install the app again");
            return Err(SendError::attention(reason, hint));
        }
        "missing_scope" => "give the bot `chat:write`, and `chat:write.customize` for username and icon",
        "invalid_blocks" | "invalid_blocks_format" => {
            return rejected("correct `blocks` in the template: Slack's Block Kit Builder checks them");
        }
        "invalid_attachments" | "too_many_attachments" => return rejected("correct `attachments` in the template"),
        "no_text" => return rejected("give the template a `message`, `blocks` or `attachments`"),
        "msg_too_long" | "msg_blocks_too_long" => return rejected("shorten the template"),
        "invalid_arguments" | "invalid_arg_name" | "invalid_metadata_format" | "markdown_text_conflict" => {
            return rejected("compare the template with Slack's documentation of chat.postMessage");
        }
        "cant_update_message" | "edit_window_closed" => {
            "the workspace does not let the bot edit: use `deliveryPolicy: Post`"
        }
        _ => "look up the error in Slack's documentation of chat.postMessage and remove the cause",
    };
    Err(SendError::attention(reason, hint))
}
