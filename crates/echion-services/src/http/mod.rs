//! The only place that builds an HTTP client: time-outs, body limits, TLS, proxies, credentials, redaction.

mod address;
mod auth;
mod date;
mod request;
mod transport;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use echion_model::{Condition, Environment, OptionsError, Receipt, Secret, SendError};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, redirect};

use crate::answer;
use crate::redact::Redactor;

pub(crate) use address::Address;
pub(crate) use auth::{Fresh, Held, TokenCache, fresh, hex, hmac_sha256};
pub(crate) use request::{Answer, Request};
pub(crate) use transport::{Transport, is_this_machine};

use transport::{CONNECT, Refuse};

/// How much of an answer is read; what vendors say fits many times over.
const ANSWER: usize = 64 * 1024;

static PROVIDER: Once = Once::new();

/// Installs the one TLS stack: ring, once for the process.
pub(crate) fn install_tls() {
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// The HTTP side of one service instance: one client for each kind of host, with the shared options.
#[derive(Clone, Debug)]
pub(crate) struct Http(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    transport: Transport,
    timeout: Duration,
    environment: Environment,
    success: Option<Arc<dyn Condition>>,
    oauth: Option<(auth::OAuth2, Address, TokenCache)>,
    redactor: Redactor,
    /// Hosts differ in their certificates and in whether a proxy lies between.
    clients: Mutex<HashMap<String, reqwest::Client>>,
}

impl Http {
    /// Checks the shared options, and that a client can be built.
    pub(crate) fn open(
        transport: Transport,
        timeout: Duration,
        environment: &Environment,
        redactor: Redactor,
        refuse: Refuse<'_>,
    ) -> Result<Self, OptionsError> {
        install_tls();
        let success = transport::check(&transport, environment, refuse)?;
        let oauth = match &transport.oauth2 {
            Some(oauth) => {
                let address =
                    Address::parse(&oauth.token_url).map_err(|e| refuse("oauth2", format!("`oauth2.tokenURL` {e}")))?;
                Some((oauth.clone(), address, TokenCache::default()))
            }
            None => None,
        };
        if transport.hmac.as_ref().is_some_and(|hmac| hmac.secret.is_empty() || hmac.header.is_empty()) {
            return Err(refuse("hmac", "`hmac` needs `secret` and `header`".to_owned()));
        }
        let timeout = transport.timeout.map_or(timeout, |timeout| timeout.0);
        let environment = environment.clone();
        let clients = Mutex::default();
        let http = Self(Arc::new(Inner { transport, timeout, environment, success, oauth, redactor, clients }));
        http.build("", refuse)?;
        Ok(http)
    }

    fn build(&self, host: &str, refuse: Refuse<'_>) -> Result<reqwest::Client, OptionsError> {
        let Inner { transport, environment, timeout, .. } = &*self.0;
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let builder = reqwest::Client::builder()
            .user_agent(if environment.user_agent.is_empty() { "echion" } else { &environment.user_agent })
            .connect_timeout(connect_within(*timeout))
            .timeout(*timeout)
            // A referrer would show the address, and the token in it, to wherever a redirect leads.
            .referer(false)
            .redirect(redirect::Policy::limited(10));
        let builder = transport::apply(transport, host, environment, builder, refuse)?;
        builder.build().map_err(|error| OptionsError {
            message: format!("the HTTP client cannot be built: {}", error.without_url()),
            at: (1, 1),
            hint: "install the system's CA certificates (package `ca-certificates`)".to_owned(),
        })
    }

    fn client(&self, host: &str) -> Result<reqwest::Client, SendError> {
        // Hosts with certificates of their own have clients of their own; so has this machine, for which no proxy counts.
        let certified = |folder: &std::path::PathBuf| !host.contains(['/', '\\']) && folder.join(host).is_file();
        let own = is_this_machine(host) || self.0.environment.certificates.as_ref().is_some_and(certified);
        let key = if own { host } else { "" };
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(key) {
            return Ok(client.clone());
        }
        let refuse = |_: &str, message| OptionsError { message, at: (1, 1), hint: String::new() };
        let client = self.build(key, &refuse).map_err(|error| {
            let hint = "check the certificates and the proxy of the service, and the CA certificates of the system";
            SendError::attention(error.message, hint)
        })?;
        clients.insert(key.to_owned(), client.clone());
        Ok(client)
    }

    /// Sends the request that delivers the message, and judges the answer; the option `success` has the last word.
    pub(crate) async fn deliver(
        &self,
        request: Request,
        now: i64,
        classify: impl FnOnce(&Answer) -> Result<Receipt, SendError>,
    ) -> Result<Receipt, SendError> {
        let answer = self.send(request, now).await?;
        let verdict = classify(&answer);
        let Some(success) = &self.0.success else { return verdict };
        match success.holds(&answer.variables()) {
            Ok(true) => Ok(verdict.unwrap_or(Receipt { answer: format!("HTTP {}, `success` holds", answer.status) })),
            Ok(false) => Err(verdict.err().unwrap_or_else(|| {
                let reason = format!("HTTP {}, but `success` does not hold: {}", answer.status, answer.said());
                SendError::attention(reason, "correct what the response reports, or the option `success`")
            })),
            Err(error) => Err(verdict.err().unwrap_or_else(|| {
                let reason = format!("HTTP {}, could not evaluate `success`: {error}", answer.status);
                SendError { hint: "correct the option `success`".to_owned(), ..SendError::unknown(reason) }
            })),
        }
    }

    /// Whether the user's headers say that bodies are JSON.
    pub(crate) fn sends_json(&self) -> bool {
        let is_json = |(name, value): &(String, Secret)| {
            name.eq_ignore_ascii_case("content-type") && value.expose().to_ascii_lowercase().contains("json")
        };
        self.0.transport.headers.0.iter().any(is_json)
    }

    /// Sends a request that delivers nothing, such as a look-up, and reads the response, whatever its status.
    pub(crate) async fn ask(&self, request: Request, now: i64) -> Result<Answer, SendError> {
        self.send(request, now).await.map_err(answer::before_delivery)
    }

    /// Sends a request with the instance's headers and credentials and reads the response, whatever its status. When no whole response comes
    /// after the request left, the outcome is unknown: [`Http::ask`] is for requests that deliver nothing.
    pub(crate) async fn send(&self, mut request: Request, now: i64) -> Result<Answer, SendError> {
        // The user's headers win over the service's, but not over its credentials.
        let credentials = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let free = |name: &str| !(credentials && name.eq_ignore_ascii_case("authorization"));
        let headers = self.0.transport.headers.0.iter().filter(|(name, _)| free(name));
        request.headers.extend(headers.cloned());
        if let Some(hmac) = &self.0.transport.hmac {
            request.headers.push((hmac.header.clone(), Secret::new(hmac.of(&request.body)?)));
        }
        let Some((oauth, address, cache)) = &self.0.oauth else { return self.send_bare(request).await };
        let token = cache.get(now, || oauth.fetch(self, address)).await?;
        let answer = self.send_bare(request.bearer(&token.value)).await?;
        if answer.status == 401 {
            let hint = "check the client of `oauth2` and its scopes";
            let error = SendError::attention(format!("HTTP 401: {}", answer.said()), hint);
            return Err(cache.refused(&token, error).await);
        }
        Ok(answer)
    }

    /// Sends a request as it is.
    pub(crate) async fn send_bare(&self, request: Request) -> Result<Answer, SendError> {
        let mut redactor = self.0.redactor.clone();
        redactor.add_address(&request.url);
        let hint = "correct `headers` of the service";
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| {
            let reason = format!("`{}` is not an HTTP method", request.method);
            SendError::rejected(reason, "correct `method` in the template")
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let bad = |what: &str| SendError::attention(format!("header `{name}` has an invalid {what}"), hint);
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
            let mut content = HeaderValue::from_str(value.expose()).map_err(|_| bad("value"))?;
            content.set_sensitive(true);
            if !["accept", "content-type", "idempotency-key"].contains(&header.as_str()) {
                redactor.add(value);
            }
            headers.insert(header, content);
        }
        let client = self.client(request.url.host())?;
        let result = client.request(method, request.url.url().clone()).headers(headers).body(request.body).send().await;
        let failure = |error: &reqwest::Error| self.failure(error, &request.url, &redactor);
        let mut response = result.map_err(|error| failure(&error))?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let date = header("date").and_then(|text| date::http_date(&text));
        let retry_after = header("retry-after").and_then(|text| match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            // A date counts from the vendor's own clock, so skew does not matter.
            Err(_) => Some(Duration::from_millis(u64::try_from(date::http_date(&text)? - date?).ok()?)),
        });
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < ANSWER {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // A refusal is one even when its text is cut short.
                Err(_) if status >= 300 => break,
                Err(error) => return Err(failure(&error)),
            }
        }
        body.truncate(ANSWER);
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status, retry_after, date, body, redactor })
    }

    fn failure(&self, error: &reqwest::Error, url: &Address, redactor: &Redactor) -> SendError {
        let hint = "correct the address of the service";
        if error.is_redirect() {
            return SendError::attention(format!("{url} redirects in a circle"), hint);
        }
        if error.is_builder() {
            return SendError::attention(format!("no request can be made for {url}"), hint);
        }
        let timeout = self.0.timeout;
        if error.is_timeout() && error.is_connect() {
            return SendError::retryable(format!("no connection to {url} within {:?}", connect_within(timeout)));
        }
        if error.is_connect() {
            return SendError::retryable(format!("no connection to {url}: {}", redactor.clean(&innermost(error))));
        }
        if let Some(alert) = certificate_alert(error) {
            let hint = "check `clientCertificate` and `clientKey` of the service";
            return SendError::attention(format!("{url} refused the TLS connection: {alert}"), hint);
        }
        // From here on the request may have been read.
        SendError::unknown(match error.is_timeout() {
            true => format!("no response from {url} within {timeout:?}"),
            false => format!("{url} closed the connection early: {}", redactor.clean(&innermost(error))),
        })
    }
}

/// How long connecting may take: less than the whole, so that a time-out shows whether the request left.
fn connect_within(timeout: Duration) -> Duration {
    CONNECT.min(timeout - timeout / 10)
}

/// What the server objects to in our certificate. It comes after our side of the handshake has ended, but before any request is read.
fn certificate_alert(error: &reqwest::Error) -> Option<String> {
    use rustls::AlertDescription as Alert;
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(rustls::Error::AlertReceived(alert)) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            let certificate = matches!(
                alert,
                Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::CertificateRequired
                    | Alert::UnknownCA
                    | Alert::AccessDenied
            );
            return certificate.then(|| format!("{alert:?}"));
        }
        cause = error.source();
    }
    None
}

/// The cause at the bottom says most and repeats least; it never holds the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    answer::excerpt(&cause.to_string())
}
