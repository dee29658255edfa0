//! The service `webhook` against the catcher.

use std::collections::BTreeMap;

use super::*;

fn service(sandbox: &Sandbox, more: &str) -> Arc<dyn Service> {
    open("webhook", &format!("url: {}\n{more}", sandbox.url("/hook")))
}

fn status(path: &str, status: u16, headers: &[(&str, &str)]) -> Fault {
    let headers: BTreeMap<_, _> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Fault { path: path.to_owned(), status: Some(status), body: "said".to_owned(), headers, ..Fault::default() }
}

#[tokio::test]
async fn the_body_arrives_byte_for_byte() {
    let sandbox = sandbox().await;
    let service =
        service(&sandbox, "headers: [{name: X-Custom, value: seen}]\nbasicAuth: {username: u, password: p}\n");
    let bodies = [" { \"b\":1,\t\"a\" : \"中文 😀\" }\r\n\n", "", "a+b=c&d=%41", "\u{0}\u{feff}"];
    for method in ["POST", "PUT", "DELETE", "GET", "PURGE"] {
        for body in bodies {
            let receipt = send(&service, &request(method, "/a b/c?x=1&y", body)).await.unwrap();
            assert_eq!(receipt.answer, "HTTP 200: ok");
            let got = sandbox.messages().pop().unwrap();
            assert_eq!(
                (got.method.as_str(), got.path.as_str(), got.body.as_str()),
                (method, "/hook/a%20b/c?x=1&y", body)
            );
            assert_eq!((got.headers["x-custom"].as_str(), got.headers["authorization"].as_str()), ("seen", "****"));
            assert_eq!(got.headers["idempotency-key"], "id-1");
            if !body.is_empty() {
                assert_eq!(got.headers["content-length"], body.len().to_string());
            }
        }
    }
}

#[tokio::test]
async fn without_a_section_it_is_a_get_with_the_message() {
    let sandbox = sandbox().await;
    let plain = Notification { message: "hello".to_owned(), ..Notification::default() };
    send(&service(&sandbox, ""), &plain).await.unwrap();
    let got = sandbox.messages().pop().unwrap();
    assert_eq!((got.method.as_str(), got.path.as_str(), got.body.as_str()), ("GET", "/hook", "hello"));
}

#[tokio::test]
async fn every_status_has_its_outcome() {
    let sandbox = sandbox().await;
    let service = service(&sandbox, "");
    let after = |seconds| SendErrorKind::Retryable { retry_after: Some(Duration::from_secs(seconds)) };
    // The date is seven seconds behind the sandbox's clock.
    let date = "Tue, 14 Nov 2023 22:13:27 GMT";
    for (code, headers, want) in [
        (200, &[][..], None),
        (204, &[], None),
        (299, &[], None),
        (304, &[], Some(SendErrorKind::Attention)),
        (400, &[], Some(SendErrorKind::Rejected)),
        (401, &[], Some(SendErrorKind::Attention)),
        (404, &[], Some(SendErrorKind::Attention)),
        (408, &[], Some(RETRY)),
        (413, &[], Some(SendErrorKind::Rejected)),
        (425, &[], Some(RETRY)),
        (429, &[], Some(pause(60))),
        (429, &[("Retry-After", "5")], Some(pause(5))),
        (429, &[("Retry-After", date)], Some(pause(7))),
        (500, &[], Some(RETRY)),
        (501, &[], Some(SendErrorKind::Attention)),
        (502, &[], Some(RETRY)),
        (504, &[], Some(SendErrorKind::Unknown)),
        (503, &[("Retry-After", "5")], Some(after(5))),
        (503, &[("Retry-After", "soon")], Some(RETRY)),
        (599, &[], Some(RETRY)),
    ] {
        sandbox.set_faults(vec![status("", code, headers)]).unwrap();
        let sent = send(&service, &request("POST", "", "x")).await;
        assert_eq!(sent.as_ref().err().map(|error| error.kind), want, "{code} {headers:?}");
        if let Err(error) = sent {
            assert!(error.reason.starts_with(&format!("HTTP {code}")), "{error:?}");
            let acts = [SendErrorKind::Rejected, SendErrorKind::Attention].contains(&error.kind);
            assert_eq!(error.hint.is_empty(), !acts, "{error:?}");
        }
    }
}

#[tokio::test]
async fn without_a_response_the_outcome_is_unknown_and_any_success_is_one() {
    let sandbox = sandbox().await;
    let [drop, cut, garbled] = broken();
    for (fault, want) in
        [(drop.clone(), Some(SendErrorKind::Unknown)), (cut, Some(SendErrorKind::Unknown)), (garbled, None)]
    {
        sandbox.set_faults(vec![fault.clone()]).unwrap();
        let sent = send(&service(&sandbox, ""), &request("POST", "", "x")).await;
        assert_eq!(sent.err().map(|error| error.kind), want, "{fault:?}");
    }
    sandbox.set_faults(vec![drop]).unwrap();
    let error = send(&service(&sandbox, "retryMax: -1\n"), &request("POST", "", "x")).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Rejected);
    for fault in [Fault { hang: true, ..Fault::default() }, Fault { delay_ms: 60_000, ..Fault::default() }] {
        sandbox.set_faults(vec![fault]).unwrap();
        let error = send(&service(&sandbox, "timeout: 50ms\n"), &request("POST", "", "x")).await.unwrap_err();
        assert!(error.kind == SendErrorKind::Unknown && error.reason.ends_with("within 50ms"), "{error:?}");
    }
}

/// A POST that becomes a GET delivers nothing, whatever is answered to that.
#[tokio::test]
async fn a_message_that_moves_keeps_method_and_body() {
    let sandbox = sandbox().await;
    let service =
        open("webhook", &format!("url: {}\nheaders: {{X-Trace: k}}\n", sandbox.url("/hook?access_token=t0ps3cr3t")));
    for code in [301, 302, 307, 308] {
        sandbox.set_faults(vec![status("/hook", code, &[("Location", "/new")])]).unwrap();
        send(&service, &request("POST", "", "x")).await.unwrap();
        let got = sandbox.messages().pop().unwrap();
        assert_eq!((got.path.as_str(), got.method.as_str(), got.body.as_str()), ("/new", "POST", "x"), "{code}");
        assert_eq!(got.headers.get("x-trace").map(String::as_str), Some("k"));
        assert!(!got.headers.contains_key("referer"), "{:?}", got.headers);
    }
    sandbox.set_faults(vec![status("/hook", 307, &[("Location", "/hook")])]).unwrap();
    let error = send(&service, &request("POST", "", "x")).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Attention);
    assert!(error.reason.contains("redirects"), "{error:?}");
    // Who answers 303 has taken it.
    sandbox.set_faults(vec![status("/hook", 303, &[("Location", "/new")])]).unwrap();
    let error = send(&service, &request("POST", "", "x")).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Rejected);
    let environment = Environment { conditions: Some(Arc::new(echion_engine::Conditions)), ..Environment::default() };
    let options = [("url", &*sandbox.url("/hook")), ("success", "response.status == 303")];
    let agreed = crate::transport::open_with(&options, &environment);
    sandbox.set_faults(vec![status("/hook", 303, &[("Location", "/new")])]).unwrap();
    send(&agreed, &request("POST", "", "x")).await.unwrap();
}

#[tokio::test]
async fn nothing_follows_a_redirect_to_another_host() {
    let (sandbox, other) = (sandbox().await, super::sandbox().await);
    for code in [301, 302, 303, 307, 308] {
        sandbox.set_faults(vec![status("/hook", code, &[("Location", &other.url("/new/t0ps3cr3t"))])]).unwrap();
        let service = service(&sandbox, "basicAuth: {username: u, password: p}\nheaders: {X-Api-Key: k3yk3yk3y}\n");
        let error = send(&service, &request("POST", "", "x")).await.unwrap_err();
        let want = if code == 303 { SendErrorKind::Rejected } else { SendErrorKind::Attention };
        assert_eq!(error.kind, want, "{code}: {error:?}");
        let place = other.url("").trim_end_matches('/').to_owned();
        assert!(error.reason.contains(&format!("redirects to {place}/****")), "{error:?}");
        // A message may be a GET: whatever is answered elsewhere, it was not delivered.
        sandbox.set_faults(vec![status("/hook", code, &[("Location", &other.url("/new"))])]).unwrap();
        let error = send(&service, &request("GET", "", "")).await.unwrap_err();
        assert_eq!(error.kind, want, "{code}: {error:?}");
    }
    assert!(other.messages().is_empty(), "{:?}", other.messages());
}

#[tokio::test]
async fn headers_that_frame_a_request_follow_from_it() {
    let sandbox = sandbox().await;
    let service = service(
        &sandbox,
        "headers:\n- {name: Content-Length, value: '0'}\n- {name: transfer-encoding, value: chunked}\n\
         - {name: Trailer, value: x}\n- {name: Host, value: other.test}\n- {name: X-Trace, value: k}\n",
    );
    assert_eq!(service.remarks().len(), 4, "{:?}", service.remarks());
    assert!(service.remarks()[0].message.contains("`Content-Length`") && service.remarks()[0].at.0 > 1);
    send(&service, &request("POST", "", r#"{"a":1}"#)).await.unwrap();
    let got = sandbox.messages().pop().unwrap();
    assert_eq!(
        (got.body.as_str(), got.headers["content-length"].as_str(), got.headers["x-trace"].as_str()),
        (r#"{"a":1}"#, "7", "k")
    );
    assert!(!got.headers.contains_key("trailer") && got.headers["host"] != "other.test", "{:?}", got.headers);
}

/// Some servers refuse a request that does not say how long its body is.
#[tokio::test]
async fn an_empty_body_has_a_length() {
    let sandbox = sandbox().await;
    for (method, want) in [("POST", Some("0")), ("PUT", Some("0")), ("PATCH", Some("0")), ("GET", None)] {
        send(&service(&sandbox, ""), &request(method, "", "")).await.unwrap();
        let got = sandbox.messages().pop().unwrap();
        assert_eq!(got.headers.get("content-length").map(String::as_str), want, "{method}");
    }
}

#[tokio::test]
async fn paths_are_sent_as_they_are_written() {
    let sandbox = sandbox().await;
    for (path, want) in [
        ("/a\\b", "/plain/a%5Cb"),
        ("/a|b[c]", "/plain/a%7Cb[c]"),
        ("/a%2Fb c", "/plain/a%2Fb%20c"),
        ("/a/../b", "/plain/b"),
    ] {
        let service = open("webhook", &format!("url: {}\n", sandbox.url("/plain")));
        send(&service, &request("POST", path, "x")).await.unwrap();
        assert_eq!(sandbox.messages().pop().unwrap().path, want);
    }
}

#[tokio::test]
async fn a_flood_for_an_answer_is_cut() {
    let sandbox = sandbox().await;
    for (code, want) in [(200, None), (500, Some(RETRY))] {
        let body = "x".repeat(10_000_000);
        sandbox.set_faults(vec![Fault { status: Some(code), body, ..Fault::default() }]).unwrap();
        let sent = send(&service(&sandbox, ""), &request("POST", "", "x")).await;
        let quote = sent.as_ref().map_or_else(|error| error.reason.clone(), |receipt| receipt.answer.clone());
        assert!(quote.len() < 300, "{quote}");
        assert_eq!(sent.err().map(|error| error.kind), want);
    }
}
