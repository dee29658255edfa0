//! What CONTRACT.md promises, for NATS: against the real server of Debian's package `nats-server`.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::*;

struct Server {
    child: Child,
    port: u16,
    _config: tempfile::NamedTempFile,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn server(config: &str) -> Server {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "listen: \"127.0.0.1:{port}\"\n{config}\n").unwrap();
    let mut command = Command::new("nats-server");
    command.arg("-c").arg(file.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap_or_else(|e| panic!("apt-get install nats-server: {e}"));
    // Held from here on, so that it ends with the test whatever happens.
    let server = Server { child, port, _config: file };
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return server;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nats-server does not listen");
}

/// A subscriber that speaks the protocol by hand; gives the next message with its headers.
async fn subscribe(server: &Server, login: &str, subject: &str) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    let hello = format!("CONNECT {{\"verbose\":false,\"headers\":true{login}}}\r\nSUB {subject} 1\r\nPING\r\n");
    stream.write_all(hello.as_bytes()).await.unwrap();
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "{line}");
    }
    stream
}

async fn next(stream: &mut BufReader<TcpStream>) -> String {
    let mut text = String::new();
    while !text.contains("hello") {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_line(&mut text)).await.unwrap();
        assert!(read.unwrap() > 0, "{text}");
    }
    text
}

async fn publish(options: &str, subject: &str) -> Result<Receipt, SendError> {
    publish_by(&open("nats", options), subject).await
}

async fn publish_by(service: &Arc<dyn Service>, subject: &str) -> Result<Receipt, SendError> {
    let notification = Notification { message: "hello".to_owned(), ..Notification::default() };
    let id = DeliveryId("id-1".to_owned());
    assert!(!format!("{service:?}").contains("marked-"), "{service:?}");
    let message = Message { notification: &notification, recipient: subject, id: &id, now: NOW, memory: &NoMemory };
    let sent = service.send(message).await;
    assert!(!format!("{sent:?}").contains("marked-"), "{sent:?}");
    sent
}

#[tokio::test]
async fn a_message_arrives_with_its_headers() {
    let server = server("").await;
    let mut inbox = subscribe(&server, "", "argocd.>").await;
    let options = format!("url: nats://127.0.0.1:{}\nheaders: {{X-Team: platform}}\n", server.port);
    publish(&options, "argocd.deployed").await.unwrap();
    let got = next(&mut inbox).await;
    for part in ["HMSG argocd.deployed 1", "X-Team: platform", "Nats-Msg-Id: id-1", "hello"] {
        assert!(got.contains(part), "{part}: {got}");
    }
    for subject in ["", "two words"] {
        assert_eq!(publish(&options, subject).await.unwrap_err().kind, SendErrorKind::Rejected);
    }
}

/// As everywhere, a certificate is trusted that is mounted for the host, also one that signed itself.
#[tokio::test]
async fn a_server_with_tls_is_trusted_or_needs_somebody() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    const SELF: &str = include_str!("keys/self-signed.pem");
    let (certificate, key) = (file("localhost", SELF), file("key.pem", suite::fixture::KEY));
    let server = server(&format!("tls {{cert_file: \"{certificate}\", key_file: \"{key}\"}}")).await;
    let options = yaml::parse(&format!("url: nats://localhost:{}\n", server.port)).unwrap();
    let kind = echion_services::ALL.iter().find(|kind| kind.name == "nats").unwrap();
    let mounted = Environment { certificates: Some(folder.path().to_owned()), ..Environment::default() };
    publish_by(&(kind.open)("n", &options, &mounted).unwrap(), "argocd.deployed").await.unwrap();
    let service = (kind.open)("n", &options, &Environment::default()).unwrap();
    let error = publish_by(&service, "argocd.deployed").await.unwrap_err();
    assert!(error.kind == SendErrorKind::Attention && error.reason.contains("is not trusted"), "{error:?}");
}

/// Somebody who listens to everything answers nothing, and is not taken for the server.
#[tokio::test]
async fn a_subscriber_of_everything_changes_nothing() {
    let server = server("").await;
    let mut all = subscribe(&server, "", ">").await;
    let url = format!("url: nats://127.0.0.1:{}\n", server.port);
    for _ in 0..2 {
        publish(&url, "argocd.deployed").await.unwrap();
    }
    let first = next(&mut all).await;
    assert!(first.contains("HMSG argocd.deployed 1") && first.contains("hello"), "{first}");
}

#[tokio::test]
async fn a_user_is_checked_and_so_is_the_subject() {
    let user = "{user: u, password: marked-password, permissions: {publish: \"allowed.>\", subscribe: \">\"}}";
    let server = server(&format!("authorization: {{users: [{user}]}}")).await;
    let login = ",\"user\":\"u\",\"pass\":\"marked-password\"";
    let mut inbox = subscribe(&server, login, "allowed.x").await;
    let url = format!("url: nats://127.0.0.1:{}\n", server.port);
    let options = format!("{url}username: u\npassword: marked-password\n");
    publish(&options, "allowed.x").await.unwrap();
    assert!(next(&mut inbox).await.contains("hello"));
    // Whether the refusal is seen must not depend on time.
    for _ in 0..50 {
        assert_eq!(publish(&options, "other.x").await.unwrap_err().kind, SendErrorKind::Attention);
    }
    let error = publish(&options, "other.x").await.unwrap_err();
    assert!(error.kind == SendErrorKind::Attention && error.hint.contains("publish to the subject"), "{error:?}");
    let error = publish(&format!("{url}username: u\npassword: marked-wrong-1\n"), "allowed.x").await.unwrap_err();
    assert!(error.kind == SendErrorKind::Attention && error.hint.contains("`password`"), "{error:?}");
}

#[tokio::test]
async fn credentials_may_stand_in_the_address() {
    let user = server("authorization: {users: [{user: u, password: \"marked-p@ss:word\"}]}").await;
    let token = server("authorization: {token: marked-token-1}").await;
    let url = |login: &str, server: &Server| format!("url: 'nats://{login}@127.0.0.1:{}'\n", server.port);
    publish(&url("u:marked-p%40ss%3Aword", &user), "x").await.unwrap();
    publish(&url("marked-token-1", &token), "x").await.unwrap();
    // They are for that server, over the options.
    let options = format!("{}username: v\npassword: marked-other-1\n", url("u:marked-p%40ss%3Aword", &user));
    publish(&options, "x").await.unwrap();
    for wrong in [url("u:marked-wrong-1", &user), url("marked-token-2", &token)] {
        let error = publish(&wrong, "x").await.unwrap_err();
        assert!(error.kind == SendErrorKind::Attention && error.hint.contains("`url`"), "{error:?}");
    }
}

#[tokio::test]
async fn servers_that_are_away_do_not_matter_while_one_is_there() {
    let server = server("").await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = format!("nats://127.0.0.1:{closed}");
    let here = format!("nats://127.0.0.1:{}", server.port);
    for list in [[&away, &here, &away], [&here, &away, &away], [&away, &away, &here]] {
        let list = list.map(String::as_str).join(",");
        for _ in 0..8 {
            publish(&format!("url: {list}\n"), "x").await.unwrap();
        }
    }
    // Of two that are there it is the first, always.
    let other = self::server("").await;
    let (mut first, mut second) = (subscribe(&server, "", "y").await, subscribe(&other, "", "y").await);
    let list = format!("{here},nats://127.0.0.1:{}", other.port);
    for _ in 0..8 {
        publish(&format!("url: {list}\n"), "y").await.unwrap();
        assert!(next(&mut first).await.contains("hello"));
    }
    publish(&format!("url: nats://127.0.0.1:{}\nheaders: {{X-Which: sentinel}}\n", other.port), "y").await.unwrap();
    assert!(next(&mut second).await.contains("sentinel"));
}

#[tokio::test]
async fn headers_are_checked_when_the_service_opens() {
    let kind = echion_services::ALL.iter().find(|k| k.name == "nats").unwrap();
    let open = |headers: &str| {
        let options = format!("url: nats://127.0.0.1:1\nheaders: {{{headers}}}\n");
        (kind.open)("bus", &yaml::parse(&options).unwrap(), &Environment::default())
    };
    for wrong in [r#""two words": x"#, r#""": x"#, r#""Größe": x"#, r#""a:b": x"#, r#"X-A: "marked-secret\nX-B: y""#]
    {
        let error = open(wrong).unwrap_err();
        assert!(error.message.contains("`headers`") && !error.message.contains("marked-"), "{error:?}");
        assert_eq!(error.at.0, 2, "{error:?}");
    }
    let server = server("").await;
    let mut inbox = subscribe(&server, "", "x").await;
    // What a Secret's value ends with is no part of the header.
    let options = format!("url: nats://127.0.0.1:{}\nheaders: {{X-Auth: \"marked-secret\\n\"}}\n", server.port);
    publish(&options, "x").await.unwrap();
    let got = next(&mut inbox).await;
    assert!(got.contains("X-Auth: marked-secret\r\n"), "{got}");
}

/// Seed and key are the examples of the vendor's documentation of NKeys.
#[tokio::test]
async fn an_nkey_signs_the_servers_challenge() {
    let key = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let server = server(&format!("authorization: {{users: [{{nkey: {key}}}]}}")).await;
    let url = format!("url: nats://127.0.0.1:{}\n", server.port);
    publish(&format!("{url}nkey: {seed}\n"), "x").await.unwrap();
    let error = publish(&url, "x").await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Attention, "{error:?}");
}

#[tokio::test]
async fn no_server_is_a_failure_worth_another_try() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = publish(&format!("url: nats://127.0.0.1:{port}\n"), "x").await.unwrap_err();
    assert_eq!(error.kind, RETRY, "{error:?}");
}

/// A server that takes the connection, and ends it at a line of the client's.
async fn breaking_at(place: &'static str) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        // No connection is accepted any more: the client cannot send the message a second time.
        drop(listener);
        let info = "INFO {\"server_id\":\"x\",\"version\":\"2.10.0\",\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n";
        stream.write_all(info.as_bytes()).await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 && !line.starts_with(place) {
            if line.starts_with("PING") {
                drop(stream.write_all(b"PONG\r\n").await);
            }
            line.clear();
        }
    });
    port
}

#[tokio::test]
async fn a_connection_that_breaks_is_unknown_only_once_the_message_has_left() {
    for (place, want) in [("CONNECT", RETRY), ("HPUB", SendErrorKind::Unknown)] {
        let error = publish(&format!("url: nats://127.0.0.1:{}\n", breaking_at(place).await), "x").await.unwrap_err();
        assert_eq!(error.kind, want, "{place}: {error:?}");
    }
}

#[tokio::test]
async fn a_user_who_may_do_nothing_else_can_publish() {
    for rest in ["subscribe: {deny: \">\"}", "subscribe: \"_INBOX.>\""] {
        let reader = "{user: r, password: marked-reader-1}";
        let user = format!("{{user: u, password: marked-password, permissions: {{publish: \"allowed.>\", {rest}}}}}");
        let server = server(&format!("authorization: {{users: [{user}, {reader}]}}")).await;
        let mut inbox = subscribe(&server, ",\"user\":\"r\",\"pass\":\"marked-reader-1\"", "allowed.x").await;
        let options = format!("url: nats://127.0.0.1:{}\nusername: u\npassword: marked-password\n", server.port);
        publish(&options, "allowed.x").await.unwrap();
        assert!(next(&mut inbox).await.contains("hello"));
        assert_eq!(publish(&options, "other.x").await.unwrap_err().kind, SendErrorKind::Attention);
    }
}
