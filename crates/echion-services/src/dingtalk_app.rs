//! Sends to a DingTalk group or to people through the robot of an enterprise app.
//!
//! API: <https://open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message>. *Recipient* is a group's `openConversationId`
//! (it begins with `cid`), or user ids separated by commas.

use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Budget, Channel, Length, Limits, Message, Notification, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::{PAUSE, QUOTA_PAUSE};
use crate::dingtalk;
use crate::done::Done;
use crate::http::{Address, Answer, Fresh, Http, Request, TokenCache};
use crate::options::options;
use crate::section::{Rendered, fit};
use crate::vendor::{self, Opening, Vendor};

/// Longest `msgParam` in bytes.
const LONGEST: usize = 15_000;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "dingtalk-app",
    aliases: &["dingding-app"],
    summary: "Sends to a DingTalk group or to people through the robot of an enterprise app.",
    recipient: "a group's `openConversationId` (it begins with `cid`), or user ids separated by commas",
    limits: Limits {
        body: Some(Length::Bytes(LONGEST)),
        budget: Some(Budget { count: 20, window: Duration::from_secs(60) }),
    },
    example: "appKey: dingabc\nappSecret: $dingtalk-app-secret\nrobotCode: dingabc\n",
    options: Options::TABLE,
    open: vendor::open::<App>,
    section: Some(dingtalk::SECTION),
};

options! {
    struct Options {
        /// The app's key (Client ID).
        "appKey" app_key: Secret,
        /// The app's secret (Client Secret).
        "appSecret" app_secret: Secret,
        /// The robot's code; the app's key unless set.
        "robotCode" robot_code: String,
        /// Where the API is.
        "apiURL" api_url: String = "https://api.dingtalk.com".to_owned(), "https://api.dingtalk.com",
    }
}

#[derive(Debug)]
struct App {
    name: String,
    key: Secret,
    secret: Secret,
    robot: Secret,
    base: Address,
    token: TokenCache,
    http: Http,
}

#[async_trait]
impl Vendor for App {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("appKey", options.app_key.is_empty())?;
        opening.require("appSecret", options.app_secret.is_empty())?;
        let robot = match options.robot_code.trim() {
            "" => options.app_key.clone(),
            code => Secret::new(code),
        };
        let base = opening.address("apiURL", &options.api_url)?;
        let secret = Secret::new(options.app_secret.expose().trim());
        let name = format!("{}/{}", KIND.name, opening.name);
        Ok(Self {
            name,
            key: options.app_key,
            secret,
            robot,
            base,
            token: TokenCache::default(),
            http: opening.http()?,
        })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let (key, param) = payload(message.notification)?;
        let mut body = json!({ "robotCode": self.robot.expose(), "msgKey": key, "msgParam": param });
        let mut done = Done::of(&message, &self.name).await;
        let mut people: Vec<&str> = Vec::new();
        let path = if message.recipient.starts_with("cid") {
            body["openConversationId"] = message.recipient.into();
            "v1.0/robot/groupMessages/send"
        } else {
            people.extend(message.recipient.split(',').map(str::trim).filter(|id| !id.is_empty() && !done.has(id)));
            if people.is_empty() {
                let hint = "name a group's `openConversationId`, or user ids, as recipient";
                return Err(SendError::rejected("no recipient is named", hint));
            }
            body["userIds"] = people.clone().into();
            "v1.0/robot/oToMessages/batchSend"
        };
        let token = self.token.get(message.now, || self.fetch()).await?;
        let request =
            Request::post(self.base.join(path)).header("x-acs-dingtalk-access-token", token.value.expose()).json(&body);
        let (mut refused, mut held) = (false, Vec::new());
        let sent = self.http.deliver(request, message.now, |answer| {
            refused = answer.status == 401 || answer.body.contains("InvalidAuthentication");
            held = named(answer, "flowControlledStaffIdList");
            classify(answer, people.len().max(1))
        });
        match sent.await {
            // The others have it, or never get it: from now on it is for these people alone.
            Ok(receipt) if !held.is_empty() => {
                people.retain(|id| !held.iter().any(|held| held == id));
                done.note(&people, &message).await;
                let reason = format!("DingTalk holds {} of the people back for now; {}", held.len(), receipt.answer);
                Err(SendError::rate_limited(reason, PAUSE))
            }
            Err(error) if refused => {
                let error = SendError::attention(error.reason, "check `appKey` and `appSecret`");
                Err(self.token.refused(&token, error).await)
            }
            sent => sent,
        }
    }

    fn channel(&self, _: &str, recipient: &str) -> Channel {
        // The rate is a group's.
        let app = vendor::by_token(&KIND, &self.base, &format!("{}\n{}", self.key.expose(), self.robot.expose()));
        Channel { concurrency: 1, ..vendor::of_place(app, recipient) }
    }
}

impl App {
    async fn fetch(&self) -> Result<Fresh, SendError> {
        let body = json!({ "appKey": self.key.expose(), "appSecret": self.secret.expose() });
        let answer = self.http.send_bare(Request::post(self.base.join("v1.0/oauth2/accessToken")).json(&body)).await?;
        let found = answer.json_of("DingTalk").map_err(|error| match answer.status {
            400..=404 => SendError::attention(error.reason, "check `appKey` and `appSecret`"),
            _ => error,
        })?;
        let seconds = found.get("expireIn").and_then(Value::as_u64).unwrap_or(7200);
        match found.get("accessToken").and_then(Value::as_str) {
            Some(token) => Ok(Fresh { token: Secret::new(token), lives: Duration::from_secs(seconds) }),
            None => Err(answer.unknown("DingTalk")),
        }
    }
}

/// `msgKey` and `msgParam`: the section's message, or the plain text of the notification.
fn payload(notification: &Notification) -> Result<(&'static str, String), SendError> {
    let section = Rendered::of(notification, "dingtalk").unwrap_or_default();
    let text_of = |name: &str, field: &str| match section.value(name) {
        Some(Value::String(text)) => Some(json!({ field: text })),
        Some(value @ Value::Object(_)) => Some(value.clone()),
        _ => None,
    };
    let (key, place, mut param) = if let Some(mut markdown) = text_of("markdown", "text") {
        if markdown.get("title").and_then(Value::as_str).is_none_or(str::is_empty) {
            markdown["title"] = "Echion".into();
        }
        ("sampleMarkdown", "/text", markdown)
    } else if let Some(link) = text_of("link", "text") {
        ("sampleLink", "/text", link)
    } else if let Some(card) = text_of("actionCard", "text") {
        let (key, card) = action_card(card)?;
        (key, "/text", card)
    } else if section.value("feedCard").is_some() {
        let hint = "use `markdown`, `link` or `actionCard` in the section `dingtalk`";
        return Err(SendError::rejected("the robot of an app sends no feed card", hint));
    } else {
        ("sampleText", "/content", text_of("text", "content").unwrap_or(json!({ "content": notification.message })))
    };
    if param.pointer(place).and_then(Value::as_str).is_none_or(str::is_empty) {
        let hint = "give the template a `message` or a `dingtalk` section";
        return Err(SendError::rejected("the message is empty", hint));
    }
    fit(&mut param, place, LONGEST);
    Ok((key, param.to_string()))
}

fn classify(answer: &Answer, asked: usize) -> Result<Receipt, SendError> {
    let body = answer.json().unwrap_or_default();
    let code = body.get("code").and_then(Value::as_str).unwrap_or_default();
    if code.contains("QpsLimit") || code.contains("Throttling") {
        return Err(SendError::rate_limited(answer.said(), answer.retry_after.unwrap_or(PAUSE)));
    }
    if code.contains("Quota") {
        return Err(SendError::quota_exhausted(answer.said(), QUOTA_PAUSE));
    }
    answer.by_status().map_err(|error| match (code, error.hint.as_str()) {
        ("", _) | (_, "") => error,
        // A message of a wrong shape is refused with `invalidParameter`, but so is a group that the robot is not in.
        _ => SendError::attention(error.reason, "the robot must be in the group, and `robotCode` must be its own"),
    })?;
    if body.get("processQueryKey").and_then(Value::as_str).is_none() {
        return Err(answer.unknown("DingTalk"));
    }
    let lost = named(answer, "invalidStaffIdList").len() + named(answer, "filteredStaffIdList").len();
    match lost {
        0 => Ok(Receipt { answer: format!("HTTP {}", answer.status) }),
        _ if lost < asked => {
            Ok(Receipt { answer: format!("{lost} of {asked} people are unknown or do not let the robot write") })
        }
        _ => {
            let hint = "correct the user ids, and check who may use the app";
            Err(SendError::attention("none of the recipients is known, or lets the robot write", hint))
        }
    }
}

/// The people in a list of the response.
fn named(answer: &Answer, list: &str) -> Vec<String> {
    let body = answer.json().unwrap_or_default();
    let items = body.get(list).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The template for as many buttons as the card has. An app's cards name each button's title and address by its number.
fn action_card(mut card: Value) -> Result<(&'static str, Value), SendError> {
    let Some(Value::Array(buttons)) = card.as_object_mut().and_then(|card| card.remove("btns")) else {
        return Ok(("sampleActionCard", card));
    };
    let flat = card.as_object_mut().and_then(|card| card.remove("btnOrientation"));
    let flat = flat.is_some_and(|flat| flat.as_str() == Some("1") || flat.as_i64() == Some(1));
    let (key, title, url) = match buttons.len() {
        1 => ("sampleActionCard", "singleTitle", "singleURL"),
        2 if flat => ("sampleActionCard6", "buttonTitle", "buttonUrl"),
        2 => ("sampleActionCard2", "actionTitle", "actionURL"),
        3 => ("sampleActionCard3", "actionTitle", "actionURL"),
        4 => ("sampleActionCard4", "actionTitle", "actionURL"),
        5 => ("sampleActionCard5", "actionTitle", "actionURL"),
        count => {
            let hint = "give `actionCard` one to five `btns` in the section `dingtalk`";
            return Err(SendError::rejected(format!("the card has {count} buttons"), hint));
        }
    };
    for (number, button) in (1..).zip(&buttons) {
        let number = if buttons.len() == 1 { String::new() } else { number.to_string() };
        for (name, field) in [(title, "title"), (url, "actionURL")] {
            card[format!("{name}{number}")] = button.get(field).cloned().unwrap_or_default();
        }
    }
    Ok((key, card))
}
