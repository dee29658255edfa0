//! Watches small built-in objects: the client lists and watches them, and this keeps it going.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use kube::Api;
use kube::runtime::watcher as start;
use kube::runtime::watcher::{self, Config, Event};
use tokio::time::sleep;

use super::backoff::{BUSY, pause};
use super::reason;

/// Events that do not end: failures are followed by pauses, and a watch that is refused because its history is gone, which would be tried
/// from there for ever, begins again.
pub(crate) fn lasting<K>(api: Api<K>, config: Config) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let begin = move || Box::pin(start(api.clone(), config.clone()));
    let first = (begin(), begin, 0, Duration::ZERO);
    stream::unfold(first, async |(mut events, begin, mut failures, wait)| {
        sleep(wait).await;
        let event = events.next().await?;
        let mut wait = Duration::ZERO;
        match &event {
            // That a list is tried again does not mean that it succeeds.
            Ok(Event::Init) => {}
            Ok(_) => failures = 0,
            Err(_) => {
                wait = pause(failures);
                failures += 1;
            }
        }
        match code(&event) {
            Some(410) => events = begin(),
            Some(429) => wait = wait.max(BUSY),
            _ => {}
        }
        Some((event, (events, begin, failures, wait)))
    })
}

/// What the API server answered, where it refused.
fn code<T>(event: &watcher::Result<T>) -> Option<u16> {
    match event {
        Err(
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status)),
        ) => Some(status.code),
        _ => None,
    }
}

pub(crate) fn describe(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(cause) => format!("cannot list: {}", reason(cause)),
        watcher::Error::WatchStartFailed(cause) | watcher::Error::WatchFailed(cause) => {
            format!("cannot watch: {}", reason(cause))
        }
        watcher::Error::WatchError(status) => format!("the watch ended: {} {}", status.code, status.message),
        other => other.to_string(),
    }
}
