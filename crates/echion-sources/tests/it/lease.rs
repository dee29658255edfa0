//! Who is elected, how long, and at what load. The clock is paused: times are exact.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use echion_sources::kubernetes::{Client, Lease, Term};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::api::{Answer, Asked, client};

/// How long a release may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that keeps one Lease.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    lease: Option<Value>,
    version: u64,
    /// How long a request takes before it has an effect, and how long its answer takes then.
    delay: (Duration, Duration),
    fault: Option<u16>,
    requests: Vec<(String, Instant)>,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        client(move |asked| {
            let server = server.clone();
            async move {
                let (before, after) = {
                    let mut world = server.0.lock().unwrap();
                    world.requests.push((asked.method.clone(), Instant::now()));
                    world.delay
                };
                sleep(before).await;
                let answer = server.0.lock().unwrap().answer(&asked);
                sleep(after).await;
                answer
            }
        })
    }

    fn lease(&self, identity: &str) -> Lease {
        Lease::new(self.client(), "argocd", "echion", identity)
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.0.lock().unwrap());
    }

    fn holder(&self) -> String {
        let world = self.0.lock().unwrap();
        let lease = world.lease.as_ref().unwrap();
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    /// The methods since the last call.
    fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.drain(..).map(|(method, _)| method).collect()
    }
}

impl World {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if let Some(fault) = self.fault {
            return Answer::status(fault, "no");
        }
        let exists = self.lease.is_some();
        match asked.method.as_str() {
            "GET" => match &self.lease {
                Some(lease) => Answer::text(lease.to_string()),
                None => Answer::status(404, "not found"),
            },
            "POST" if exists => Answer::status(409, "exists"),
            "PUT" if !exists => Answer::status(404, "not found"),
            "PUT"
                if asked.body["metadata"]["resourceVersion"]
                    != self.lease.as_ref().unwrap()["metadata"]["resourceVersion"] =>
            {
                Answer::status(409, "conflict")
            }
            _ => {
                self.write(asked.body.clone());
                Answer::text(self.lease.as_ref().unwrap().to_string())
            }
        }
    }

    fn write(&mut self, mut lease: Value) {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if lease["metadata"]["uid"].is_null() {
            lease["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        self.lease = Some(lease);
    }
}

async fn acquire(lease: &Lease) -> bool {
    match lease.acquire(|error| panic!("{error}")).await {
        Term::Leading { continued } => continued,
        Term::Forbidden(reason) => panic!("{reason}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_writes_once_in_two_seconds_and_reads_nothing() {
    let server = Server::default();
    let lease = server.lease("a");
    assert!(!acquire(&lease).await);
    assert_eq!(server.requests(), ["GET", "POST"]);
    assert!(timeout(Duration::from_secs(61), lease.hold()).await.is_err());
    assert_eq!(server.requests(), ["PUT"; 30]);
    lease.release(PATIENCE).await;
    assert_eq!(server.requests(), ["PUT"]);
    assert_eq!(server.holder(), "");
}

#[tokio::test(start_paused = true)]
async fn the_others_wait_and_a_released_lease_is_taken_at_the_next_poll() {
    let server = Server::default();
    let (a, b) = (server.lease("a"), server.lease("b"));
    acquire(&a).await;
    let holding = tokio::spawn({
        let a = a.clone();
        async move { a.hold().await }
    });
    assert!(timeout(Duration::from_secs(60), acquire(&b)).await.is_err());
    let requests = server.requests();
    assert_eq!(requests.iter().filter(|method| *method == "PUT").count(), 29);
    assert_eq!(requests.iter().filter(|method| *method == "GET").count(), 31);
    holding.abort();
    let waiting = tokio::spawn(async move { acquire(&b).await });
    sleep(Duration::from_millis(100)).await;
    a.release(PATIENCE).await;
    let released = Instant::now();
    assert!(!waiting.await.unwrap());
    assert!(released.elapsed() <= Duration::from_secs(2));
    assert_eq!(server.holder(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_silent_holder_is_replaced_after_fifteen_seconds_of_our_own_clock() {
    let server = Server::default();
    acquire(&server.lease("a")).await;
    let started = Instant::now();
    assert!(!acquire(&server.lease("b")).await);
    assert_eq!(started.elapsed(), Duration::from_secs(16));
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_elects_and_keeps() {
    for delay in [
        (Duration::from_millis(2500), Duration::ZERO),
        (Duration::ZERO, Duration::from_millis(2500)),
        (Duration::from_secs(1), Duration::from_millis(4800)),
    ] {
        let server = Server::default();
        server.change(|world| world.delay = delay);
        let lease = server.lease("a");
        let started = Instant::now();
        assert!(!acquire(&lease).await);
        assert_eq!(started.elapsed(), (delay.0 + delay.1) * 2);
        assert!(timeout(Duration::from_secs(300), lease.hold()).await.is_err(), "{delay:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_freezes_for_nine_seconds_changes_nothing() {
    let server = Server::default();
    let lease = server.lease("a");
    acquire(&lease).await;
    for _ in 0..3 {
        server.change(|world| world.delay = (Duration::from_secs(9), Duration::ZERO));
        assert!(timeout(Duration::from_secs(5), lease.hold()).await.is_err());
        server.change(|world| world.delay = Default::default());
        assert!(timeout(Duration::from_secs(20), lease.hold()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_stops_before_it_can_be_replaced_and_keeps_its_memory_if_it_was_not() {
    let server = Server::default();
    let (a, b) = (server.lease("a"), server.lease("b"));
    acquire(&a).await;
    server.change(|world| world.fault = Some(500));
    let started = Instant::now();
    assert_eq!(a.hold().await, "the API server answered 500: no");
    assert_eq!(started.elapsed(), Duration::from_secs(12));
    server.change(|world| world.fault = None);
    assert!(acquire(&a).await, "no other replica has led");

    server.change(|world| world.delay = (Duration::from_secs(3600), Duration::ZERO));
    assert_eq!(a.hold().await, "the API server does not answer");
    server.change(|world| world.delay = Default::default());
    assert!(!acquire(&b).await, "it never led");
    b.release(PATIENCE).await;
    assert!(!acquire(&a).await, "another one has led");
    a.release(PATIENCE).await;
    assert!(acquire(&a).await, "what was released has not been taken");
    assert!(!acquire(&server.lease("a")).await, "another process of the same name remembers nothing");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_got_lost_is_no_loss_and_another_holder_is() {
    let server = Server::default();
    let lease = server.lease("a");
    acquire(&lease).await;
    // It was written, but the answer did not arrive.
    let current = server.0.lock().unwrap().lease.clone().unwrap();
    server.change(|world| world.write(current));
    server.requests();
    assert!(timeout(Duration::from_secs(5), lease.hold()).await.is_err());
    assert_eq!(server.requests(), ["PUT", "GET", "PUT", "PUT"]);

    let mut current = server.0.lock().unwrap().lease.clone().unwrap();
    current["spec"]["holderIdentity"] = json!("b");
    server.change(|world| world.write(current));
    assert_eq!(lease.hold().await, "another replica leads");
    lease.release(PATIENCE).await;
    assert_eq!(server.holder(), "b");

    let lease = server.lease("b");
    acquire(&lease).await;
    server.change(|world| world.lease = None);
    assert_eq!(lease.hold().await, "the Lease was deleted");
}

#[tokio::test(start_paused = true)]
async fn without_the_right_no_leader_is_elected_and_other_failures_are_reported() {
    let server = Server::default();
    server.change(|world| world.fault = Some(403));
    let forbidden = Term::Forbidden("the API server forbids it: no".to_owned());
    assert_eq!(server.lease("a").acquire(|error| panic!("{error}")).await, forbidden);
    server.change(|world| world.fault = Some(500));
    let lease = server.lease("a");
    let mut failures = Vec::new();
    assert!(timeout(Duration::from_secs(5), lease.acquire(|error| failures.push(error.to_owned()))).await.is_err());
    assert_eq!(failures, ["the API server answered 500: no"; 3]);
    assert_eq!(lease.hold().await, "the Lease was never acquired");
}

#[tokio::test(start_paused = true)]
async fn releasing_takes_no_longer_than_it_may() {
    let server = Server::default();
    let lease = server.lease("a");
    acquire(&lease).await;
    server.change(|world| world.delay = (Duration::from_secs(3600), Duration::ZERO));
    let started = Instant::now();
    lease.release(PATIENCE).await;
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

/// What a renewal that is on its way has written is known when the Lease is given back, so that one request does it.
#[tokio::test(start_paused = true)]
async fn a_renewal_on_its_way_does_not_keep_a_slow_server_from_being_released() {
    let server = Server::default();
    let lease = server.lease("a");
    acquire(&lease).await;
    server.change(|world| world.delay = (Duration::from_millis(1250), Duration::from_millis(1250)));
    // The first renewal begins after two seconds and has its effect at 3.25 s; it is forgotten in between.
    for given_up in [2500, 4000] {
        assert!(timeout(Duration::from_millis(given_up), lease.hold()).await.is_err());
        server.requests();
        lease.release(PATIENCE).await;
        assert_eq!((server.holder().as_str(), server.requests()), ("", vec!["PUT".to_owned()]), "{given_up}");
        assert!(acquire(&lease).await);
    }
}
