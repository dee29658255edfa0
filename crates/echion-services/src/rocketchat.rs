//! Posts to Rocket.Chat as a user (contract 5.15).
//!
//! API: <https://developer.rocket.chat/apidocs/post-message>. *Recipient* is `#channel`, `@user`, or the id of a room.

use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Map, Value};

use crate::answer::PAUSE;
use crate::http::{Address, Answer, Fresh, Http, Request, TokenCache};
use crate::options::options;
use crate::section::{self, Rendered, cut, field, put, section};
use crate::vendor::{self, Opening, Vendor};

/// Longest message in characters, as servers come.
const LONGEST: usize = 5000;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "rocketchat",
    aliases: &[],
    summary: "Posts to Rocket.Chat as a user.",
    recipient: "`#channel`, `@user`, or the id of a room",
    limits: Limits { body: Some(Length::Characters(LONGEST)), budget: None },
    example: "serverUrl: https://chat.example.com\nemail: bot@example.com\npassword: $rocketchat-password\n",
    options: Options::TABLE,
    open: vendor::open::<RocketChat>,
    section: section!("rocketchat", FIELDS, section::whole),
};

static FIELDS: &[Field] = &[field("attachments", FieldShape::Json, "a list of attachments")];

options! {
    struct Options {
        /// Where Rocket.Chat is.
        "serverUrl" server_url: String,
        /// The user's e-mail address or name.
        "email" email: String,
        /// The user's password.
        "password" password: Secret,
        /// The name that messages appear under.
        "alias" alias: String,
        /// `:emoji:` next to the message.
        "icon" icon: String,
        /// The address of an image next to the message.
        "avatar" avatar: String,
    }
}

#[derive(Debug)]
struct RocketChat {
    options: Options,
    url: Address,
    /// User id and token, separated by a space.
    session: TokenCache,
    http: Http,
}

#[async_trait]
impl Vendor for RocketChat {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("serverUrl", &options.server_url)?;
        Ok(Self { options, url, session: TokenCache::default(), http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let body = self.payload(&message)?;
        let session = self.session.get(message.now, || self.login(message.now)).await?;
        let (user, token) = session.value.expose().split_once(' ').unwrap_or_default();
        let request = Request::post(self.url.join("api/v1/chat.postMessage"))
            .header("X-User-Id", user)
            .header("X-Auth-Token", token)
            .json(&body);
        let mut refused = false;
        let sent = self
            .http
            .deliver(request, message.now, |answer| {
                refused = answer.status == 401;
                classify(answer)
            })
            .await;
        match sent {
            Err(error) if refused => Err(self.session.refused(&session, error).await),
            sent => sent,
        }
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, &self.options.email)
    }

    fn wants_json(&self) -> bool {
        true
    }
}

impl RocketChat {
    async fn login(&self, now: i64) -> Result<Fresh, SendError> {
        let form = [("user", self.options.email.as_str()), ("password", self.options.password.expose())];
        let answer = self.http.send(Request::post(self.url.join("api/v1/login")).form(&form), now).await?;
        let body = answer.json_of("Rocket.Chat")?;
        let text = |name: &str| body.pointer(name).and_then(Value::as_str).unwrap_or_default();
        let (user, token) = (text("/data/userId"), text("/data/authToken"));
        if token.is_empty() {
            return Err(answer.unknown("Rocket.Chat"));
        }
        Ok(Fresh { token: Secret::new(format!("{user} {token}")), lives: Duration::from_secs(24 * 60 * 60) })
    }

    fn payload(&self, message: &Message<'_>) -> Result<Value, SendError> {
        let section = Rendered::of(message.notification, "rocketchat").unwrap_or_default();
        let mut body = Map::new();
        let room = if message.recipient.starts_with(['#', '@']) { "channel" } else { "roomId" };
        put(&mut body, room, message.recipient);
        body.insert("text".to_owned(), cut(&message.notification.message, LONGEST).into());
        put(&mut body, "alias", &self.options.alias);
        let icon = &self.options.icon;
        if icon.len() > 2 && icon.starts_with(':') && icon.ends_with(':') {
            put(&mut body, "emoji", icon);
        }
        if Address::parse(&self.options.avatar).is_ok() {
            put(&mut body, "avatar", &self.options.avatar);
        }
        if let Some(attachments) = section.list("attachments")? {
            body.insert("attachments".to_owned(), attachments.into());
        }
        Ok(Value::Object(body))
    }
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    // Older servers call it a bad request. How long to wait is in the sentence alone.
    if answer.status == 429 || answer.body.contains("error-too-many-requests") {
        let seconds = answer.body.split_once("wait ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u32>().ok());
        let pause = answer.retry_after.or(seconds.map(|seconds| Duration::from_secs(seconds.into())));
        let reason = format!("HTTP {}: {}", answer.status, answer.said());
        return Err(SendError::rate_limited(reason, pause.unwrap_or(PAUSE)));
    }
    let body = answer.json_of("Rocket.Chat")?;
    match body.get("success").and_then(Value::as_bool) {
        Some(true) => Ok(Receipt { answer: format!("HTTP {} success", answer.status) }),
        Some(false) => {
            let said = body.get("error").and_then(Value::as_str).unwrap_or_default();
            if said.contains("message-size") {
                return Err(SendError::rejected(answer.quote(said), "shorten the template"));
            }
            Err(SendError::attention(answer.quote(said), "check the recipient, and that the user may write there"))
        }
        None => Err(answer.unknown("Rocket.Chat")),
    }
}
