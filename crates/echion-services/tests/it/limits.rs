//! 8: texts are cut to what the vendor takes.

use echion_model::Length;

use super::*;
use suite::fixture::Fixture;
use suite::over_http;
use suite::recorder::{Call, Recorder};

/// The longest text of a request: a field of a form, or a string of a JSON body.
fn longest(call: &Call) -> String {
    fn strings(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
            Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    match serde_json::from_str(&call.body) {
        Ok(body) => strings(&body, &mut found),
        Err(_) => found.extend(url::form_urlencoded::parse(call.body.as_bytes()).map(|(_, text)| text.into_owned())),
    }
    found.into_iter().max_by_key(String::len).unwrap_or_default()
}

#[tokio::test]
async fn long_texts_are_cut_to_what_the_vendor_takes() {
    let mut cut = Vec::new();
    for kind in over_http() {
        let Some(limit) = kind.limits.body else { continue };
        // Their limit is that of a field, or more than any message has.
        if ["github", "gcppubsub", "awssqs", "dingtalk-app"].contains(&kind.name) {
            continue;
        }
        let recorder = Recorder::start().await;
        let fixture = Fixture::read(kind, &recorder.base());
        let case = &fixture.cases()[0];
        case.script(&recorder);
        let section = if kind.name == "pagerdutyv2" { json!({"severity": "info"}) } else { Value::Null };
        let sections =
            [(kind.name.to_owned(), section)].into_iter().filter(|(_, section)| !section.is_null()).collect();
        let notification = Notification { message: "字".repeat(60_000), sections };
        let (recipient, id) = (case.recipient(), DeliveryId("id-1".to_owned()));
        let message =
            Message { notification: &notification, recipient: &recipient, id: &id, now: NOW, memory: &NoMemory };
        case.open("").send(message).await.unwrap_or_else(|error| panic!("{}: {error:?}", kind.name));
        let text = longest(&recorder.take().pop().unwrap());
        let length = match limit {
            Length::Bytes(_) => text.len(),
            Length::Characters(_) => text.chars().count(),
        };
        let (Length::Bytes(most) | Length::Characters(most)) = limit;
        assert!(length <= most, "{}: {length} of {limit}", kind.name);
        assert!(text.contains('…'), "{}: nothing shows that the text was cut", kind.name);
        cut.push(kind.name);
    }
    for kind in ["slack", "telegram", "pagerdutyv2", "opsgenie", "mattermost", "rocketchat", "webex", "discord"] {
        assert!(cut.contains(&kind), "{cut:?}");
    }
}
