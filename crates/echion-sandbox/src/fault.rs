//! Faults: what goes wrong on purpose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something that goes wrong with matching requests. Exactly one of `status`, `hang`, `drop`, `cut` and `garbled` says what, or none of
/// them when `delay_ms` is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// How the paths of the requests begin.
    pub path: String,
    /// What is in the bodies of the requests.
    pub contains: String,
    /// For how many requests; 0 means always.
    pub times: u32,
    /// The message is handled and kept first, then the answer is spoiled.
    pub after: bool,
    /// Wait so long first.
    pub delay_ms: u64,
    /// Answer with this status, `body` and `headers`.
    pub status: Option<u16>,
    /// The body of an answer with `status`.
    pub body: String,
    /// The headers of an answer with `status`.
    pub headers: BTreeMap<String, String>,
    /// Never answer, and keep the connection open.
    pub hang: bool,
    /// Close the connection without an answer.
    pub drop: bool,
    /// Close the connection in the middle of the answer.
    pub cut: bool,
    /// Answer 200 with a body that is not JSON and not even text.
    pub garbled: bool,
}

impl Fault {
    /// Says what is wrong with this fault, if anything is.
    ///
    /// # Errors
    /// What was expected.
    pub fn check(&self) -> Result<(), String> {
        let effects = [self.status.is_some(), self.hang, self.drop, self.cut, self.garbled];
        match effects.iter().filter(|on| **on).count() {
            0 if self.delay_ms == 0 => Err("expected one of status, delay_ms, hang, drop, cut, garbled".to_owned()),
            0 | 1 if self.status.is_none() && !(self.body.is_empty() && self.headers.is_empty()) => {
                Err("`body` and `headers` need `status`".to_owned())
            }
            0 | 1 if self.status.is_some_and(|status| !(200..=599).contains(&status)) => {
                Err("`status` must be between 200 and 599".to_owned())
            }
            0 | 1 => Ok(()),
            _ => Err("expected only one of status, hang, drop, cut, garbled".to_owned()),
        }
    }

    /// Whether nothing happens but a delay.
    pub(crate) fn only_delays(&self) -> bool {
        self.status.is_none() && !self.hang && !self.drop && !self.cut && !self.garbled
    }

    /// A word for the list of messages.
    pub(crate) fn name(&self) -> String {
        match self.status {
            Some(status) => format!("status {status}"),
            None if self.hang => "hang".to_owned(),
            None if self.drop => "drop".to_owned(),
            None if self.cut => "cut".to_owned(),
            None if self.garbled => "garbled".to_owned(),
            None => format!("delay of {} ms", self.delay_ms),
        }
    }
}

/// What a list of faults looks like.
pub(crate) const EXAMPLE: &str = r#"a list of faults looks like [{"path": "/robot/send", "status": 503, "times": 2}]"#;

/// Reads a list of faults, or one.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Fault>, String> {
    let fail = |error: serde_json::Error| format!("cannot read the faults: {error}");
    if body.trim_ascii_start().starts_with(b"{") {
        return Ok(vec![serde_json::from_slice(body).map_err(fail)?]);
    }
    serde_json::from_slice(body).map_err(fail)
}

/// The faults in force, each with how often it has happened.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, u32)>);

impl Faults {
    /// Replaces all.
    pub(crate) fn set(&mut self, faults: Vec<Fault>) -> Result<(), String> {
        for (index, fault) in faults.iter().enumerate() {
            fault.check().map_err(|error| format!("fault {}: {error}", index + 1))?;
        }
        self.0 = faults.into_iter().map(|fault| (fault, 0)).collect();
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.0.iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// The first fault for a request, counted.
    pub(crate) fn take(&mut self, path: &str, body: &str) -> Option<Fault> {
        let (fault, used) = self.0.iter_mut().find(|(fault, used)| {
            (fault.times == 0 || *used < fault.times) && path.starts_with(&fault.path) && body.contains(&fault.contains)
        })?;
        *used = used.saturating_add(1);
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_match_counts_as_often_as_it_may() {
        let mut faults = Faults::default();
        let status = |status| Fault { status: Some(status), ..Fault::default() };
        let once = Fault { path: "/a".into(), contains: "x".into(), times: 1, ..status(500) };
        faults.set(vec![once, Fault { path: "/a".into(), ..status(503) }]).unwrap();
        let mut take = |path: &str, body: &str| faults.take(path, body).and_then(|fault| fault.status);
        assert_eq!(take("/b", "x"), None);
        assert_eq!(take("/a", "y"), Some(503));
        assert_eq!(take("/a/b", "xx"), Some(500));
        assert_eq!(take("/a/b", "xx"), Some(503));
    }

    #[test]
    fn a_fault_has_one_effect() {
        for (text, good) in [
            (r#"{"hang": true}"#, true),
            (r#"{"delay_ms": 5}"#, true),
            (r#"{"delay_ms": 5, "drop": true, "after": true}"#, true),
            (r#"{"status": 503, "body": "x", "headers": {"Retry-After": "7"}}"#, true),
            (r#"{}"#, false),
            (r#"{"hang": true, "drop": true}"#, false),
            (r#"{"hang": true, "body": "x"}"#, false),
            (r#"{"status": 99}"#, false),
            (r#"{"hangs": true}"#, false),
        ] {
            let read = serde_json::from_str::<Fault>(text).map_err(|e| e.to_string()).and_then(|f| f.check());
            assert_eq!(read.is_ok(), good, "{text}: {read:?}");
        }
    }
}
