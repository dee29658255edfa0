//! The controller against an API server that misbehaves by script: it recovers each time, and tells each change once.

mod server;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use server::{Break, Fault, Server};

/// The annotation that holds the state.
const NOTIFIED: &str = "notified.notifications.argoproj.io";

/// The built program, and what it logs.
struct Controller {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    _home: tempfile::TempDir,
}

impl Controller {
    fn start(server: &Server) -> Self {
        Self::start_with(server, &["--leader-election", "off"])
    }

    fn start_with(server: &Server, flags: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = crate::echion();
        command.env("HOME", home.path()).env_remove("KUBECONFIG").env_remove("KUBERNETES_SERVICE_HOST");
        command.args(["controller", "--server", &format!("http://{}", server.address), "--token", "x", "-n", "argocd"]);
        command.args(["--metrics-port", "0"]).args(flags);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sink, stderr) = (Arc::clone(&lines), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        Self { child, lines, _home: home }
    }

    fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            #[allow(clippy::print_stderr, reason = "what a failed test shows")]
            {
                eprintln!("{}", self.log());
            }
        }
    }
}

/// A server with a configuration, a project, and three Applications that are done: two pages.
async fn world() -> Server {
    world_on(Server::start().await)
}

fn world_on(server: Server) -> Server {
    let data = json!({
        "service.webhook.hook": format!("url: http://{}/hook", server.address),
        "template.notified": "webhook:\n  hook:\n    method: POST\n    body: '{{.app.metadata.name}} {{.app.status.revision}}'",
        "trigger.on-done": "- when: app.status.phase == 'done'\n  oncePer: app.status.revision\n  send: [notified]",
    });
    server.put("configmaps", "argocd-notifications-cm", json!({ "metadata": {}, "data": data }));
    server.put("secrets", "argocd-notifications-secret", json!({ "metadata": {}, "data": {} }));
    let project = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {}, "spec": {} });
    server.put("appprojects", "default", project);
    for name in ["a", "b", "c"] {
        server.app(name, "r1");
    }
    server
}

/// Exactly these have been sent, in any order. Another Application shows that nothing more is on its way.
async fn notified_exactly(server: &Server, fence: &str, expected: &[&str]) {
    let all = |notified: &[String]| expected.iter().all(|e| notified.iter().any(|t| t == e));
    server.until("notified of everything", |server| all(&server.notified())).await;
    server.app("fence", fence);
    let last = format!("fence {fence}");
    server.until("notified of the last one", |server| server.notified().contains(&last)).await;
    let notified: Vec<String> =
        server.notified().into_iter().filter(|notified| !notified.starts_with("fence")).collect();
    let mut expected: Vec<&str> = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(notified, expected);
}

const FIRST: [&str; 3] = ["a r1", "b r1", "c r1"];

/// A controller that has notified of what there is.
async fn running(server: &Server) -> Controller {
    let controller = Controller::start(server);
    notified_exactly(server, "begin", &FIRST).await;
    controller
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_history_goes_in_the_middle_begins_again() {
    let server = world().await;
    server.fault("page applications", Fault::Status(410, &[]));
    let _controller = running(&server).await;
    assert!(server.times("list applications") >= 2, "{:?}", server.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_and_errors_of_the_server_are_waited_out() {
    let server = world().await;
    server.fault("list configmaps", Fault::Status(500, &[]));
    server.fault("list secrets", Fault::Status(429, &[("retry-after", "1")]));
    server.fault("list appprojects", Fault::Status(503, &[]));
    server.fault("list applications", Fault::Status(429, &[("retry-after", "1")]));
    server.fault("page applications", Fault::Status(500, &[]));
    server.fault("watch applications", Fault::Status(500, &[]));
    server.fault("watch applications", Fault::Status(429, &[("retry-after", "1")]));
    let _controller = running(&server).await;
}

/// A balancer that has lost its servers says 503. That is reported, and tried again after pauses that grow, but not beyond seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_unavailable_is_asked_again_after_growing_pauses() {
    let server = world().await;
    for _ in 0..5 {
        server.fault("list applications", Fault::Status(503, &[]));
    }
    let begun = tokio::time::Instant::now();
    let controller = running(&server).await;
    // 0.1, 0.2, 0.4, 0.8 and 1.6 seconds.
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(controller.log().matches("answered 503").count(), 5, "{}", controller.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_page_only_takes_its_time() {
    let server = world().await;
    server.fault("page applications", Fault::Slow(Duration::from_millis(1500)));
    let _controller = running(&server).await;
    assert_eq!(server.times("list applications"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_between_two_pages_is_notified_once() {
    let server = world().await;
    server.fault("page applications", Fault::Slow(Duration::from_millis(700)));
    let _controller = Controller::start(&server);
    server.asked("page applications", 0).await;
    // `a` was listed as it was before; `c` is listed as it is now, and the watch reports it again.
    server.app("a", "r2");
    server.app("c", "r2");
    notified_exactly(&server, "end", &["a r1", "a r2", "b r1", "c r2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_ends_goes_on_where_it_ended() {
    let server = world().await;
    let _controller = running(&server).await;
    let watches = server.times("watch applications");
    server.cut("applications", Break::End);
    server.app("a", "r2");
    server.asked("watch applications", watches).await;
    notified_exactly(&server, "end", &["a r1", "a r2", "b r1", "c r1"]).await;
    assert_eq!(server.times("list applications"), 1, "{:?}", server.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_cut_in_the_middle_of_a_line_loses_nothing() {
    let server = world().await;
    let _controller = running(&server).await;
    let watches = server.times("watch applications");
    server.cut("applications", Break::Cut);
    server.app("b", "r2");
    server.asked("watch applications", watches).await;
    notified_exactly(&server, "end", &["a r1", "b r1", "b r2", "c r1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bookmark_is_where_the_next_watch_begins() {
    let server = world().await;
    let _controller = running(&server).await;
    // Until the annotation of the last one is written, its news may be on the way.
    let version = loop {
        let before = server.requests().len();
        let version = server.bookmark();
        server.cut("applications", Break::End);
        server
            .until("a watch", |server| server.requests()[before..].iter().any(|r| r.starts_with("watch appli")))
            .await;
        let last = server.requests().into_iter().rfind(|r| r.starts_with("watch applications")).unwrap();
        if last == format!("watch applications {version}") {
            break version;
        }
    };
    // What lies before the bookmark may be forgotten now.
    server.compact(false);
    server.cut("applications", Break::End);
    server.app("a", "r2");
    notified_exactly(&server, "end", &["a r1", "a r2", "b r1", "c r1"]).await;
    assert!(version > 0 && server.times("list applications") == 1, "{:?}", server.requests());
}

/// Whatever says that the history is gone, what happened meanwhile is noticed: changes, new ones, and deletions.
async fn history_is_gone(refused: bool) {
    let server = world().await;
    let _controller = running(&server).await;
    let (lists, watches) = (server.times("list applications"), server.times("watch applications"));
    server.down("applications", true);
    server.cut("applications", if refused { Break::End } else { Break::Gone });
    let tries = |server: &Server| server.times("list applications") + server.times("watch applications");
    server.until("tried again", |server| tries(server) > lists + watches).await;
    // Nobody sees this happen.
    server.app("a", "r2");
    server.delete("applications", "b");
    server.delete("applications", "c");
    server.app("c", "r1");
    server.app("d", "r1");
    server.compact(refused);
    server.down("applications", false);
    // `c` is another one of the same name.
    let expected = ["a r1", "a r2", "b r1", "c r1", "c r1", "d r1"];
    server
        .until("notified of the other c", |server| server.notified().iter().filter(|t| *t == "c r1").count() == 2)
        .await;
    notified_exactly(&server, "middle", &expected).await;
    // `b` was forgotten: when it comes back, it is new.
    server.app("b", "r1");
    let twice = |server: &Server| server.notified().iter().filter(|notified| *notified == "b r1").count() == 2;
    server.until("notified of the other b", twice).await;
    notified_exactly(&server, "end", &["a r1", "a r2", "b r1", "b r1", "c r1", "c r1", "d r1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_history_is_gone_lists_again_and_sees_what_is_gone() {
    history_is_gone(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_refused_for_its_history_lists_again_and_sees_what_is_gone() {
    history_is_gone(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_changes_while_its_watch_is_broken_is_used() {
    let server = world().await;
    let _controller = running(&server).await;
    let lists = server.times("list configmaps");
    server.down("configmaps", true);
    server.cut("configmaps", Break::Gone);
    server.asked("list configmaps", lists).await;
    let data = json!({
        "service.webhook.hook": format!("url: http://{}/hook", server.address),
        "template.notified": "webhook:\n  hook:\n    method: POST\n    body: 'new {{.app.metadata.name}}'",
        "trigger.on-done": "- when: app.status.phase == 'done'\n  oncePer: app.status.revision\n  send: [notified]",
    });
    server.put("configmaps", "argocd-notifications-cm", json!({ "metadata": {}, "data": data }));
    server.compact(true);
    let lists = server.times("list configmaps");
    server.down("configmaps", false);
    server.asked("list configmaps", lists).await;
    // The new words are in use a moment after the list.
    let mut revision = 1;
    while !server.notified().contains(&"new a".to_owned()) {
        revision += 1;
        server.app("a", &format!("r{revision}"));
        let before = server.notified().len();
        server.until("notified of it", |server| server.notified().len() > before).await;
    }
}

/// A server with streaming lists is asked for them, and for nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_may_come_as_the_first_events_of_a_watch() {
    let server = world_on(Server::of_version(32).await);
    let _controller = running(&server).await;
    assert_eq!(server.times("stream applications"), 1, "{:?}", server.requests());
    assert_eq!(server.times("list applications") + server.times("watch applications"), 0, "{:?}", server.requests());
    // Its history is gone, and what nobody saw is noticed by the next streaming list.
    server.down("applications", true);
    server.cut("applications", Break::Gone);
    server.delete("applications", "b");
    server.app("a", "r2");
    server.compact(true);
    server.down("applications", false);
    server.until("notified of it", |server| server.notified().contains(&"a r2".to_owned())).await;
    server.app("b", "r1");
    let twice = |server: &Server| server.notified().iter().filter(|notified| *notified == "b r1").count() == 2;
    server.until("notified of the other b", twice).await;
    notified_exactly(&server, "end", &["a r1", "a r2", "b r1", "b r1", "c r1"]).await;
}

/// What the server refuses to take for eight of them does not keep the others from being written.
#[tokio::test(flavor = "multi_thread")]
async fn refused_annotation_writes_do_not_stop_the_others() {
    let server = world().await;
    // More than are written at once, and than may be ahead of the annotations; they come first in the list.
    let refused: Vec<String> = (0..24).map(|n| format!("0-refused-{n:02}")).collect();
    for name in &refused {
        server.refuse(name);
        server.app(name, "r1");
    }
    let expected: Vec<String> =
        refused.iter().map(|name| format!("{name} r1")).chain(FIRST.map(str::to_owned)).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let controller = Controller::start(&server);
    notified_exactly(&server, "begin", &expected).await;
    let written = |server: &Server, name: &str| server.annotation("applications", name, NOTIFIED).is_some();
    let healthy = ["a", "b", "c", "fence"];
    server.until("written", |server| healthy.iter().all(|name| written(server, name))).await;
    assert!(refused.iter().all(|name| !written(&server, name)));
    // Once after the delivery, and once more after the list, perhaps.
    let patches = server.times("patch applications 0-refused");
    assert!(patches <= 2 * refused.len(), "{patches}");
    assert!(controller.log().contains("--annotations=read"), "{}", controller.log());
}

/// A server that takes seconds to answer is slow, not gone.
#[tokio::test(flavor = "multi_thread")]
async fn with_an_api_server_that_takes_seconds_to_answer_one_is_elected_and_everything_arrives() {
    let server = world().await;
    server.app("d", "r1");
    server.app("e", "r1");
    server.delay(Duration::from_millis(2500));
    let controller = Controller::start_with(&server, &["--leader-election", "on"]);
    notified_exactly(&server, "end", &["a r1", "b r1", "c r1", "d r1", "e r1"]).await;
    let log = controller.log();
    assert!(!log.contains("no longer leads") && !log.contains("cannot be elected"), "{log}");
}

/// Nobody else writes the Lease, so it need not be read first.
#[tokio::test(flavor = "multi_thread")]
async fn one_put_of_the_lease_a_period() {
    let server = world().await;
    let _controller = Controller::start_with(&server, &["--leader-election", "on"]);
    server.asked("create leases", 0).await;
    server.asked("replace leases", 0).await;
    let first = tokio::time::Instant::now();
    server.asked("replace leases", 2).await;
    // Two periods of two seconds; the clock of this test is a bit late.
    assert!(first.elapsed() > Duration::from_millis(3500), "{:?}", first.elapsed());
    let requests = server.requests();
    let elected = requests.iter().position(|request| request.starts_with("create leases")).unwrap();
    let reads = requests[elected..].iter().filter(|request| request.starts_with("get leases")).count();
    assert_eq!(reads, 0, "{requests:?}");
}

/// Whoever repairs a receiver need not do anything here.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_outside_repairs_is_delivered_by_itself() {
    let server = world().await;
    server.hook_faults(vec![401, 401, 401]);
    let controller = Controller::start(&server);
    // Nothing else happens that could show that it works again; the first repetition is after about a minute.
    server.until("notified of everything", |server| server.notified().len() == FIRST.len()).await;
    assert_eq!(controller.log().matches("Parked").count(), 3, "{}", controller.log());
    notified_exactly(&server, "end", &FIRST).await;
}

/// One delivery that arrives shows that the channel works again.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_arrives_takes_those_with_it_that_were_refused() {
    let server = world().await;
    server.hook_faults(vec![401, 404, 401]);
    let controller = Controller::start(&server);
    server.until("parked", |_| controller.log().matches("Parked").count() == 3).await;
    let repaired = tokio::time::Instant::now();
    server.app("d", "r1");
    notified_exactly(&server, "end", &["a r1", "b r1", "c r1", "d r1"]).await;
    assert!(repaired.elapsed() < Duration::from_secs(20), "{:?}", repaired.elapsed());
}

/// Those that fail are read one by one after a minute, and those that only another configuration can cure not at all.
#[tokio::test(flavor = "multi_thread")]
async fn failed_evaluations_never_list_the_cluster_again() {
    let server = world().await;
    let subscribed = |trigger: &str| {
        let subscription = format!("notifications.argoproj.io/subscribe.{trigger}.hook");
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": { "annotations": { subscription: "" } },
            "spec": { "project": "default" }, "status": { "phase": "done", "revision": "r1" },
        })
    };
    let data = json!({
        "service.webhook.hook": format!("url: http://{}/hook", server.address),
        "template.notified": "webhook:\n  hook:\n    method: POST\n    body: '{{.app.metadata.name}} {{.app.status.revision}}'",
        "template.fails": "webhook:\n  hook:\n    method: POST\n    body: '{{fail \"always\"}}'",
        "trigger.on-done": "- when: app.status.phase == 'done'\n  oncePer: app.status.revision\n  send: [notified]",
        "trigger.on-failing": "- when: app.status.phase == 'done'\n  send: [fails]",
    });
    server.put("configmaps", "argocd-notifications-cm", json!({ "metadata": {}, "data": data }));
    for n in 0..150 {
        server.put("applications", &format!("missing-{n:03}"), subscribed("on-missing"));
    }
    for n in 0..120 {
        server.put("applications", &format!("failing-{n:03}"), subscribed("on-failing"));
    }
    let _controller = running(&server).await;
    // A minute later.
    let read = |server: &Server| {
        let requests = server.requests();
        let names = requests.iter().filter_map(|request| request.strip_prefix("get applications "));
        names.map(str::to_owned).collect::<std::collections::BTreeSet<String>>()
    };
    server.until("read what failed", |server| read(server).len() >= 120).await;
    assert!(read(&server).iter().all(|name| name.starts_with("failing-")), "{:?}", read(&server));
    assert_eq!(server.times("list applications"), 1);
    notified_exactly(&server, "end", &FIRST).await;
}

/// A resource is its group, too.
#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_one_name_in_two_groups_keep_apart() {
    let server = world().await;
    let other = || {
        json!({
            "apiVersion": "app.k8s.io/v1beta1", "kind": "Application",
            "metadata": { "annotations": { "notifications.argoproj.io/subscribe.on-done.hook": "" } },
            "spec": {}, "status": { "phase": "done", "revision": "other" },
        })
    };
    server.put("applications.app.k8s.io", "a", other());
    let flags =
        ["--resource", "argoproj.io/v1alpha1/applications", "--resource", "app.k8s.io/v1beta1/applications:app"];
    let _controller = Controller::start_with(&server, &[&["--leader-election", "off"], &flags[..]].concat());
    notified_exactly(&server, "begin", &["a other", "a r1", "b r1", "c r1"]).await;
    // Each has a state of its own, written to it.
    for plural in ["applications", "applications.app.k8s.io"] {
        server.until("written", |server| server.annotation(plural, "a", NOTIFIED).is_some()).await;
    }
    assert!(server.annotation("applications", "a", NOTIFIED).unwrap().contains("r1:"));
    assert!(server.annotation("applications.app.k8s.io", "a", NOTIFIED).unwrap().contains("other:"));
    // That one of them is deleted does not concern the other.
    server.delete("applications.app.k8s.io", "a");
    server.put("applications.app.k8s.io", "a", other());
    let twice = |server: &Server| server.notified().iter().filter(|notified| *notified == "a other").count() == 2;
    server.until("notified of the other a", twice).await;
    notified_exactly(&server, "end", &["a other", "a other", "a r1", "b r1", "c r1"]).await;
}
