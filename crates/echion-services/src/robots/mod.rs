//! What the robots of DingTalk, Feishu and WeCom answer, and how requests to them are signed. They say no with HTTP 200, so the body is
//! what counts; an answer that is not understood is a failure.

mod dingtalk;
mod feishu;
mod wecom;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use echion_model::{Channel, Receipt, Retry, SendError};
use url::Url;

use crate::http::{Address, Answer, hmac_sha256};
use crate::vendor;

pub(crate) use dingtalk::{BODY_LIMIT, BUDGET};
pub(crate) use feishu::BUDGET as FEISHU_BUDGET;
pub(crate) use wecom::BUDGET as WECOM_BUDGET;

/// A chat robot that is recognised by the shape of its address, whatever the host: gateways rewrite hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Robot {
    DingTalk,
    Feishu,
    WeCom,
}

impl Robot {
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let path = url.path();
        let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
        if path.ends_with("/robot/send") && has("access_token") {
            Some(Robot::DingTalk)
        } else if path.contains("/open-apis/bot/v2/hook/") {
            Some(Robot::Feishu)
        } else if path.ends_with("/cgi-bin/webhook/send") && has("key") {
            Some(Robot::WeCom)
        } else {
            None
        }
    }

    /// The line that makes a `webhook` sign.
    pub(crate) fn how_to_sign(self) -> &'static str {
        match self {
            Robot::DingTalk => "add `sign: {scheme: dingtalk, secret: $key}` to the service",
            Robot::Feishu => "add `sign: {scheme: feishu, secret: $key}` to the service",
            Robot::WeCom => "make the robot do without",
        }
    }

    /// The vendor's documented rate.
    pub(crate) fn budget(self) -> echion_model::Budget {
        match self {
            Robot::DingTalk => dingtalk::BUDGET,
            Robot::Feishu => feishu::BUDGET,
            Robot::WeCom => wecom::BUDGET,
        }
    }

    /// The robot's channel: one, whichever service leads to it. The vendor counts by the token; other parts of the query do not matter.
    pub(crate) fn channel(self, url: &Address) -> Channel {
        let (name, parameter) = match self {
            Robot::DingTalk => ("dingtalk", "access_token"),
            // The token is the end of the path.
            Robot::Feishu => ("feishu", ""),
            Robot::WeCom => ("wecom", "key"),
        };
        let pairs = url.url().query_pairs();
        let token = pairs.filter(|(key, _)| key == parameter).map(|(_, token)| token).collect::<String>();
        Channel {
            name: vendor::counted(name, url, token.trim()),
            budget: Some(self.budget()),
            concurrency: 1,
            retry: Retry::default(),
            idempotent: false,
        }
    }

    /// Judges a response. `now` is our clock in milliseconds, to distinguish a wrong clock from a wrong signature; `unsigned` names how the
    /// service is configured to sign, when it does not.
    pub(crate) fn judge(self, answer: &Answer, now: i64, unsigned: Option<&'static str>) -> Result<Receipt, SendError> {
        // Feishu refuses under 4xx as well; DingTalk and WeCom use nothing but 200.
        let speaks = self == Robot::Feishu && (400..500).contains(&answer.status) && answer.status != 429;
        if !speaks && !(200..300).contains(&answer.status) {
            return answer.by_status();
        }
        let (code_field, text_field) = match self {
            Robot::DingTalk | Robot::WeCom => ("errcode", "errmsg"),
            Robot::Feishu => ("code", "msg"),
        };
        let body = answer.json();
        let code = body.as_ref().and_then(|b| b.get(code_field).or_else(|| b.get("StatusCode"))).and_then(number);
        let code = match code {
            Some(code) if code != 0 || !speaks => code,
            _ if speaks => return answer.by_status(),
            _ => return Err(answer.unknown("a robot")),
        };
        let text =
            body.as_ref().and_then(|b| b.get(text_field)).and_then(serde_json::Value::as_str).unwrap_or_default();
        let text = answer.quote(text);
        if code == 0 {
            return Ok(Receipt { answer: format!("HTTP {} {code_field} 0", answer.status) });
        }
        let reason = format!("{code_field} {code}: {text}");
        let refusal = Refusal { code, reason, text, skew: answer.date.map(|d| now - d), unsigned };
        Err(match self {
            Robot::DingTalk => dingtalk::explain(refusal),
            Robot::Feishu => feishu::explain(refusal),
            Robot::WeCom => wecom::explain(refusal),
        })
    }
}

/// Whom a recipient mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mention<'a> {
    /// Everybody.
    All,
    /// Whoever has this mobile number.
    Mobile(&'a str),
    /// The user with this id.
    User(&'a str),
}

/// Reads a recipient: names separated by commas. `user:` and `mobile:` say what a name is (or `user=`, where a colon has a
/// meaning of its own); without them it is a mobile number when it has the
/// form of one in mainland China, or begins with `+`. User ids may consist of digits as well.
pub(crate) fn mentions(recipient: &str) -> impl Iterator<Item = Mention<'_>> {
    let names = recipient.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.filter_map(|name| {
        let mention = match name.split_once([':', '=']) {
            Some(("user", id)) => Mention::User(id.trim()),
            Some(("mobile", number)) => Mention::Mobile(number.trim()),
            _ if name == "all" => Mention::All,
            _ if is_mobile(name) => Mention::Mobile(name),
            _ => Mention::User(name),
        };
        (!matches!(mention, Mention::User("") | Mention::Mobile(""))).then_some(mention)
    })
}

fn is_mobile(name: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match name.strip_prefix('+') {
        Some(number) => number.len() >= 7 && number.split('-').all(digits),
        None => name.len() == 11 && digits(name) && name.starts_with('1') && name.as_bytes()[1] >= b'3',
    }
}

/// A robot's no.
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) text: String,
    pub(crate) reason: String,
    /// How far our clock is ahead of the vendor's, in milliseconds.
    pub(crate) skew: Option<i64>,
    /// How the service is configured to sign, when the request was not signed.
    pub(crate) unsigned: Option<&'static str>,
}

impl Refusal {
    /// What to do when a signature was not accepted: whether there is one at all, then the clock, since a wrong clock looks like a wrong
    /// secret.
    fn signature_hint(&self, secret: &str) -> String {
        if let Some(how) = self.unsigned {
            return format!("the robot wants signed requests: {how}");
        }
        match self.skew.filter(|skew| skew.abs() > 60_000) {
            Some(skew) => {
                let side = if skew > 0 { "ahead" } else { "behind" };
                format!("set this machine's clock: it is {} minutes {side} of the vendor's", skew.abs() / 60_000)
            }
            None => secret.to_owned(),
        }
    }
}

fn number(value: &serde_json::Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// HMAC-SHA256 in base64; an error where there is no secret.
fn hmac(secret: &str, key: &[u8], message: &[u8]) -> Result<String, SendError> {
    // Feishu's key holds the time as well, so it is never empty: the secret decides.
    let key = if secret.trim().is_empty() { &[] } else { key };
    hmac_sha256(key, message).map(|mac| STANDARD.encode(mac))
}

/// DingTalk's signature for a time in milliseconds: the secret is the key, time and secret are the message.
pub(crate) fn sign_dingtalk(secret: &str, millis: i64) -> Result<String, SendError> {
    hmac(secret, secret.as_bytes(), format!("{millis}\n{secret}").as_bytes())
}

/// Feishu's signature for a time in seconds: time and secret are the key, the message is empty.
pub(crate) fn sign_feishu(secret: &str, seconds: i64) -> Result<String, SendError> {
    hmac(secret, format!("{seconds}\n{secret}").as_bytes(), b"")
}

#[cfg(test)]
mod tests {
    use echion_model::SendErrorKind;

    use std::time::Duration;

    use super::*;

    fn answer_of(date: Option<i64>, body: &str) -> Answer {
        Answer {
            status: 200,
            retry_after: None,
            date,
            moved: None,
            body: body.to_owned(),
            redactor: Default::default(),
        }
    }

    fn judge(robot: Robot, body: &str) -> Result<Receipt, SendError> {
        robot.judge(&answer_of(None, body), 0, None)
    }

    #[test]
    fn robots_are_known_by_the_shape_of_their_address() {
        for (url, want) in [
            ("https://oapi.dingtalk.com/robot/send?access_token=x", Some(Robot::DingTalk)),
            ("http://127.0.0.1:1/gw/robot/send?access_token=x", Some(Robot::DingTalk)),
            ("https://open.feishu.cn/open-apis/bot/v2/hook/x", Some(Robot::Feishu)),
            ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", Some(Robot::WeCom)),
            ("https://example.com/robot/send", None),
            ("https://example.com/hook", None),
        ] {
            assert_eq!(Robot::of(&Url::parse(url).unwrap()), want, "{url}");
        }
    }

    #[test]
    fn a_name_of_digits_is_a_mobile_number_only_in_the_form_of_one() {
        let read = |text| mentions(text).collect::<Vec<_>>();
        assert_eq!(read("13800000000, all,lee"), [Mention::Mobile("13800000000"), Mention::All, Mention::User("lee")]);
        for number in ["+86-13800000000", "+85291234567", "19912345678"] {
            assert_eq!(read(number), [Mention::Mobile(number)]);
        }
        for id in ["266816010426318456", "1952534126-1234567", "20230417", "11800000000", "+", "+1-2"] {
            assert_eq!(read(id), [Mention::User(id)], "{id}");
        }
        assert_eq!(
            read("user:13800000000,mobile= 91234567"),
            [Mention::User("13800000000"), Mention::Mobile("91234567")]
        );
        assert_eq!(read(" ,user:,mobile: "), []);
    }

    #[test]
    fn feishu_refuses_under_other_statuses_as_well() {
        let judge = |status, body: &str| {
            let answer = Answer { status, ..answer_of(None, body) };
            Robot::Feishu.judge(&answer, 0, None).unwrap_err()
        };
        let pause = SendErrorKind::RateLimited { retry_after: Duration::from_secs(60) };
        assert_eq!(judge(400, r#"{"code":11232,"msg":"frequency limited"}"#).kind, pause);
        assert_eq!(judge(400, r#"{"code":99991400,"msg":"?"}"#).kind, pause);
        assert!(judge(400, r#"{"code":19021,"msg":"sign match fail"}"#).hint.contains("signing secret"));
        assert_eq!(judge(400, r#"{"code":9499,"msg":"Bad Request"}"#).kind, SendErrorKind::Rejected);
        for (status, body) in [(404, ""), (404, r#"{"code":0}"#), (403, "<html>")] {
            assert_eq!(judge(status, body).kind, SendErrorKind::Attention, "{status} {body}");
        }
        assert_eq!(judge(500, r#"{"code":9499}"#).kind, SendErrorKind::Retryable { retry_after: None });
    }

    /// Computed with Python's `hmac`; the first one also with `openssl dgst -hmac`.
    #[test]
    fn signatures_match_other_implementations() {
        assert_eq!(sign_dingtalk("SECabc", 1_700_000_000_000).unwrap(), "jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM=");
        assert_eq!(sign_feishu("SECabc", 1_700_000_000).unwrap(), "XprR1de+0SSBnwWyU/4k6x2TL+Q2SJlM5NNEdAv7MWg=");
    }

    #[test]
    fn without_a_secret_nothing_is_signed() {
        for secret in ["", " "] {
            for signed in [sign_dingtalk(secret, 1), sign_feishu(secret, 1)] {
                let error = signed.unwrap_err();
                assert_eq!((error.kind, error.hint.is_empty()), (SendErrorKind::Attention, false));
            }
        }
    }

    #[test]
    fn the_four_causes_of_310000_are_distinguished() {
        for (text, want) in [
            ("keywords not in content", "keyword"),
            ("sign not match", "secret"),
            ("invalid timestamp", "clock"),
            ("ip 1.2.3.4 not in whitelist", "1.2.3.4"),
        ] {
            let body = format!(r#"{{"errcode":310000,"errmsg":"{text}, more at..."}}"#);
            let error = judge(Robot::DingTalk, &body).unwrap_err();
            assert_eq!(error.kind, SendErrorKind::Attention);
            assert!(error.hint.contains(want), "{text}: {}", error.hint);
        }
    }

    #[test]
    fn a_wrong_clock_is_named_when_the_answer_has_a_date() {
        let answer = answer_of(Some(0), r#"{"errcode":310000,"errmsg":"sign not match"}"#);
        let error = Robot::DingTalk.judge(&answer, 74 * 60_000, None).unwrap_err();
        assert!(error.hint.contains("74 minutes ahead"), "{}", error.hint);
    }

    #[test]
    fn a_request_without_a_signature_hints_how_to_sign() {
        for (robot, body) in [
            (Robot::DingTalk, r#"{"errcode":310000,"errmsg":"invalid timestamp"}"#),
            (Robot::DingTalk, r#"{"errcode":310000,"errmsg":"sign not match"}"#),
            (Robot::Feishu, r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}"#),
        ] {
            let error = robot.judge(&answer_of(Some(0), body), 74 * 60_000, Some("set `secret`")).unwrap_err();
            assert_eq!(error.hint, "the robot wants signed requests: set `secret`");
        }
    }

    #[test]
    fn pauses_retries_and_refusals() {
        let pause = |seconds| SendErrorKind::RateLimited { retry_after: Duration::from_secs(seconds) };
        let retry = SendErrorKind::Retryable { retry_after: None };
        let quota = SendErrorKind::QuotaExhausted { retry_after: Duration::from_secs(3600) };
        for (robot, body, want) in [
            (Robot::DingTalk, r#"{"errcode":130101,"errmsg":"send too fast"}"#, pause(600)),
            (Robot::DingTalk, r#"{"errcode":410100,"errmsg":"send too fast"}"#, pause(600)),
            (Robot::DingTalk, r#"{"errcode":-1,"errmsg":"system busy"}"#, retry),
            (Robot::DingTalk, r#"{"errcode":90020,"errmsg":"api calls used up"}"#, quota),
            (Robot::DingTalk, r#"{"errcode":90030,"errmsg":"api calls used up"}"#, quota),
            (Robot::DingTalk, r#"{"errcode":300005,"errmsg":"token is not exist"}"#, SendErrorKind::Attention),
            (Robot::DingTalk, r#"{"errcode":400102,"errmsg":"stopped"}"#, SendErrorKind::Attention),
            (Robot::DingTalk, r#"{"errcode":424242,"errmsg":"?"}"#, SendErrorKind::Attention),
            (Robot::DingTalk, r#"{"errcode":40035,"errmsg":"missing"}"#, SendErrorKind::Rejected),
            (Robot::DingTalk, r#"{"errcode":460101,"errmsg":"message too long"}"#, SendErrorKind::Rejected),
            (Robot::DingTalk, "<html>", SendErrorKind::Unknown),
            (Robot::DingTalk, "", SendErrorKind::Unknown),
            (Robot::Feishu, r#"{"code":11232,"msg":"frequency limited"}"#, pause(60)),
            (Robot::Feishu, r#"{"code":99991400,"msg":"request trigger frequency limit"}"#, pause(60)),
            (Robot::Feishu, r#"{"code":2200,"msg":"internal error"}"#, retry),
            (Robot::Feishu, r#"{"code":11247,"msg":"internal error"}"#, retry),
            (Robot::WeCom, r#"{"errcode":45033,"errmsg":"api concurrent out of limit"}"#, pause(60)),
            (Robot::WeCom, r#"{"errcode":93004,"errmsg":"robot disabled"}"#, SendErrorKind::Attention),
            (Robot::Feishu, r#"{"code":99991403,"msg":"quota exceeded"}"#, quota),
            (
                Robot::Feishu,
                r#"{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}"#,
                SendErrorKind::Attention,
            ),
            (Robot::Feishu, r#"{"code":19021,"msg":"sign match fail"}"#, SendErrorKind::Attention),
            (Robot::Feishu, r#"{"code":19024,"msg":"Key Words Not Found"}"#, SendErrorKind::Attention),
            (Robot::Feishu, r#"{"code":19002,"msg":"params error, msg_type need"}"#, SendErrorKind::Rejected),
            (Robot::Feishu, r#"{"code":200621,"msg":"card"}"#, SendErrorKind::Rejected),
            (Robot::WeCom, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, pause(60)),
            (Robot::WeCom, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, SendErrorKind::Attention),
            (Robot::WeCom, r#"{"errcode":40058,"errmsg":"too long"}"#, SendErrorKind::Rejected),
            (Robot::WeCom, r#"{"errcode":40008,"errmsg":"invalid message type"}"#, SendErrorKind::Rejected),
        ] {
            assert_eq!(judge(robot, body).unwrap_err().kind, want, "{body}");
        }
        assert!(judge(Robot::Feishu, r#"{"StatusCode":0,"StatusMessage":"success"}"#).is_ok());
        assert!(judge(Robot::DingTalk, r#"{"errcode":0,"errmsg":"ok"}"#).is_ok());
    }
}
