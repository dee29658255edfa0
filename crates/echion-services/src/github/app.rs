//! A GitHub App's token for an installation.

use std::time::Duration;

use echion_model::{Secret, SendError};
use serde_json::json;

use crate::http::{Address, Fresh, Held, Http, Request, TokenCache};
use crate::jwt::SigningKey;

#[derive(Debug)]
pub(super) struct App {
    id: i64,
    installation: i64,
    key: SigningKey,
    token: TokenCache,
}

impl App {
    pub(super) fn parse(id: i64, installation: i64, key: &str) -> Result<Self, String> {
        Ok(Self { id, installation, key: SigningKey::parse(key)?, token: TokenCache::default() })
    }

    /// What GitHub counts by.
    pub(super) fn identity(&self) -> String {
        format!("{}/{}", self.id, self.installation)
    }

    /// The installation's token; it lives for an hour.
    pub(super) async fn token(&self, http: &Http, base: &Address, now: i64) -> Result<Held, SendError> {
        self.token.get(now, || self.fetch(http, base, now)).await
    }

    /// After the token was refused.
    pub(super) async fn refused(&self, token: &Held, error: SendError) -> SendError {
        self.token.refused(token, error).await
    }

    async fn fetch(&self, http: &Http, base: &Address, now: i64) -> Result<Fresh, SendError> {
        let issued = now / 1000 - 30;
        let claims = json!({ "iss": self.id.to_string(), "iat": issued, "exp": issued + 120 });
        let token = self.key.sign(&claims).map_err(|error| SendError::attention(error, "set `privateKey`"))?;
        let installation = self.installation.to_string();
        let url = base.segments(["app", "installations", installation.as_str(), "access_tokens"]);
        let request = Request::post(url).bearer(&Secret::new(token)).header("Accept", "application/vnd.github+json");
        let answer = http.send(request, now).await?;
        let body = answer.json_of("GitHub").map_err(|error| match error.hint.as_str() {
            "" => error,
            _ => SendError::attention(error.reason, "check `appID`, `installationID` and `privateKey`"),
        })?;
        match body.get("token").and_then(serde_json::Value::as_str) {
            Some(token) => Ok(Fresh { token: Secret::new(token), lives: Duration::from_secs(55 * 60) }),
            None => Err(answer.unknown("GitHub")),
        }
    }
}
