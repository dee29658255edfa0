//! Sends to a group through a custom DingTalk robot, signed.
//!
//! API: the robot documentation of DingTalk ("custom robots send group messages", "customize robot security settings"). *Recipient* is
//! whom to mention: mobile numbers, user ids or `all`, separated by commas; usually empty.

use async_trait::async_trait;
use echion_model::yaml::{Kind, Node};
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, Notification, OptionsError, Receipt, RenderContext,
    RenderError, Secret, Section, SectionError, SectionKind, SendError, ServiceKind, TextCompiler,
};
use serde_json::{Map, Value, json};

use crate::http::{Address, Http, Request};
use crate::options::options;
use crate::robots::{self, BODY_LIMIT, BUDGET, Mention, Robot};
use crate::section::{field, fit};
use crate::tree::Tree;
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "dingtalk",
    aliases: &["dingding"],
    summary: "Sends to a DingTalk group through a custom robot, signed.",
    recipient: "whom to mention: mobile numbers, user ids or `all`, separated by commas; `user:` before an id that looks like a number; usually empty",
    limits: Limits { body: Some(Length::Bytes(BODY_LIMIT)), budget: Some(BUDGET) },
    example: "accessToken: $dingtalk-token\nsecret: $dingtalk-secret\n",
    options: Options::TABLE,
    open: vendor::open::<DingTalk>,
    section: Some(SECTION),
};

/// The section, which the robot of an app reads as well.
pub(crate) const SECTION: SectionKind =
    SectionKind { key: "dingtalk", fields: FIELDS, required: false, compile, merge };

const MESSAGES: [&str; 5] = ["text", "markdown", "link", "actionCard", "feedCard"];

options! {
    struct Options {
        /// The token of the robot's address.
        "accessToken" access_token: Secret,
        /// The robot's whole address, instead of `accessToken`.
        "webhook" webhook: Secret,
        /// Where DingTalk's API is; `https://oapi.dingtalk.io` outside China.
        "apiURL" api_url: String = "https://oapi.dingtalk.com".to_owned(), "https://oapi.dingtalk.com",
        /// The robot's signing secret (加签); requests are signed when it is set.
        "secret" secret: Secret,
        /// The robot's keywords; a message without any of them gets the first one appended.
        "keywords" keywords: Vec<String>,
    }
}

/// The fields of the section, of which one is used, and `at`.
static FIELDS: &[Field] = &[
    field("text", FieldShape::Json, "`content`, or the text itself"),
    field("markdown", FieldShape::Json, "`title` and `text`, or the text itself"),
    field("link", FieldShape::Json, "`title`, `text`, `messageUrl`, `picUrl`"),
    field("actionCard", FieldShape::Json, "`title`, `text`, and `singleTitle` with `singleURL`, or `btns`"),
    field("feedCard", FieldShape::Json, "`links` with `title`, `messageURL`, `picURL`"),
    field("at", FieldShape::Json, "whom to mention: `mobiles`, `userIds`, `all`"),
];

#[derive(Debug)]
struct DingTalk {
    url: Address,
    secret: Secret,
    keywords: Vec<String>,
    http: Http,
}

#[async_trait]
impl Vendor for DingTalk {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = match (options.webhook.is_empty(), options.access_token.is_empty()) {
            (false, true) => opening.address("webhook", options.webhook.expose())?,
            (true, false) => opening
                .address("apiURL", &options.api_url)?
                .join("robot/send")
                .with_query(&[("access_token", options.access_token.expose().trim())]),
            (true, true) => {
                return Err(opening.refuse("accessToken", "expected `accessToken` or `webhook`".to_owned()));
            }
            (false, false) => {
                let message = "`accessToken` and `webhook` say the same; keep one of them";
                return Err(opening.refuse("accessToken", message.to_owned()));
            }
        };
        let secret = Secret::new(options.secret.expose().trim());
        let keywords = options.keywords.into_iter().filter(|k| !k.is_empty()).collect();
        Ok(Self { url, secret, keywords, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let mut body = payload(message.notification, message.recipient, &self.keywords)?;
        // A repeated attempt with the same value is not a second message.
        body.insert("msgUuid".to_owned(), json!(message.id.0));
        let mut url = self.url.clone();
        if !self.secret.is_empty() {
            let sign = robots::sign_dingtalk(self.secret.expose(), message.now)?;
            url = url.with_query(&[("timestamp", &message.now.to_string()), ("sign", &sign)]);
        }
        let mut request = Request::post(url).header("Content-Type", "application/json; charset=utf-8");
        request.body = fitted(body);
        let unsigned =
            self.secret.is_empty().then_some("set `secret` to the robot's signing secret (it begins with SEC)");
        self.http.deliver(request, message.now, |answer| Robot::DingTalk.judge(answer, message.now, unsigned)).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        // DingTalk drops a second message with the same `msgUuid`.
        Channel { idempotent: true, ..Robot::DingTalk.channel(&self.url) }
    }
}

/// The request's body: the section's message, or the plain text of the notification.
fn payload(notification: &Notification, recipient: &str, keywords: &[String]) -> Result<Map<String, Value>, SendError> {
    let section: Map<String, Value> = notification.section("dingtalk").unwrap_or_default();
    let kind = MESSAGES.into_iter().find(|kind| section.contains_key(*kind)).unwrap_or("text");
    let mut content = match section.get(kind) {
        Some(Value::Object(fields)) => fields.clone(),
        Some(Value::String(text)) if kind == "text" => Map::from_iter([("content".to_owned(), json!(text))]),
        Some(Value::String(text)) if kind == "markdown" => Map::from_iter([("text".to_owned(), json!(text))]),
        _ => Map::from_iter([("content".to_owned(), json!(notification.message))]),
    };
    if kind == "markdown" && content.get("title").is_none_or(|t| t.as_str() == Some("")) {
        let text = content.get("text").and_then(Value::as_str).unwrap_or_default();
        let first = text.lines().map(|l| l.trim_matches(['#', '>', '*', ' '])).find(|l| !l.is_empty());
        let title = first.unwrap_or("Echion").to_owned();
        content.insert("title".to_owned(), json!(title));
    }
    let at = mentions(section.get("at"), recipient);
    // In markdown a mention must be in the text as well.
    if kind == "markdown" {
        let names = ["atMobiles", "atUserIds"].into_iter().filter_map(|key| at.get(key)?.as_array());
        let missing: Vec<String> = {
            let text = content.get("text").and_then(Value::as_str).unwrap_or_default();
            names
                .flatten()
                .filter_map(Value::as_str)
                .map(|n| format!("@{n}"))
                .filter(|n| !text.contains(n.as_str()))
                .collect()
        };
        append(&mut content, "text", &missing.join(" "));
    }
    if !keywords.is_empty() && kind != "feedCard" {
        let whole = Value::Object(content.clone()).to_string();
        if !keywords.iter().any(|keyword| whole.contains(keyword.as_str())) {
            append(&mut content, if kind == "text" { "content" } else { "text" }, &keywords[0]);
        }
    }
    if content.values().all(|v| v.as_str() == Some("")) {
        return Err(SendError::rejected(
            "the message is empty",
            "give the template a `message` or a `dingtalk` section",
        ));
    }
    let mut body = Map::from_iter([("msgtype".to_owned(), json!(kind)), (kind.to_owned(), Value::Object(content))]);
    if !at.is_empty() {
        body.insert("at".to_owned(), Value::Object(at));
    }
    Ok(body)
}

fn append(content: &mut Map<String, Value>, field: &str, addition: &str) {
    if !addition.is_empty() {
        let text = content.get(field).and_then(Value::as_str).unwrap_or_default();
        content.insert(field.to_owned(), json!(format!("{text}\n\n{addition}")));
    }
}

/// DingTalk's `at` from the section's (`mobiles`, `userIds`, `all`) and the recipient.
fn mentions(section: Option<&Value>, recipient: &str) -> Map<String, Value> {
    let listed = |key: &str| -> Vec<String> {
        let texts = match section.and_then(|s| s.get(key)) {
            Some(Value::Array(items)) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
            Some(other) => text_of(other),
            None => String::new(),
        };
        texts.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
    };
    let (mut mobiles, mut users) = (listed("mobiles"), listed("userIds"));
    let mut all = section.and_then(|s| s.get("all")).is_some_and(|v| text_of(v).trim() == "true");
    for mention in robots::mentions(recipient) {
        match mention {
            Mention::All => all = true,
            Mention::Mobile(number) => mobiles.push(number.to_owned()),
            Mention::User(id) => users.push(id.to_owned()),
        }
    }
    let mut at = Map::new();
    for (key, names) in [("atMobiles", mobiles), ("atUserIds", users)] {
        if !names.is_empty() {
            at.insert(key.to_owned(), json!(names));
        }
    }
    if all {
        at.insert("isAtAll".to_owned(), json!(true));
    }
    at
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The body in at most as many bytes as DingTalk takes: the long text is cut and says so.
fn fitted(body: Map<String, Value>) -> Vec<u8> {
    let kind = body.get("msgtype").and_then(Value::as_str).unwrap_or_default();
    let place = format!("/{kind}/{}", if kind == "text" { "content" } else { "text" });
    let mut body = Value::Object(body);
    fit(&mut body, &place, BODY_LIMIT);
    body.to_string().into_bytes()
}

#[derive(Debug)]
struct DingTalkSection(Tree);

fn compile(section: &Node, compiler: &dyn TextCompiler) -> Result<Box<dyn Section>, Vec<SectionError>> {
    let wrong = |path: String, at, message: String| SectionError { path, at, message, source: String::new() };
    if !matches!(section.kind, Kind::Map(_)) {
        let message = format!("expected a mapping, found {}", section.describe());
        return Err(vec![wrong("dingtalk".to_owned(), section.at(), message)]);
    }
    let mut errors = Vec::new();
    for (key, _) in section.entries() {
        let name = key.text().unwrap_or_default();
        if name != "at" && !MESSAGES.contains(&name) {
            let message = format!("unknown field; expected one of {}, at", MESSAGES.join(", "));
            errors.push(wrong(format!("dingtalk.{name}"), key.at(), message));
        }
    }
    let tree = Tree::compile(section, "dingtalk", compiler, &mut errors);
    if errors.is_empty() { Ok(Box::new(DingTalkSection(tree))) } else { Err(errors) }
}

impl Section for DingTalkSection {
    fn render(&self, _: &str, context: &RenderContext<'_>) -> Result<Option<Value>, RenderError> {
        self.0.render(context).map(Some)
    }
}

/// A later template's message replaces an earlier one's, of whatever type; `at` is replaced when the later one has it.
fn merge(earlier: &mut Value, later: Value) {
    let (Some(earlier), Value::Object(later)) = (earlier.as_object_mut(), later) else { return };
    if later.keys().any(|key| key != "at") {
        earlier.retain(|key, _| key == "at");
    }
    earlier.extend(later);
}

#[cfg(test)]
mod tests {
    use echion_model::{Environment, yaml};

    use super::*;

    fn with(section: Value) -> Notification {
        let mut notification = Notification { message: "plain".into(), ..Notification::default() };
        notification.sections.insert("dingtalk".into(), section);
        notification
    }

    fn body(section: Value, recipient: &str, keywords: &[&str]) -> Value {
        let keywords: Vec<String> = keywords.iter().map(|k| (*k).to_owned()).collect();
        Value::Object(payload(&with(section), recipient, &keywords).unwrap())
    }

    #[test]
    fn each_message_type_has_its_shape() {
        assert_eq!(body(json!({}), "", &[]), json!({"msgtype": "text", "text": {"content": "plain"}}));
        assert_eq!(
            body(json!({"markdown": {"text": "### 狀態\nx"}}), "", &[]),
            json!({"msgtype": "markdown", "markdown": {"title": "狀態", "text": "### 狀態\nx"}})
        );
        for kind in ["link", "actionCard", "feedCard"] {
            let content = json!({"title": "t", "text": "x"});
            assert_eq!(body(json!({ kind: content }), "", &[]), json!({"msgtype": kind, kind: content}));
        }
    }

    #[test]
    fn mentions_stand_in_at_and_in_the_markdown_text() {
        let sent =
            body(json!({"markdown": {"title": "t", "text": "x"}, "at": {"mobiles": ["13800000000"]}}), "lee,all", &[]);
        assert_eq!(sent["at"], json!({"atMobiles": ["13800000000"], "atUserIds": ["lee"], "isAtAll": true}));
        assert_eq!(sent["markdown"]["text"], "x\n\n@13800000000 @lee");
    }

    #[test]
    fn a_missing_keyword_is_appended_and_a_present_one_is_not() {
        assert_eq!(body(json!({"text": {"content": "x"}}), "", &["監控", "b"])["text"]["content"], "x\n\n監控");
        assert_eq!(body(json!({"text": {"content": "監控 x"}}), "", &["監控"])["text"]["content"], "監控 x");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_stays_json() {
        let long = "字\"\n\u{1}".repeat(20_000);
        let Value::Object(map) = body(json!({"markdown": {"title": "t", "text": long}}), "", &[]) else { panic!() };
        let bytes = fitted(map);
        assert!((BODY_LIMIT - 6..=BODY_LIMIT).contains(&bytes.len()), "{}", bytes.len());
        let sent: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(sent["markdown"]["text"].as_str().unwrap().ends_with('…'));
    }

    #[test]
    fn options_want_one_address() {
        let open = |text: &str| vendor::open::<DingTalk>("d", &yaml::parse(text).unwrap(), &Environment::default());
        assert!(open("accessToken: t").is_ok());
        assert!(open("webhook: https://oapi.dingtalk.com/robot/send?access_token=t").is_ok());
        assert!(open("secret: s").unwrap_err().message.contains("`accessToken`"));
        assert!(open("accessToken: t\nwebhook: https://h.test").is_err());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let options = yaml::parse("accessToken: marked-token\nsecret: SECmarked").unwrap();
        let printed = format!("{:?}", vendor::open::<DingTalk>("d", &options, &Environment::default()).unwrap());
        assert!(!printed.contains("marked-token") && !printed.contains("SECmarked"), "{printed}");
    }
}
