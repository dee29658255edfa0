//! Local stand-ins that behave as their vendors document: a DingTalk robot, other chat services, a mail server and a catcher of
//! webhooks, on loopback only.
//!
//! Users try out a configuration with them, and the tests find in them a vendor that can be made to fail.
//!
//! | Request | Effect |
//! | --- | --- |
//! | `POST …/robot/send?access_token=…` | a DingTalk robot; it refuses with HTTP 200, as the real one does |
//! | the paths of Slack, Feishu, WeCom, Telegram, Discord, Teams, … | that service, as far as its answers go |
//! | any other | caught, answered with 200 `ok` |
//! | `GET /` | a page of what came in |
//! | `GET /messages`, `DELETE /messages` | what came in, as JSON; forget it |
//! | `DELETE /robots` | robots forget how many messages came, and hear again |
//! | `GET /faults`, `POST /faults`, `DELETE /faults` | what goes wrong on purpose: a list of [`Fault`] |

mod clock;
mod connection;
mod dingtalk;
mod fault;
mod mail;
mod page;
mod received;
mod server;
mod vendors;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::connection::{Client, Gate};
use crate::dingtalk::Robots;
use crate::fault::Faults;
use crate::server::{Kept, Shared};

pub use dingtalk::DingTalkOptions;
pub use fault::Fault;
pub use mail::{Mail, MailOptions, MailServer};
pub use received::Received;

/// How long requests that are on their way may take when the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// How many messages a subscriber may be behind.
const BEHIND: usize = 1000;

/// The current time in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What to start.
#[derive(Clone)]
pub struct Options {
    /// The port; 0 takes any that is free.
    pub port: u16,
    /// The robots.
    pub dingtalk: DingTalkOptions,
    /// The time, for signatures, rates and `Date`.
    pub clock: Clock,
}

impl Options {
    /// Any free port, and robots with no security settings.
    pub fn new(clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { port: 0, dingtalk: DingTalkOptions::default(), clock: Arc::new(clock) }
    }
}

/// A running sandbox. It ends when it is dropped.
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Starts it on `127.0.0.1`.
    ///
    /// # Errors
    /// When the port is taken, or an address in the options is not one.
    pub async fn start(options: Options) -> io::Result<Self> {
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
        let robots = Robots::new(options.dingtalk).map_err(invalid)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let (news, _) = broadcast::channel(BEHIND);
        let kept = Kept { robots, faults: Faults::default(), messages: VecDeque::new(), count: 0 };
        let mut signal = stopped.clone();
        let shared = Arc::new(Shared { clock: options.clock, news, stopped, state: Mutex::new(kept) });
        let router = Router::new().fallback(server::serve).with_state(Arc::clone(&shared));
        let service = router.into_make_service_with_connect_info::<Client>();
        let serving = axum::serve(Gate(listener), service).with_graceful_shutdown(async move {
            // An error means that the sandbox was dropped, which ends it as well.
            let _ = signal.wait_for(|stop| *stop).await;
        });
        let task = tokio::spawn(async move { serving.await });
        Ok(Self { address, shared, stop, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a path: `/robot/send?access_token=x`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{}", self.address, path.trim_start_matches('/'))
    }

    /// What came in: the last thousand, the newest last.
    #[must_use]
    pub fn messages(&self) -> Vec<Received> {
        self.shared.state().messages.iter().cloned().collect()
    }

    /// Everything that comes in from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Received> {
        self.shared.news.subscribe()
    }

    /// Starts a mail server whose mails are messages here.
    ///
    /// # Errors
    /// When the port is not free, or the certificate cannot be used.
    pub async fn start_mail(&self, options: MailOptions) -> io::Result<MailServer> {
        let shared = Arc::clone(&self.shared);
        MailServer::start_with(options, move |mail| shared.take_mail(mail)).await
    }

    /// Replaces the faults; none makes everything well.
    ///
    /// # Errors
    /// When one of them does not say what goes wrong, or says two things. The old ones stay.
    pub fn set_faults(&self, faults: Vec<Fault>) -> Result<(), String> {
        self.shared.state().faults.set(faults)
    }

    /// Stops it: requests on their way get their answers, and those that hang are cut off.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
