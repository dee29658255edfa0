//! The robot, through its own service and through `webhook`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

fn options(sandbox: &Sandbox, more: &str) -> String {
    format!("webhook: {}\n{more}", sandbox.url("/robot/send?access_token=0123456789"))
}

fn text() -> Notification {
    notification("dingtalk", json!({"markdown": {"title": "t", "text": "hello 你好 + & %"}}))
}

/// The same message as a webhook sends it.
fn text_as_webhook() -> Notification {
    request("POST", "", r#"{"msgtype":"text","text":{"content":"hello"}}"#)
}

/// Options of a webhook to the same robot.
fn as_webhook(sandbox: &Sandbox, secret: &str) -> String {
    let url = sandbox.url("/robot/send?access_token=0123456789");
    let sign = format!("sign: {{scheme: dingtalk, secret: {secret}}}");
    format!("url: {url}\nheaders: [{{name: Content-Type, value: application/json}}]\n{sign}\n")
}

fn with_secret() -> DingTalkOptions {
    DingTalkOptions { secret: Some("SECabc".to_owned()), ..DingTalkOptions::default() }
}

#[tokio::test]
async fn a_signed_message_is_accepted() {
    let sandbox = robots(with_secret()).await;
    let service = open("dingtalk", &options(&sandbox, "secret: SECabc\n"));
    // Signatures have characters that a query must escape; not all times give one.
    for (index, now) in (NOW..NOW + 10).enumerate() {
        let receipt = send_at(&service, &text(), &format!("id-{index}"), now).await.unwrap();
        assert_eq!(receipt.answer, "HTTP 200 errcode 0");
    }
    let body: Value = serde_json::from_str(&accepted(&sandbox)[0].body).unwrap();
    assert_eq!(body["markdown"], json!({"title": "t", "text": "hello 你好 + & %"}));
    assert_eq!(body["msgUuid"], "id-0");
    let service = open("webhook", &as_webhook(&sandbox, "SECabc"));
    send(&service, &text_as_webhook()).await.unwrap();
    assert_eq!(accepted(&sandbox).len(), 11);
}

#[tokio::test]
async fn the_signature_counts_for_every_time() {
    let sandbox = robots(DingTalkOptions { per_minute: 1000, ..with_secret() }).await;
    let service = open("dingtalk", &options(&sandbox, "secret: SECabc\n"));
    for now in (NOW - 3_600_000..=NOW + 3_600_000).step_by(100_000) {
        assert!(send_at(&service, &text(), &now.to_string(), now).await.is_ok(), "{now}");
    }
}

#[tokio::test]
async fn each_security_refusal_needs_attention_and_says_what_to_do() {
    let keywords = DingTalkOptions { keywords: vec!["alert".to_owned()], ..DingTalkOptions::default() };
    let addresses = DingTalkOptions { allowed_ips: vec!["10.0.0.0/8".to_owned()], ..DingTalkOptions::default() };
    for (robot, secret, now, reason, hint) in [
        (keywords, "", NOW, "keywords not in content", "`keywords`"),
        (addresses, "", NOW, "ip 127.0.0.1 not in whitelist", "add `127.0.0.1`"),
        (with_secret(), "SECabd", NOW, "sign not match", "set `secret` (of a `webhook`: `sign.secret`)"),
        (with_secret(), "", NOW, "invalid timestamp", "set `secret`"),
        (with_secret(), "SECabc", NOW - 7_200_000, "invalid timestamp", "120 minutes behind"),
        (with_secret(), "SECabc", NOW + 7_200_000, "invalid timestamp", "120 minutes ahead"),
    ] {
        let sandbox = robots(robot).await;
        let mut services = vec![(open("dingtalk", &options(&sandbox, &format!("secret: '{secret}'\n"))), text())];
        if !secret.is_empty() {
            services.push((open("webhook", &as_webhook(&sandbox, secret)), text_as_webhook()));
        }
        for (service, notification) in services {
            let error = send_at(&service, &notification, "id", now).await.unwrap_err();
            assert_eq!(error.kind, SendErrorKind::Attention);
            assert_eq!(error.reason, format!("errcode 310000: {reason}"));
            assert!(error.hint.contains(hint), "{reason}: {}", error.hint);
        }
    }
}

#[tokio::test]
async fn the_services_keywords_satisfy_the_robot() {
    let sandbox = robots(DingTalkOptions { keywords: vec!["監控".to_owned()], ..DingTalkOptions::default() }).await;
    let service = open("dingtalk", &options(&sandbox, "keywords: [監控]\n"));
    send(&service, &text()).await.unwrap();
}

#[tokio::test]
async fn an_unknown_token_needs_attention() {
    let sandbox = robots(DingTalkOptions { token: Some("other".to_owned()), ..DingTalkOptions::default() }).await;
    let error = send(&open("dingtalk", &options(&sandbox, "")), &text()).await.unwrap_err();
    assert_eq!((error.kind, error.reason.as_str()), (SendErrorKind::Attention, "errcode 300005: token is not exist"));
}

#[tokio::test]
async fn messages_of_every_type_and_of_any_length_are_taken() {
    let sandbox = sandbox().await;
    let service = open("dingtalk", &options(&sandbox, ""));
    let link = json!({"title": "t", "text": "x", "messageUrl": "https://a.test"});
    let card = json!({"title": "t", "text": "x", "singleTitle": "a", "singleURL": "https://a.test"});
    let feed = json!({"links": [{"title": "t", "messageURL": "https://a.test", "picURL": "https://a.test/p"}]});
    for (index, section) in [
        json!({"text": {"content": "x"}}),
        json!({"link": link}),
        json!({"actionCard": card}),
        json!({"feedCard": feed}),
        json!({"markdown": {"text": "字\"\n\u{1}".repeat(9000)}, "at": {"mobiles": "13800000000", "all": true}}),
    ]
    .into_iter()
    .enumerate()
    {
        let sent = send_at(&service, &notification("dingtalk", section), &index.to_string(), NOW).await;
        assert!(sent.is_ok(), "{index}: {sent:?}");
    }
}

#[tokio::test]
async fn too_many_messages_pause_the_channel_for_ten_minutes() {
    let clock = Arc::new(AtomicI64::new(NOW));
    let now = Arc::clone(&clock);
    let sandbox = Sandbox::start(Options::new(move || now.load(Ordering::SeqCst))).await.unwrap();
    let service = open("dingtalk", &options(&sandbox, ""));
    for index in 0..20 {
        send_at(&service, &text(), &index.to_string(), NOW).await.unwrap();
    }
    let error = send_at(&service, &text(), "20", NOW).await.unwrap_err();
    assert_eq!(error.kind, pause(600));
    clock.fetch_add(600_000, Ordering::SeqCst);
    send_at(&service, &text(), "20", NOW).await.unwrap();
    assert_eq!(accepted(&sandbox).len(), 21);
}

#[tokio::test]
async fn without_a_response_or_with_a_spoiled_one_the_outcome_is_unknown() {
    let sandbox = sandbox().await;
    let (own, hook) = (options(&sandbox, ""), as_webhook(&sandbox, "SECabc"));
    for fault in broken() {
        sandbox.set_faults(vec![fault.clone()]).unwrap();
        for (service, notification) in [(open("dingtalk", &own), text()), (open("webhook", &hook), text_as_webhook())] {
            let error = send(&service, &notification).await.unwrap_err();
            assert_eq!((error.kind, error.hint.as_str()), (SendErrorKind::Unknown, ""), "{fault:?}: {error:?}");
        }
    }
    sandbox.set_faults(vec![Fault { hang: true, ..Fault::default() }]).unwrap();
    let error = send(&open("dingtalk", &format!("{own}timeout: 50ms\n")), &text()).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Unknown);
    assert_eq!(error.reason, format!("no response from {}/**** within 50ms", sandbox.url("").trim_end_matches('/')));
    sandbox.stop().await;
    let error = send(&open("dingtalk", &own), &text()).await.unwrap_err();
    assert!(error.kind == RETRY && error.reason.starts_with("no connection to http://127.0.0.1:"), "{error:?}");
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_not_shown_twice() {
    let sandbox = sandbox().await;
    let service = open("dingtalk", &options(&sandbox, ""));
    for (index, fault) in broken().into_iter().enumerate() {
        sandbox.set_faults(vec![Fault { after: true, times: 1, ..fault }]).unwrap();
        let id = format!("id-{index}");
        assert_eq!(send_at(&service, &text(), &id, NOW).await.unwrap_err().kind, SendErrorKind::Unknown);
        assert_eq!(send_at(&service, &text(), &id, NOW).await.unwrap().answer, "HTTP 200 errcode 0");
        assert_eq!(accepted(&sandbox).len(), index + 1);
    }
}

#[tokio::test]
async fn a_flood_for_an_answer_is_cut_and_not_understood() {
    let sandbox = sandbox().await;
    let body = format!(r#"{{"errcode":0,"errmsg":"ok"{}}}"#, " ".repeat(10_000_000));
    sandbox.set_faults(vec![Fault { status: Some(200), body, ..Fault::default() }]).unwrap();
    let error = send(&open("dingtalk", &options(&sandbox, "")), &text()).await.unwrap_err();
    assert!(error.kind == SendErrorKind::Unknown && error.reason.len() < 300, "{error:?}");
}
