//! What a status code means where a vendor's response has nothing more.

use std::time::Duration;

use echion_model::{Receipt, SendError, SendErrorKind};

use crate::http::Answer;

/// How long a channel rests when the vendor asks for a pause without saying how long.
pub(crate) const PAUSE: Duration = Duration::from_secs(60);

/// How long a channel rests when a quota is used up. When the vendor renews it, by the month as a rule, the response does not say.
pub(crate) const QUOTA_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Judges by status; CONTRACT.md has the table. 2xx is success, 429 a pause. 408, 425 and 5xx are retryable: the vendor reports that it did
/// not take the message. Behind the gateway that reports 504 or 524 it may have been taken. 3xx, 401 to 404 and their kin are about an address,
/// credentials or a server, and attention; every other 4xx is about the request, and rejected.
pub(crate) fn by_status(answer: &Answer) -> Result<Receipt, SendError> {
    let status = answer.status;
    let said = answer.said();
    let reason = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
    match status {
        200..=299 => Ok(Receipt { answer: reason }),
        429 => Err(SendError::rate_limited(reason, answer.retry_after.unwrap_or(PAUSE))),
        504 | 524 => Err(SendError::unknown(reason)),
        408 | 425 | 500 | 502..=599 => Err(SendError {
            kind: SendErrorKind::Retryable { retry_after: answer.retry_after },
            reason,
            hint: String::new(),
        }),
        401 | 403 => Err(SendError::attention(reason, "check the credentials of the service and their permissions")),
        402 => Err(SendError::attention(reason, "check the plan and the bill of the account")),
        404 | 410 | 421 => Err(SendError::attention(
            reason,
            "check the address of the service, the recipient, and the path in the template",
        )),
        407 => Err(SendError::attention(reason, "check the credentials in `proxy`")),
        451 => Err(SendError::attention(reason, "ask the operator of the service why access is denied")),
        501 => Err(SendError::attention(reason, "check the address and the version of the service")),
        // Who answers 303 has taken the request; repeating it would repeat the message.
        303 if answer.moved.is_some() => Err(SendError::rejected(
            redirect(answer, reason),
            "if that means success, set `success: response.status == 303` in the service; otherwise correct its address",
        )),
        300..=399 => {
            Err(SendError::attention(redirect(answer, reason), "set the address of the service to where it redirects"))
        }
        _ => Err(SendError::rejected(reason, "compare what the service expects with what the template sends")),
    }
}

fn redirect(answer: &Answer, reason: String) -> String {
    answer.moved.as_ref().map_or(reason, |moved| format!("HTTP {}: it redirects to {moved}", answer.status))
}

/// Judges by status; for some of them the vendor's advice says more.
pub(crate) fn advised(answer: &Answer, advice: &[(u16, &str)]) -> Result<Receipt, SendError> {
    by_status(answer).map_err(|error| match advice.iter().find(|(status, _)| *status == answer.status) {
        Some((_, hint)) => SendError { hint: (*hint).to_owned(), ..error },
        None => error,
    })
}

/// The error of a request that delivers nothing, such as a look-up: whatever became of it, the message was not sent.
pub(crate) fn before_delivery(error: SendError) -> SendError {
    match error.kind {
        SendErrorKind::Unknown => SendError { kind: SendErrorKind::Retryable { retry_after: None }, ..error },
        _ => error,
    }
}

/// The error of a request for credentials, or for where to send to: the message was not sent, so it is not the message that was refused.
pub(crate) fn before_login(error: SendError) -> SendError {
    match before_delivery(error) {
        SendError { kind: SendErrorKind::Rejected, reason, .. } => {
            SendError::attention(reason, "check the credentials of the service, and what it is set to use")
        }
        error => error,
    }
}

/// The beginning of a response on one line. It is redacted before: half a secret at the end would not be recognised.
pub(crate) fn excerpt(body: &str) -> String {
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;

    #[test]
    fn every_status_has_its_class() {
        let kind = |status: u16| {
            let redactor = Redactor::default();
            let answer = Answer { status, retry_after: None, date: None, moved: None, body: String::new(), redactor };
            by_status(&answer).map_or_else(|error| error.kind.class(), |_| "delivered")
        };
        for status in 100..=599 {
            let want = match status {
                200..=299 => "delivered",
                429 => "rate-limited",
                408 | 425 => "retryable",
                504 | 524 => "unknown",
                501 => "attention",
                500.. => "retryable",
                300..=399 | 401..=404 | 407 | 410 | 421 | 451 => "attention",
                _ => "rejected",
            };
            assert_eq!(kind(status), want, "{status}");
        }
    }

    #[test]
    fn before_the_message_nothing_is_unknown_and_no_login_rejects_the_message() {
        let class = |error: SendError| error.kind.class();
        assert_eq!(class(before_delivery(SendError::unknown("x"))), "retryable");
        assert_eq!(class(before_delivery(SendError::rejected("x", "y"))), "rejected");
        assert_eq!(class(before_login(SendError::unknown("x"))), "retryable");
        assert_eq!(class(before_login(SendError::rejected("x", "y"))), "attention");
        assert_eq!(class(before_login(SendError::attention("x", "y"))), "attention");
    }
}
