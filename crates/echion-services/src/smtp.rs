//! Connections to mail servers, with the trust of all services: the library's own knows only webpki's.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use echion_model::SendError;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::Starttls;
use lettre::transport::smtp::extension::{ClientId, Extension};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::answer::excerpt;

/// What a server says before everything else. After STARTTLS it says nothing, but the library waits for it.
const GREETING: &[u8] = b"220 encrypted\r\n";

/// When a conversation is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    Never,
    /// From the beginning.
    Wrapped,
    /// With STARTTLS, or not at all.
    Required,
    /// With STARTTLS where the server has it.
    Offered,
}

/// How a server is reached.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The name that its certificate must have.
    pub(crate) host: &'a str,
    pub(crate) addresses: &'a [SocketAddr],
    pub(crate) encryption: Encryption,
    pub(crate) config: &'a Arc<ClientConfig>,
}

/// A conversation that has begun.
pub(crate) struct Connected {
    pub(crate) connection: AsyncSmtpConnection,
    pub(crate) is_encrypted: bool,
}

/// Begins a conversation. `failed` tells what an error of the library means.
pub(crate) async fn connect(
    place: Place<'_>,
    hello: &ClientId,
    failed: impl Fn(lettre::transport::smtp::Error) -> SendError,
) -> Result<Connected, SendError> {
    let broken = |error: io::Error| SendError::retryable(format!("no connection: {error}"));
    let stream = TcpStream::connect(place.addresses).await.map_err(broken)?;
    if place.encryption == Encryption::Wrapped {
        let stream = Box::new(Encrypted { greeting: &[], inner: handshake(&place, stream).await? });
        let connection = AsyncSmtpConnection::connect_with_transport(stream, hello).await.map_err(failed)?;
        return Ok(Connected { connection, is_encrypted: true });
    }
    // The library keeps one hand on the connection; the other one is for what comes after STARTTLS.
    let stream = stream.into_std().map_err(broken)?;
    let second = stream.try_clone().map_err(broken)?;
    let stream = Box::new(TcpStream::from_std(stream).map_err(broken)?);
    let mut connection = AsyncSmtpConnection::connect_with_transport(stream, hello).await.map_err(&failed)?;
    let is_offered = connection.server_info().supports_feature(Extension::StartTls);
    match place.encryption {
        Encryption::Required if !is_offered => {
            let hint = "use port 465 where the server has TLS from the beginning, or set `tls: none`";
            return Err(SendError::attention("the server offers no STARTTLS", hint));
        }
        Encryption::Required | Encryption::Offered if is_offered => {}
        _ => return Ok(Connected { connection, is_encrypted: false }),
    }
    connection.command(Starttls).await.map_err(&failed)?;
    // Whatever else came in the open goes with it: nobody may put words into the encrypted conversation.
    drop(connection);
    let stream = TcpStream::from_std(second).map_err(broken)?;
    let stream = Box::new(Encrypted { greeting: GREETING, inner: handshake(&place, stream).await? });
    let connection = AsyncSmtpConnection::connect_with_transport(stream, hello).await.map_err(failed)?;
    Ok(Connected { connection, is_encrypted: true })
}

async fn handshake(place: &Place<'_>, stream: TcpStream) -> Result<TlsStream<TcpStream>, SendError> {
    let name = ServerName::try_from(place.host.trim_start_matches('[').trim_end_matches(']').to_owned());
    let name =
        name.map_err(|_| SendError::attention("`host` cannot be the name of a certificate", "correct `host`"))?;
    let encrypted = TlsConnector::from(Arc::clone(place.config)).connect(name, stream).await;
    encrypted.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(objection)) => {
            let reason = format!("the certificate of the server is not trusted: {}", excerpt(&objection.to_string()));
            SendError::attention(reason, "give it, or the authority that signed it, in `caBundle`")
        }
        _ => SendError::retryable(format!("no encrypted connection: {}", excerpt(&error.to_string()))),
    })
}

/// An encrypted connection, with what its reader finds before everything that comes in.
#[derive(Debug)]
struct Encrypted {
    greeting: &'static [u8],
    inner: TlsStream<TcpStream>,
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(into.remaining()));
            into.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
