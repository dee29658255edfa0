//! Posts an adaptive card to Microsoft Teams through a workflow of Power Automate (contract 5.18).
//!
//! Format: <https://adaptivecards.io/explorer/>. *Recipient* is a name in `recipientUrls`.

use echion_model::{Budget, Field, FieldShape, Length, Limits, Message, Receipt, SendError, ServiceKind};
use serde_json::{Map, Value, json};

use crate::hooks::{Hook, Hooks, RecipientUrls};
use crate::http::{Address, Answer, is_this_machine};
use crate::section::{self, Rendered, field, fit, section};
use crate::vendor;

/// Longest body in bytes.
const LONGEST: usize = 28 * 1024;

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "teams-workflows",
    aliases: &[],
    summary: "Posts an adaptive card to Microsoft Teams through a workflow of Power Automate.",
    recipient: "a name in `recipientUrls`",
    limits: Limits {
        body: Some(Length::Bytes(LONGEST)),
        budget: Some(Budget { count: 4, window: std::time::Duration::from_secs(1) }),
    },
    example: "recipientUrls:\n  channel: $teams-workflow-url\n",
    options: RecipientUrls::TABLE,
    open: vendor::open::<Hooks<Workflows>>,
    section: section!("teams-workflows", FIELDS, section::non_empty),
};

static FIELDS: &[Field] = &[
    field("adaptiveCard", FieldShape::Json, "the whole card; the other fields are not used then"),
    field("title", FieldShape::Text, "the card's title"),
    field("text", FieldShape::Text, "the card's text; the `message` unless set"),
    field("themeColor", FieldShape::Text, "the title's colour: `Good`, `Warning`, `Attention`, `Accent`"),
    field("facts", FieldShape::Json, "a list of `{name, value}`"),
    field("sections", FieldShape::Json, "a list of sections, of which `facts` are shown"),
    field("potentialAction", FieldShape::Json, "a list of actions, of which `OpenUri` become buttons"),
    field("summary", FieldShape::Text, "accepted for compatibility; a card has no such place"),
    field("template", FieldShape::Text, "accepted for compatibility; use `adaptiveCard`"),
];

/// The service.
#[derive(Debug)]
pub(crate) enum Workflows {}

impl Hook for Workflows {
    const KIND: &'static ServiceKind = &KIND;
    type Options = RecipientUrls;

    fn request(url: Address, section: &Rendered, message: &Message<'_>) -> Result<(Address, Value), SendError> {
        // Whoever has the old connector's address here would wait for cards that never come.
        if !is_workflow(&url) {
            return Err(SendError::attention(format!("{url} is not the https address of a workflow"), COPY));
        }
        Ok((url, payload(section, &message.notification.message)?))
    }

    fn classify(answer: &Answer, _: &Address) -> Result<Receipt, SendError> {
        answer.by_status().map_err(|error| match answer.status {
            401 | 403 | 404 => SendError::attention(error.reason, COPY),
            _ => error,
        })
    }
}

/// The address is all there is: it holds the signature that lets callers in.
const COPY: &str = "copy the address of the workflow `Post to a channel when a webhook request is received` again, and check \
     that the workflow is turned on and lets anyone trigger it";

/// Whether an address is that of a workflow.
pub(crate) fn is_workflow(url: &Address) -> bool {
    const KNOWN: [&str; 6] = [
        "api.powerautomate.com",
        "api.powerplatform.com",
        "flow.microsoft.com",
        "webhook.office.com/workflows",
        "/powerautomate/",
        ".logic.azure.com",
    ];
    let text = url.url().as_str().to_lowercase();
    let safe = url.url().scheme() == "https" || is_this_machine(url.host());
    safe && KNOWN.iter().any(|known| text.contains(known))
}

fn payload(section: &Rendered, message: &str) -> Result<Value, SendError> {
    let (card, ours) = match section.json("adaptiveCard")? {
        Some(card) => (card, false),
        None => (card(section, message)?, true),
    };
    let mut body = json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": card }],
    });
    if ours {
        let place = if section.some("title").is_some() { 1 } else { 0 };
        fit(&mut body, &format!("/attachments/0/content/body/{place}/text"), LONGEST);
    }
    Ok(body)
}

fn card(section: &Rendered, message: &str) -> Result<Value, SendError> {
    let mut body = Vec::new();
    if let Some(title) = section.some("title") {
        let mut block =
            json!({ "type": "TextBlock", "text": title, "size": "Large", "weight": "Bolder", "wrap": true });
        if let Some(color) = section.some("themeColor") {
            block["color"] = color.into();
        }
        body.push(block);
    }
    let text = section.some("text").unwrap_or(message);
    if !text.is_empty() {
        body.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
    }
    body.extend(fact_set(section.list("facts")?.unwrap_or_default()));
    for part in section.list("sections")?.unwrap_or_default() {
        body.extend(fact_set(part.get("facts").and_then(Value::as_array).cloned().unwrap_or_default()));
    }
    let actions: Vec<Value> = section.list("potentialAction")?.unwrap_or_default().iter().filter_map(action).collect();
    let mut card = Map::from_iter([
        ("type".to_owned(), json!("AdaptiveCard")),
        ("version".to_owned(), json!("1.4")),
        ("body".to_owned(), body.into()),
    ]);
    if !actions.is_empty() {
        card.insert("actions".to_owned(), actions.into());
    }
    Ok(Value::Object(card))
}

fn fact_set(facts: Vec<Value>) -> Option<Value> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let facts: Vec<Value> = facts
        .iter()
        .filter_map(|fact| {
            let name = fact.get("name")?.as_str()?;
            Some(json!({ "title": name, "value": fact.get("value").map(text).unwrap_or_default() }))
        })
        .collect();
    (!facts.is_empty()).then(|| json!({ "type": "FactSet", "facts": facts }))
}

fn action(action: &Value) -> Option<Value> {
    if action.get("@type")?.as_str()? != "OpenUri" {
        return None;
    }
    let url = action.get("targets")?.get(0)?.get("uri")?.as_str()?;
    Some(json!({ "type": "Action.OpenUrl", "title": action.get("name").and_then(Value::as_str), "url": url }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails loudly")]
mod tests {
    use super::*;

    #[test]
    fn workflows_of_every_region_are_known_and_only_over_tls() {
        for (address, known) in [
            ("https://prod-01.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke?sig=s", true),
            ("https://prod-01.westeurope.logic.azure.com:443/workflows/x", true),
            ("https://default1.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/x", true),
            ("http://prod-01.westeurope.logic.azure.com/workflows/x", false),
            ("https://hooks.example.com/workflows/x", false),
        ] {
            assert_eq!(is_workflow(&Address::parse(address).unwrap()), known, "{address}");
        }
    }
}
