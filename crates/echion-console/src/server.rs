//! The HTTP server.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::{Health, Metrics};

/// The format that the encoder writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/metrics`, `/healthz` and `/readyz` until `stop` ends. `clock` tells milliseconds since 1970.
///
/// # Errors
/// When the listener fails.
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
    let (alive, working) = (Arc::clone(&health), health);
    let (now, then) = (Arc::clone(&clock), clock);
    let router = Router::new()
        .route("/metrics", get(async move || ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.text())))
        .route("/healthz", get(async move || answer(alive.alive(now()))))
        .route("/readyz", get(async move || answer(working.working(then()))));
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}
