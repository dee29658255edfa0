//! A vendor on loopback that writes down what comes in and answers as scripted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, headers and a body.
    Answer(u16, Vec<(String, String)>, String),
    /// Everything that came in, under a status.
    Echo(u16),
    /// Nothing, for ever.
    Hang,
    /// The connection ends without an answer.
    Drop,
    /// The response ends in its middle, behind this status.
    Cut(u16),
}

impl Reply {
    pub(crate) fn ok(body: &str) -> Self {
        Reply::Answer(200, Vec::new(), body.to_owned())
    }

    pub(crate) fn status(status: u16) -> Self {
        Reply::Answer(status, Vec::new(), String::new())
    }
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A request by its number since the calls were last taken, and what it is answered with instead.
type Fault = Option<(usize, Reply)>;

/// The first reply whose path begins so; consumed when it is not the last of its path.
type Script = Vec<(String, Reply)>;

#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    script: Arc<Mutex<Script>>,
    fault: Arc<Mutex<Fault>>,
    task: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (calls, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Script::new())));
        let fault = Arc::new(Mutex::new(None));
        let shared = (Arc::clone(&calls), Arc::clone(&script), Arc::clone(&fault));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (calls, script, fault) = shared.clone();
                tokio::spawn(async move { drop(serve(stream, &calls, &script, &fault).await) });
            }
        });
        Self { address, calls, script, fault, task }
    }

    /// From now on the request of this number, counted from 0, gets another reply than the script's.
    pub(crate) fn fail_at(&self, number: usize, reply: Reply) {
        self.take();
        *self.fault.lock().unwrap() = Some((number, reply));
    }

    /// Waits until the request of [`Recorder::fail_at`] is in: a client that was in a hurry may be gone before.
    pub(crate) async fn reached(&self) {
        loop {
            let at = self.fault.lock().unwrap().as_ref().map_or(0, |(at, _)| *at);
            if self.calls.lock().unwrap().len() > at {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends [`Recorder::fail_at`].
    pub(crate) fn heal(&self) {
        self.take();
        *self.fault.lock().unwrap() = None;
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What requests are answered with from now on, by the beginning of their path. Of several for the same path each but the last
    /// is used once.
    pub(crate) fn script(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    /// The calls since the last look.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

async fn serve(
    mut stream: TcpStream,
    calls: &Mutex<Vec<Call>>,
    script: &Mutex<Script>,
    fault: &Mutex<Fault>,
) -> std::io::Result<()> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16384]);
    let call = loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(call) = parse(&bytes) {
            break call;
        }
    };
    let reply = {
        let mut script = script.lock().unwrap();
        let fits = |(path, _): &(String, Reply)| call.path.starts_with(path.as_str());
        let at = script.iter().position(fits);
        let more = at.is_some_and(|at| script[at + 1..].iter().any(|(path, _)| *path == script[at].0));
        match at {
            Some(at) if more => script.remove(at).1,
            Some(at) => script[at].1.clone(),
            None => Reply::status(404),
        }
    };
    let number = {
        let mut calls = calls.lock().unwrap();
        calls.push(call);
        calls.len() - 1
    };
    let reply = match &*fault.lock().unwrap() {
        Some((at, instead)) if *at == number => instead.clone(),
        _ => reply,
    };
    let (status, headers, body) = match reply {
        Reply::Answer(status, headers, body) => (status, headers, body),
        Reply::Echo(status) => (status, Vec::new(), String::from_utf8_lossy(&bytes).into_owned()),
        Reply::Hang => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            return Ok(());
        }
        Reply::Drop => return Ok(()),
        Reply::Cut(status) => {
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 1000\r\n\r\n{{\"ok\":");
            return stream.write_all(head.as_bytes()).await;
        }
    };
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
    stream.shutdown().await
}

fn parse(bytes: &[u8]) -> Option<Call> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    let body = bytes.get(end + 4..end + 4 + length)?;
    Some(Call { method, path, headers, body: String::from_utf8_lossy(body).into_owned() })
}
