//! The only place that builds an HTTP client: time-outs, body limits, TLS, proxies, redaction.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use echion_model::{Environment, OptionsError, Secret, SendError};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Method, redirect};
use serde::Deserialize;
use url::Url;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How much of an answer is read; what vendors say fits many times over.
const ANSWER: usize = 64 * 1024;

static PROVIDER: Once = Once::new();

/// Transport options that every HTTP service has (contract 5.0, family A).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Transport {
    /// Accept any certificate. Custom certificates are ignored then.
    pub insecure_skip_verify: bool,
    /// Accepted for compatibility; one client per service keeps as many idle connections as are useful.
    pub max_idle_conns: i64,
    /// Idle connections kept for each host; 0 means no limit.
    pub max_idle_conns_per_host: i64,
    /// Accepted for compatibility; a channel's own concurrency limits its connections.
    pub max_conns_per_host: i64,
    /// How long an idle connection is kept, as a Go duration such as `90s`.
    pub idle_conn_timeout: String,
    /// How long a request may take.
    pub timeout: Timeout,
}

/// How long a request may take, from its start to the last byte of the answer: a Go duration such as `30s`.
#[derive(Clone, Copy, Debug)]
pub struct Timeout(pub Duration);

impl Default for Timeout {
    fn default() -> Self {
        Self(Duration::from_secs(30))
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let nanos = echion_value::time::parse_duration(&text).ok().and_then(|nanos| u64::try_from(nanos).ok());
        match nanos.filter(|nanos| *nanos > 0) {
            Some(nanos) => Ok(Self(Duration::from_nanos(nanos))),
            None => Err(serde::de::Error::custom(format!("`{text}` is not a duration above zero such as `30s`"))),
        }
    }
}

/// A client for one service instance.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    timeout: Duration,
}

/// A request. Whatever is secret in it stays in it.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Where to.
    pub url: Address,
    /// Headers; of equal names the last one wins.
    pub headers: Vec<(String, Secret)>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Retry-After` in seconds, when there is one.
    pub retry_after: Option<Duration>,
    /// The vendor's clock (`Date`), in milliseconds since 1970.
    pub date: Option<i64>,
    /// The beginning of the body.
    pub body: String,
}

/// An address whose path and query may hold a token: it prints as scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads an absolute `http` or `https` address.
    ///
    /// # Errors
    /// What was expected. The address itself is not repeated: it may hold a token.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim()).map_err(|error| format!("is not an address: {error}"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(url)),
            scheme => Err(format!("must begin with `https://` or `http://`, not `{scheme}:`")),
        }
    }

    /// The address for the request that needs it.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The host without port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The same address with pairs added to its query.
    #[must_use]
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        Self(url)
    }

    /// Replaces in `text` everything of this address that could be a token.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.replace(self.0.as_str(), &self.to_string());
        let path = self.0.path_segments().into_iter().flatten().map(str::to_owned);
        let query = self.0.query_pairs().map(|(_, v)| v.into_owned());
        // As it is written in the address too, where some characters are escaped.
        let pairs = self.0.query().into_iter().flat_map(|query| query.split('&'));
        let raw = pairs.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
        // Short parts are words such as `send`; tokens are long.
        for part in path.chain(query).chain(raw).filter(|p| p.len() >= 8) {
            text = text.replace(&part, "****");
        }
        match self.0.password().filter(|p| !p.is_empty()) {
            Some(password) => text.replace(password, "****"),
            None => text,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.host())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str("/****")
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Client {
    /// A client for requests to `host`.
    ///
    /// # Errors
    /// When the host's certificate file cannot be used, or the system has no certificates at all.
    pub fn open(transport: &Transport, host: &str, environment: &Environment) -> Result<Self, OptionsError> {
        // The one TLS stack: ring, installed once for the process.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let mut builder = reqwest::Client::builder()
            .user_agent(if environment.user_agent.is_empty() { "echion" } else { &environment.user_agent })
            .connect_timeout(CONNECT)
            .timeout(transport.timeout.0)
            // A referrer would show the address, and the token in it, to wherever a redirect leads.
            .referer(false)
            .redirect(redirect::Policy::limited(10));
        if transport.max_idle_conns_per_host > 0 {
            builder = builder.pool_max_idle_per_host(usize::try_from(transport.max_idle_conns_per_host).unwrap_or(1));
        }
        if is_this_machine(host) {
            // As Go does it: what runs on this machine is not behind a proxy.
            builder = builder.no_proxy();
        }
        if transport.insecure_skip_verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if let Some(file) = environment.certificates.as_deref().and_then(|folder| certificate_file(folder, host))
        {
            // These replace the system's, as in the peer.
            builder = builder.tls_certs_only(file);
        }
        let inner = builder.build().map_err(|error| OptionsError {
            message: format!("the HTTP client cannot be built: {}", error.without_url()),
            at: (1, 1),
            hint: "install the system's CA certificates (package `ca-certificates`)".to_owned(),
        })?;
        Ok(Self { inner, timeout: transport.timeout.0 })
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// When no answer came: refused, timed out, cut off, not trusted.
    pub async fn send(&self, request: Request) -> Result<Answer, SendError> {
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| {
            SendError::permanent(
                format!("`{}` is not an HTTP method", request.method),
                "correct `method` in the template",
            )
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let bad = |what: &str| {
                SendError::permanent(
                    format!("header `{name}` has an invalid {what}"),
                    "correct `headers` of the service",
                )
            };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
            let mut content = HeaderValue::from_str(value.expose()).map_err(|_| bad("value"))?;
            content.set_sensitive(true);
            headers.insert(header, content);
        }
        let result =
            self.inner.request(method, request.url.url().clone()).headers(headers).body(request.body).send().await;
        let mut response = result.map_err(|error| self.failure(&error, &request.url))?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let date = header("date").and_then(|text| http_date(&text));
        let retry_after = header("retry-after").and_then(|text| match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            // A date counts from the vendor's own clock, so skew does not matter.
            Err(_) => Some(Duration::from_millis(u64::try_from(http_date(&text)? - date?).ok()?)),
        });
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < ANSWER {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(self.failure(&error, &request.url)),
            }
        }
        body.truncate(ANSWER);
        Ok(Answer { status, retry_after, date, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn failure(&self, error: &reqwest::Error, url: &Address) -> SendError {
        if error.is_redirect() {
            return SendError::permanent(format!("{url} redirects in a circle"), "correct the address of the service");
        }
        if error.is_builder() {
            return SendError::permanent(
                format!("no request can be made for {url}"),
                "correct the address of the service",
            );
        }
        let what = if error.is_timeout() && error.is_connect() {
            format!("no connection to {url} within {:?}", CONNECT.min(self.timeout))
        } else if error.is_timeout() {
            format!("no answer from {url} within {:?}", self.timeout)
        } else if error.is_connect() {
            format!("no connection to {url}: {}", url.redact(&innermost(error)))
        } else {
            format!("{url} broke off: {}", url.redact(&innermost(error)))
        };
        SendError::retryable(what)
    }
}

/// Whether a host is the machine itself: `localhost` or a loopback address.
fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Certificates for a host: a PEM file of its name, if it is there and holds any (contract 5.0).
fn certificate_file(folder: &Path, host: &str) -> Option<Vec<Certificate>> {
    if host.is_empty() || host.contains(['/', '\\']) {
        return None;
    }
    let bytes = std::fs::read(folder.join(host)).ok()?;
    Certificate::from_pem_bundle(&bytes).ok().filter(|list| !list.is_empty())
}

/// The cause at the bottom says most and repeats least; it never holds the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in milliseconds since 1970.
fn http_date(text: &str) -> Option<i64> {
    let mut parts = text.split([' ', ':']).skip(1);
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = i64::try_from(months.iter().position(|m| *m == name)?).ok()? + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let (hour, minute, second): (i64, i64, i64) =
        (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if !(1970..=9999).contains(&year) {
        return None;
    }
    // Days from the civil date, years beginning in March.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let era_day = (shifted % 400) * 365 + (shifted % 400) / 4 - (shifted % 400) / 100 + day_of_year;
    let days = (shifted / 400) * 146_097 + era_day - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_answers() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800_000));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        for (url, want) in [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
            ("http://localhost.test", false),
        ] {
            assert_eq!(is_this_machine(Address::parse(url).unwrap().host()), want, "{url}");
        }
    }

    #[test]
    fn an_address_shows_no_token() {
        let address =
            Address::parse("https://user:hunter22@h.test:8443/hook/0123456789abcdef?access_token=t0ps3cr3t").unwrap();
        assert_eq!(format!("{address} {address:?}"), "https://h.test:8443/**** https://h.test:8443/****");
        let escaped = Address::parse("https://h.test/x?key=t0ps%2B3cr3t").unwrap();
        assert_eq!(escaped.redact("/x?key=t0ps%2B3cr3t is t0ps+3cr3t"), "/x?key=**** is ****");
        let leaked = "token 0123456789abcdef, t0ps3cr3t and hunter22";
        assert_eq!(address.redact(leaked), "token ****, **** and ****");
        let error = Address::parse("ftp://x/t0ps3cr3t").unwrap_err();
        assert!(!error.contains("t0ps3cr3t"), "{error}");
    }
}
