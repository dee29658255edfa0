//! Sends a CloudEvent over HTTP.
//!
//! API: <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>. *Recipient* is the event's `subject`; the section's unless given.

use async_trait::async_trait;
use echion_model::{Field, FieldShape, Limits, Message, OptionsError, Receipt, Secret, SendError, ServiceKind};
use echion_value::time::Time;
use serde_json::{Value, json};

use crate::http::{Address, Http, Request};
use crate::options::options;
use crate::section::{self, Rendered, field, section};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "cloudevents",
    aliases: &[],
    summary: "Sends a CloudEvent over HTTP.",
    recipient: "the event's `subject`; the section's unless given",
    limits: Limits { body: None, budget: None },
    example: "url: https://broker.example.com/default\n",
    options: Options::TABLE,
    open: vendor::open::<CloudEvents>,
    section: section!("cloudevents", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[
    field("type", FieldShape::Text, "the event's type; `io.echion.notification` unless set"),
    field("source", FieldShape::Text, "where it comes from; the option's unless set"),
    field("subject", FieldShape::Text, "what it is about; the recipient unless that is empty"),
    field("data", FieldShape::Json, "its data; `{\"message\": …}` unless set"),
];

options! {
    struct Options {
        /// Where events go.
        "url" url: Secret,
        /// `source` of events that name none.
        "source" source: String = "echion".to_owned(), "echion",
        /// `structured`: the event is the body. `binary`: the data is the body, the rest are headers.
        "mode" mode: String = "structured".to_owned(), "structured",
    }
}

#[derive(Debug)]
struct CloudEvents {
    url: Address,
    source: String,
    binary: bool,
    http: Http,
}

#[async_trait]
impl Vendor for CloudEvents {
    const KIND: &'static ServiceKind = &KIND;
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        let url = opening.address("url", options.url.expose())?;
        let binary = match options.mode.as_str() {
            "structured" | "" => false,
            "binary" => true,
            _ => return Err(opening.refuse("mode", "`mode` is `structured` or `binary`".to_owned())),
        };
        Ok(Self { url, source: options.source, binary, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let mut event = self.payload(&message)?;
        let request = Request::post(self.url.clone());
        let request = if self.binary {
            let data = event.as_object_mut().and_then(|event| event.remove("data")).unwrap_or_default();
            let attributes = event.as_object().into_iter().flatten().filter(|(name, _)| *name != "datacontenttype");
            attributes.fold(request.json(&data), |request, (name, value)| {
                request.header(&format!("ce-{name}"), escaped(value.as_str().unwrap_or_default()))
            })
        } else {
            request.json(&event).header("Content-Type", "application/cloudevents+json")
        };
        self.http.deliver(request, message.now, |answer| answer.by_status()).await
    }
}

impl CloudEvents {
    fn payload(&self, message: &Message<'_>) -> Result<Value, SendError> {
        let section = Rendered::of(message.notification, "cloudevents").unwrap_or_default();
        let time = Time::from_unix(message.now.div_euclid(1000), message.now.rem_euclid(1000) * 1_000_000);
        let data = section.json("data")?.unwrap_or_else(|| json!({ "message": message.notification.message }));
        let mut event = json!({
            "specversion": "1.0",
            // Source and id together distinguish a repeated attempt from a second event.
            "id": message.id.0,
            "source": section.some("source").unwrap_or(&self.source),
            "type": section.some("type").unwrap_or("io.echion.notification"),
            "time": time.format("2006-01-02T15:04:05.999Z07:00"),
            "datacontenttype": "application/json",
            "data": data,
        });
        let subject = if message.recipient.is_empty() { section.text("subject") } else { message.recipient };
        if !subject.is_empty() {
            event["subject"] = subject.into();
        }
        Ok(event)
    }
}

/// A header's value: what is not printable ASCII is escaped (section 3.1.3.2 of the binding).
fn escaped(text: &str) -> String {
    let plain = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'%';
    text.bytes().map(|b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}
