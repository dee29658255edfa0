//! Sends any HTTP request (contract 5.21).
//!
//! *Recipient* is not used, but it is part of the state key. The body is sent byte for byte as the template gave it. When the
//! address is that of a chat robot, the robot's answer is read: DingTalk, Feishu and WeCom refuse with HTTP 200.

mod section;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Limits, Message, OptionShape, OptionsError, Receipt, Retry, Secret, SectionKind,
    SendError, SendErrorKind, ServiceKind,
};
use serde::Deserialize;

use crate::hooks;
use crate::http::{Address, Answer, Http, Request};
use crate::options::{Shaped, options};
use crate::robots::{self, Robot};
use crate::section::field;
use crate::vendor::{self, Opening, Vendor};

use section::{Entry, compile, merge};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "webhook",
    aliases: &[],
    summary: "Sends any HTTP request, to chat robots among others.",
    recipient: "not used",
    limits: Limits { body: None, budget: None },
    example: "url: https://example.com/hook\nheaders:\n- name: Authorization\n  value: Bearer $token\n",
    options: Options::TABLE,
    open: vendor::open::<Webhook>,
    section: Some(SectionKind { key: "webhook", fields: SECTION, required: false, compile, merge }),
};

options! {
    struct Options {
        /// Where requests go; the template's `path` is appended.
        "url" url: Secret,
        /// Sets `Authorization`, over a header of that name: `{username, password}`.
        "basicAuth" basic_auth: Option<BasicAuth>,
        /// Wait after the first failure: a duration such as `2s`, or whole nanoseconds.
        "retryWaitMin" retry_wait_min: Option<Wait> = None, "1s",
        /// Longest wait between attempts.
        "retryWaitMax" retry_wait_max: Option<Wait> = None, "5m",
        /// `-1` parks at the first failure; every other number leaves the end of retries to their age.
        "retryMax" retry_max: i64,
        /// Signs requests for a chat robot: `{scheme: dingtalk, secret: $key}`, or `feishu`.
        "sign" sign: Option<Sign>,
    }
}

static FIELDS: &[Field] = &[
    field("method", FieldShape::Plain, "the method; `GET` when it is absent"),
    field("path", FieldShape::Text, "appended to the service's address"),
    field("body", FieldShape::Text, "the body, sent byte for byte"),
];

/// Entries by the name of the service.
static SECTION: &[Field] =
    &[field("<service name>", FieldShape::Fields(FIELDS), "the request of the service of that name")];

impl Shaped for BasicAuth {
    const SHAPE: OptionShape = OptionShape::Nested;
}

impl Shaped for Sign {
    const SHAPE: OptionShape = OptionShape::Nested;
}

impl Shaped for Wait {
    const SHAPE: OptionShape = OptionShape::Duration;
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BasicAuth {
    username: String,
    password: Secret,
}

#[derive(Clone, Debug, Deserialize)]
struct Sign {
    scheme: Scheme,
    secret: Secret,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Scheme {
    DingTalk,
    Feishu,
}

/// A duration: whole nanoseconds as in Argo CD Notifications, or a text such as `1m30s`.
#[derive(Clone, Copy, Debug)]
struct Wait(Duration);

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let nanos = text.parse::<i64>().or_else(|_| echion_value::time::parse_duration(&text));
        let nanos = nanos.map_err(|_| serde::de::Error::custom(format!("`{text}` is not a duration such as `2s`")))?;
        Ok(Self(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))))
    }
}

#[derive(Debug)]
struct Webhook {
    name: String,
    url: Address,
    authorization: Option<(String, Secret)>,
    sign: Option<Sign>,
    robot: Option<Robot>,
    retry: Retry,
    never_retry: bool,
    http: Http,
}

impl Webhook {
    fn request(&self, message: Message<'_>) -> Result<Request, SendError> {
        let mut entries: BTreeMap<String, Entry> = message.notification.section("webhook").unwrap_or_default();
        let entry = entries.remove(&self.name);
        let (method, path, body) = match entry {
            None => ("GET".to_owned(), String::new(), message.notification.message.clone().into_bytes()),
            Some(entry) => {
                let method = if entry.method.is_empty() { "GET".to_owned() } else { entry.method };
                (method, entry.path, entry.body.into_bytes())
            }
        };
        let mut url = self.url.clone();
        if !path.is_empty() {
            let joined = format!("{}/{}", self.url.url().as_str().trim_end_matches('/'), path.trim_start_matches('/'));
            url = Address::parse(&joined).map_err(|e| {
                SendError::rejected(format!("the address with its path {e}"), "correct `path` in the template")
            })?;
        }
        // Receivers that know the header can drop a repeated attempt; the others ignore it.
        let mut request = Request::new(&method, url).header("Idempotency-Key", message.id.0.clone());
        request.body = body;
        if let Some((user, password)) = &self.authorization {
            request = request.basic(user, password);
        }
        if let Some(sign) = &self.sign {
            sign_request(&mut request, sign, message.now)?;
        }
        Ok(request)
    }
}

fn sign_request(request: &mut Request, sign: &Sign, now: i64) -> Result<(), SendError> {
    let secret = sign.secret.expose();
    match sign.scheme {
        Scheme::DingTalk => {
            let signature = robots::sign_dingtalk(secret, now)?;
            request.url = request.url.with_query(&[("timestamp", &now.to_string()), ("sign", &signature)]);
        }
        Scheme::Feishu => {
            // Feishu wants the signature in the body. It goes right behind the brace, and the user's bytes stay as they are.
            let seconds = now / 1000;
            let text = String::from_utf8_lossy(&request.body).into_owned();
            let Some((before, rest)) = text.split_once('{').filter(|(before, _)| before.trim().is_empty()) else {
                let hint = "the body of a signed Feishu message must be a JSON object";
                return Err(SendError::rejected("the body is not a JSON object, so it cannot be signed", hint));
            };
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            let signature = robots::sign_feishu(secret, seconds)?;
            request.body =
                format!(r#"{before}{{"timestamp":"{seconds}","sign":"{signature}"{comma}{rest}"#).into_bytes();
        }
    }
    Ok(())
}

#[async_trait]
impl Vendor for Webhook {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = Address::parse(options.url.expose()).map_err(|message| OptionsError {
            hint: "write the whole address, such as `url: https://example.com/hook`".to_owned(),
            ..opening.refuse("url", format!("`url` {message}"))
        })?;
        let default = Retry::default();
        let min = options.retry_wait_min.map_or(default.min, |w| w.0.max(Duration::from_millis(10)));
        let retry = Retry { min, max: options.retry_wait_max.map_or(default.max, |w| w.0).max(min), ..default };
        Ok(Self {
            name: opening.name.to_owned(),
            robot: Robot::of(url.url()),
            url,
            authorization: options.basic_auth.map(|auth| (auth.username, auth.password)),
            sign: options.sign,
            retry,
            never_retry: options.retry_max < 0,
            http: opening.http()?,
        })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let request = self.request(message)?;
        let judge = |answer: &Answer| match self.robot {
            Some(robot) => {
                let unsigned = self.sign.is_none().then_some(robot.how_to_sign());
                robot.judge(answer, message.now, unsigned)
            }
            None => answer.by_status(),
        };
        self.http.deliver(request, message.now, judge).await.map_err(|error| match error.kind {
            SendErrorKind::Retryable { .. } | SendErrorKind::Unknown if self.never_retry => {
                SendError::rejected(error.reason, "`retryMax: -1` forbids another attempt: remove the option")
            }
            _ => error,
        })
    }

    fn channel(&self, name: &str, _: &str) -> Channel {
        // What a vendor counts is counted together, whichever service leads there.
        let counted = self.robot.map(|robot| robot.channel(&self.url)).or_else(|| hooks::channel_of(&self.url));
        let channel = counted.unwrap_or_else(|| vendor::channel(name, &KIND));
        Channel { retry: self.retry, ..channel }
    }

    fn wants_json(&self) -> bool {
        self.robot.is_some() || self.http.sends_json()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use echion_model::{DeliveryId, Environment, NoMemory, Notification, Service, yaml};

    use super::*;

    fn service(options: &str) -> Result<Arc<dyn Service>, OptionsError> {
        vendor::open::<Webhook>("hook", &yaml::parse(options).unwrap(), &Environment::default())
    }

    fn webhook(url: &str, sign: Option<Sign>) -> Webhook {
        let url = Address::parse(url).unwrap();
        let refuse = |_: &str, message| OptionsError { message, at: (1, 1), hint: String::new() };
        let (environment, timeout) = (Environment::default(), Duration::from_secs(1));
        let http = Http::open(Default::default(), timeout, &environment, Default::default(), &refuse).unwrap();
        let robot = Robot::of(url.url());
        let (name, retry) = ("hook".to_owned(), Retry::default());
        Webhook { name, url, authorization: None, sign, robot, retry, never_retry: false, http }
    }

    fn request(webhook: &Webhook, section: Option<serde_json::Value>) -> Request {
        let mut notification = Notification { message: "text".into(), ..Notification::default() };
        if let Some(section) = section {
            notification.sections.insert("webhook".into(), serde_json::json!({ "hook": section }));
        }
        let (id, now) = (DeliveryId("id-1".into()), 1_700_000_000_000);
        let message = Message { notification: &notification, recipient: "", id: &id, now, memory: &NoMemory };
        webhook.request(message).unwrap()
    }

    #[test]
    fn without_an_entry_it_is_a_get_with_the_message() {
        let request = request(&webhook("http://h.test/a", None), None);
        assert_eq!((request.method.as_str(), request.body.as_slice()), ("GET", b"text".as_slice()));
    }

    #[test]
    fn the_path_is_appended_with_one_slash_even_behind_a_query() {
        for (url, path, want) in [
            ("http://h.test/a/", "/b", "http://h.test/a/b"),
            ("http://h.test/a", "b", "http://h.test/a/b"),
            ("http://h.test/a?x=1", "b", "http://h.test/a?x=1/b"),
        ] {
            let entry = serde_json::json!({ "method": "PUT", "path": path, "body": "" });
            let request = request(&webhook(url, None), Some(entry));
            assert_eq!(request.url.url().as_str(), want);
            assert!(request.body.is_empty());
        }
    }

    #[test]
    fn signing_touches_only_what_the_vendor_wants() {
        let secret = Secret::new("SECabc");
        let body = "{ \"msgtype\": \"text\" }\n";
        let entry = serde_json::json!({ "method": "POST", "body": body });
        let sign = Sign { scheme: Scheme::DingTalk, secret: secret.clone() };
        let sent = request(&webhook("http://h.test/robot/send?access_token=t", Some(sign)), Some(entry.clone()));
        assert_eq!(sent.body, body.as_bytes());
        let query: BTreeMap<_, _> = sent.url.url().query_pairs().into_owned().collect();
        assert_eq!(query["timestamp"], "1700000000000");
        assert_eq!(query["sign"], robots::sign_dingtalk("SECabc", 1_700_000_000_000).unwrap());
        let sign = Sign { scheme: Scheme::Feishu, secret };
        let sent = request(&webhook("http://h.test/open-apis/bot/v2/hook/t", Some(sign)), Some(entry));
        let json: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(json["timestamp"], "1700000000");
        assert_eq!(json["msgtype"], "text");
    }

    #[test]
    fn durations_are_texts_or_nanoseconds() {
        assert!(service("url: http://h.test\nretryWaitMin: 2s\nretryWaitMax: 5000000000\n").is_ok());
        let error = service("url: http://h.test\nretryWaitMin: soon\n").unwrap_err();
        assert!(error.message.contains("`retryWaitMin`") && error.at == (2, 15), "{error:?}");
        assert!(service("url: http://h.test\ntimeout: 1m30s\n").is_ok());
        for timeout in ["0s", "-1s", "soon"] {
            let error = service(&format!("url: http://h.test\ntimeout: {timeout}\n")).unwrap_err();
            assert!(error.message.contains("`timeout`") && error.at == (2, 10), "{error:?}");
        }
    }

    #[test]
    fn a_bad_address_is_reported_without_repeating_it() {
        let error = service("url: oapi.dingtalk.com/robot/send?access_token=t0ps3cr3t").unwrap_err();
        assert!(error.message.contains("`url`") && !format!("{error:?}").contains("t0ps3cr3t"), "{error:?}");
    }
}
