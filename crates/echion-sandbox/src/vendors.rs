//! Chat services that are known by their paths: they check a message as far as their documentation says, and answer in their own
//! words. What is asked of DingTalk's custom robot goes further, and has a file of its own.

use serde_json::{Value, json};

/// An answer, and whether the message was taken.
pub(crate) struct Verdict {
    pub(crate) service: &'static str,
    pub(crate) status: u16,
    pub(crate) accepted: bool,
    pub(crate) body: String,
}

/// The answer of the service that the path belongs to; `None` when it belongs to none.
pub(crate) fn judge(path: &str, body: &[u8], number: u64) -> Option<Verdict> {
    let text = String::from_utf8_lossy(body);
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let form = |name: &str| {
        text.split('&').filter_map(|pair| pair.split_once('=')).any(|(key, value)| key == name && !value.is_empty())
    };
    let said = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let yes = |service, answer: Value| verdict(service, 200, true, &answer);
    let ends = |suffix: &str| path.ends_with(suffix);
    Some(if ends("/chat.postMessage") && text.contains("token=") || ends("/chat.update") {
        let blocks = form("attachments") || form("blocks");
        match (form("channel"), form("text") || blocks) {
            (false, _) => verdict("slack", 200, false, &json!({ "ok": false, "error": "channel_not_found" })),
            (_, false) => verdict("slack", 200, false, &json!({ "ok": false, "error": "no_text" })),
            _ => {
                let ts = format!("1700000000.{number:06}");
                yes("slack", json!({ "ok": true, "channel": "C0000001", "ts": ts }))
            }
        }
    } else if path.contains("/open-apis/bot/v2/hook/") {
        match (said("/msg_type"), body.len()) {
            (false, _) => {
                verdict("feishu", 200, false, &json!({ "code": 19002, "msg": "params error, msg_type need" }))
            }
            (_, 20_481..) => verdict("feishu", 200, false, &json!({ "code": 9499, "msg": "Bad Request" })),
            _ => yes("feishu", json!({ "code": 0, "msg": "success", "data": {} })),
        }
    } else if ends("/cgi-bin/webhook/send") {
        wecom(&json)
    } else if ends("/v1.0/oauth2/accessToken") {
        match said("/appKey") && said("/appSecret") {
            true => yes("dingtalk-app", json!({ "accessToken": "sandbox", "expireIn": 7200 })),
            false => refused("dingtalk-app", "invalidClientIdOrSecret"),
        }
    } else if ends("/v1.0/robot/groupMessages/send") || ends("/v1.0/robot/oToMessages/batchSend") {
        let to = said("/openConversationId") || json.pointer("/userIds/0").is_some();
        match said("/robotCode") && said("/msgKey") && said("/msgParam") && to {
            true => yes("dingtalk-app", json!({ "processQueryKey": format!("sandbox-{number}") })),
            false => refused("dingtalk-app", "invalidParameter"),
        }
    } else if path.contains("/bot") && ends("/sendMessage") {
        if form("chat_id") && form("text") {
            yes("telegram", json!({ "ok": true, "result": { "message_id": number } }))
        } else {
            let answer = json!({ "ok": false, "error_code": 400, "description": "Bad Request: message text is empty" });
            verdict("telegram", 400, false, &answer)
        }
    } else if path.contains("/api/webhooks/") {
        let embeds = json.pointer("/embeds/0").is_some();
        match said("/content") || embeds {
            true => yes("discord", json!({ "id": number.to_string() })),
            false => {
                verdict("discord", 400, false, &json!({ "code": 50006, "message": "Cannot send an empty message" }))
            }
        }
    } else if path.contains("/webhookb2/") {
        Verdict { body: "1".to_owned(), ..yes("teams", Value::Null) }
    } else if path.contains("/powerautomate/") {
        let card = json.pointer("/attachments/0/content/type").and_then(Value::as_str) == Some("AdaptiveCard");
        Verdict { status: if card { 202 } else { 400 }, accepted: card, ..yes("teams-workflows", json!({})) }
    } else if path.contains("/v1/spaces/") {
        yes("googlechat", json!({ "name": format!("spaces/sandbox/messages/{number}") }))
    } else if ends("/api/v4/posts") {
        yes("mattermost", json!({ "id": number.to_string() }))
    } else if ends("/api/v1/login") {
        yes("rocketchat", json!({ "status": "success", "data": { "userId": "u", "authToken": "sandbox" } }))
    } else if ends("/api/v1/chat.postMessage") {
        yes("rocketchat", json!({ "success": true }))
    } else if ends("/v1/messages") && (said("/roomId") || said("/toPersonEmail")) {
        yes("webex", json!({ "id": number.to_string() }))
    } else if ends("/1/messages.json") {
        yes("pushover", json!({ "status": 1, "request": number.to_string() }))
    } else if path.contains("/send/m.room.message/") {
        yes("matrix", json!({ "event_id": format!("$sandbox-{number}") }))
    } else if ends("/api/v1/messages") && form("type") {
        yes("zulip", json!({ "result": "success", "id": number }))
    } else if path == "/" && said("/topic") {
        yes("ntfy", json!({ "id": number.to_string(), "event": "message" }))
    } else {
        return None;
    })
}

fn verdict(service: &'static str, status: u16, accepted: bool, answer: &Value) -> Verdict {
    Verdict { service, status, accepted, body: answer.to_string() }
}

/// DingTalk's newer API refuses with a status and a code.
fn refused(service: &'static str, code: &str) -> Verdict {
    verdict(service, 400, false, &json!({ "code": code, "message": "refused by the stand-in", "requestid": "sandbox" }))
}

/// WeCom counts bytes.
fn wecom(json: &Value) -> Verdict {
    let refuse = |code: i64, text: String| verdict("wecom", 200, false, &json!({ "errcode": code, "errmsg": text }));
    let kind = json.get("msgtype").and_then(Value::as_str).unwrap_or_default();
    let limit = match kind {
        "text" => 2048,
        "markdown" | "markdown_v2" => 4096,
        "image" | "news" | "file" | "voice" | "template_card" => usize::MAX,
        _ => return refuse(40008, "invalid message type".to_owned()),
    };
    let content = json.pointer(&format!("/{kind}/content")).and_then(Value::as_str).unwrap_or_default();
    if content.len() > limit {
        return refuse(40058, format!("{kind}.content exceed max length {limit}"));
    }
    verdict("wecom", 200, true, &json!({ "errcode": 0, "errmsg": "ok" }))
}

/// The path without a token that is part of it.
pub(crate) fn redacted(path: &str) -> String {
    let mut hidden = false;
    let parts = path.split('/').map(|part| {
        let secret = hidden;
        hidden |= ["hook", "webhookb2", "webhooks", "powerautomate"].contains(&part);
        match part.strip_prefix("bot").filter(|rest| rest.contains(':') || path.ends_with("/sendMessage")) {
            Some(_) => "bot****",
            None if secret && part.len() >= 8 => "****",
            None => part,
        }
    });
    parts.collect::<Vec<_>>().join("/")
}
