//! The HTTP server.
//!
//! Its port is open to every pod. What half-sent requests and idle connections can use up is therefore limited: connections are few, and the oldest one makes
//! room for a new one, since an honest request takes milliseconds.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::{Health, Metrics};

/// The format that the encoder writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The format of Prometheus, which every tool reads.
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How much whoever connects can use up.
#[derive(Clone, Copy)]
struct Limits {
    /// Open connections.
    connections: usize,
    /// How long the head of a request may take, and a connection be idle.
    header_timeout: Duration,
}

const LIMITS: Limits = Limits { connections: 64, header_timeout: Duration::from_secs(10) };

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 128;

/// Listens at a port of all addresses, of IPv6 and IPv4; of IPv4 alone where there is no IPv6. It needs a runtime.
///
/// # Errors
/// When the port cannot be listened at.
pub fn bind(port: u16) -> io::Result<TcpListener> {
    match listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        // Another program has the port: half of it would be worse than an error.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        }
        result => result,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // As everywhere but on Windows, where it means something else: a restart need not wait for connections of the last run.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Serves `/metrics`, `/healthz` and `/readyz` until `stop` ends. `clock` returns milliseconds since 1970.
///
/// # Errors
/// None at present: a connection that cannot be accepted is not the end.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let answer = |verdict: Result<(), String>| match verdict {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    };
    let scrape = async move |headers: HeaderMap| {
        let accept: Vec<&str> =
            headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        if prefers_open_metrics(&accept.join(",")) {
            ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.text())
        } else {
            ([(header::CONTENT_TYPE, PLAIN)], plain(&metrics.text()))
        }
    };
    let (alive, working) = (Arc::clone(&health), health);
    let (now, then) = (Arc::clone(&clock), clock);
    let router = Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(async move || answer(alive.alive(now()))))
        .route("/readyz", get(async move || answer(working.working(then()))));
    tokio::select! {
        () = accept(&listener, &router, LIMITS) => {}
        () = stop => {}
    }
    Ok(())
}

/// Accepts connections for ever; they end with it.
async fn accept(listener: &TcpListener, router: &Router, limits: Limits) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    let (mut tasks, mut open) = (JoinSet::new(), VecDeque::<AbortHandle>::new());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, perhaps.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        while tasks.try_join_next().is_some() {}
        open.retain(|connection| !connection.is_finished());
        if open.len() >= limits.connections
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        open.push_back(tasks.spawn(async move {
            // How it ends concerns only the other side.
            let _ = connection.await;
        }));
    }
}

/// Whether an `Accept` header prefers OpenMetrics to plain text.
fn prefers_open_metrics(accept: &str) -> bool {
    let (mut open, mut text) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if media.eq_ignore_ascii_case("application/openmetrics-text") {
            open = f64::max(open, quality);
        } else if media.eq_ignore_ascii_case("text/plain") {
            text = f64::max(text, quality);
        }
    }
    open > 0.0 && open >= text
}

/// The text format of Prometheus: there a counter is described under the name of its samples, with `_total`, and nothing marks the end.
fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = Some(described);
            continue;
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|described| described.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            let kind = if kind == "unknown" { "untyped" } else { kind };
            if let Some((_, help)) = help.take().and_then(|help| help.split_once(' ')) {
                text.push_str(&format!("# HELP {name}{suffix} {help}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
            continue;
        }
        if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use echion_model::{Outcome, Receipt};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::{Instant, timeout};

    use super::*;

    async fn ask(address: SocketAddr, path: &str, headers: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    fn start() -> (u16, Arc<Metrics>, JoinSet<()>) {
        let (listener, metrics) = (bind(0).unwrap(), Arc::new(Metrics::default()));
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        let served = serve(listener, Arc::clone(&metrics), Arc::default(), Arc::new(|| 0), std::future::pending());
        tasks.spawn(async move { served.await.unwrap() });
        (port, metrics, tasks)
    }

    #[tokio::test]
    async fn both_families_of_addresses_are_answered() {
        let (port, _, _tasks) = start();
        for address in [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))] {
            let answer = ask(address, "/healthz", "").await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"), "{address}: {answer}");
        }
        assert_eq!(bind(port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn the_format_of_metrics_is_the_one_that_is_asked_for() {
        let (port, metrics, _tasks) = start();
        metrics.attempted("on-deployed", "slack", &Outcome::Delivered(Receipt::default()), 30);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let answer = ask(address, "/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n").await.unwrap();
        assert!(answer.contains("content-type: application/openmetrics-text;") && answer.ends_with("# EOF\n"));
        for headers in ["", "Accept: */*\r\n"] {
            let answer = ask(address, "/metrics", headers).await.unwrap();
            assert!(answer.contains("content-type: text/plain; version=0.0.4;"), "{answer}");
            let (name, labels) = (
                "argocd_notifications_deliveries_total",
                r#"{trigger="on-deployed",service="slack",succeeded="true"}"#,
            );
            let expected =
                format!("# HELP {name} Number of delivered notifications.\n# TYPE {name} counter\n{name}{labels} 1\n");
            assert!(answer.contains(&expected), "{answer}");
            assert!(answer.contains("# TYPE echion_delivery_delay_seconds histogram\n"));
            assert!(!answer.contains("# EOF"));
        }
    }

    #[test]
    fn plain_text_is_the_default_and_quality_decides() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", true),
            ("application/openmetrics-text;q=0.1, text/plain", false),
            ("application/openmetrics-text;q=0", false),
        ] {
            assert_eq!(prefers_open_metrics(accept), expected, "{accept}");
        }
    }

    #[tokio::test]
    async fn connections_that_send_nothing_do_not_stop_anybody_and_are_closed() {
        let listener = bind(0).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()));
        let router = Router::new().route("/healthz", get(async || "ok\n"));
        let limits = Limits { connections: 64, header_timeout: Duration::from_millis(300) };
        let serving = tokio::spawn(async move { accept(&listener, &router, limits).await });
        let mut half_open = Vec::new();
        for index in 0..200 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            if index % 2 == 0 {
                stream.write_all(b"GET /healthz HT").await.unwrap();
            }
            half_open.push(stream);
        }
        let started = Instant::now();
        assert!(ask(address, "/healthz", "").await.unwrap().ends_with("ok\n"));
        assert!(started.elapsed() < limits.header_timeout);
        // All of them end: the oldest for the sake of the newest, the others after the time-out.
        for stream in &mut half_open {
            let mut rest = Vec::new();
            let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.unwrap();
        }
        assert!(ask(address, "/healthz", "").await.unwrap().ends_with("ok\n"));
        serving.abort();
    }
}
