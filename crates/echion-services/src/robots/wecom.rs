//! WeCom's codes.

use std::time::Duration;

use echion_model::{Budget, SendError};

use super::Refusal;

/// 20 messages a minute and robot.
pub(crate) const BUDGET: Budget = Budget { count: 20, window: Duration::from_secs(60) };

pub(super) fn explain(refusal: Refusal) -> SendError {
    let rejected = |hint: &str| SendError::rejected(refusal.reason.clone(), hint);
    let hint = match refusal.code {
        45009 | 45033 => return SendError::rate_limited(refusal.reason, Duration::from_secs(60)),
        -1 => return SendError::retryable(refusal.reason),
        93000 => "the key is unknown: copy the robot's webhook address again",
        93004 => "the robot is disabled: turn it on in the group, or create another one",
        40058 => return rejected("a field is missing or too long: text takes 2048 bytes, markdown 4096"),
        40008 => {
            return rejected("check `msgtype`: text, markdown, markdown_v2, image, news, file, voice or template_card");
        }
        _ => "look up the code in WeCom's documentation and remove the cause",
    };
    SendError::attention(refusal.reason, hint)
}
