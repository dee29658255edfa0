//! What a status code means where a vendor says nothing more.

use std::time::Duration;

use echion_model::{Receipt, SendError, SendErrorKind};

use crate::http::Answer;

/// How long a channel rests when the vendor asks for a pause without saying how long.
pub(crate) const PAUSE: Duration = Duration::from_secs(60);

/// Judges by status: 2xx is success, 429 a pause, 408, 425 and 5xx (but 501) worth another try, everything else needs the user.
pub(crate) fn by_status(answer: &Answer) -> Result<Receipt, SendError> {
    let status = answer.status;
    let said = answer.said();
    let reason = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
    match status {
        200..=299 => Ok(Receipt { answer: reason }),
        429 => Err(SendError::rate_limited(reason, answer.retry_after.unwrap_or(PAUSE))),
        408 | 425 | 500 | 502..=599 => Err(SendError {
            kind: SendErrorKind::Retryable { retry_after: answer.retry_after },
            reason,
            hint: String::new(),
        }),
        401 | 403 => Err(SendError::rejected(reason, "check the credentials of the service")),
        404 | 410 => Err(SendError::rejected(reason, "check the address of the service and the path in the template")),
        _ => Err(SendError::rejected(reason, "check what the service expects against what the template sends")),
    }
}

/// The beginning of an answer on one line. It is redacted before: half a secret at the end would not be recognised.
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
            let answer = Answer { status, retry_after: None, date: None, body: String::new(), redactor };
            match by_status(&answer) {
                Ok(_) => "delivered",
                Err(error) => match error.kind {
                    SendErrorKind::RateLimited { .. } => "rate-limited",
                    SendErrorKind::Retryable { .. } => "retryable",
                    SendErrorKind::Rejected => "permanent",
                },
            }
        };
        for status in 100..=599 {
            let want = match status {
                200..=299 => "delivered",
                429 => "rate-limited",
                408 | 425 => "retryable",
                501 => "permanent",
                500.. => "retryable",
                _ => "permanent",
            };
            assert_eq!(kind(status), want, "{status}");
        }
    }
}
