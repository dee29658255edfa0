//! Posts to a Mattermost channel as a bot (contract 5.8).
//!
//! API: <https://developers.mattermost.com/api-documentation/#/operations/CreatePost>. *Recipient* is the channel's id.

use async_trait::async_trait;
use echion_model::{
    Channel, Field, FieldShape, Length, Limits, Message, Notification, OptionsError, Receipt, Secret, SectionKind,
    SendError, ServiceKind,
};
use serde_json::{Value, json};

use crate::answer::advised;
use crate::http::{Address, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, cut, field};
use crate::vendor::{self, Opening, Vendor};

/// Longest message in characters.
const LONGEST: usize = 16_383;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "mattermost",
    aliases: &[],
    summary: "Posts to a Mattermost channel as a bot.",
    recipient: "the id of the channel (channel menu, view info)",
    limits: Limits { body: Some(Length::Characters(LONGEST)), budget: None },
    example: "apiURL: https://mattermost.example.com\ntoken: $mattermost-token\n",
    options: Options::TABLE,
    open: vendor::open::<Mattermost>,
    section: Some(SectionKind {
        key: "mattermost",
        fields: FIELDS,
        required: false,
        compile: |node, compiler| section::compile("mattermost", FIELDS, node, compiler),
        merge: section::whole,
    }),
};

static FIELDS: &[Field] = &[field("attachments", FieldShape::Json, "message attachments: a list as in Slack's format")];

options! {
    struct Options {
        /// Where Mattermost is.
        "apiURL" api_url: String,
        /// The bot's access token.
        "token" token: Secret,
    }
}

const ADVICE: &[(u16, &str)] = &[
    (401, "set `token` to the bot's access token"),
    (403, "add the bot to the channel that the recipient names, and let it post there"),
    (404, "correct the recipient: the id of a channel; or `apiURL`"),
];

#[derive(Debug)]
struct Mattermost {
    url: Address,
    token: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Mattermost {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("apiURL", &options.api_url)?.join("api/v4/posts");
        Ok(Self { url, token: options.token, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let body = payload(message.notification, message.recipient)?;
        let request = Request::post(self.url.clone()).bearer(&self.token).json(&body);
        self.http.deliver(request, message.now, |answer| advised(answer, ADVICE)).await
    }

    fn channel(&self, _: &str, _: &str) -> Channel {
        vendor::by_token(&KIND, &self.url, self.token.expose())
    }

    fn wants_json(&self) -> bool {
        true
    }
}

fn payload(notification: &Notification, recipient: &str) -> Result<Value, SendError> {
    let section = Rendered::of(notification, "mattermost").unwrap_or_default();
    let attachments = section.list("attachments")?.unwrap_or_default();
    let text = cut(&notification.message, LONGEST);
    Ok(json!({ "channel_id": recipient, "message": text, "props": { "attachments": attachments } }))
}
