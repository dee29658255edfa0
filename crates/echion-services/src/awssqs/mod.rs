//! Sends to a queue of AWS SQS (contract 5.2).
//!
//! API: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>. *Recipient* is the queue's name;
//! the option's unless given.

mod credentials;
mod sigv4;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use echion_model::{Field, FieldShape, Length, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use serde_json::{Map, Value, json};

use crate::answer::{PAUSE, before_delivery, before_login};
use crate::http::{Address, Answer, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, field, section};
use crate::vendor::{self, Opening, Vendor};

use credentials::Chain;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "awssqs",
    aliases: &[],
    summary: "Sends to a queue of AWS SQS.",
    recipient: "the queue's name; the option's unless given",
    limits: Limits { body: Some(Length::Bytes(1024 * 1024)), budget: None },
    example: "queue: deployments\nregion: eu-central-1\nkey: $aws-key\nsecret: $aws-secret\n",
    options: Options::TABLE,
    open: vendor::open::<Sqs>,
    section: section!("awssqs", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[
    field("messageAttributes", FieldShape::Map, "attributes, each a text"),
    field("messageGroupId", FieldShape::Text, "the group, for queues that keep the order (`.fifo`)"),
];

options! {
    struct Options {
        /// The queue's name.
        "queue" queue: String,
        /// The id of the account that owns the queue, when it is another one.
        "account" account: String,
        /// The queue's region.
        "region" region: String = String::new(), "AWS_DEFAULT_REGION, AWS_REGION",
        /// Where SQS is, for compatible services and private endpoints.
        "endpointUrl" endpoint_url: String,
        /// An access key's id; without key and secret the role of the Pod or the machine is used.
        "key" key: Secret,
        /// The access key's secret.
        "secret" secret: Secret,
    }
}

#[derive(Debug)]
struct Sqs {
    queue: String,
    account: String,
    region: String,
    endpoint: Address,
    chain: Chain,
    /// Addresses of queues by name.
    urls: Mutex<HashMap<String, String>>,
    http: Http,
}

#[async_trait]
impl Vendor for Sqs {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let Options { queue, account, mut region, endpoint_url, key, secret } = options;
        let variables = ["AWS_DEFAULT_REGION", "AWS_REGION"].into_iter().filter_map(|name| opening.variable(name));
        if let (true, Some(found)) = (region.is_empty(), variables.into_iter().next()) {
            region = found.expose().to_owned();
        }
        opening.require("region", region.is_empty())?;
        let usual = format!("https://sqs.{region}.{}", domain(&region));
        let endpoint = opening.address("endpointUrl", if endpoint_url.is_empty() { &usual } else { &endpoint_url })?;
        let chain = Chain::open(&key, &secret, &region, opening).map_err(|error| opening.refuse("key", error))?;
        Ok(Self { queue, account, region, endpoint, chain, urls: Mutex::default(), http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let queue = if message.recipient.is_empty() { &self.queue } else { message.recipient };
        if queue.is_empty() {
            let hint = "set `queue` of the service, or name the queue as recipient";
            return Err(SendError::attention("no queue is named", hint));
        }
        let known = self.urls.lock().unwrap_or_else(PoisonError::into_inner).get(queue).cloned();
        let url = match known {
            Some(url) => url,
            None => {
                let url = self.queue_url(queue, message.now).await?;
                self.urls.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.to_owned(), url.clone());
                url
            }
        };
        let body = payload(&message, queue, &url);
        let answer = self.call("SendMessage", &body, message.now).await?;
        match answer.json().as_ref().and_then(|body| body.get("MessageId")).and_then(Value::as_str) {
            Some(id) => Ok(Receipt { answer: format!("message {}", answer.quote(id)) }),
            None => Err(answer.unknown("AWS SQS")),
        }
    }
}

impl Sqs {
    async fn queue_url(&self, queue: &str, now: i64) -> Result<String, SendError> {
        let mut body = json!({ "QueueName": queue });
        if !self.account.is_empty() {
            body["QueueOwnerAWSAccountId"] = self.account.as_str().into();
        }
        let answer = self.call("GetQueueUrl", &body, now).await.map_err(before_login)?;
        let url = answer.json().and_then(|body| Some(body.get("QueueUrl")?.as_str()?.to_owned()));
        url.ok_or_else(|| before_delivery(answer.unknown("AWS SQS")))
    }

    async fn call(&self, action: &str, body: &Value, now: i64) -> Result<Answer, SendError> {
        let credentials = self.chain.get(&self.http, now).await?;
        let request = Request::post(self.endpoint.clone())
            .json(body)
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("X-Amz-Target", format!("AmazonSQS.{action}"));
        let request = sigv4::sign(unique(request), &credentials.value, &self.region, "sqs", now)?;
        let answer = self.http.send(request, now).await?;
        if let Err(error) = classify(&answer) {
            return Err(match answer.status {
                403 => self.chain.refused(&credentials, error).await,
                _ => error,
            });
        }
        Ok(answer)
    }
}

/// Of headers of one name only the last: what is signed must be what is sent.
fn unique(mut request: Request) -> Request {
    let headers = std::mem::take(&mut request.headers);
    for (name, value) in headers {
        request.headers.retain(|(before, _)| !before.eq_ignore_ascii_case(&name));
        request.headers.push((name, value));
    }
    request
}

fn payload(message: &Message<'_>, queue: &str, url: &str) -> Value {
    let section = Rendered::of(message.notification, "awssqs").unwrap_or_default();
    let mut body = json!({ "QueueUrl": url, "MessageBody": message.notification.message });
    if queue.ends_with(".fifo") {
        // Such a queue takes no delay, and drops a repeated attempt by this id.
        body["MessageDeduplicationId"] = message.id.0.as_str().into();
    } else {
        body["DelaySeconds"] = 10.into();
    }
    if let Some(group) = section.some("messageGroupId") {
        body["MessageGroupId"] = group.into();
    }
    if let Some(attributes) = section.value("messageAttributes").and_then(Value::as_object) {
        // SQS takes no empty attribute.
        let filled = attributes.iter().filter(|(_, value)| value.as_str() != Some(""));
        let typed = filled.map(|(name, value)| (name.clone(), json!({ "DataType": "String", "StringValue": value })));
        body["MessageAttributes"] = Value::Object(typed.collect::<Map<_, _>>());
    }
    body
}

/// The domain of a region.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

fn classify(answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json().unwrap_or_default();
    let kind = body.get("__type").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    if ["RequestThrottled", "ThrottlingException", "OverLimit", "KmsThrottled"].contains(&kind) {
        return Err(SendError::rate_limited(answer.said(), answer.retry_after.unwrap_or(PAUSE)));
    }
    answer.by_status().map_err(|error| {
        let hint = match kind {
            "MissingParameter" => {
                let hint = "a `.fifo` queue needs `messageGroupId` in the section `awssqs` of the template";
                return SendError { hint: hint.to_owned(), ..error };
            }
            "QueueDoesNotExist" => "correct the queue's name, `region` or `account`",
            "AccessDenied" | "AccessDeniedException" => "allow `sqs:GetQueueUrl` and `sqs:SendMessage` on the queue",
            "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" => {
                "check `key` and `secret`, and this machine's clock"
            }
            _ => return error,
        };
        SendError::attention(error.reason, hint)
    })
}
