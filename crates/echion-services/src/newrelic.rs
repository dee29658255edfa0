//! Records a deployment in New Relic (contract 5.10).
//!
//! API: <https://docs.newrelic.com/docs/change-tracking/change-tracking-rest-api/>. *Recipient* is the id of an application.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::advised;
use crate::http::{Address, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "newrelic",
    aliases: &[],
    summary: "Records a deployment in New Relic.",
    recipient: "the id of an application",
    limits: Limits { body: None, budget: None },
    example: "apiKey: $newrelic-key\n",
    options: Options::TABLE,
    open: vendor::open::<NewRelic>,
    section: section!("newrelic", FIELDS, section::whole, true),
};

/// The revision that was deployed; of several sources the first one's.
pub(crate) const REVISION: &str = "{{with .app.status.operationState}}{{with .syncResult}}{{if .revision}}{{.revision}}\
     {{else}}{{with .revisions}}{{index . 0}}{{end}}{{end}}{{end}}{{end}}";

const CHANGELOG: &str = "{{(call .repo.GetCommitMetadata .app.status.operationState.syncResult.revision).Message}}";

const USER: &str = "{{(call .repo.GetCommitMetadata .app.status.operationState.syncResult.revision).Author}}";

static FIELDS: &[Field] = &[
    field("revision", FieldShape::TextOr(REVISION), "the revision; the synced one unless set"),
    field("changelog", FieldShape::TextOrAttempt(CHANGELOG), "what changed; the commit's message unless set"),
    field("user", FieldShape::TextOrAttempt(USER), "who did it; the commit's author unless set"),
    field("description", FieldShape::Text, "what it is; the `message` unless set"),
];

options! {
    struct Options {
        /// A user's API key.
        "apiKey" api_key: Secret,
        /// Where the API is; `https://api.eu.newrelic.com` in Europe.
        "apiURL" api_url: String = "https://api.newrelic.com".to_owned(), "https://api.newrelic.com",
    }
}

const ADVICE: &[(u16, &str)] = &[
    (401, "set `apiKey` to a user's API key, and `apiURL` to the region of the account"),
    (403, "let the user of `apiKey` write to the application"),
    (404, "correct the recipient: the id of an application of this account; or `apiURL`"),
];

#[derive(Debug)]
struct NewRelic {
    url: Address,
    key: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for NewRelic {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("apiKey", options.api_key.is_empty())?;
        let url = opening.address("apiURL", &options.api_url)?;
        Ok(Self { url, key: options.api_key, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let body = payload(&vendor::needed(&message, "newrelic")?, &message.notification.message);
        let url = self.url.segments(["v2", "applications", message.recipient, "deployments.json"]);
        let request = Request::post(url).header("X-Api-Key", self.key.expose()).json(&body);
        self.http.deliver(request, message.now, |answer| advised(answer, ADVICE)).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, self.key.expose())
    }
}

fn payload(section: &Rendered, message: &str) -> Value {
    json!({ "deployment": {
        "revision": section.text("revision"),
        "changelog": section.text("changelog"),
        "description": section.some("description").unwrap_or(message),
        "user": section.text("user"),
    } })
}
