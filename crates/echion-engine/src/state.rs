//! State keys and the annotation that holds them (contract 2.3).

use echion_model::{Destination, State};
use serde_json::Value;

/// The annotation on the resource that Argo CD Notifications keeps its state in.
pub const NOTIFIED: &str = "notified.notifications.argoproj.io";

/// The key under which it is remembered that a destination was notified, byte for byte as Argo CD Notifications writes it. `once_per` is empty when
/// the condition has none; `namespace` is that of a self-service configuration, else empty.
#[must_use]
pub fn state_key(once_per: &str, namespace: &str, trigger: &str, condition: &str, destination: &Destination) -> String {
    let mut key = String::new();
    for part in [once_per, namespace] {
        if !part.is_empty() {
            key.push_str(part);
            key.push(':');
        }
    }
    key + &[trigger, condition, &destination.service, &destination.recipient].join(":")
}

/// Reads the annotation. What cannot be read is an empty state, as in Argo CD Notifications.
#[must_use]
pub fn decode_annotation(text: &str) -> State {
    let Ok(Value::Object(entries)) = serde_json::from_str(text) else { return State::new() };
    let mut state = State::new();
    for (key, value) in entries {
        match value.as_i64() {
            Some(time) => drop(state.insert(key, time)),
            None => return State::new(),
        }
    }
    state
}

/// Writes the annotation: compact, sorted, with Go's escapes; `None` for an empty state, whose annotation is removed.
#[must_use]
pub fn encode_annotation(state: &State) -> Option<String> {
    if state.is_empty() {
        return None;
    }
    let text = serde_json::to_string(state).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(service: &str, recipient: &str) -> Destination {
        Destination { service: service.into(), recipient: recipient.into() }
    }

    /// Contract section 10, "State key examples".
    #[test]
    fn keys_are_those_of_the_contract() {
        let deployed = "[0].qyWrLKXYec9qR5FVB0ylUEJLjFg";
        let unknown = "[0].6SzWb05EK-0v90hwjyytTbN7S6A";
        assert_eq!(
            state_key("abc", "", "on-deployed", deployed, &to("slack", "team")),
            "abc:on-deployed:[0].qyWrLKXYec9qR5FVB0ylUEJLjFg:slack:team"
        );
        assert_eq!(
            state_key("", "", "my-trigger", unknown, &to("my-hook", "")),
            "my-trigger:[0].6SzWb05EK-0v90hwjyytTbN7S6A:my-hook:"
        );
        assert_eq!(
            state_key("abc", "team-a", "on-deployed", deployed, &to("slack", "team")),
            "abc:team-a:on-deployed:[0].qyWrLKXYec9qR5FVB0ylUEJLjFg:slack:team"
        );
    }

    #[test]
    fn the_annotation_reads_back_and_escapes_as_go_does() {
        let state = State::from([("<nil>:t:[0].x:s:".to_owned(), 5)]);
        let text = encode_annotation(&state).unwrap();
        assert_eq!(text, r#"{"\u003cnil\u003e:t:[0].x:s:":5}"#);
        assert_eq!(decode_annotation(&text), state);
        assert_eq!(encode_annotation(&State::new()), None);
    }

    #[test]
    fn an_annotation_of_the_wrong_shape_is_an_empty_state() {
        for text in ["", "[]", "nonsense", r#"{"a":"b"}"#, r#"{"a":1,"b":1.5}"#] {
            assert!(decode_annotation(text).is_empty(), "{text}");
        }
    }
}
