//! The only place that builds an HTTP client: time-outs, body limits, TLS, proxies, credentials, redaction.

mod address;
mod auth;
mod date;
mod proxy;
mod redirect;
mod request;
mod transport;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use echion_model::{Condition, Environment, OptionsError, Receipt, Secret, SendError};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};

use crate::egress::{Guard, Refused};
use crate::redact::Redactor;
use crate::{answer, tls};

pub(crate) use address::Address;
pub(crate) use auth::{Fresh, Held, TokenCache, fresh, hmac_sha256};
pub(crate) use proxy::Proxies;
pub(crate) use request::{Answer, Request};
pub(crate) use transport::{Transport, certificate_file, is_this_machine};

pub use proxy::VARIABLES as PROXY_VARIABLES;

use transport::{CONNECT, Refuse};

/// How much of an answer is read; what vendors say fits many times over.
const ANSWER: usize = 64 * 1024;

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
    proxies: Proxies,
    /// Keeps a tenant to public addresses.
    guard: Option<Guard>,
    /// Hosts differ in their certificates.
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
        tls::install();
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
        let proxies = Proxies::new(&environment.variables);
        // Only the proxies of the process are not the tenant's choice.
        let given = if transport.proxy.is_empty() { proxies.clone() } else { Proxies::default() };
        let guard = environment.tenant.as_ref().map(|tenant| Guard::new(tenant.egress.clone(), given));
        if let (Some(guard), Ok(proxy)) = (&guard, Address::parse(transport.proxy.expose())) {
            guard.check_host(proxy.host()).map_err(|error| refuse("proxy", error.to_string()))?;
        }
        let clients = Mutex::default();
        let http = Self(Arc::new(Inner {
            transport,
            timeout,
            environment,
            success,
            oauth,
            redactor,
            proxies,
            guard,
            clients,
        }));
        http.build("", refuse)?;
        Ok(http)
    }

    fn build(&self, host: &str, refuse: Refuse<'_>) -> Result<reqwest::Client, OptionsError> {
        let Inner { transport, environment, proxies, guard, timeout, .. } = &*self.0;
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let builder = reqwest::Client::builder()
            .user_agent(if environment.user_agent.is_empty() { "echion" } else { &environment.user_agent })
            .connect_timeout(connect_within(*timeout))
            .timeout(*timeout)
            // Where a redirect leads is decided for each; a referrer would show the address, and the token in it.
            .referer(false)
            .redirect(reqwest::redirect::Policy::none());
        let builder = match guard {
            Some(guard) => builder.dns_resolver(guard.clone()),
            None => builder,
        };
        let builder = transport::apply(transport, host, environment, proxies, builder, refuse)?;
        builder.build().map_err(|error| OptionsError {
            message: format!("the HTTP client cannot be built: {}", error.without_url()),
            at: (1, 1),
            hint: "check the certificates and the proxy of the service".to_owned(),
        })
    }

    fn client(&self, host: &str) -> Result<reqwest::Client, SendError> {
        // Hosts with certificates of their own have clients of their own.
        let certified = |folder: &std::path::PathBuf| !host.contains(['/', '\\']) && folder.join(host).is_file();
        let own = self.0.environment.certificates.as_ref().is_some_and(certified);
        let key = if own { host } else { "" };
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(key) {
            return Ok(client.clone());
        }
        let hint = "check the certificates and the proxy of the service".to_owned();
        let refuse = |_: &str, message| OptionsError { message, at: (1, 1), hint: hint.clone() };
        let client = self.build(key, &refuse).map_err(|error| SendError::attention(error.message, error.hint))?;
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

    /// Sends a request with the instance's headers and credentials and reads the response, whatever its status. When no whole response comes
    /// after the request left, the outcome is unknown.
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

    /// Sends a request as it is, and again to where it has moved if that is the same place.
    pub(crate) async fn send_bare(&self, request: Request) -> Result<Answer, SendError> {
        let mut redactor = self.0.redactor.clone();
        let Request { method, mut url, headers, body } = request;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
            let reason = format!("`{method}` is not an HTTP method");
            SendError::rejected(reason, "correct `method` in the template")
        })?;
        let mut headers = checked(&headers, &mut redactor)?;
        if body.is_empty() && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            // Servers that want to know the length of every body refuse a request without one.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        for _ in 0..=redirect::MOST {
            redactor.add_address(&url);
            if let Some(guard) = &self.0.guard {
                guard.check(url.url()).await.map_err(Refused::into_error)?;
            }
            let client = self.client(url.host())?;
            let request = client.request(method.clone(), url.url().clone()).headers(headers.clone()).body(body.clone());
            let response = request.send().await.map_err(|error| self.failure(&error, &url, &redactor))?;
            match redirect::of(&method, &url, &response) {
                redirect::Next::Repeat(next) => url = next,
                redirect::Next::None(moved) => return self.read(response, moved, &url, redactor).await,
            }
        }
        Err(SendError::attention(format!("{url} redirects in a circle"), "correct the address of the service"))
    }

    async fn read(
        &self,
        mut response: Response,
        moved: Option<Address>,
        url: &Address,
        redactor: Redactor,
    ) -> Result<Answer, SendError> {
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let date = header("date").and_then(|text| date::http_date(&text));
        let retry_after = date::retry_after(header, date);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < ANSWER {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // A refusal is one even when its text is cut short.
                Err(_) if status >= 300 => break,
                Err(error) => return Err(self.failure(&error, url, &redactor)),
            }
        }
        body.truncate(ANSWER);
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status, retry_after, date, moved, body, redactor })
    }

    fn failure(&self, error: &reqwest::Error, url: &Address, redactor: &Redactor) -> SendError {
        let hint = "correct the address of the service";
        if error.is_builder() {
            return SendError::attention(format!("no request can be made for {url}"), hint);
        }
        let timeout = self.0.timeout;
        if error.is_timeout() && error.is_connect() {
            return SendError::retryable(format!("no connection to {url} within {:?}", connect_within(timeout)));
        }
        if let Some(refused) = tls::cause::<Refused>(error) {
            return refused.clone().into_error();
        }
        if let Some(objection) = tls::objection(error) {
            let hint = "give the server's certificate, or the authority that signed it, in `caBundle`, or in the ConfigMap \
                        argocd-tls-certs-cm under the server's name";
            return SendError::attention(format!("the certificate of {url} is not trusted: {objection}"), hint);
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

/// The headers as they go out; what is secret in them is noted.
fn checked(headers: &[(String, Secret)], redactor: &mut Redactor) -> Result<HeaderMap, SendError> {
    let hint = "correct `headers` of the service";
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let bad = |what: &str| SendError::attention(format!("header `{name}` has an invalid {what}"), hint);
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
        let mut content = HeaderValue::from_str(value.expose().trim()).map_err(|_| bad("value"))?;
        content.set_sensitive(true);
        if !["accept", "content-type", "idempotency-key"].contains(&header.as_str()) {
            redactor.add_suspect(value);
        }
        checked.insert(header, content);
    }
    Ok(checked)
}

/// How long connecting may take: less than the whole, so that a time-out shows whether the request left.
fn connect_within(timeout: Duration) -> Duration {
    CONNECT.min(timeout - timeout / 10)
}

/// What the server objects to in our certificate. It comes after our side of the handshake has ended, but before any request is read.
fn certificate_alert(error: &reqwest::Error) -> Option<String> {
    use rustls::AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = tls::cause::<rustls::Error>(error)? else { return None };
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
    certificate.then(|| format!("{alert:?}"))
}

/// The cause at the bottom says most and repeats least; it never holds the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    answer::excerpt(&cause.to_string())
}
