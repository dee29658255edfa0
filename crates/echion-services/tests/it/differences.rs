//! Rules that `docs/compatibility.md` names and that no other test shows.

use super::*;
use suite::recorder::{Recorder, Reply};

fn open_in(kind: &str, options: &str, variables: &[(&str, &str)]) -> Arc<dyn Service> {
    let variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), echion_model::Secret::new(*value))).collect();
    let environment = Environment { variables, ..Environment::default() };
    let kind = echion_services::ALL.iter().find(|k| k.name == kind).unwrap();
    (kind.open)("hook", &yaml::parse(options).unwrap(), &environment).unwrap()
}

fn hello() -> Notification {
    Notification { message: "hello".to_owned(), ..Notification::default() }
}

#[tokio::test]
async fn an_idempotency_key_of_ones_own_is_kept() {
    let recorder = Recorder::start().await;
    for (options, want) in [("", "id-1"), ("headers: {idempotency-key: mine}\n", "mine")] {
        recorder.script(vec![(String::new(), Reply::ok("ok"))]);
        let service = open_in("webhook", &format!("url: {}/hook\n{options}", recorder.base()), &[]);
        send(&service, &hello()).await.unwrap();
        let got = recorder.take().remove(0).headers;
        let keys: Vec<_> = got.iter().filter(|(name, _)| name == "idempotency-key").map(|(_, key)| key).collect();
        assert_eq!(keys, [want], "{options}");
    }
}

#[tokio::test]
async fn a_queue_without_any_credentials_is_a_failure_of_its_deliveries() {
    let nowhere = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")];
    let service = open_in("awssqs", "queue: q\nregion: eu-west-1\nendpointUrl: http://127.0.0.1:1/sqs\n", &nowhere);
    let error = send(&service, &hello()).await.unwrap_err();
    assert_eq!(error.kind, RETRY, "{error:?}");
}

#[tokio::test]
async fn opsgenie_is_asked_over_tls_unless_http_is_written() {
    let recorder = Recorder::start().await;
    let address = recorder.base().trim_start_matches("http://").to_owned();
    recorder.script(vec![(String::new(), Reply::Answer(202, Vec::new(), r#"{"result":"ok"}"#.to_owned()))]);
    for (host, calls) in [(address.clone(), 0), (format!("http://{address}"), 1)] {
        let service = open_in("opsgenie", &format!("timeout: 500ms\napiUrl: {host}\napiKeys: {{team: k}}\n"), &[]);
        let section = serde_json::json!({"description": "d"});
        let notification = Notification { sections: [("opsgenie".to_owned(), section)].into(), ..hello() };
        let id = DeliveryId("id-1".to_owned());
        let message = Message { notification: &notification, recipient: "team", id: &id, now: NOW, memory: &NoMemory };
        let sent = service.send(message).await;
        assert_eq!((recorder.take().len(), sent.is_ok()), (calls, calls == 1), "{host}: {sent:?}");
    }
}

#[tokio::test]
async fn a_relay_at_a_robots_path_must_answer_like_the_robot() {
    let recorder = Recorder::start().await;
    for (path, answer, want) in [
        ("/robot/send?access_token=x", "ok", Some(SendErrorKind::Unknown)),
        ("/robot/send?access_token=x", r#"{"errcode":0,"errmsg":"ok"}"#, None),
        ("/relay/send", "ok", None),
    ] {
        recorder.script(vec![(String::new(), Reply::ok(answer))]);
        let service = open_in("webhook", &format!("url: {}{path}\n", recorder.base()), &[]);
        let sent = send(&service, &hello()).await;
        assert_eq!(sent.err().map(|error| error.kind), want, "{path} {answer}");
    }
}
