//! The services and the sandbox's stand-ins understand each other, and the stand-ins keep no token.

use echion_model::ServiceKind;

use super::*;

/// Options and recipient of a service, with the sandbox in the vendor's place.
fn setups() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        ("slack", "apiURL: BASE/api/\ntoken: marked-token-1\n", "C1"),
        ("feishu", "apiURL: BASE\ntoken: marked-token-1\nsecret: s\n", "all"),
        ("wecom", "apiURL: BASE\nkey: marked-token-1\n", "all"),
        ("dingtalk-app", "apiURL: BASE\nappKey: k\nappSecret: marked-token-1\n", "cid1"),
        ("telegram", "apiURL: BASE\ntoken: '123:marked-token-1'\n", "-1"),
        ("discord", "webhooks: {a: BASE/api/webhooks/1/marked-token-1}\n", "a"),
        ("teams", "recipientUrls: {a: BASE/webhookb2/marked-token-1}\n", "a"),
        ("teams-workflows", "recipientUrls: {a: BASE/powerautomate/marked-token-1}\n", "a"),
        ("googlechat", "webhooks: {a: 'BASE/v1/spaces/x/messages?key=marked-token-1'}\n", "a"),
        ("mattermost", "apiURL: BASE\ntoken: marked-token-1\n", "c"),
        ("rocketchat", "serverUrl: BASE\nemail: u\npassword: marked-token-1\n", "#c"),
        ("webex", "apiURL: BASE\ntoken: marked-token-1\n", "room"),
        ("pushover", "apiURL: BASE\ntoken: marked-token-1\n", "user"),
        ("matrix", "homeserver: BASE\naccessToken: marked-token-1\n", "!a:b"),
        ("zulip", "apiURL: BASE\nemail: u\napiKey: marked-token-1\n", "c|t"),
        ("ntfy", "apiURL: BASE\ntoken: marked-token-1\n", "t"),
    ]
}

#[tokio::test]
async fn every_chat_service_has_a_stand_in() {
    let sandbox = sandbox().await;
    let base = sandbox.url("");
    let base = base.trim_end_matches('/');
    for (name, options, recipient) in setups() {
        let kind: &ServiceKind = echion_services::ALL.iter().find(|k| k.name == name).unwrap();
        let service = open(kind.name, &options.replace("BASE", base));
        let id = DeliveryId("id-1".to_owned());
        let notification = Notification { message: "hello".to_owned(), ..Notification::default() };
        let message = Message { notification: &notification, recipient, id: &id, now: NOW, memory: &NoMemory };
        let sent = service.send(message).await;
        assert!(sent.is_ok(), "{name}: {sent:?}");
        let kept = sandbox.messages().pop().unwrap();
        assert!(kept.accepted && kept.service == name, "{kept:?}");
        assert!(!format!("{kept:?}").contains("marked-token"), "{kept:?}");
        assert!(kept.body.contains("hello"), "{kept:?}");
    }
    for kept in sandbox.messages() {
        assert!(!format!("{kept:?}").contains("marked-token"), "{kept:?}");
    }
}

#[tokio::test]
async fn what_a_vendor_refuses_is_refused() {
    let sandbox = sandbox().await;
    for (path, body, part) in [
        ("/api/chat.postMessage", "token=x&text=a", "channel_not_found"),
        ("/open-apis/bot/v2/hook/x", "{}", "19002"),
        ("/cgi-bin/webhook/send?key=x", "{\"msgtype\":\"dance\"}", "40008"),
        ("/v1.0/robot/groupMessages/send", "{\"robotCode\":\"r\"}", "invalidParameter"),
        ("/bot1:x/sendMessage", "chat_id=1", "message text is empty"),
        ("/api/webhooks/1/x", "{}", "50006"),
    ] {
        let service = open("webhook", &format!("url: '{}'\n", sandbox.url(path)));
        drop(send(&service, &request("POST", "", body)).await);
        let kept = sandbox.messages().pop().unwrap();
        assert!(!kept.accepted && kept.answer.contains(part), "{kept:?}");
    }
}
