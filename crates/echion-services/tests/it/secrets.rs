//! Whatever happens, nothing that is secret is said.

use super::*;

const SECRETS: [&str; 5] = [
    "t0ken-0123456789",
    "SECs1gning-s3cret",
    "h3ader-value",
    "passw0rd-of-basic",
    "Basic dTpwYXNzdzByZC1vZi1iYXNpYw==",
];

fn services(sandbox: &Sandbox, more: &str) -> Vec<(Arc<dyn Service>, Notification)> {
    let robot = sandbox.url(&format!("/robot/send?access_token={}", SECRETS[0]));
    let plain = sandbox.url(&format!("/hook/{}", SECRETS[0]));
    let sign = format!("sign: {{scheme: dingtalk, secret: {}}}\n", SECRETS[1]);
    let header = format!("headers: [{{name: X-Api-Key, value: Bearer {}}}]\n", SECRETS[2]);
    let basic = format!("basicAuth: {{username: u, password: {}}}\n", SECRETS[3]);
    let body = request("POST", "", r#"{"msgtype":"text","text":{"content":"x"}}"#);
    vec![
        (
            open("dingtalk", &format!("webhook: {robot}\nsecret: {}\n{more}", SECRETS[1])),
            notification("dingtalk", json!({"text": {"content": "x"}})),
        ),
        (open("webhook", &format!("url: {robot}\n{sign}{header}{basic}{more}")), body.clone()),
        (open("webhook", &format!("url: {plain}\n{sign}{header}{basic}{more}")), body),
    ]
}

fn assert_silent(text: &str, of: &str) {
    for secret in SECRETS {
        // Half of one is as bad.
        assert!(!text.contains(&secret[..secret.len() / 2]) || secret.starts_with("Basic"), "{of}: {text}");
        assert!(!text.contains(secret), "{of}: {text}");
    }
}

async fn check(sandbox: &Sandbox, more: &str, of: &str) {
    for (service, notification) in services(sandbox, more) {
        assert_silent(&format!("{service:?} {:?}", service.channel("")), of);
        match send(&service, &notification).await {
            Ok(receipt) => assert_silent(&format!("{receipt:?}"), of),
            Err(error) => assert_silent(&format!("{error:?} {error}"), of),
        }
    }
}

#[tokio::test]
async fn when_the_connection_fails() {
    let sandbox = sandbox().await;
    for fault in broken() {
        sandbox.set_faults(vec![fault.clone()]).unwrap();
        check(&sandbox, "", &format!("{fault:?}")).await;
    }
    sandbox.set_faults(vec![Fault { hang: true, ..Fault::default() }]).unwrap();
    check(&sandbox, "timeout: 50ms\n", "hang").await;
    for location in ["/hook/circle", "http://127.0.0.1:1/x", "http://[", "ftp://h.test/x"] {
        let headers = [("Location".to_owned(), location.to_owned())].into();
        sandbox.set_faults(vec![Fault { status: Some(307), headers, ..Fault::default() }]).unwrap();
        check(&sandbox, "", location).await;
    }
}

#[tokio::test]
async fn when_the_connection_is_refused() {
    let sandbox = sandbox().await;
    let services = services(&sandbox, "");
    sandbox.stop().await;
    for (service, notification) in services {
        let error = send(&service, &notification).await.unwrap_err();
        assert_eq!(error.kind, RETRY);
        assert_silent(&format!("{error:?}"), "refused");
    }
}

#[tokio::test]
async fn when_the_answer_repeats_them() {
    let sandbox = sandbox().await;
    for (index, (service, notification)) in services(&sandbox, "").into_iter().enumerate() {
        // The service dingtalk was given only the first two.
        let known = if index == 0 { &SECRETS[..2] } else { &SECRETS[..] };
        let all = known.join(" ");
        // An answer is quoted up to its 200th character: the end must not show a part.
        for before in [0, 190, 195, 199] {
            for secret in known.iter().copied().chain([all.as_str()]) {
                let text = format!("{}{secret}", "x".repeat(before));
                let refusal = format!(r#"{{"errcode":310000,"errmsg":"{text}"}}"#);
                for (status, body) in [(200, &text), (200, &refusal), (400, &text), (429, &text), (500, &text)] {
                    let fault = Fault { status: Some(status), body: body.clone(), ..Fault::default() };
                    sandbox.set_faults(vec![fault]).unwrap();
                    match send(&service, &notification).await {
                        Ok(receipt) => assert_silent(&format!("{receipt:?}"), body),
                        Err(error) => assert_silent(&format!("{error:?} {error}"), body),
                    }
                }
            }
        }
    }
}

#[test]
fn when_options_are_wrong() {
    for (kind, options) in [
        ("dingtalk", format!("webhook: ftp://h.test/{}\n", SECRETS[0])),
        ("dingtalk", format!("webhook: https://h.test/{}\naccessToken: {}\n", SECRETS[0], SECRETS[0])),
        ("dingtalk", format!("accessToken: {}\nsecret: [{}]\n", SECRETS[0], SECRETS[1])),
        ("dingtalk", format!("accessToken: {}\ntimeout: never\n", SECRETS[0])),
        ("webhook", format!("url: {}\n", SECRETS[0])),
        ("webhook", format!("url: 'http://h.test:99999/{}'\n", SECRETS[0])),
        ("webhook", format!("url: http://h.test/x\nheaders: {}\n", SECRETS[2])),
        ("webhook", format!("url: http://h.test/x\nsign: {{scheme: x, secret: {}}}\n", SECRETS[1])),
        ("webhook", format!("url: http://h.test/x\nbasicAuth: {}\n", SECRETS[3])),
    ] {
        let kind = echion_services::ALL.iter().find(|k| k.name == kind).unwrap();
        let error = (kind.open)("hook", &yaml::parse(&options).unwrap(), &Environment::default()).unwrap_err();
        assert_silent(&format!("{error:?}"), &options);
    }
}

/// An option that is no secret by its type is one when its value came from the Secret.
#[test]
fn what_came_from_the_secret_is_not_quoted_whatever_option_it_stands_in() {
    let value = "marked-plain-word";
    let environment = Environment { secrets: vec![echion_model::Secret::new(value)], ..Environment::default() };
    for (kind, options) in [
        ("dingtalk", format!("accessToken: t\ntimeout: {value}\n")),
        ("webhook", format!("url: https://h.test/x\nretryWaitMin: {value}\n")),
        ("pagerduty", format!("token: t\nfrom: a@b.test\napiURL: '{value}://'\n")),
        ("nats", format!("url: nats://h.test\nheaders: {{'{value} x': y}}\n")),
    ] {
        let kind = echion_services::ALL.iter().find(|k| k.name == kind).unwrap();
        let error = (kind.open)("hook", &yaml::parse(&options).unwrap(), &environment).unwrap_err();
        assert!(!format!("{error:?}").contains("marked-"), "{}: {error:?}", kind.name);
    }
}
