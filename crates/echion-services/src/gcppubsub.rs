//! Publishes to a topic of Google Cloud Pub/Sub (contract 5.4).
//!
//! API: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish>. *Recipient* is the topic; the option's unless
//! given.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use echion_model::{Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Address, Answer, Fresh, Http, Request, TokenCache, fresh};
use crate::jwt::SigningKey;
use crate::options::options;
use crate::section::{self, Rendered, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "gcppubsub",
    aliases: &[],
    summary: "Publishes to a topic of Google Cloud Pub/Sub.",
    recipient: "the topic; the option's unless given",
    limits: Limits { body: Some(Length::Bytes(10_000_000)), budget: None },
    example: "project: my-project\ntopic: deployments\n",
    options: Options::TABLE,
    open: vendor::open::<PubSub>,
    section: section!("gcppubsub", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[field(
    "attributes",
    FieldShape::MapOrSource,
    "attributes of the message; one that comes out empty keeps its source",
)];

const SCOPE: &str = "https://www.googleapis.com/auth/pubsub";

options! {
    struct Options {
        /// The id of the project.
        "project" project: String,
        /// The topic.
        "topic" topic: String,
        /// A file with a service account's key (JSON); without it the identity of the Pod or the machine is used.
        "keyFile" key_file: String,
        /// The key itself (JSON), out of the Secret.
        "key" key: Secret,
        /// Where the API is.
        "apiURL" api_url: String = "https://pubsub.googleapis.com".to_owned(), "https://pubsub.googleapis.com",
    }
}

#[derive(Debug)]
struct PubSub {
    project: String,
    topic: String,
    identity: Identity,
    base: Address,
    token: TokenCache,
    http: Http,
}

/// Who publishes.
#[derive(Debug)]
enum Identity {
    Key(Box<Account>),
    /// Read when it is needed: it may be mounted later, and change.
    File(String),
    Machine(Address),
}

/// A service account's key, as Google gives it.
#[derive(Debug, Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key: Secret,
    #[serde(default)]
    private_key_id: String,
    #[serde(default)]
    token_uri: String,
}

#[derive(Debug)]
struct Account {
    email: String,
    key: SigningKey,
    token_uri: Address,
}

impl Account {
    /// Reads a key. Nothing of it is repeated in the error.
    fn parse(text: &str) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_str(text).map_err(|_| "is not a key in JSON".to_owned())?;
        if file.kind != "service_account" {
            return Err("is not the key of a service account (`\"type\": \"service_account\"`)".to_owned());
        }
        let uri = if file.token_uri.is_empty() { "https://oauth2.googleapis.com/token" } else { &file.token_uri };
        let token_uri = Address::parse(uri).map_err(|error| format!("`token_uri` {error}"))?;
        let key = SigningKey::parse(file.private_key.expose()).map_err(|error| format!("`private_key` {error}"))?;
        let _ = file.private_key_id;
        Ok(Self { email: file.client_email, key, token_uri })
    }

    /// The request for a token.
    fn request(&self, now: i64) -> Result<Request, String> {
        let issued = now / 1000;
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri.url().as_str(),
            "iat": issued,
            "exp": issued + 3600,
        });
        let assertion = self.key.sign(&claims)?;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
        Ok(Request::post(self.token_uri.clone()).form(&form))
    }
}

#[async_trait]
impl Vendor for PubSub {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("project", options.project.is_empty())?;
        opening.file("keyFile", &options.key_file)?;
        let identity = if !options.key.is_empty() {
            let account = Account::parse(options.key.expose());
            Identity::Key(Box::new(account.map_err(|error| opening.refuse("key", format!("`key` {error}")))?))
        } else if !options.key_file.is_empty() {
            Identity::File(options.key_file)
        } else if opening.tenant() {
            let message = "`key` is needed here: the controller's own identity is not lent";
            return Err(opening.refuse("key", message.to_owned()));
        } else if let Some(file) = opening.variable("GOOGLE_APPLICATION_CREDENTIALS") {
            Identity::File(file.expose().to_owned())
        } else {
            let host = opening.variable("GCE_METADATA_HOST");
            let host = host.as_ref().map_or("metadata.google.internal", Secret::expose);
            Identity::Machine(opening.address("project", &format!("http://{host}/computeMetadata/v1/instance/"))?)
        };
        let base = opening.address("apiURL", &options.api_url)?;
        let Options { project, topic, .. } = options;
        Ok(Self { project, topic, identity, base, token: TokenCache::default(), http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let topic = if message.recipient.is_empty() { &self.topic } else { message.recipient };
        if topic.is_empty() {
            let hint = "set `topic` of the service, or name the topic as recipient";
            return Err(SendError::attention("no topic is named", hint));
        }
        let token = self.token.get(message.now, || self.fetch(message.now)).await?;
        let publish = format!("{topic}:publish");
        let url = self.base.segments(["v1", "projects", &self.project, "topics", &publish]);
        let request = Request::post(url).bearer(&token.value).json(&payload(&message));
        let mut refused = false;
        let sent = self.http.deliver(request, message.now, |answer| {
            refused = answer.status == 401;
            classify(answer)
        });
        let sent = sent.await;
        match sent {
            Err(error) if refused => Err(self.token.refused(&token, error).await),
            sent => sent,
        }
    }
}

impl PubSub {
    async fn fetch(&self, now: i64) -> Result<Fresh, SendError> {
        let hint = "give the service the JSON key of a service account";
        let read;
        let account = match &self.identity {
            Identity::Key(account) => account,
            Identity::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    SendError::attention(format!("the key file {path} cannot be read: {error}"), hint)
                })?;
                let account = Account::parse(&text);
                read = account.map_err(|error| SendError::attention(format!("the key file {path} {error}"), hint))?;
                &read
            }
            Identity::Machine(metadata) => {
                let url = metadata.join("service-accounts/default/token");
                let request = Request::get(url).header("Metadata-Flavor", "Google");
                return fresh(&self.http.send_bare(request).await?, "the metadata server");
            }
        };
        let request = account.request(now).map_err(|error| SendError::attention(error, hint))?;
        fresh(&self.http.send_bare(request).await?, "Google's authorization server")
    }
}

fn payload(message: &Message<'_>) -> Value {
    let section = Rendered::of(message.notification, "gcppubsub").unwrap_or_default();
    let mut sent = json!({ "data": STANDARD.encode(&message.notification.message) });
    if let Some(attributes) = section.value("attributes") {
        sent["attributes"] = attributes.clone();
    }
    json!({ "messages": [sent] })
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json_of("Pub/Sub")?;
    match body.pointer("/messageIds/0").and_then(Value::as_str) {
        Some(id) => Ok(Receipt { answer: format!("message {}", answer.quote(id)) }),
        None => Err(answer.unknown("Pub/Sub")),
    }
}
