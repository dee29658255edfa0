//! The built program as `echion controller`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) struct Controller {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Controller {
    /// Starts without waiting.
    pub(crate) fn spawn(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_echion"))
            .arg("controller")
            .args(["--kubeconfig", &kubeconfig.to_string_lossy(), "--metrics-port", "0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sink, stderr) = (Arc::clone(&lines), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    /// Starts, and waits until all resources are listed.
    pub(crate) async fn start(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let controller = Self::spawn(kubeconfig, arguments);
        controller.logged("all resources are listed", Duration::from_secs(60)).await;
        controller
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a line with this text.
    pub(crate) async fn logged(&self, text: &str, limit: Duration) -> String {
        let start = Instant::now();
        loop {
            if let Some(line) = self.log().iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(start.elapsed() < limit, "no line with {text:?}:\n{}", self.log().join("\n"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A page of the HTTP server: status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let line = self.logged("serving metrics", Duration::from_secs(20)).await;
        let address = serde_json::from_str::<Value>(&line).unwrap()["address"].as_str().unwrap().to_owned();
        let address = address.replace("0.0.0.0", "127.0.0.1");
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        self.child.wait().unwrap().code()
    }

    /// A line of `/proc/PID/status` in KiB.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let found = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
        found.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Time on a processor so far, in ticks of 10 ms.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.kill();
    }
}
