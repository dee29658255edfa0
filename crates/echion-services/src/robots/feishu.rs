//! Feishu's and Lark's codes.

use std::time::Duration;

use echion_model::{Budget, SendError};

use super::Refusal;
use crate::answer::QUOTA_PAUSE;

/// 100 messages a minute and bot, of which 5 a second.
pub(crate) const BUDGET: Budget = Budget { count: 5, window: Duration::from_secs(3) };

pub(super) fn explain(refusal: Refusal) -> SendError {
    let rejected = |hint: &str| SendError::rejected(refusal.reason.clone(), hint);
    let hint = match refusal.code {
        99991403 => return SendError::quota_exhausted(refusal.reason, QUOTA_PAUSE),
        11232 | 99991400 => return SendError::rate_limited(refusal.reason, Duration::from_secs(60)),
        _ if refusal.text.to_lowercase().contains("frequency") => {
            return SendError::rate_limited(refusal.reason, Duration::from_secs(60));
        }
        2200 | 11247 => return SendError::retryable(refusal.reason),
        9499 => return rejected("the body is not a message that Feishu takes, or it is longer than 20 KB"),
        19001 => "the token is unknown: copy the bot's webhook address again".to_owned(),
        19002 => return rejected("the body lacks a field: a message has at least `msg_type` and `content`"),
        19021 => refusal.signature_hint("set the secret of `sign` to the bot's signing secret"),
        19022 => "add the address this machine leaves from to the IP addresses that the bot accepts".to_owned(),
        19024 => "the bot wants a keyword: put one of its keywords into the text".to_owned(),
        200621 => return rejected("the card is not valid: check its JSON in Feishu's card builder"),
        _ => "look up the code in Feishu's documentation and remove the cause".to_owned(),
    };
    SendError::attention(refusal.reason, hint)
}
