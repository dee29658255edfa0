//! Whether an Application's sync status already reflects the operation that has just ended (contract 2.4).

use echion_value::Value;
use jiff::Timestamp;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It can be evaluated.
    UpToDate,
    /// The operation ended after the last reconciliation: what `status.sync` says is about the time before it.
    OutOfDate,
}

/// Judges an Application. An object without `status.operationState` is up to date, so any other kind is too.
#[must_use]
pub fn freshness(app: &Value) -> Freshness {
    let text = |path: &[&str]| app.at(path).and_then(|v| v.as_str().map(str::to_owned));
    let Some(phase) = text(&["status", "operationState", "phase"]) else { return Freshness::UpToDate };
    if !matches!(phase.as_str(), "Failed" | "Error" | "Succeeded") {
        return Freshness::UpToDate;
    }
    let time = |path: &[&str]| text(path).and_then(|t| t.parse::<Timestamp>().ok());
    let Some(finished) = time(&["status", "operationState", "finishedAt"]) else { return Freshness::OutOfDate };
    // A time that is missing or unreadable counts as long ago.
    let before = |path: &[&str]| time(path).is_none_or(|t| finished > t);
    if before(&["status", "reconciledAt"]) && before(&["status", "observedAt"]) {
        Freshness::OutOfDate
    } else {
        Freshness::UpToDate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: &str) -> Freshness {
        freshness(&serde_json::from_str(&format!(r#"{{"status":{status}}}"#)).unwrap())
    }

    #[test]
    fn the_rows_of_contract_2_4() {
        use Freshness::{OutOfDate, UpToDate};
        for (status, want) in [
            ("{}", UpToDate),
            (r#"{"operationState":{}}"#, UpToDate),
            (r#"{"operationState":"x"}"#, UpToDate),
            (r#"{"operationState":{"phase":"Running"}}"#, UpToDate),
            (r#"{"operationState":{"phase":"Succeeded"}}"#, OutOfDate),
            (r#"{"operationState":{"phase":"Succeeded","finishedAt":"soon"}}"#, OutOfDate),
            (r#"{"operationState":{"phase":"Failed","finishedAt":"2024-01-01T00:00:01Z"}}"#, OutOfDate),
            (
                r#"{"operationState":{"phase":"Error","finishedAt":"2024-01-01T00:00:01Z"},"reconciledAt":"2024-01-01T00:00:01Z"}"#,
                UpToDate,
            ),
            (
                r#"{"operationState":{"phase":"Error","finishedAt":"2024-01-01T00:00:02Z"},"reconciledAt":"2024-01-01T00:00:01Z"}"#,
                OutOfDate,
            ),
            (
                r#"{"operationState":{"phase":"Error","finishedAt":"2024-01-01T00:00:02Z"},"reconciledAt":"2024-01-01T00:00:01Z","observedAt":"2024-01-01T00:00:03Z"}"#,
                UpToDate,
            ),
        ] {
            assert_eq!(judge(status), want, "{status}");
        }
    }
}
