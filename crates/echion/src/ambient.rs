//! What templates may ask of the system: randomness, host names, and how long something takes.

use std::net::ToSocketAddrs;
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use echion_runtime::model::Ambient;

/// The longest that looking up a host name may take.
const LOOKUP: Duration = Duration::from_secs(3);

#[expect(clippy::disallowed_methods, reason = "the binary hands the clock to everybody else")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The operating system.
#[derive(Debug)]
pub(crate) struct System;

impl Ambient for System {
    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        getrandom::fill(bytes).map_err(|error| format!("the system has no randomness: {error}"))
    }

    fn resolve(&self, name: &str) -> Result<String, String> {
        let (answer, waiting) = mpsc::sync_channel(1);
        let asked = name.to_owned();
        // The system's own look-up cannot be interrupted; its thread ends when it does.
        let lookup = move || {
            let address =
                (asked.as_str(), 0).to_socket_addrs().map(|mut found| found.next().map(|a| a.ip().to_string()));
            drop(answer.send(address.map_err(|error| error.to_string())));
        };
        std::thread::Builder::new().spawn(lookup).map_err(|error| format!("lookup {name}: {error}"))?;
        match waiting.recv_timeout(LOOKUP) {
            Ok(Ok(Some(address))) => Ok(address),
            Ok(Ok(None)) => Err(format!("lookup {name}: no such host")),
            Ok(Err(error)) => Err(format!("lookup {name}: {error}")),
            Err(_) => Err(format!("lookup {name}: no answer in {} seconds", LOOKUP.as_secs())),
        }
    }

    fn elapsed(&self) -> Duration {
        START.elapsed()
    }
}
