//! Kubernetes Events: what concerns an object, where people see it.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// Longest note that the API takes.
const NOTE: usize = 1000;

/// What an Event is about.
#[derive(Clone, Debug, Default)]
pub struct Regarding {
    /// `group/version` of the object.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid; empty when it is not known.
    pub uid: String,
}

/// Publishes Events.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// Publishes in the name of `instance`.
    #[must_use]
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: "echion".to_owned(), instance: Some(instance.to_owned()) };
        Self(Recorder::new(client, reporter))
    }

    /// Publishes a warning. Equal ones become one with a count.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn warn(&self, regarding: &Regarding, reason: &str, note: &str) -> Result<(), kube::Error> {
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let reference = ObjectReference {
            api_version: filled(&regarding.api_version),
            kind: filled(&regarding.kind),
            namespace: filled(&regarding.namespace),
            name: filled(&regarding.name),
            uid: filled(&regarding.uid),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(note.chars().take(NOTE).collect()),
            action: "Notify".to_owned(),
            secondary: None,
        };
        self.0.publish(&event, &reference).await
    }
}
