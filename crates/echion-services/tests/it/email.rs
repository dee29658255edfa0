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
    assert!(error.kind == SendErrorKind::Attention && error.reason.contains("certificate"), "{error:?}");
    assert_eq!(server.mails().len(), 2);
    let open_server = MailServer::start(MailOptions { certificate: None, ..with_tls() }).await.unwrap();
    let service = open("email", &options(&open_server, &format!("{login}tls: required\n")));
    assert!(send_to(&service, &mail(), "lee@example.com").await.is_err());
    assert!(open_server.mails().is_empty());
}

/// A certificate that is trusted itself may be an authority, too.
#[tokio::test]
async fn a_self_signed_mail_server_that_is_trusted_is_accepted() {
    const SELF: &str = include_str!("keys/self-signed.pem");
    let certificate = Some((SELF.to_owned(), suite::fixture::KEY.to_owned()));
    let server = MailServer::start(MailOptions { certificate, ..with_tls() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("127.0.0.1"), SELF).unwrap();
    let lines: String = SELF.lines().map(|line| format!("  {line}\n")).collect();
    let login = "username: user\npassword: marked-password\ntls: required\n";
    let mounted = Environment { certificates: Some(folder.path().to_owned()), ..Environment::default() };
    for (more, environment, want) in [
        (format!("caBundle: |\n{lines}"), Environment::default(), true),
        (String::new(), mounted, true),
        (bundle(), Environment::default(), false),
    ] {
        let node = yaml::parse(&options(&server, &format!("{login}{more}"))).unwrap();
        let kind = echion_services::ALL.iter().find(|kind| kind.name == "email").unwrap();
        let service = (kind.open)("mail", &node, &environment).unwrap();
        let sent = send_to(&service, &mail(), "lee@example.com").await;
        assert_eq!(sent.is_ok(), want, "{sent:?}");
    }
    assert!(server.mails().len() == 2 && server.mails().iter().all(|mail| mail.encrypted));
}

/// A mail server that answers each line with what the list has for its beginning, and gives all lines.
async fn scripted(
    answers: &'static [(&'static str, &'static str)],
) -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (lines, seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (mut stream, mut text) = (BufReader::new(stream), false);
            let mut line = String::from("CONNECT");
            loop {
                let found = answers.iter().find(|(beginning, _)| line.starts_with(beginning));
                let reply = match (line.trim_end(), found) {
                    (".", _) => "250 taken",
                    _ if text => "",
                    (_, Some((_, reply))) => reply,
                    ("CONNECT", _) => "220 here",
                    ("DATA", _) => "354 go on",
                    _ => "250 ok",
                };
                text = (text || line.starts_with("DATA")) && line.trim_end() != ".";
                if !reply.is_empty() && stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                    break;
                }
                drop(lines.send(line.trim_end().to_owned()));
                line.clear();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    break;
                }
            }
        }
    });
    (port, seen)
}

/// The lines that have come so far; the service has closed its connection.
fn lines(seen: &mut tokio::sync::mpsc::UnboundedReceiver<String>, beginning: &str) -> Vec<String> {
    std::iter::from_fn(|| seen.try_recv().ok()).filter(|line| line.starts_with(beginning)).collect()
}

#[tokio::test]
async fn without_a_login_at_the_server_the_mail_goes_without_one() {
    let login = "username: u\npassword: marked-password\n";
    let (port, mut seen) = scripted(&[]).await;
    let service = open("email", &format!("host: 127.0.0.1\nport: {port}\nfrom: a@b.test\n{login}"));
    send_to(&service, &mail(), "lee@example.com").await.unwrap();
    assert!(lines(&mut seen, "AUTH").is_empty());
    // The same machine by a name that is not known as such: no password leaves in the open, unless that is wanted.
    let (port, mut seen) = scripted(&[("EHLO", "250-here\r\n250 AUTH PLAIN"), ("AUTH", "235 in")]).await;
    let options = format!("host: '127.1'\nport: {port}\nfrom: a@b.test\n{login}");
    let error = send_to(&open("email", &options), &mail(), "lee@example.com").await.unwrap_err();
    assert!(error.kind == SendErrorKind::Attention && error.hint.contains("`tls: none`"), "{error:?}");
    assert!(lines(&mut seen, "AUTH").is_empty());
    send_to(&open("email", &format!("{options}tls: none\n")), &mail(), "lee@example.com").await.unwrap();
    assert_eq!(lines(&mut seen, "AUTH").len(), 1);
    let (port, _seen) = scripted(&[("EHLO", "250-here\r\n250 AUTH CRAM-MD5")]).await;
    let service = open("email", &format!("host: 127.0.0.1\nport: {port}\nfrom: a@b.test\n{login}"));
    let error = send_to(&service, &mail(), "lee@example.com").await.unwrap_err();
    assert!(error.kind == SendErrorKind::Attention && error.reason.contains("CRAM-MD5"), "{error:?}");
}

#[tokio::test]
async fn a_recipient_who_is_refused_does_not_stop_the_others() {
    let refusals: &[(&str, &str)] = &[("RCPT TO:<gone@", "550 no such user"), ("RCPT TO:<full@", "452 mailbox full")];
    let (port, mut seen) = scripted(refusals).await;
    let service = open("email", &format!("host: 127.0.0.1\nport: {port}\nfrom: a@b.test\n"));
    let receipt = send_to(&service, &mail(), "gone@b.test, lee@b.test").await.unwrap();
    assert!(receipt.answer.contains("1 of 2 recipients refused, `gone@b.test`"), "{receipt:?}");
    drop(lines(&mut seen, ""));
    let error = send_to(&service, &mail(), "gone@b.test").await.unwrap_err();
    assert!(error.kind == SendErrorKind::Attention && error.hint.contains("recipient"), "{error:?}");
    drop(lines(&mut seen, ""));
    // Whoever may have it later gets it then, and the others do not get it twice.
    let (pad, id, notification) = (Pad::default(), DeliveryId("id-1".to_owned()), mail());
    for (attempt, want) in [(1, vec!["full", "lee", "kim"]), (2, vec!["full"])] {
        let recipient = "full@b.test, lee@b.test, kim@b.test";
        let message = Message { notification: &notification, recipient, id: &id, now: NOW, memory: &pad };
        let error = service.send(message).await.unwrap_err();
        assert!(error.kind == RETRY, "{error:?}");
        let asked = lines(&mut seen, "RCPT");
        let want: Vec<String> = want.iter().map(|name| format!("RCPT TO:<{name}@b.test>")).collect();
        assert_eq!(asked, want, "attempt {attempt}");
    }
}

#[tokio::test]
async fn a_server_without_ehlo_is_no_mail_server() {
    let (port, _seen) = scripted(&[("EHLO", "502 unknown")]).await;
    let service = open("email", &format!("host: 127.0.0.1\nport: {port}\nfrom: a@b.test\n"));
    let error = send_to(&service, &mail(), "lee@example.com").await.unwrap_err();
    assert!(error.kind == SendErrorKind::Attention && error.hint.contains("`port`"), "{error:?}");
}

#[tokio::test]
async fn a_domain_in_letters_of_its_own_goes_out_as_punycode() {
    let (port, mut seen) = scripted(&[]).await;
    let service = open("email", &format!("host: 127.0.0.1\nport: {port}\nfrom: a@müller.test\n"));
    send_to(&service, &mail(), "lee@例子.test, 李@b.test").await.unwrap();
    let asked = [lines(&mut seen, "")].concat();
    for want in ["MAIL FROM:<a@xn--mller-kva.test>", "RCPT TO:<lee@xn--fsqu00a.test>", "RCPT TO:<李@b.test>"] {
        assert!(asked.iter().any(|line| line.starts_with(want)), "{want}: {asked:#?}");
    }
    // The server has not offered it.
    assert!(!asked.iter().any(|line| line.contains("SMTPUTF8")), "{asked:#?}");
}

#[tokio::test]
async fn refusals_are_distinguished_and_nothing_secret_is_shown() {
    let wrong = "username: user\npassword: marked-wrong\ninsecure_skip_verify: true\n";
    let refusing = |text: &str| MailOptions { refusal: Some(text.to_owned()), ..MailOptions::default() };
    let (attention, rejected) = (SendErrorKind::Attention, SendErrorKind::Rejected);
    for (server, more, to, kind, hint) in [
        (with_tls(), wrong, "lee@example.com", attention, "`username` and `password`"),
        (refusing("550 no such user"), "", "lee@example.com", attention, "recipient"),
        (
            MailOptions { certificate: None, ..with_tls() },
            wrong,
            "lee@example.com",
            attention,
            "`username` and `password`",
        ),
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
