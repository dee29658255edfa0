//! DingTalk's codes. They changed over the years, so the text counts as well.

use std::time::Duration;

use echion_model::{Budget, SendError};

use super::Refusal;
use crate::answer::QUOTA_PAUSE;

/// 20 messages a minute and robot; over it the robot is deaf for ten minutes.
pub(crate) const BUDGET: Budget = Budget { count: 20, window: Duration::from_secs(60) };

/// Longest body in bytes.
pub(crate) const BODY_LIMIT: usize = 20_000;

const PENALTY: Duration = Duration::from_secs(600);

pub(super) fn explain(refusal: Refusal) -> SendError {
    let text = refusal.text.to_lowercase();
    let rejected = |hint: &str| SendError::rejected(refusal.reason.clone(), hint);
    let hint = match refusal.code {
        -1 => return SendError::retryable(refusal.reason),
        90020 | 90030 => return SendError::quota_exhausted(refusal.reason, QUOTA_PAUSE),
        130101 | 410100 => return SendError::rate_limited(refusal.reason, PENALTY),
        _ if text.contains("too fast") => return SendError::rate_limited(refusal.reason, PENALTY),
        310000 if text.contains("keyword") => {
            "the robot wants a keyword: put one of its keywords into the text; a service of type `dingtalk` does so with `keywords`"
                .to_owned()
        }
        310000 if text.contains("timestamp") => refusal
            .signature_hint("set this machine's clock: the time of the signature is more than an hour from DingTalk's"),
        310000 if text.contains("sign") => refusal.signature_hint(
            "set `secret` (of a `webhook`: `sign.secret`) to the robot's signing secret, which begins with SEC, without blanks",
        ),
        310000 if text.contains("ip") => {
            let ip = refusal.text.split_whitespace().find(|word| word.split('.').count() == 4);
            let ip = ip.map_or("the address this machine leaves from".to_owned(), |ip| format!("`{ip}`"));
            format!("add {ip} to the IP addresses that the robot accepts")
        }
        310000 => "check the robot's security settings: keywords, signature, IP addresses".to_owned(),
        300001 | 300005 | 400101 => "the access token is unknown: copy the robot's webhook address again".to_owned(),
        400102 => "the robot is stopped: start it in the group's settings".to_owned(),
        400106 | 400013 => "the robot or its group is gone: create a robot and use its address".to_owned(),
        460101 | 101002 => return rejected("shorten the template: DingTalk takes 20000 bytes"),
        40035 | 400105 => {
            return rejected("the body is not a DingTalk message: check `msgtype` and the fields that belong to it");
        }
        43002 => return rejected("the robot takes POST: the template needs an entry for this service with `method: POST`"),
        43004 => "set the header `Content-Type` of the service to `application/json`".to_owned(),
        88 => "DingTalk does not accept the credentials: create the robot's address again".to_owned(),
        _ => "look up the code in DingTalk's documentation and remove the cause".to_owned(),
    };
    SendError::attention(refusal.reason, hint)
}
