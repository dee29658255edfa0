//! Credentials that are made for each request: OAuth2 client credentials, HMAC over the body.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use echion_model::{Secret, SendError};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::{Sha256, Sha512};
use tokio::sync::Mutex;

use super::{Address, Http, Request};

/// OAuth2 client credentials (RFC 6749 section 4.4).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OAuth2 {
    #[serde(rename = "tokenURL")]
    pub(super) token_url: String,
    #[serde(rename = "clientID")]
    client_id: String,
    #[serde(rename = "clientSecret")]
    client_secret: Secret,
    scopes: Vec<String>,
    audience: String,
}

/// An HMAC of the body in a header.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Signature {
    pub(super) secret: Secret,
    /// Which header carries it.
    pub(super) header: String,
    algorithm: Algorithm,
    encoding: Encoding,
    /// What precedes it, such as `sha256=`.
    prefix: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    #[default]
    Sha256,
    Sha512,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Hex,
    Base64,
}

impl Default for Signature {
    fn default() -> Self {
        Self {
            secret: Secret::default(),
            header: "X-Signature-256".to_owned(),
            algorithm: Algorithm::default(),
            encoding: Encoding::default(),
            prefix: String::new(),
        }
    }
}

impl Signature {
    /// The header's value for a body.
    pub(super) fn of(&self, body: &[u8]) -> Result<String, SendError> {
        let key = self.secret.expose().as_bytes();
        let mac = match self.algorithm {
            Algorithm::Sha256 => hmac_sha256(key, body)?,
            Algorithm::Sha512 => {
                let mut mac =
                    usable(key).and_then(|key| Hmac::<Sha512>::new_from_slice(key).map_err(|_| unusable()))?;
                mac.update(body);
                mac.finalize().into_bytes().to_vec()
            }
        };
        let text = match self.encoding {
            Encoding::Hex => hex::encode(&mac),
            Encoding::Base64 => STANDARD.encode(&mac),
        };
        Ok(format!("{}{text}", self.prefix))
    }
}

/// HMAC-SHA256. No request goes out with an empty signature.
///
/// # Errors
/// When the key cannot be used.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> Result<Vec<u8>, SendError> {
    let mut mac = usable(key).and_then(|key| Hmac::<Sha256>::new_from_slice(key).map_err(|_| unusable()))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// An empty key would sign, but not secretly.
fn usable(key: &[u8]) -> Result<&[u8], SendError> {
    if key.is_empty() { Err(unusable()) } else { Ok(key) }
}

fn unusable() -> SendError {
    SendError::attention(
        "the request cannot be signed: the key cannot be used",
        "set the signing secret of the service",
    )
}

/// A token with its end, kept until shortly before it.
#[derive(Debug)]
pub(crate) struct TokenCache<T = Secret>(Mutex<Option<(T, i64)>>);

impl<T> Default for TokenCache<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// A token out of the cache.
#[derive(Clone, Debug)]
pub(crate) struct Held<T = Secret> {
    pub(crate) value: T,
    /// It was fetched for this attempt.
    fresh: bool,
}

impl<T> Held<T> {
    /// A credential that does not end and is fetched from nowhere.
    pub(crate) fn given(value: T) -> Self {
        Self { value, fresh: true }
    }
}

/// A token, and for how long it holds.
pub(crate) struct Fresh<T = Secret> {
    pub(crate) token: T,
    pub(crate) lives: Duration,
}

impl<T: Clone + Send> TokenCache<T> {
    /// The token; `fetch` is asked when there is none, or when it ends within a minute. Whoever asks meanwhile waits for the same one.
    pub(crate) async fn get<F: Future<Output = Result<Fresh<T>, SendError>>>(
        &self,
        now: i64,
        fetch: impl FnOnce() -> F,
    ) -> Result<Held<T>, SendError> {
        let mut kept = self.0.lock().await;
        if let Some((token, until)) = &*kept
            && *until > now.saturating_add(60_000)
        {
            return Ok(Held { value: token.clone(), fresh: false });
        }
        let Fresh { token, lives } = fetch().await.map_err(crate::answer::before_login)?;
        let until = now.saturating_add(i64::try_from(lives.as_millis()).unwrap_or(i64::MAX));
        *kept = Some((token.clone(), until));
        Ok(Held { value: token, fresh: true })
    }

    /// Forgets a token that was refused, so that the next attempt fetches another one. Only when a fresh one is refused must somebody act.
    pub(crate) async fn refused(&self, token: &Held<T>, error: SendError) -> SendError {
        self.forget().await;
        if token.fresh { error } else { SendError::retryable(error.reason) }
    }

    /// Forgets the token.
    pub(crate) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

impl OAuth2 {
    /// Asks the authorization server for a token.
    pub(super) async fn fetch(&self, http: &Http, address: &Address) -> Result<Fresh, SendError> {
        let scope = self.scopes.join(" ");
        let mut form = vec![("grant_type", "client_credentials")];
        if !scope.is_empty() {
            form.push(("scope", &scope));
        }
        if !self.audience.is_empty() {
            form.push(("audience", &self.audience));
        }
        // RFC 6749 section 2.3.1: both are form-encoded before they become user and password.
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let (id, secret) = (encoded(&self.client_id), Secret::new(encoded(self.client_secret.expose())));
        let request = Request::post(address.clone()).basic(&id, &secret).form(&form);
        let answer = http.send_bare(request).await?;
        fresh(&answer, "the authorization server")
    }
}

/// Reads `access_token` and `expires_in`, as authorization servers of all kinds give them.
pub(crate) fn fresh(answer: &super::Answer, who: &str) -> Result<Fresh, SendError> {
    let body = answer.json_of(who)?;
    let Some(token) = body.get("access_token").and_then(serde_json::Value::as_str).filter(|token| !token.is_empty())
    else {
        let Some(error) = body.get("error").and_then(serde_json::Value::as_str) else {
            return Err(answer.unknown(who));
        };
        let reason = format!("{who} gave no token: {}", answer.quote(error));
        return Err(SendError::attention(reason, "check the client's id and secret and its scopes"));
    };
    let seconds = body.get("expires_in").and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok())).unwrap_or(300);
    Ok(Fresh { token: Secret::new(token), lives: Duration::from_secs(seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 1 and 2 of RFC 4231.
    #[test]
    fn body_signatures_match_the_vectors_of_rfc_4231() {
        let sign = |key: &str, algorithm, body: &str| {
            let signature = Signature { secret: Secret::new(key), algorithm, ..Signature::default() };
            signature.of(body.as_bytes()).unwrap()
        };
        assert_eq!(
            sign("\u{b}".repeat(20).as_str(), Algorithm::Sha256, "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            sign("Jefe", Algorithm::Sha256, "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            sign("Jefe", Algorithm::Sha512, "what do ya want for nothing?"),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
    }

    #[tokio::test]
    async fn a_token_is_fetched_once_until_it_ends_or_is_refused() {
        let (cache, fetched) = (TokenCache::<Secret>::default(), std::cell::Cell::new(0));
        let get = |now| {
            cache.get(now, || async {
                fetched.set(fetched.get() + 1);
                Ok(Fresh { token: Secret::new(format!("t{}", fetched.get())), lives: Duration::from_secs(3600) })
            })
        };
        for (now, want) in [(0, "t1"), (3_539_000, "t1"), (3_540_000, "t2")] {
            assert_eq!(get(now).await.unwrap().value.expose(), want);
        }
        cache.forget().await;
        assert_eq!(get(3_540_000).await.unwrap().value.expose(), "t3");
    }

    #[tokio::test]
    async fn only_a_fresh_token_that_is_refused_needs_somebody() {
        let cache = TokenCache::<Secret>::default();
        let get = || cache.get(0, || async { Ok(Fresh { token: Secret::new("t"), lives: Duration::from_secs(3600) }) });
        let class = |error: SendError| error.kind.class();
        let refusal = || SendError::attention("HTTP 401", "check");
        let (fresh, kept) = (get().await.unwrap(), get().await.unwrap());
        assert_eq!(class(cache.refused(&kept, refusal()).await), "retryable");
        assert_eq!(class(cache.refused(&fresh, refusal()).await), "attention");
        assert!(get().await.unwrap().fresh, "a refused token is kept");
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let signature = Signature { algorithm, ..Signature::default() };
            let error = signature.of(b"body").unwrap_err();
            assert_eq!((error.kind.class(), error.hint.is_empty()), ("attention", false));
        }
    }
}
