//! Where credentials come from: the options, the environment, a role of the Pod or the machine.

use std::time::Duration;

use echion_model::{Secret, SendError};

use super::sigv4::Credentials;
use crate::http::{Address, Answer, Fresh, Held, Http, Request, TokenCache};
use crate::vendor::Opening;

/// A source of credentials.
#[derive(Debug)]
pub(super) enum Source {
    /// Given once and for all.
    Fixed(Credentials),
    /// A role that a token of the Pod's service account is exchanged for (IRSA).
    WebIdentity { role: String, token_file: String, endpoint: Address },
    /// An agent next to the container (ECS, EKS Pod Identity).
    Container { url: Address, token_file: String },
    /// The machine's role (EC2).
    Machine { endpoint: Address },
}

/// Credentials of a source, kept as long as they hold.
#[derive(Debug)]
pub(super) struct Chain {
    source: Source,
    cache: TokenCache<Credentials>,
}

impl Chain {
    /// The first source that there is.
    pub(super) fn open(key: &Secret, secret: &Secret, region: &str, opening: &Opening<'_>) -> Result<Self, String> {
        let variable = |name: &str| opening.variable(name).map(|value| value.expose().to_owned()).unwrap_or_default();
        let address = |name: &str, default: &str| {
            let text = variable(name);
            Address::parse(if text.is_empty() { default } else { &text }).map_err(|e| format!("`{name}` {e}"))
        };
        let fixed = |key: &str, secret: Secret, session: Option<Secret>| {
            Source::Fixed(Credentials { key: Secret::new(key), secret, session })
        };
        let source = if !key.is_empty() && !secret.is_empty() {
            fixed(key.expose().trim(), Secret::new(secret.expose().trim()), None)
        } else if opening.tenant() {
            return Err("`key` and `secret` are needed here: the controller's own role is not lent".to_owned());
        } else if let (Some(key), Some(secret)) =
            (opening.variable("AWS_ACCESS_KEY_ID"), opening.variable("AWS_SECRET_ACCESS_KEY"))
        {
            fixed(key.expose(), secret, opening.variable("AWS_SESSION_TOKEN"))
        } else if let (Some(role), Some(file)) =
            (opening.variable("AWS_ROLE_ARN"), opening.variable("AWS_WEB_IDENTITY_TOKEN_FILE"))
        {
            let endpoint = address("AWS_ENDPOINT_URL_STS", &format!("https://sts.{region}.{}", super::domain(region)))?;
            let (role, token_file) = (role.expose().to_owned(), file.expose().to_owned());
            Source::WebIdentity { role, token_file, endpoint }
        } else if opening.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some() {
            let url = address("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")?;
            Source::Container { url, token_file: variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") }
        } else if let Some(path) = opening.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            let url = Address::parse(&format!("http://169.254.170.2{}", path.expose()))?;
            Source::Container { url, token_file: String::new() }
        } else {
            Source::Machine { endpoint: address("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254")? }
        };
        Ok(Self { source, cache: TokenCache::default() })
    }

    pub(super) async fn get(&self, http: &Http, now: i64) -> Result<Held<Credentials>, SendError> {
        match &self.source {
            Source::Fixed(credentials) => Ok(Held::given(credentials.clone())),
            source => self.cache.get(now, || fetch(source, http)).await,
        }
    }

    /// After credentials were refused.
    pub(super) async fn refused(&self, credentials: &Held<Credentials>, error: SendError) -> SendError {
        self.cache.refused(credentials, error).await
    }
}

async fn fetch(source: &Source, http: &Http) -> Result<Fresh<Credentials>, SendError> {
    match source {
        Source::Fixed(credentials) => Ok(Fresh { token: credentials.clone(), lives: Duration::MAX }),
        Source::WebIdentity { role, token_file, endpoint } => {
            let token = read(token_file)?;
            let form = [
                ("Action", "AssumeRoleWithWebIdentity"),
                ("Version", "2011-06-15"),
                ("RoleArn", role),
                ("RoleSessionName", "echion"),
                ("WebIdentityToken", token.expose()),
            ];
            read_answer(&http.send_bare(Request::post(endpoint.clone()).form(&form)).await?, "AWS STS")
        }
        Source::Container { url, token_file } => {
            let mut request = Request::get(url.clone());
            if !token_file.is_empty() {
                request = request.header("Authorization", read(token_file)?.expose());
            }
            read_answer(&http.send_bare(request).await?, "the container's agent")
        }
        Source::Machine { endpoint } => {
            let who = "the machine's metadata service";
            let request = Request::new("PUT", endpoint.join("latest/api/token"));
            let answer = http.send_bare(request.header("X-aws-ec2-metadata-token-ttl-seconds", "300")).await?;
            answer.by_status()?;
            let token = answer.body;
            let get = |path: &str| {
                let url = endpoint.join(&format!("latest/meta-data/iam/security-credentials/{path}"));
                http.send_bare(Request::get(url).header("X-aws-ec2-metadata-token", token.trim()))
            };
            let role = get("").await?;
            role.by_status()?;
            read_answer(&get(role.body.lines().next().unwrap_or_default()).await?, who)
        }
    }
}

fn read(file: &str) -> Result<Secret, SendError> {
    let text = std::fs::read_to_string(file);
    text.map(|text| Secret::new(text.trim()))
        .map_err(|error| SendError::attention(format!("the token file {file} cannot be read: {error}"), "mount it"))
}

/// Credentials out of JSON or XML; they are asked for anew every ten minutes, whatever their end.
fn read_answer(answer: &Answer, who: &str) -> Result<Fresh<Credentials>, SendError> {
    answer.by_status()?;
    let text = |name: &str| value(&answer.body, name);
    let session = text("SessionToken").or_else(|| text("Token")).map(Secret::new);
    match (text("AccessKeyId"), text("SecretAccessKey")) {
        (Some(key), Some(secret)) => {
            let token = Credentials { key: Secret::new(key), secret: Secret::new(secret), session };
            Ok(Fresh { token, lives: Duration::from_secs(600) })
        }
        _ => Err(answer.unknown(who)),
    }
}

/// The value under a name that occurs once: `"Name": "value"` or `<Name>value</Name>`.
fn value(body: &str, name: &str) -> Option<String> {
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(body) {
        return json.get(name)?.as_str().map(str::to_owned);
    }
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(value, _)| value.to_owned())
}
