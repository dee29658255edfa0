//! A mail server on loopback that takes mails and shows them: SMTP with STARTTLS, AUTH PLAIN and AUTH LOGIN.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Longest line and mail in bytes.
const LIMITS: (usize, usize) = (64 * 1024, 8 * 1024 * 1024);

/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// How the server behaves.
#[derive(Clone, Debug, Default)]
pub struct MailOptions {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Certificate and key in PEM; with them STARTTLS is offered.
    pub certificate: Option<(String, String)>,
    /// User and password; without them anybody may send, and every login is the right one.
    pub login: Option<(String, String)>,
    /// Answers a recipient with this instead of taking it, such as `550 no such user`.
    pub refusal: Option<String>,
}

/// A mail that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Headers and body.
    pub text: String,
    /// It came over TLS.
    pub encrypted: bool,
}

/// A running mail server.
#[derive(Debug)]
pub struct MailServer {
    /// Where it listens.
    pub address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
    task: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    /// Starts a server on this machine.
    ///
    /// # Errors
    /// When the port is not free, or the certificate cannot be used.
    pub async fn start(options: MailOptions) -> io::Result<Self> {
        Self::start_with(options, |_| {}).await
    }

    /// The same, with a listener that every mail is handed to.
    pub(crate) async fn start_with(
        options: MailOptions,
        taken: impl Fn(&Mail) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let address = listener.local_addr()?;
        let mails = Arc::new(Mutex::new(Vec::new()));
        let acceptor = options.certificate.as_ref().map(|(certificate, key)| acceptor(certificate, key)).transpose()?;
        let session =
            Session { options: Arc::new(options), acceptor, mails: Arc::clone(&mails), taken: Arc::new(taken) };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = session.clone();
                tokio::spawn(async move { drop(session.begin(stream).await) });
            }
        });
        Ok(Self { address, mails, task })
    }

    /// The mails that were taken.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn acceptor(certificate: &str, key: &str) -> io::Result<TlsAcceptor> {
    let wrong = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| wrong(e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain.map_err(|e| wrong(e.to_string()))?, key)
        .map_err(|e| wrong(e.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[derive(Clone)]
struct Session {
    options: Arc<MailOptions>,
    acceptor: Option<TlsAcceptor>,
    mails: Arc<Mutex<Vec<Mail>>>,
    taken: Arc<dyn Fn(&Mail) + Send + Sync>,
}

impl Session {
    async fn begin(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.write_all(b"220 sandbox ready\r\n").await?;
        let mut stream = BufReader::new(stream);
        if self.talk(&mut stream, false).await?
            && let Some(acceptor) = &self.acceptor
        {
            let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
            self.talk(&mut stream, true).await?;
        }
        Ok(())
    }

    /// Talks until the client leaves; `true` when it asks for TLS.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        encrypted: bool,
    ) -> io::Result<bool> {
        let mut known = self.options.login.is_none();
        let (mut from, mut to) = (String::new(), Vec::new());
        while let Some(line) = line(stream).await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let path =
                || rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
            let answer = match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    let tls = if self.acceptor.is_some() && !encrypted { "250-STARTTLS\r\n" } else { "" };
                    format!("250-sandbox\r\n{tls}250-AUTH PLAIN LOGIN\r\n250 8BITMIME")
                }
                "HELO" | "RSET" | "NOOP" => "250 ok".to_owned(),
                "STARTTLS" if self.acceptor.is_some() && !encrypted => {
                    stream.write_all(b"220 go on\r\n").await?;
                    return Ok(true);
                }
                "AUTH" => {
                    let Some(login) = login(stream, rest).await? else { return Ok(false) };
                    known = self.is_login(&login);
                    if known { "235 welcome" } else { "535 wrong user or password" }.to_owned()
                }
                "MAIL" if !known => "530 log in first".to_owned(),
                "MAIL" => {
                    from = path().unwrap_or_default();
                    "250 ok".to_owned()
                }
                "RCPT" => match &self.options.refusal {
                    Some(refusal) => refusal.clone(),
                    None => {
                        to.extend(path());
                        "250 ok".to_owned()
                    }
                },
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    let text = data(stream).await?;
                    let mail = Mail { from: std::mem::take(&mut from), to: std::mem::take(&mut to), text, encrypted };
                    (self.taken)(&mail);
                    self.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                    "250 taken".to_owned()
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(false);
                }
                _ => "502 not understood".to_owned(),
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            stream.flush().await?;
        }
        Ok(false)
    }

    fn is_login(&self, given: &Login) -> bool {
        let right = |(user, password): &(String, String)| given.user == *user && given.password == *password;
        self.options.login.as_ref().is_none_or(right)
    }
}

/// Who logs in.
#[derive(Default)]
struct Login {
    user: String,
    password: String,
}

/// Reads user and password as PLAIN (at once, or after a prompt) or LOGIN (one after the other); `None` when the client is gone.
async fn login<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, asked: &str) -> io::Result<Option<Login>> {
    let decode = |text: &str| {
        let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (mechanism, initial) = asked.split_once(' ').unwrap_or((asked, ""));
    let mut given = Vec::from_iter(Some(initial.to_owned()).filter(|text| !text.is_empty()));
    let prompts: &[&str] = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => &[""],
        // `Username:` and `Password:`, as the mechanism wants them.
        "LOGIN" => &["VXNlcm5hbWU6", "UGFzc3dvcmQ6"],
        _ => &[],
    };
    for prompt in prompts.iter().skip(given.len()) {
        stream.write_all(format!("334 {prompt}\r\n").as_bytes()).await?;
        stream.flush().await?;
        match line(stream).await? {
            Some(text) => given.push(text),
            None => return Ok(None),
        }
    }
    let given: Vec<String> = given.iter().map(|text| decode(text)).collect();
    Ok(Some(match given.as_slice() {
        [user, password] => Login { user: user.clone(), password: password.clone() },
        [plain] => {
            let mut parts = plain.split('\0').skip(1).map(str::to_owned);
            Login { user: parts.next().unwrap_or_default(), password: parts.next().unwrap_or_default() }
        }
        _ => Login::default(),
    }))
}

/// The next line without its end; `None` when the client is gone or silent.
async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(SILENCE, stream.read_until(b'\n', &mut bytes)).await;
    match read {
        Ok(Ok(1..)) if bytes.len() <= LIMITS.0 => Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())),
        Ok(Err(error)) => Err(error),
        _ => Ok(None),
    }
}

/// The lines up to the single dot.
async fn data<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut text = String::new();
    while let Some(line) = line(stream).await? {
        if line == "." || text.len() > LIMITS.1 {
            break;
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
    Ok(text)
}
