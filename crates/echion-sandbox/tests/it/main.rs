//! The sandbox over real connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use echion_sandbox::{DingTalkOptions, Fault, MailOptions, Options, Received, Sandbox};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const NOW: i64 = 1_700_000_000_000;
const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];
const TEXT: &str = r#"{"msgtype":"text","text":{"content":"hello"}}"#;

/// Base64 of HMAC-SHA256 over `1700000000000\nSECabc` with key `SECabc`, percent-encoded; computed with Python's `hmac`.
const SIGN: &str = "jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM%3D";

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

async fn start(dingtalk: DingTalkOptions) -> Sandbox {
    Sandbox::start(Options { dingtalk, ..Options::new(|| NOW) }).await.unwrap()
}

/// Everything that comes back until the connection closes.
async fn raw(sandbox: &Sandbox, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    // The sandbox may answer and close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

async fn call(sandbox: &Sandbox, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let answer = raw(sandbox, method, path, headers, body).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    Answer { status, headers: headers.collect(), body: body.to_owned() }
}

async fn robot(sandbox: &Sandbox, body: &str) -> (i64, String) {
    code(&call(sandbox, "POST", "/robot/send?access_token=0123456789", JSON, body).await)
}

fn code(answer: &Answer) -> (i64, String) {
    assert_eq!(answer.status, 200);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    (body["errcode"].as_i64().unwrap(), body["errmsg"].as_str().unwrap().to_owned())
}

fn refused(code: i64, text: &str) -> (i64, String) {
    (code, text.to_owned())
}

#[tokio::test]
async fn a_good_message_is_accepted_and_dated_by_the_given_clock() {
    let sandbox = start(DingTalkOptions::default()).await;
    for path in ["/robot/send?access_token=0123456789", "/gateway/robot/send?access_token=0123456789"] {
        let answer = call(&sandbox, "POST", path, JSON, TEXT).await;
        assert_eq!(answer.body, r#"{"errcode":0,"errmsg":"ok"}"#);
        assert_eq!(answer.headers["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
    }
    let kept = sandbox.messages();
    assert!(kept.iter().all(|m| m.accepted && m.robot == "6789" && m.body == TEXT && m.time == NOW), "{kept:?}");
    assert_eq!(kept[1].path, "/gateway/robot/send?access_token=****");
    assert_eq!(kept.iter().map(|m| m.number).collect::<Vec<_>>(), [1, 2]);
    sandbox.stop().await;
}

#[tokio::test]
async fn what_is_not_a_request_to_a_robot_is_refused() {
    let known = DingTalkOptions { token: Some("0123456789".to_owned()), ..DingTalkOptions::default() };
    let sandbox = start(known).await;
    let path = "/robot/send?access_token=0123456789";
    let plain: &[(&str, &str)] = &[("Content-Type", "text/plain")];
    for (method, path, headers, want) in [
        ("GET", path, JSON, 43002),
        ("PUT", path, JSON, 43002),
        ("POST", path, &[], 43004),
        ("POST", path, plain, 43004),
        ("POST", "/robot/send", JSON, 300_005),
        ("POST", "/robot/send?access_token=other", JSON, 300_005),
        ("POST", path, &[("Content-Type", "Application/JSON; charset=utf-8")], 0),
    ] {
        assert_eq!(code(&call(&sandbox, method, path, headers, TEXT).await).0, want, "{method} {path}");
    }
    assert_eq!(sandbox.messages().iter().filter(|message| message.accepted).count(), 1);
}

#[tokio::test]
async fn bodies_are_checked_by_their_type() {
    let sandbox = start(DingTalkOptions { per_minute: 100, ..DingTalkOptions::default() }).await;
    for (body, want) in [
        ("{", 40035),
        (r#"{"msgtype":"image","image":{}}"#, 400_105),
        ("{}", 400_105),
        (r#"{"msgtype":"text"}"#, 40035),
        (r#"{"msgtype":"text","text":{"content":""}}"#, 40035),
        (r#"{"msgtype":"markdown","markdown":{"text":"x"}}"#, 40035),
        (r#"{"msgtype":"markdown","markdown":{"title":"t","text":"x"}}"#, 0),
        (r#"{"msgtype":"link","link":{"title":"t","text":"x"}}"#, 40035),
        (r#"{"msgtype":"link","link":{"title":"t","text":"x","messageUrl":"https://a.test"}}"#, 0),
        (r#"{"msgtype":"actionCard","actionCard":{"title":"t","text":"x"}}"#, 40035),
        (r#"{"msgtype":"actionCard","actionCard":{"title":"t","text":"x","singleTitle":"a","singleURL":"b"}}"#, 0),
        (r#"{"msgtype":"actionCard","actionCard":{"title":"t","text":"x","btns":[]}}"#, 40035),
        (r#"{"msgtype":"actionCard","actionCard":{"title":"t","text":"x","btns":[{"title":"a"}]}}"#, 40035),
        (r#"{"msgtype":"feedCard","feedCard":{"links":[]}}"#, 40035),
        (r#"{"msgtype":"feedCard","feedCard":{"links":[{"title":"a","messageURL":"b","picURL":"c"}]}}"#, 0),
    ] {
        assert_eq!(robot(&sandbox, body).await.0, want, "{body}");
    }
    let sized = |length: usize| {
        let empty = r#"{"msgtype":"text","text":{"content":""}}"#.len();
        format!(r#"{{"msgtype":"text","text":{{"content":"{}"}}}}"#, "x".repeat(length - empty))
    };
    assert_eq!(robot(&sandbox, &sized(20_000)).await.0, 0);
    assert_eq!(robot(&sandbox, &sized(20_001)).await, refused(460_101, "message too long, exceed 20000 bytes"));
}

#[tokio::test]
async fn a_signature_must_fit_and_be_fresh() {
    let sandbox = start(DingTalkOptions { secret: Some("SECabc".to_owned()), ..DingTalkOptions::default() }).await;
    let late = NOW + 3_600_001;
    for (query, want) in [
        (format!("&timestamp={NOW}&sign={SIGN}"), refused(0, "ok")),
        (format!("&timestamp={NOW}&sign=x"), refused(310_000, "sign not match")),
        (format!("&timestamp={NOW}"), refused(310_000, "sign not match")),
        (format!("&timestamp={}&sign={SIGN}", NOW + 3_600_000), refused(310_000, "sign not match")),
        (format!("&timestamp={late}&sign={SIGN}"), refused(310_000, "invalid timestamp")),
        (format!("&timestamp={}&sign={SIGN}", NOW / 1000), refused(310_000, "invalid timestamp")),
        (format!("&sign={SIGN}"), refused(310_000, "invalid timestamp")),
        (String::new(), refused(310_000, "invalid timestamp")),
    ] {
        let path = format!("/robot/send?access_token=t{query}");
        assert_eq!(code(&call(&sandbox, "POST", &path, JSON, TEXT).await), want, "{query}");
    }
}

#[tokio::test]
async fn keywords_and_addresses_are_checked() {
    let keywords = vec!["alert".to_owned(), "hell".to_owned()];
    let sandbox = start(DingTalkOptions { keywords, ..DingTalkOptions::default() }).await;
    assert_eq!(robot(&sandbox, TEXT).await.0, 0);
    let other = r#"{"msgtype":"text","text":{"content":"x"},"at":{"atUserIds":["alert"]}}"#;
    assert_eq!(robot(&sandbox, other).await, refused(310_000, "keywords not in content"));
    for (allowed, want) in [
        ("127.0.0.1", refused(0, "ok")),
        ("127.0.0.0/8", refused(0, "ok")),
        ("0.0.0.0/0", refused(0, "ok")),
        ("10.0.0.0/8", refused(310_000, "ip 127.0.0.1 not in whitelist")),
    ] {
        let options = DingTalkOptions { allowed_ips: vec![allowed.to_owned()], ..DingTalkOptions::default() };
        assert_eq!(robot(&start(options).await, TEXT).await, want, "{allowed}");
    }
    let options = DingTalkOptions { allowed_ips: vec!["10.0.0.0/33".to_owned()], ..DingTalkOptions::default() };
    assert!(Sandbox::start(Options { dingtalk: options, ..Options::new(|| NOW) }).await.is_err());
}

#[tokio::test]
async fn too_many_messages_make_a_robot_deaf_for_ten_minutes() {
    let now = Arc::new(AtomicI64::new(NOW));
    let clock = Arc::clone(&now);
    let sandbox = Sandbox::start(Options::new(move || clock.load(Ordering::SeqCst))).await.unwrap();
    for _ in 0..20 {
        assert_eq!(robot(&sandbox, TEXT).await.0, 0);
    }
    let too_fast = refused(130_101, "send too fast, exceed 20 times per minute");
    assert_eq!(robot(&sandbox, TEXT).await, too_fast);
    // Another robot is not concerned.
    assert_eq!(code(&call(&sandbox, "POST", "/robot/send?access_token=another", JSON, TEXT).await).0, 0);
    now.fetch_add(599_999, Ordering::SeqCst);
    assert_eq!(robot(&sandbox, TEXT).await, too_fast);
    now.fetch_add(1, Ordering::SeqCst);
    // 10 now and 10 half a minute later; when the first 10 are a minute old there is room for 10 more.
    for _ in 0..10 {
        assert_eq!(robot(&sandbox, TEXT).await.0, 0);
    }
    now.fetch_add(30_000, Ordering::SeqCst);
    for _ in 0..10 {
        assert_eq!(robot(&sandbox, "{").await.0, 40035);
    }
    now.fetch_add(30_000, Ordering::SeqCst);
    for _ in 0..10 {
        assert_eq!(robot(&sandbox, TEXT).await.0, 0);
    }
    assert_eq!(robot(&sandbox, TEXT).await, too_fast);
}

#[tokio::test]
async fn a_repeated_id_is_not_a_second_message() {
    let sandbox = start(DingTalkOptions::default()).await;
    let body = r#"{"msgtype":"text","text":{"content":"x"},"msgUuid":"id-1"}"#;
    assert_eq!(robot(&sandbox, body).await.0, 0);
    assert_eq!(robot(&sandbox, body).await.0, 0);
    let fates: Vec<_> = sandbox.messages().iter().map(|m| (m.accepted, m.repeated)).collect();
    assert_eq!(fates, [(true, false), (false, true)]);
    // The id belongs to the robot.
    call(&sandbox, "POST", "/robot/send?access_token=another", JSON, body).await;
    assert!(sandbox.messages()[2].accepted);
}

#[tokio::test]
async fn everything_else_is_caught_and_can_be_read_and_forgotten() {
    let sandbox = start(DingTalkOptions::default()).await;
    let mut news = sandbox.subscribe();
    let headers = &[("Authorization", "Bearer t0ps3cr3t"), ("X-Plain", "seen"), ("Idempotency-Key", "id-1")];
    let answer = call(&sandbox, "PATCH", "/a/b?token=t0ps3cr3t&x=1", headers, "tëxt\r\n ").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let answer = call(&sandbox, "GET", "/messages", &[], "").await;
    let kept: Vec<Received> = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(kept, sandbox.messages());
    assert_eq!(news.recv().await.unwrap(), kept[0]);
    assert_eq!((kept[0].method.as_str(), kept[0].path.as_str()), ("PATCH", "/a/b?token=****&x=1"));
    assert_eq!((kept[0].body.as_str(), kept[0].service.as_str()), ("tëxt\r\n ", "webhook"));
    assert_eq!((kept[0].headers["x-plain"].as_str(), kept[0].headers["idempotency-key"].as_str()), ("seen", "id-1"));
    assert!(!answer.body.contains("t0ps3cr3t"));
    call(&sandbox, "DELETE", "/messages", &[], "").await;
    assert!(sandbox.messages().is_empty());
}

#[tokio::test]
async fn memory_is_bounded() {
    let sandbox = start(DingTalkOptions::default()).await;
    let answer = call(&sandbox, "POST", "/big", &[], &"x".repeat(1024 * 1024)).await;
    assert_eq!(answer.status, 200);
    let answer = raw(&sandbox, "POST", "/big", &[], &"x".repeat(1024 * 1024 + 1)).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 413"));
    for _ in 0..1000 {
        call(&sandbox, "GET", "/small", &[], "").await;
    }
    let kept = sandbox.messages();
    assert_eq!((kept.len(), kept[0].number), (1000, 2));
}

#[tokio::test]
async fn faults_are_set_over_http() {
    let sandbox = start(DingTalkOptions::default()).await;
    let faults = r#"[{"path":"/a","status":503,"body":"later","headers":{"Retry-After":"7"},"times":1}]"#;
    assert_eq!(call(&sandbox, "POST", "/faults", &[], faults).await.status, 200);
    let answer = call(&sandbox, "POST", "/a", &[], "x").await;
    assert_eq!((answer.status, answer.body.as_str(), answer.headers["retry-after"].as_str()), (503, "later", "7"));
    assert_eq!(call(&sandbox, "POST", "/a", &[], "x").await.status, 200);
    let fates: Vec<_> = sandbox.messages().into_iter().map(|m| (m.accepted, m.answer)).collect();
    assert_eq!(fates, [(false, "fault: status 503".to_owned()), (true, "200 ok".to_owned())]);
    let answer = call(&sandbox, "POST", "/faults", &[], r#"[{"hang":true,"drop":true}]"#).await;
    assert_eq!((answer.status, answer.body.contains("fault 1")), (400, true));
    call(&sandbox, "POST", "/faults", &[], r#"[{"drop":true}]"#).await;
    assert!(raw(&sandbox, "GET", "/a", &[], "").await.is_empty());
    assert!(call(&sandbox, "GET", "/faults", &[], "").await.body.contains(r#""drop":true"#));
    call(&sandbox, "DELETE", "/faults", &[], "").await;
    assert_eq!(call(&sandbox, "GET", "/a", &[], "").await.status, 200);
}

#[tokio::test]
async fn an_answer_can_be_spoiled_before_and_after_the_message_counts() {
    let sandbox = start(DingTalkOptions::default()).await;
    let (drop, cut) = (Fault { drop: true, ..Fault::default() }, Fault { cut: true, ..Fault::default() });
    let garbled = Fault { garbled: true, ..Fault::default() };
    for (fault, begins, ends) in [(&drop, "", ""), (&cut, "HTTP/1.1 200", ""), (&garbled, "HTTP/1.1 200", "<html>")] {
        for after in [false, true] {
            sandbox.set_faults(vec![Fault { after, ..fault.clone() }]).unwrap();
            let before = sandbox.messages().len();
            let answer = raw(&sandbox, "POST", "/robot/send?access_token=t", JSON, TEXT).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.starts_with(begins) && answer.ends_with(ends), "{fault:?}: {answer}");
            assert!(!answer.contains(r#""errmsg":"ok"}"#), "{fault:?}: {answer}");
            let kept = sandbox.messages();
            assert_eq!((kept.len(), kept[before].accepted), (before + 1, after), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_hanging_request_waits_and_ends_with_the_sandbox() {
    let sandbox = start(DingTalkOptions::default()).await;
    let mut news = sandbox.subscribe();
    sandbox.set_faults(vec![Fault { hang: true, ..Fault::default() }]).unwrap();
    let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(news.recv().await.unwrap().answer, "fault: hang");
    let address = sandbox.address();
    sandbox.stop().await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_delay_comes_before_the_answer() {
    let sandbox = start(DingTalkOptions::default()).await;
    sandbox.set_faults(vec![Fault { delay_ms: 20, ..Fault::default() }]).unwrap();
    assert_eq!(robot(&sandbox, TEXT).await.0, 0);
    assert!(sandbox.messages()[0].accepted);
}

#[tokio::test]
async fn a_browser_gets_a_page_of_what_came_in() {
    let sandbox = start(DingTalkOptions::default()).await;
    call(&sandbox, "POST", "/hook", &[], "<script>alert(1)</script>").await;
    robot(&sandbox, TEXT).await;
    let page = call(&sandbox, "GET", "/", &[], "").await;
    assert!(
        page.headers["content-type"].starts_with("text/html") && page.headers.contains_key("content-security-policy")
    );
    assert!(page.body.contains("&lt;script&gt;alert(1)") && !page.body.contains("<script"), "{}", page.body);
    let (newer, older) = (page.body.find("#2 ").unwrap(), page.body.find("#1 ").unwrap());
    assert!(newer < older, "the newest comes first");
}

#[tokio::test]
async fn a_robot_that_heard_too_much_can_be_made_to_forget() {
    let sandbox = start(DingTalkOptions { per_minute: 1, ..DingTalkOptions::default() }).await;
    assert_eq!(robot(&sandbox, TEXT).await.0, 0);
    assert_eq!(robot(&sandbox, TEXT).await.0, 130_101);
    assert_eq!(call(&sandbox, "DELETE", "/robots", &[], "").await.status, 200);
    assert_eq!(robot(&sandbox, TEXT).await.0, 0);
}

#[tokio::test]
async fn faults_that_cannot_be_read_are_answered_with_an_example_and_one_needs_no_list() {
    let sandbox = start(DingTalkOptions::default()).await;
    let answer = call(&sandbox, "POST", "/faults", &[], "{\"what\": 1}").await;
    assert_eq!(answer.status, 400);
    let (_, example) = answer.body.split_once("looks like ").unwrap();
    assert_eq!(call(&sandbox, "POST", "/faults", &[], example).await.status, 200, "{example}");
    assert_eq!(call(&sandbox, "POST", "/faults", &[], "{\"status\": 500}").await.status, 200);
    assert_eq!(call(&sandbox, "POST", "/x", &[], "").await.status, 500);
}

/// What the mail server answers to these lines, up to its goodbye.
async fn mail(port: u16, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    stream.write_all(format!("{text}QUIT\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn mails_are_messages_and_both_ways_to_log_in_are_understood() {
    let sandbox = start(DingTalkOptions::default()).await;
    let login = Some(("me".to_owned(), "secret".to_owned()));
    let server = sandbox.start_mail(MailOptions { login, ..MailOptions::default() }).await.unwrap();
    let port = server.address.port();
    // `me` and `secret`, and both with zero bytes before them, in base64.
    for login in
        [&["AUTH LOGIN", "bWU=", "c2VjcmV0"][..], &["AUTH PLAIN AG1lAHNlY3JldA=="], &["AUTH PLAIN", "AG1lAHNlY3JldA=="]]
    {
        let letter = ["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA", "Subject: x", "", "hello", "."];
        let answer = mail(port, &[&["EHLO x"], login, &letter].concat()).await;
        assert!(
            answer.contains("250-AUTH PLAIN LOGIN") && answer.contains("235 ") && answer.contains("250 taken"),
            "{answer}"
        );
    }
    assert!(mail(port, &["AUTH LOGIN", "bWU=", "bm8="]).await.contains("535 "));
    let messages = sandbox.messages();
    assert_eq!(messages.len(), 3);
    assert_eq!(
        (messages[0].service.as_str(), messages[0].path.as_str()),
        ("email", "from a@example.com to b@example.com")
    );
    assert!(messages[0].body.contains("hello"));
    let open = sandbox.start_mail(MailOptions::default()).await.unwrap();
    assert!(mail(open.address.port(), &["AUTH PLAIN AHgAeQ=="]).await.contains("235 "), "every login is the right one");
}

#[tokio::test]
async fn the_token_in_a_path_of_telegram_is_not_shown() {
    let sandbox = start(DingTalkOptions::default()).await;
    call(&sandbox, "POST", "/botmarked-token/sendMessage", &[], "chat_id=1&text=x").await;
    assert!(!format!("{:?}", sandbox.messages()).contains("marked-token"));
}
