//! What CONTRACT.md promises, for e-mail: against the sandbox's mail server.

use echion_sandbox::{MailOptions, MailServer};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::*;
use suite::recorder::{Recorder, Reply};

/// The server's certificate, and the authority that issued it.
const CERTIFICATE: &str = include_str!("keys/server.pem");
const AUTHORITY: &str = include_str!("keys/ca.pem");

fn options(server: &MailServer, more: &str) -> String {
    format!("host: 127.0.0.1\nport: {}\nfrom: Echion <echion@example.com>\n{more}", server.address.port())
}

fn mail() -> Notification {
    notification("email", json!({"subject": "Grüße von guestbook", "body": "Zeile 1\n.Zeile 2\n"}))
}

async fn send_to(service: &Arc<dyn Service>, notification: &Notification, to: &str) -> Result<Receipt, SendError> {
    let id = DeliveryId("id-1".to_owned());
    service.send(Message { notification, recipient: to, id: &id, now: NOW, memory: &NoMemory }).await
}

fn with_tls() -> MailOptions {
    let certificate = Some((CERTIFICATE.to_owned(), suite::fixture::KEY.to_owned()));
    let login = Some(("user".to_owned(), "marked-password".to_owned()));
    MailOptions { certificate, login, refusal: None, ..MailOptions::default() }
}

/// The certificate as an option.
fn bundle() -> String {
    let lines: String = AUTHORITY.lines().map(|line| format!("  {line}\n")).collect();
    format!("caBundle: |\n{lines}")
}

#[tokio::test]
async fn a_mail_to_several_arrives_whole() {
    let server = MailServer::start(MailOptions::default()).await.unwrap();
    let service = open("email", &options(&server, "html: true\n"));
    let receipt = send_to(&service, &mail(), " lee@example.com, Kim <kim@example.com>,").await.unwrap();
    assert_eq!(receipt.answer, "250 taken");
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].from.as_str()), (1, "echion@example.com"));
    assert_eq!(mails[0].to, ["lee@example.com", "kim@example.com"]);
    for part in [
        "From: Echion <echion@example.com>",
        "To: lee@example.com, Kim <kim@example.com>",
        "Message-ID: <id-1@echion>",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000",
        "Content-Type: text/html; charset=utf-8",
        "Subject: =?utf-8?b?",
        "Zeile 1\n.Zeile 2",
    ] {
        assert!(mails[0].text.contains(part), "{part}: {}", mails[0].text);
    }
    let plain = Notification { message: "hello".to_owned(), ..Notification::default() };
    send_to(&open("email", &options(&server, "")), &plain, "lee@example.com").await.unwrap();
    let text = server.mails()[1].text.clone();
    assert!(text.contains("Content-Type: text/plain; charset=utf-8") && text.contains("\nhello"), "{text}");
}

#[tokio::test]
async fn a_password_goes_over_tls_to_a_server_that_is_trusted() {
    let server = MailServer::start(with_tls()).await.unwrap();
    let login = "username: user\npassword: marked-password\n";
    for trust in [bundle(), "insecure_skip_verify: true\n".to_owned()] {
        let service = open("email", &options(&server, &format!("{login}tls: required\n{trust}")));
        send_to(&service, &mail(), "lee@example.com").await.unwrap();
        assert!(server.mails().pop().unwrap().encrypted);
    }
    let service = open("email", &options(&server, &format!("{login}tls: required\n")));
    let error = send_to(&service, &mail(), "lee@example.com").await.unwrap_err();
    assert!(error.kind == RETRY && error.reason.contains("certificate"), "{error:?}");
    assert_eq!(server.mails().len(), 2);
    let open_server = MailServer::start(MailOptions { certificate: None, ..with_tls() }).await.unwrap();
    let service = open("email", &options(&open_server, &format!("{login}tls: required\n")));
    assert!(send_to(&service, &mail(), "lee@example.com").await.is_err());
    assert!(open_server.mails().is_empty());
}

#[tokio::test]
async fn refusals_are_distinguished_and_nothing_secret_is_shown() {
    let wrong = "username: user\npassword: marked-wrong\ninsecure_skip_verify: true\n";
    let refusing = |text: &str| MailOptions { refusal: Some(text.to_owned()), ..MailOptions::default() };
    let (attention, rejected) = (SendErrorKind::Attention, SendErrorKind::Rejected);
    for (server, more, to, kind, hint) in [
        (with_tls(), wrong, "lee@example.com", attention, "`username` and `password`"),
        (refusing("550 no such user"), "", "lee@example.com", attention, "recipient"),
        (refusing("552 too large"), "", "lee@example.com", rejected, "shorten"),
        (refusing("450 try later"), "", "lee@example.com", RETRY, ""),
        (MailOptions::default(), "", "", rejected, "addresses"),
        (MailOptions::default(), "", "not an address", rejected, "addresses"),
    ] {
        let server = MailServer::start(server).await.unwrap();
        let service = open("email", &options(&server, more));
        let error = send_to(&service, &mail(), to).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.hint.contains(hint), "{error:?}");
        assert!(!format!("{error:?} {service:?}").contains("marked-"), "{error:?} {service:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_none_is_a_failure_worth_another_try() {
    let recorder = Recorder::start().await;
    recorder.script(vec![(String::new(), Reply::Drop)]);
    let port = recorder.address.port();
    // It answers nothing as long as it gets no HTTP request; a line of SMTP ends it.
    let service = open("email", &format!("host: 127.0.0.1\nport: {port}\nfrom: a@b.test\n"));
    let sent = tokio::time::timeout(Duration::from_millis(300), send_to(&service, &mail(), "lee@example.com")).await;
    assert!(sent.is_err() || sent.unwrap().unwrap_err().kind == RETRY);
    drop(recorder);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let service = open("email", &format!("host: 127.0.0.1\nport: {closed}\nfrom: a@b.test\n"));
    let error = send_to(&service, &mail(), "lee@example.com").await.unwrap_err();
    assert_eq!(error.kind, RETRY);
}

/// A mail server that takes everything up to a place, and then breaks off, refuses, or hangs for ever.
async fn breaking_at(place: &'static str, end: Option<&'static str>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let (mut line, mut text) = (String::from("CONNECT"), false);
        loop {
            let here = if text { line.trim_end() == "." && place == "TEXT" } else { line.starts_with(place) };
            if here {
                if let Some(end) = end {
                    drop(stream.write_all(format!("{end}\r\n").as_bytes()).await);
                }
                return;
            }
            let reply = match line.split_whitespace().next().unwrap_or_default() {
                "." => "250 taken\r\n",
                _ if text => "",
                "CONNECT" => "220 here\r\n",
                "DATA" => "354 go on\r\n",
                _ => "250 ok\r\n",
            };
            text = (text || line.starts_with("DATA")) && line.trim_end() != ".";
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
        }
    });
    port
}

#[tokio::test]
async fn a_connection_that_breaks_is_unknown_only_once_the_mail_has_left() {
    for (place, end, want) in [
        ("CONNECT", None, RETRY),
        ("EHLO", None, RETRY),
        ("MAIL", None, RETRY),
        ("RCPT", None, RETRY),
        ("DATA", None, RETRY),
        ("TEXT", None, SendErrorKind::Unknown),
        ("CONNECT", Some("garbled"), RETRY),
        ("DATA", Some("garbled"), RETRY),
        ("TEXT", Some("garbled"), SendErrorKind::Unknown),
        ("CONNECT", Some("554 no service here"), SendErrorKind::Attention),
        ("MAIL", Some("550 not this sender"), SendErrorKind::Attention),
        ("DATA", Some("451 try later"), RETRY),
        ("TEXT", Some("451 try later"), RETRY),
        ("TEXT", Some("554 looks like spam"), SendErrorKind::Rejected),
    ] {
        let port = breaking_at(place, end).await;
        let service = open("email", &format!("host: 127.0.0.1\nport: {port}\nfrom: a@b.test\n"));
        let error = send_to(&service, &mail(), "lee@example.com").await.unwrap_err();
        assert_eq!(error.kind, want, "{place} {end:?}: {error:?}");
    }
}
