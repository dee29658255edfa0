//! Connections that can be made to fail: an answer that never comes, or stops in the middle.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const SOUND: u8 = 0;
const CUT: u8 = 1;
const BROKEN: u8 = 2;

/// How much of an answer is kept back when it is cut; every answer is longer.
const KEPT_BACK: usize = 8;

/// The other end of a connection, and the handle that breaks it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    state: Arc<AtomicU8>,
}

impl Client {
    /// Nothing more is written: the connection closes without an answer.
    pub(crate) fn drop_connection(&self) {
        self.state.store(BROKEN, Ordering::SeqCst);
    }

    /// The next answer stops before its end, and the connection closes.
    pub(crate) fn cut_answer(&self) {
        self.state.store(CUT, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Gate>> for Client {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listener whose connections can be broken.
pub(crate) struct Gate(pub(crate) TcpListener);

impl Listener for Gate {
    type Io = Connection;
    type Addr = Client;

    async fn accept(&mut self) -> (Connection, Client) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    let state = Arc::new(AtomicU8::new(SOUND));
                    return (Connection { stream, state: Arc::clone(&state) }, Client { address, state });
                }
                // Too many open files, or a connection that went away again: both pass.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Client> {
        Ok(Client { address: self.0.local_addr()?, state: Arc::default() })
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    state: Arc<AtomicU8>,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.state.load(Ordering::SeqCst) {
            BROKEN => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            CUT => {
                let end = buf.len().saturating_sub(KEPT_BACK);
                let written = Pin::new(&mut self.stream).poll_write(cx, &buf[..end]);
                if written.is_ready() {
                    self.state.store(BROKEN, Ordering::SeqCst);
                }
                written
            }
            _ => Pin::new(&mut self.stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
