//! What the services of a tenant may reach.

use echion_model::{Egress, OptionsError, Secret, Tenant};
use echion_sandbox::{MailOptions, MailServer};

use super::*;
use suite::recorder::{Recorder, Reply};

fn tenant(egress: Egress) -> Environment {
    Environment { tenant: Some(Tenant { egress, ..Tenant::default() }), ..Environment::default() }
}

fn allowing(text: &str) -> Egress {
    let mut egress = Egress::default();
    egress.allow(text).unwrap();
    egress
}

fn open_in(kind: &str, options: &str, environment: &Environment) -> Result<Arc<dyn Service>, OptionsError> {
    let kind = echion_services::ALL.iter().find(|k| k.name == kind).unwrap();
    (kind.open)("hook", &yaml::parse(options).unwrap(), environment)
}

async fn answering() -> Recorder {
    let recorder = Recorder::start().await;
    recorder.script(vec![(String::new(), Reply::ok("ok"))]);
    recorder
}

/// Written as an address, as a name, and behind a redirect.
#[tokio::test]
async fn a_tenant_reaches_public_addresses_only() {
    let (recorder, plain) =
        (answering().await, Notification { message: "hello".to_owned(), ..Notification::default() });
    let port = recorder.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let service = open_in("webhook", &format!("url: http://{host}:{port}/\n"), &tenant(Egress::default())).unwrap();
        let error = send(&service, &plain).await.unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Attention, "{host}: {error:?}");
        assert!(
            error.reason.contains("is not a public address") && error.hint.contains("--self-service-egress-allow"),
            "{error:?}"
        );
    }
    assert!(recorder.take().is_empty());
    for (host, egress) in [
        ("127.0.0.1", allowing("127.0.0.0/8")),
        ("localhost", allowing("localhost")),
        ("localhost", allowing("127.0.0.1")),
        ("localhost", Egress::any()),
    ] {
        let service = open_in("webhook", &format!("url: http://{host}:{port}/\n"), &tenant(egress)).unwrap();
        send(&service, &plain).await.unwrap();
        assert_eq!(recorder.take().len(), 1, "{host}");
    }
}

/// The controller's proxy is not the tenant's choice, but where a request goes behind it is.
#[tokio::test]
async fn a_proxy_leads_a_tenant_nowhere_else() {
    let (proxy, plain) = (answering().await, Notification { message: "hello".to_owned(), ..Notification::default() });
    let variables = [("HTTP_PROXY".to_owned(), Secret::new(proxy.base()))].into();
    let environment = Environment { variables, ..tenant(Egress::default()) };
    let to = |host: &str| open_in("webhook", &format!("url: http://{host}/\n"), &environment).unwrap();
    send(&to("8.8.8.8"), &plain).await.unwrap();
    assert_eq!(proxy.take()[0].path, "http://8.8.8.8/");
    for host in ["10.0.0.1", "169.254.169.254", "[::1]"] {
        assert!(send(&to(host), &plain).await.unwrap_err().reason.contains("is not a public address"), "{host}");
    }
    assert!(proxy.take().is_empty());
    // The host of the proxy is let pass for the proxy's sake, and not as a destination.
    let variables =
        [("HTTP_PROXY".to_owned(), Secret::new(format!("http://localhost:{}", proxy.address.port())))].into();
    let by_name = Environment { variables, ..tenant(Egress::default()) };
    send(&open_in("webhook", "url: http://8.8.8.8/\n", &by_name).unwrap(), &plain).await.unwrap();
    assert_eq!(proxy.take().len(), 1);
    let port = proxy.address.port();
    for options in [
        format!("url: http://localhost:{port}/\n"),
        format!("url: https://localhost:{port}/\n"),
        format!("url: http://8.8.8.8/\nproxy: http://localhost:{port}\n"),
    ] {
        let error = send(&open_in("webhook", &options, &by_name).unwrap(), &plain).await.unwrap_err();
        assert!(error.reason.contains("`localhost` is not a public address"), "{options}: {error:?}");
    }
    assert!(proxy.take().is_empty());
    // A proxy of the tenant's own is a host like any other.
    let own = format!("url: http://8.8.8.8/\nproxy: {}\n", proxy.base());
    assert!(open_in("webhook", &own, &tenant(Egress::default())).unwrap_err().message.contains("`127.0.0.1`"));
    let own = format!("url: http://8.8.8.8/\nproxy: http://localhost:{}\n", proxy.address.port());
    let error = send(&open_in("webhook", &own, &tenant(Egress::default())).unwrap(), &plain).await.unwrap_err();
    assert!(error.reason.contains("`localhost` is not a public address"), "{error:?}");
    assert!(proxy.take().is_empty());
}

#[tokio::test]
async fn mail_and_nats_of_a_tenant_reach_public_addresses_only() {
    let server = MailServer::start(MailOptions::default()).await.unwrap();
    let mail = notification("email", json!({"subject": "s", "body": "b"}));
    let id = DeliveryId("id-1".to_owned());
    for (egress, want) in [(Egress::default(), false), (allowing("localhost"), true)] {
        let options = format!("host: localhost\nport: {}\nfrom: e@example.com\n", server.address.port());
        let service = open_in("email", &options, &tenant(egress)).unwrap();
        let message =
            Message { notification: &mail, recipient: "lee@example.com", id: &id, now: NOW, memory: &NoMemory };
        let sent = service.send(message).await;
        assert_eq!(sent.is_ok(), want, "{sent:?}");
        if let Err(error) = sent {
            assert!(error.reason.contains("is not a public address"), "{error:?}");
        }
    }
    assert_eq!(server.mails().len(), 1);
    for (url, egress, want) in [
        ("nats://127.0.0.1:4222", Egress::default(), false),
        ("nats://nats.example.com", Egress::default(), false),
        ("nats://8.8.8.8", Egress::default(), true),
        ("nats://nats.example.com,nats://localhost", allowing("nats.example.com"), false),
        ("nats://nats.example.com", allowing("nats.example.com"), true),
    ] {
        let opened = open_in("nats", &format!("url: {url}\n"), &tenant(egress));
        assert_eq!(opened.is_ok(), want, "{url}: {opened:?}");
    }
}
