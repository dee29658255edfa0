//! What CONTRACT.md promises, proved for every entry of the list. The numbers are those of the contract.

pub(crate) mod fixture;
pub(crate) mod recorder;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use echion_model::yaml::{self, Node};
use echion_model::{Environment, NoMemory, Receipt, SendError, Service, ServiceKind};

use tokio::task::JoinSet;

use fixture::{Case, Fixture, json_of, text};
use recorder::{Call, Recorder, Reply};

/// The types that speak HTTP and have golden requests; the others prove the same in tests of their own.
pub(crate) fn over_http() -> impl Iterator<Item = &'static ServiceKind> {
    echion_services::ALL.iter().copied().filter(|kind| !["console", "email", "nats"].contains(&kind.name))
}

/// Proves something for every type, all at once.
async fn for_each<F: Future<Output = ()> + Send + 'static>(prove: impl Fn(&'static ServiceKind) -> F) {
    let mut proofs: JoinSet<()> = over_http().map(prove).collect();
    while let Some(proof) = proofs.join_next().await {
        proof.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
}

fn class(outcome: &Result<Receipt, SendError>) -> &'static str {
    outcome.as_ref().map_or_else(|error| error.kind.class(), |_| "delivered")
}

/// 1, 2: the example opens; an unknown option is reported by its key, a wrong type by key and place.
#[test]
fn options_are_read_and_the_unknown_is_named() {
    assert!(echion_services::ALL.is_sorted_by(|a, b| a.name < b.name));
    for kind in echion_services::ALL {
        let open = |options: &str| {
            let mut node = yaml::parse(options).unwrap();
            fixture::with_key(&mut node);
            (kind.open)("x", &node, &Environment::default())
        };
        let service = open(kind.example).unwrap_or_else(|e| panic!("{}: {e:?}", kind.name));
        assert!(service.remarks().is_empty(), "{}: {:?}", kind.name, service.remarks());
        if kind.options.is_empty() {
            continue;
        }
        let service = open(&format!("{}\nnoSuchOption: 1\n", kind.example.trim_end())).unwrap();
        let messages: Vec<_> = service.remarks().into_iter().map(|remark| remark.message).collect();
        assert_eq!(messages, [format!("`{0}` has no option `noSuchOption`", kind.name)]);
        for option in kind.options {
            assert!(!option.about.trim().is_empty(), "{} {}", kind.name, option.name);
            let text = format!("{}: {{}}\n", option.name);
            let wrong = if option.shape == echion_model::OptionShape::Text { open(&text) } else { continue };
            let error = wrong.err().unwrap_or_else(|| panic!("{}: {text}", kind.name));
            assert!(error.message.contains(&format!("`{}`", option.name)), "{}: {error:?}", kind.name);
            assert_eq!(error.at, (1, option.name.len() as u32 + 3), "{}: {error:?}", kind.name);
        }
    }
}

/// 3: golden requests.
#[tokio::test]
async fn golden_requests_match() {
    for kind in over_http() {
        let recorder = Recorder::start().await;
        let fixture = Fixture::read(kind, &recorder.base());
        for case in fixture.cases() {
            let memory = crate::Pad::default();
            case.script(&recorder);
            let service = case.open("");
            let mut outcome = case.send(&service, &memory).await;
            if case.node.get("twice").is_some() {
                outcome = case.send(&service, &memory).await;
            }
            let calls = recorder.take();
            check_calls(&case.name(), case.node.get("requests"), &calls);
            check_outcome(&case.name(), case.node.get("outcome"), &outcome);
        }
        covers(&fixture);
    }
}

/// Every option and every field of the section occurs in some case.
fn covers(fixture: &Fixture) {
    let written = format!("{:?}", fixture.node).to_lowercase();
    let said = |name: &str| written.contains(&format!("text: \"{}\"", name.to_lowercase()));
    for option in fixture.kind.options {
        assert!(said(option.name), "{}: no case has the option `{}`", fixture.kind.name, option.name);
    }
    for field in fixture.kind.section.iter().flat_map(|section| section.fields) {
        assert!(field.name.starts_with('<') || said(field.name), "{}: no case has `{}`", fixture.kind.name, field.name);
    }
}

fn check_calls(name: &str, want: Option<&Node>, calls: &[Call]) {
    let Some(yaml::Kind::List(want)) = want.map(|want| &want.kind) else {
        assert!(calls.is_empty(), "{name}: {calls:#?}");
        return;
    };
    let got: Vec<String> = calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    let lines: Vec<String> = want.iter().map(|w| text(w.get("line").unwrap())).collect();
    // A line that ends with `…` gives the beginning; header values too.
    let fits = |got: &str, want: &str| match want.strip_suffix('…') {
        Some(beginning) => got.starts_with(beginning),
        None => got == want,
    };
    assert!(got.len() == lines.len() && got.iter().zip(&lines).all(|(g, w)| fits(g, w)), "{name}: {calls:#?}");
    for (want, call) in want.iter().zip(calls) {
        for (header, value) in want.get("headers").map(Node::entries).unwrap_or_default() {
            let found = call.headers.iter().find(|(n, _)| *n == text(header).to_lowercase());
            assert!(found.is_some_and(|(_, v)| fits(v, &text(value))), "{name}: {header:?} of {call:#?}");
        }
        if let Some(json) = want.get("json") {
            let got: serde_json::Value = serde_json::from_str(&call.body).unwrap_or_default();
            assert_eq!(got, json_of(json), "{name}: {}", call.body);
        }
        if let Some(form) = want.get("form") {
            let got: BTreeMap<String, String> =
                url::form_urlencoded::parse(call.body.as_bytes()).into_owned().collect();
            let want: BTreeMap<String, String> = form.entries().iter().map(|(k, v)| (text(k), text(v))).collect();
            assert_eq!(got, want, "{name}");
        }
        if let Some(body) = want.get("body") {
            assert_eq!(call.body, text(body), "{name}");
        }
    }
}

fn check_outcome(name: &str, want: Option<&Node>, outcome: &Result<Receipt, SendError>) {
    let Some(want) = want else {
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        return;
    };
    let kind = want.get("class").unwrap_or(want);
    assert_eq!(class(outcome), text(kind), "{name}: {outcome:?}");
    if let Some(pause) = want.get("pause") {
        let seconds = outcome.as_ref().err().and_then(|error| error.kind.pause()).map(|pause| pause.as_secs());
        assert_eq!(seconds, text(pause).parse().ok(), "{name}: {outcome:?}");
    }
    let (receipt, error) = (outcome.as_ref().ok(), outcome.as_ref().err());
    for (part, said) in [
        ("receipt", receipt.map(|r| &r.answer)),
        ("reason", error.map(|e| &e.reason)),
        ("hint", error.map(|e| &e.hint)),
    ] {
        if let Some(want) = want.get(part) {
            assert!(said.is_some_and(|said| said.contains(&text(want))), "{name}: {part} of {outcome:?}");
        }
    }
}

/// The requests of a case, as many as it takes to deliver.
struct Steps {
    calls: Vec<Call>,
    /// So many requests at the beginning fetch credentials or look something up.
    before: usize,
    /// All requests carry the message to instances of one cluster, at once: a reply is meant for all of them.
    together: bool,
}

impl Steps {
    async fn of(fixture: &Fixture, case: &Case<'_>, recorder: &Recorder) -> Self {
        recorder.heal();
        case.script(recorder);
        let sent = case.send(&case.open(""), &crate::Pad::default()).await;
        sent.unwrap_or_else(|error| panic!("{}: {error:?}", case.name()));
        let before = fixture.says("before").parse().unwrap_or(0);
        Self { calls: recorder.take(), before, together: fixture.says("together") == "true" }
    }

    /// Whether a request delivers nothing: its outcome is never unknown.
    fn is_auxiliary(&self, at: usize) -> bool {
        at < self.before || (self.calls[at].method == "GET" && at + 1 < self.calls.len())
    }

    fn numbers(&self) -> std::ops::Range<usize> {
        if self.together { 0..1 } else { 0..self.calls.len() }
    }

    /// Lets services fetch the credentials that they keep.
    async fn warm(&self, case: &Case<'_>, recorder: &Recorder, services: &[&Arc<dyn Service>]) {
        recorder.heal();
        for service in services {
            case.script(recorder);
            drop(case.send(service, &crate::Pad::default()).await);
        }
    }

    /// What comes of the case when one of its requests gets this reply.
    async fn fail(
        &self,
        case: &Case<'_>,
        recorder: &Recorder,
        at: usize,
        reply: Reply,
        service: &Arc<dyn Service>,
    ) -> Result<Receipt, SendError> {
        if self.together {
            recorder.heal();
            recorder.script(vec![(String::new(), reply)]);
            return case.send(service, &NoMemory).await;
        }
        case.script(recorder);
        // A request for credentials is only made when there are none yet, and a refusal makes a service forget those it has.
        let refused = matches!(reply, Reply::Answer(401 | 403, ..));
        if self.before == 0 || (at >= self.before && !refused) {
            recorder.fail_at(at - self.before, reply);
            return case.send(service, &crate::Pad::default()).await;
        }
        let more = if matches!(reply, Reply::Hang) { "timeout: 1500ms\n" } else { "" };
        recorder.fail_at(at, reply);
        case.send(&case.open(more), &crate::Pad::default()).await
    }
}

/// The cases in which every request is made to fail: the first, and those that say so, where a service has several steps.
fn stepped(fixture: &Fixture) -> Vec<Case<'_>> {
    let chosen = |(index, case): &(usize, Case<'_>)| *index == 0 || case.node.get("steps").is_some();
    fixture.cases().into_iter().enumerate().filter(chosen).map(|(_, case)| case).collect()
}

/// The class that CONTRACT.md gives a status of a request that delivers.
fn documented(status: u16, unread: &'static str) -> &'static str {
    match status {
        200..=299 => unread,
        429 => "rate-limited",
        408 | 425 => "retryable",
        504 => "unknown",
        501 => "attention",
        500.. => "retryable",
        300..=399 | 401..=404 | 407 | 410 | 421 | 451 => "attention",
        _ => "rejected",
    }
}

/// 4: every status has its outcome, in every step of a delivery.
#[tokio::test]
async fn every_status_has_the_documented_outcome() {
    for_each(statuses_of).await;
}

async fn statuses_of(kind: &'static ServiceKind) {
    let recorder = Recorder::start().await;
    let fixture = Fixture::read(kind, &recorder.base());
    for case in &stepped(&fixture) {
        statuses_of_case(kind, &recorder, &fixture, case).await;
    }
    recorder.heal();
    let case = &fixture.cases()[0];
    let service = case.open("");
    // An interim response is not the last word.
    for status in [100, 103, 199] {
        recorder.script(vec![(String::new(), Reply::status(status))]);
        assert_ne!(class(&case.send(&service, &NoMemory).await), "delivered", "{} {status}", kind.name);
    }
}

async fn statuses_of_case(kind: &'static ServiceKind, recorder: &Recorder, fixture: &Fixture, case: &Case<'_>) {
    let service = case.open("");
    let exceptions = |key: &str| -> BTreeMap<String, String> {
        let entries = case.node.get(key).or_else(|| fixture.node.get(key)).map(Node::entries).unwrap_or_default();
        entries.iter().map(|(status, class)| (text(status), text(class))).collect()
    };
    let steps = Steps::of(fixture, case, recorder).await;
    steps.warm(case, recorder, &[&service]).await;
    let unread = if fixture.says("empty") == "delivered" { "delivered" } else { "unknown" };
    let last = steps.calls.len() - 1;
    for at in steps.numbers() {
        let (auxiliary, login) = (steps.is_auxiliary(at), at < steps.before);
        // A step in between may have a meaning for a status of its own: `statuses-2` names it.
        let exceptions =
            exceptions(&if at == last || steps.together { "statuses".to_owned() } else { format!("statuses-{at}") });
        // Those that are registered and the ends of the classes; all of them are judged next to `by_status` itself.
        let rest = [226, 299, 399, 451, 499, 598, 599];
        let some = [204, 302, 400, 401, 403, 404, 410, 422, 500, 501, 503, 504];
        let all: Vec<u16> = (200..=208).chain(300..=308).chain(400..=431).chain(500..=511).chain(rest).collect();
        let statuses = if steps.calls.len() == 1 || steps.together { &all[..] } else { &some[..] };
        for status in statuses {
            let outcome = steps.fail(case, recorder, at, Reply::status(*status), &service).await;
            let usual = match documented(*status, unread) {
                "unknown" if auxiliary => "retryable",
                "delivered" if auxiliary => "retryable",
                "rejected" if login => "attention",
                class => class,
            };
            let want = exceptions.get(&status.to_string()).map_or(usual, String::as_str);
            assert_eq!(class(&outcome), want, "{} request {at} {status}: {outcome:?}", case.name());
            if let Err(error) = outcome {
                let acts = ["attention", "rejected"].contains(&error.kind.class());
                assert_eq!(error.hint.is_empty(), !acts, "{} {error:?}", kind.name);
            }
        }
        let after = vec![("Retry-After".to_owned(), "7".to_owned())];
        let reply = Reply::Answer(429, after, String::new());
        let error = steps.fail(case, recorder, at, reply, &service).await.unwrap_err();
        assert_eq!(error.kind.pause(), Some(Duration::from_secs(7)), "{}: {error:?}", kind.name);
    }
}

/// 5: no response, or one that cannot be used. After the message may have left, its fate is unknown; before, it was not delivered.
#[tokio::test]
async fn broken_responses_are_failures_that_end() {
    for_each(broken_responses_of).await;
}

async fn broken_responses_of(kind: &'static ServiceKind) {
    let recorder = Recorder::start().await;
    let fixture = Fixture::read(kind, &recorder.base());
    for case in &stepped(&fixture) {
        broken_responses_of_case(&recorder, &fixture, case).await;
    }
    let case = &fixture.cases()[0];
    let service = case.open("");
    recorder.heal();
    // Cancelled in the middle; the next message goes through.
    recorder.script(vec![(String::new(), Reply::Hang)]);
    let sending = case.send(&service, &NoMemory);
    assert!(tokio::time::timeout(Duration::from_millis(50), sending).await.is_err(), "{}", kind.name);
    case.script(&recorder);
    case.send(&service, &NoMemory).await.unwrap_or_else(|e| panic!("{}: {e:?}", kind.name));
    drop(recorder);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let refused = case.send(&service, &NoMemory).await;
    assert_eq!(class(&refused), "retryable", "{}: {refused:?}", kind.name);
}

async fn broken_responses_of_case(recorder: &Recorder, fixture: &Fixture, case: &Case<'_>) {
    let (service, hurried) = (case.open(""), case.open("timeout: 1500ms\n"));
    let steps = Steps::of(fixture, case, recorder).await;
    steps.warm(case, recorder, &[&service, &hurried]).await;
    let unread = if fixture.says("empty") == "delivered" { "delivered" } else { "unknown" };
    let flood = "x".repeat(2_000_000);
    let last = steps.calls.len() - 1;
    for at in steps.numbers() {
        let auxiliary = steps.is_auxiliary(at);
        let lost = if auxiliary { "retryable" } else { "unknown" };
        for (reply, want) in [
            (Reply::Drop, lost),
            (Reply::Cut(200), lost),
            (Reply::Cut(410), "attention"),
            (Reply::ok("\u{1}\u{fffd}{[garbled"), if auxiliary { "retryable" } else { unread }),
            (Reply::ok("<html>proxy</html>"), if auxiliary { "retryable" } else { unread }),
            (Reply::ok("null"), unread),
            (Reply::ok("[]"), unread),
            (Reply::ok(&flood), if auxiliary { "retryable" } else { unread }),
            (Reply::Answer(500, Vec::new(), flood.clone()), "retryable"),
            (Reply::Answer(504, Vec::new(), flood.clone()), lost),
            (Reply::Hang, lost),
        ] {
            // In between, what a look-up finds may be nothing, and what was posted need not be understood.
            let ok =
                matches!(&reply, Reply::Answer(200, _, body) if !auxiliary || ["null", "[]"].contains(&body.as_str()));
            if at < last && !steps.together && ok {
                continue;
            }
            let service = if matches!(reply, Reply::Hang) { &hurried } else { &service };
            let sending = steps.fail(case, recorder, at, reply.clone(), service);
            let sent = tokio::time::timeout(Duration::from_secs(20), sending).await.unwrap();
            if matches!(reply, Reply::Hang) {
                tokio::time::timeout(Duration::from_secs(20), recorder.reached()).await.unwrap();
            }
            let reply: String = format!("{reply:?}").chars().take(60).collect();
            assert_eq!(class(&sent), want, "{} request {at} {reply}: {sent:?}", case.name());
            let said = sent.map_or_else(|error| error.reason + &error.hint, |receipt| receipt.answer);
            assert!(said.len() < 1000, "{} {reply}: {said}", case.name());
        }
    }
}

/// 6: nothing that is secret is said, whatever happens. Secrets of the fixtures begin with `marked-`.
#[tokio::test]
async fn no_secret_is_shown() {
    for_each(secrets_of).await;
}

async fn secrets_of(kind: &'static ServiceKind) {
    let recorder = Recorder::start().await;
    let fixture = Fixture::read(kind, &recorder.base());
    let mut said = Vec::new();
    for case in fixture.cases() {
        let service = case.open("");
        said.push(format!("{service:?} {:?} {:?}", service.channel("x"), service.channel(&case.recipient())));
        for status in [200, 202, 400, 401, 403, 404, 422, 429, 500] {
            recorder.script(vec![(String::new(), Reply::Echo(status))]);
            said.push(format!("{status}: {:?}", case.send(&service, &NoMemory).await));
        }
        for reply in [Reply::Drop, Reply::Cut(200), Reply::Cut(401)] {
            recorder.script(vec![(String::new(), reply)]);
            said.push(format!("{:?}", case.send(&service, &NoMemory).await));
        }
        // A vendor that says yes first and repeats everything in the end.
        case.script(&recorder);
        said.push(format!("{:?}", case.send(&service, &NoMemory).await));
    }
    let secrets = format!("{:?}", fixture.node).contains("marked-");
    let none = kind.options.iter().all(|o| !o.shape.words().contains("secret"));
    assert!(secrets || none, "{}: no case has a secret", kind.name);
    for call in recorder.take() {
        let tokens = call.headers.iter().filter(|(name, _)| name.contains("auth") || name.contains("token"));
        for part in tokens.flat_map(|(_, value)| value.split(' ')).filter(|part| part.len() > 12) {
            assert!(!said.iter().any(|text| text.contains(part)), "{}: {part}", kind.name);
        }
    }
    for text in &said {
        assert!(!text.contains("marked-"), "{}: {text}", kind.name);
    }
}

/// 2, 6: a secret in the wrong place is not repeated.
#[test]
fn options_that_are_wrong_say_nothing_secret() {
    for kind in echion_services::ALL {
        for option in kind.options.iter().chain(echion_services::shared_options()) {
            for value in ["[marked-secret]", "{a: [marked-secret]}", "marked-secret", "https://marked-secret:99999/"] {
                let node = yaml::parse(&format!("{}: {value}\n", option.name)).unwrap();
                let opened = (kind.open)("x", &node, &Environment::default());
                let said = opened.map_or_else(|error| format!("{error:?}"), |service| format!("{service:?}"));
                let secret = option.shape.words().contains("secret");
                assert!(!secret || !said.contains("marked-secret"), "{} {}: {said}", kind.name, option.name);
            }
        }
    }
}

/// Types that need a section say so, and only they refuse a message without one.
#[tokio::test]
async fn a_message_without_a_section_is_refused_where_one_is_required() {
    use crate::{DeliveryId, Message, NOW, NoMemory, Notification};
    for kind in over_http() {
        let recorder = Recorder::start().await;
        let fixture = Fixture::read(kind, &recorder.base());
        let cases = fixture.cases();
        let case = &cases[0];
        case.script(&recorder);
        let plain = Notification { message: "hello".to_owned(), ..Notification::default() };
        let id = DeliveryId("id-1".to_owned());
        let (recipient, service) = (case.recipient(), case.open(""));
        let message = Message { notification: &plain, recipient: &recipient, id: &id, now: NOW, memory: &NoMemory };
        let sent = service.send(message).await;
        let refused = sent.as_ref().is_err_and(|error| error.reason.contains("has a section"));
        let required = kind.section.is_some_and(|section| section.required);
        assert_eq!(refused, required, "{}: {sent:?}", kind.name);
    }
}

/// A section belongs to the application that it was rendered for: nothing of an earlier one sticks.
#[test]
fn a_section_keeps_nothing_of_an_earlier_application() {
    for kind in over_http().filter(|kind| kind.section.is_some()) {
        let fixture = Fixture::read(kind, "http://127.0.0.1:1");
        for case in fixture.cases() {
            let second = case.render_for(&["guestbook", "bookguest"]);
            let fresh = case.render_for(&["bookguest"]);
            assert_eq!(second, fresh, "{}", case.name());
        }
    }
}

/// 7: every type has its page, which names every option and every field. That its snippets work is proved in `echion-engine`.
#[test]
fn every_type_has_its_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/services");
    for kind in echion_services::ALL {
        let path = docs.join(format!("{}.md", kind.name));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let names = kind.options.iter().map(|o| o.name);
        let names = names.chain(kind.section.iter().flat_map(|s| s.fields).map(|f| f.name));
        for name in names.filter(|name| !name.starts_with('<')) {
            assert!(page.contains(&format!("`{name}`")), "{}: `{name}` is not explained", path.display());
        }
        assert!(page.contains("ecipient"), "{}: what is the recipient?", path.display());
    }
}
