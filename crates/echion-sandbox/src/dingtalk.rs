//! DingTalk's custom robot: what it takes and what it refuses, as its documentation and its answers say.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// Longest body in bytes.
const BODY_LIMIT: usize = 20_000;

/// How far a timestamp may be off, in milliseconds.
const TIMESTAMP_WINDOW: u64 = 60 * 60 * 1000;

/// The stretch of time that the rate counts in, in milliseconds.
const RATE_WINDOW: i64 = 60_000;

/// How many robots, and how many `msgUuid`s of each, are remembered.
const REMEMBERED: usize = 1000;

/// Security settings and rate of the robots.
#[derive(Clone)]
pub struct DingTalkOptions {
    /// The signing secret; `None` for robots that want no signature.
    pub secret: Option<String>,
    /// A message must contain one of these; none means any message will do.
    pub keywords: Vec<String>,
    /// IPv4 addresses and networks (`10.0.0.0/8`) that may send; none means everybody may.
    pub allowed_ips: Vec<String>,
    /// The one token there is; with `None` every token is a robot of its own.
    pub token: Option<String>,
    /// Messages in a minute that a robot takes.
    pub per_minute: u32,
    /// How long a robot is deaf when there were more.
    pub penalty: Duration,
}

impl Default for DingTalkOptions {
    fn default() -> Self {
        Self {
            secret: None,
            keywords: Vec::new(),
            allowed_ips: Vec::new(),
            token: None,
            per_minute: 20,
            penalty: Duration::from_secs(600),
        }
    }
}

/// A request to a robot.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) from: IpAddr,
    pub(crate) body: &'a [u8],
    pub(crate) now: i64,
}

/// What a robot says to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) code: i64,
    pub(crate) text: String,
    /// The same `msgUuid` was accepted before.
    pub(crate) repeated: bool,
}

impl Verdict {
    pub(crate) fn to_json(&self) -> String {
        // Written by hand to keep DingTalk's order.
        format!(r#"{{"errcode":{},"errmsg":{}}}"#, self.code, Value::from(self.text.as_str()))
    }
}

/// An IPv4 network.
struct Network {
    address: u32,
    mask: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
        Some(Self { address: address.parse::<Ipv4Addr>().ok()?.to_bits() & mask, mask })
    }
}

#[derive(Default)]
struct Robot {
    /// When messages came in the last minute.
    tries: VecDeque<i64>,
    /// Until when the robot is deaf.
    deaf_until: i64,
    /// The `msgUuid`s it has accepted.
    seen: VecDeque<String>,
}

/// All robots.
pub(crate) struct Robots {
    options: DingTalkOptions,
    allowed: Vec<Network>,
    robots: BTreeMap<String, Robot>,
}

impl Robots {
    /// Fails with what is wrong in the options.
    pub(crate) fn new(options: DingTalkOptions) -> Result<Self, String> {
        let read = |text: &String| {
            Network::parse(text.trim())
                .ok_or_else(|| format!("`{text}` is not an IPv4 address or network such as `10.0.0.0/8`"))
        };
        let allowed = options.allowed_ips.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { options, allowed, robots: BTreeMap::new() })
    }

    /// Forgets what every robot has counted and seen.
    pub(crate) fn forget(&mut self) {
        self.robots.clear();
    }

    pub(crate) fn judge(&mut self, call: &Call<'_>) -> Verdict {
        let mut repeated = false;
        let (code, text) = match self.decide(call, &mut repeated) {
            Ok(()) => (0, "ok".to_owned()),
            Err(refusal) => refusal,
        };
        Verdict { code, text, repeated }
    }

    fn decide(&mut self, call: &Call<'_>, repeated: &mut bool) -> Result<(), (i64, String)> {
        let refuse = |code: i64, text: &str| Err((code, text.to_owned()));
        let parameter = |name: &str| call.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if call.method != "POST" {
            return refuse(43002, "require POST method");
        }
        let media_type = call.content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return refuse(43004, "invalid Content-Type, expect application/json");
        }
        let token = parameter("access_token").unwrap_or_default();
        if token.is_empty() || self.options.token.as_ref().is_some_and(|known| known != token) {
            return refuse(300005, "token is not exist");
        }
        self.count(token, call.now)?;
        self.check_address(call.from)?;
        if let Some(secret) = &self.options.secret {
            let timestamp = parameter("timestamp").unwrap_or_default();
            if timestamp.parse().map_or(true, |time: i64| call.now.abs_diff(time) > TIMESTAMP_WINDOW) {
                return refuse(310000, "invalid timestamp");
            }
            if parameter("sign") != signature(secret, timestamp).as_deref() {
                return refuse(310000, "sign not match");
            }
        }
        if call.body.len() > BODY_LIMIT {
            return refuse(460101, "message too long, exceed 20000 bytes");
        }
        let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
            return refuse(40035, "missing parameter: json");
        };
        let kind = body.get("msgtype").and_then(Value::as_str).unwrap_or_default();
        let content = body.get(kind).unwrap_or(&Value::Null);
        match missing(kind, content) {
            None => return refuse(400105, "unsupported msgtype"),
            Some(Some(field)) => return Err((40035, format!("missing parameter: {field}"))),
            Some(None) => {}
        }
        let keywords = &self.options.keywords;
        if !keywords.is_empty() && !keywords.iter().any(|keyword| contains(content, keyword)) {
            return refuse(310000, "keywords not in content");
        }
        if let Some(id) = body.get("msgUuid").and_then(Value::as_str).filter(|id| !id.is_empty()) {
            let robot = self.robots.entry(token.to_owned()).or_default();
            *repeated = robot.seen.iter().any(|seen| seen == id);
            if !*repeated {
                robot.seen.push_back(id.to_owned());
                if robot.seen.len() > REMEMBERED {
                    robot.seen.pop_front();
                }
            }
        }
        Ok(())
    }

    /// Counts an attempt; the one too many makes the robot deaf, and while it is deaf nothing counts.
    fn count(&mut self, token: &str, now: i64) -> Result<(), (i64, String)> {
        let limit = self.options.per_minute;
        let too_fast = || Err((130101, format!("send too fast, exceed {limit} times per minute")));
        if self.robots.len() >= REMEMBERED && !self.robots.contains_key(token) {
            self.robots.pop_first();
        }
        let robot = self.robots.entry(token.to_owned()).or_default();
        if now < robot.deaf_until {
            return too_fast();
        }
        robot.tries.retain(|at| now - at < RATE_WINDOW);
        if robot.tries.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            robot.tries.clear();
            robot.deaf_until = now.saturating_add(i64::try_from(self.options.penalty.as_millis()).unwrap_or(i64::MAX));
            return too_fast();
        }
        robot.tries.push_back(now);
        Ok(())
    }

    fn check_address(&self, from: IpAddr) -> Result<(), (i64, String)> {
        let allowed = match from.to_canonical() {
            IpAddr::V4(ip) => self.allowed.iter().any(|network| ip.to_bits() & network.mask == network.address),
            IpAddr::V6(_) => false,
        };
        if allowed || self.allowed.is_empty() { Ok(()) } else { Err((310000, format!("ip {from} not in whitelist"))) }
    }
}

/// HMAC-SHA256 with the secret as the key and time and secret as the message, in base64.
fn signature(secret: &str, timestamp: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{timestamp}\n{secret}").as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// The first field that a message of this type lacks; `None` for an unknown type.
fn missing(kind: &str, content: &Value) -> Option<Option<String>> {
    let lacks = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).is_none_or(str::is_empty);
    let first =
        |fields: &[&str]| fields.iter().find(|field| lacks(content, field)).map(|field| format!("{kind}.{field}"));
    // Every item of a list, which must have some.
    let items = |list: &str, fields: &[&str]| {
        let items = content.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let bad = items.iter().find_map(|item| fields.iter().find(|field| lacks(item, field)));
        match bad {
            Some(field) => Some(format!("{kind}.{list}.{field}")),
            None => items.is_empty().then(|| format!("{kind}.{list}")),
        }
    };
    Some(match kind {
        "text" => first(&["content"]),
        "markdown" => first(&["title", "text"]),
        "link" => first(&["title", "text", "messageUrl"]),
        "actionCard" => first(&["title", "text"]).or_else(|| match content.get("btns") {
            Some(_) => items("btns", &["title", "actionURL"]),
            None => first(&["singleTitle", "singleURL"]),
        }),
        "feedCard" => items("links", &["title", "messageURL", "picURL"]),
        _ => return None,
    })
}

/// Whether any text in a message has the keyword.
fn contains(content: &Value, keyword: &str) -> bool {
    match content {
        Value::String(text) => text.contains(keyword),
        Value::Array(items) => items.iter().any(|item| contains(item, keyword)),
        Value::Object(fields) => fields.values().any(|value| contains(value, keyword)),
        _ => false,
    }
}
