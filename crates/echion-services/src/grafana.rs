//! Writes an annotation into Grafana (contract 5.7).
//!
//! API: <https://grafana.com/docs/grafana/latest/developers/http_api/annotations/>. *Recipient* is the annotation's tags, separated by `|`.

use async_trait::async_trait;
use echion_model::{Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use serde_json::{Value, json};

use crate::answer::advised;
use crate::http::{Address, Http, Request};
use crate::options::options;
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "grafana",
    aliases: &[],
    summary: "Writes an annotation into Grafana.",
    recipient: "the annotation's tags, separated by `|`",
    limits: Limits { body: None, budget: None },
    example: "apiUrl: https://grafana.example.com/api\napiKey: $grafana-key\n",
    options: Options::TABLE,
    open: vendor::open::<Grafana>,
    section: None,
};

options! {
    struct Options {
        /// Grafana's API, such as `https://grafana.example.com/api`.
        "apiUrl" api_url: String,
        /// A service account's token that may write annotations.
        "apiKey" api_key: Secret,
    }
}

const ADVICE: &[(u16, &str)] = &[
    (401, "set `apiKey` to a service account's token"),
    (403, "give the service account of `apiKey` the right to write annotations"),
    (404, "correct `apiUrl`: it ends with `/api`"),
];

#[derive(Debug)]
struct Grafana {
    url: Address,
    key: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Grafana {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiUrl", &options.api_url)?.join("annotations");
        Ok(Self { url, key: options.api_key, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let body = payload(&message.notification.message, message.recipient, message.now);
        let request = Request::post(self.url.clone()).bearer(&self.key).json(&body);
        self.http.deliver(request, message.now, |answer| advised(answer, ADVICE)).await
    }
}

fn payload(text: &str, recipient: &str, now: i64) -> Value {
    // Whole seconds, as Argo CD Notifications has them.
    let tags: Vec<&str> = recipient.split('|').collect();
    json!({ "time": now / 1000 * 1000, "isRegion": false, "tags": tags, "text": text })
}
