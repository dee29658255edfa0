//! What came in.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock;

/// A request that came in, without what was secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Counts from 1.
    pub number: u64,
    /// `dingtalk`, another chat service, or `webhook`.
    pub service: String,
    /// The last characters of the robot's token, four at most; empty for a webhook.
    pub robot: String,
    /// The method.
    pub method: String,
    /// Path and query; tokens and signatures in the query print as `****`.
    pub path: String,
    /// Headers by name in lower case; credentials print as `****`.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// Whether the stand-in took it as a message.
    pub accepted: bool,
    /// It has the `msgUuid` of an earlier message, so it is not a message of its own.
    pub repeated: bool,
    /// What was answered: the robot's JSON, `200 ok`, or the fault that happened.
    pub answer: String,
    /// When, in milliseconds since 1970.
    pub time: i64,
}

impl Received {
    /// The message as people read it, on several lines without a last line break.
    #[must_use]
    pub fn readable(&self) -> String {
        let mut lines = vec![self.headline()];
        let content = if self.service == "dingtalk" { dingtalk_lines(&self.body) } else { None };
        lines.extend(content.unwrap_or_else(|| texts(&self.body)).into_iter().map(|line| format!("    {line}")));
        lines.iter().map(|line| printable(line.trim_end())).collect::<Vec<_>>().join("\n")
    }

    fn headline(&self) -> String {
        let who = if self.robot.is_empty() { self.path.clone() } else { format!("robot …{}", self.robot) };
        let fate = match (self.accepted, self.repeated) {
            (true, _) => "accepted".to_owned(),
            (false, true) => "repeated, not a second message".to_owned(),
            (false, false) => format!("refused: {}", self.answer),
        };
        let method = if self.service == "dingtalk" { String::new() } else { format!(" {}", self.method) };
        format!("#{} {} UTC  {}{method} {who}  {fate}", self.number, clock::time_of_day(self.time), self.service)
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.readable())
    }
}

/// Title, text, links and mentions of a robot's message; `None` when it is not one.
fn dingtalk_lines(body: &str) -> Option<Vec<String>> {
    let body: Value = serde_json::from_str(body).ok()?;
    let kind = body.get("msgtype")?.as_str()?;
    let content = body.get(kind)?;
    let field = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |name: &str| content.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let link = |title: String, url: String| if url.is_empty() { title } else { format!("[{title}] {url}") };
    let mut lines = Vec::new();
    let title = field(content, "title");
    if !title.is_empty() {
        lines.push(format!("{title} ({kind})"));
    }
    lines.extend(texts(&field(content, if kind == "text" { "content" } else { "text" })));
    let mut links = vec![("messageUrl".to_owned(), field(content, "messageUrl"))];
    links.push((field(content, "singleTitle"), field(content, "singleURL")));
    links.extend(list("btns").iter().map(|button| (field(button, "title"), field(button, "actionURL"))));
    links.extend(list("links").iter().map(|item| (field(item, "title"), field(item, "messageURL"))));
    lines.extend(links.into_iter().filter(|(_, url)| !url.is_empty()).map(|(title, url)| match title.as_str() {
        "messageUrl" => url,
        _ => link(title, url),
    }));
    let at = body.get("at").unwrap_or(&Value::Null);
    let names = ["atMobiles", "atUserIds"].into_iter().filter_map(|key| at.get(key)?.as_array()).flatten();
    let mut mentions: Vec<String> = names.filter_map(|name| Some(format!("@{}", name.as_str()?))).collect();
    if at.get("isAtAll").and_then(Value::as_bool).unwrap_or_default() {
        mentions.push("@all".to_owned());
    }
    if !mentions.is_empty() {
        lines.push(format!("to {}", mentions.join(" ")));
    }
    Some(lines)
}

/// Lines of a text; empty ones at its ends are left out.
fn texts(text: &str) -> Vec<String> {
    let text = text.trim_end().trim_start_matches(['\n', '\r']);
    text.lines().map(str::to_owned).collect()
}

/// A line without anything that steers a terminal.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Path and query without what is secret in the query.
pub(crate) fn redacted_path(path: &str, query: Option<&str>) -> String {
    let Some(query) = query else { return path.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if !value.is_empty() && is_secret(name) => format!("{name}=****"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// A body without what is secret in a form, or in a log-in as JSON.
pub(crate) fn redacted_body(body: &str, content_type: &str) -> String {
    if let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(body) {
        let secrets =
            ["password", "appSecret", "secret", "client_secret"].into_iter().filter_map(|name| fields.get(name));
        let secrets = secrets.filter_map(|value| value.as_str()).filter(|value| !value.is_empty());
        return secrets.fold(body.to_owned(), |body, secret| body.replace(&format!("\"{secret}\""), "\"****\""));
    }
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return body.to_owned();
    }
    redacted_path("", Some(body)).trim_start_matches('?').to_owned()
}

/// Whether a header or a query parameter of this name holds credentials.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name == "idempotency-key" {
        return false;
    }
    ["auth", "cookie", "token", "secret", "password", "key", "sign", "credential"]
        .iter()
        .any(|word| name.contains(word))
        || ["code", "sig", "pass", "referer"].contains(&name.as_str())
}

/// As much of a token as distinguishes robots.
pub(crate) fn tail(token: &str) -> String {
    let count = token.chars().count();
    token.chars().skip(count - 4.min(count / 2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(service: &str, body: &str) -> Received {
        Received {
            number: 3,
            service: service.to_owned(),
            robot: if service == "dingtalk" { "cdef".to_owned() } else { String::new() },
            method: "POST".to_owned(),
            path: "/hook".to_owned(),
            headers: BTreeMap::new(),
            body: body.to_owned(),
            accepted: true,
            repeated: false,
            answer: "200 ok".to_owned(),
            time: 784_111_777_000,
        }
    }

    #[test]
    fn a_markdown_message_reads_as_lines() {
        let body = r#####"{"msgtype":"markdown","markdown":{"title":"App","text":"### App\n> ok  \n"},"at":{"atUserIds":["lee"],"isAtAll":true}}"#####;
        assert_eq!(
            received("dingtalk", body).to_string(),
            "#3 08:49:37 UTC  dingtalk robot …cdef  accepted\n    App (markdown)\n    ### App\n    > ok\n    to @lee @all"
        );
    }

    #[test]
    fn cards_show_their_links() {
        let body = r#"{"msgtype":"actionCard","actionCard":{"title":"T","text":"x","btns":[{"title":"Open","actionURL":"https://a.test"}]}}"#;
        assert!(
            received("dingtalk", body).readable().ends_with("    T (actionCard)\n    x\n    [Open] https://a.test")
        );
        let body = r#"{"msgtype":"link","link":{"title":"T","text":"x","messageUrl":"https://a.test"}}"#;
        assert!(received("dingtalk", body).readable().ends_with("    x\n    https://a.test"));
    }

    #[test]
    fn a_body_does_not_steer_the_terminal() {
        let readable = received("webhook", "a\u{1b}[31mb\n\nc").readable();
        assert_eq!(readable, "#3 08:49:37 UTC  webhook POST /hook  accepted\n    a\u{fffd}[31mb\n\n    c");
    }

    #[test]
    fn credentials_are_not_kept() {
        let path = redacted_path("/robot/send", Some("access_token=t0ps3cr3t&timestamp=17&sign=abc%3D"));
        assert_eq!(path, "/robot/send?access_token=****&timestamp=17&sign=****");
        for (name, secret) in
            [("Authorization", true), ("x-api-key", true), ("Idempotency-Key", false), ("host", false)]
        {
            assert_eq!(is_secret(name), secret, "{name}");
        }
        assert_eq!((tail("0123456789"), tail("abcd"), tail("")), ("6789".into(), "cd".into(), String::new()));
    }
}
