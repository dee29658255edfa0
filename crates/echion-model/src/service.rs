//! The ports between the engine, the dispatcher and a delivery service.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use echion_value::{Str, Value};

use crate::yaml::Node;
use crate::{Ambient, DeliveryId, Field, Memory, Notification, OptionHelp, Receipt, RouteKey, SendError};

/// A service type: everything the program knows about it without a configuration.
#[derive(Debug)]
pub struct ServiceKind {
    /// The `<type>` of `service.<type>[.<name>]`.
    pub name: &'static str,
    /// Other spellings that mean the same.
    pub aliases: &'static [&'static str],
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// What *recipient* means here.
    pub recipient: &'static str,
    /// What the vendor documents.
    pub limits: Limits,
    /// Options as a user would write them.
    pub example: &'static str,
    /// Every option of its own; the transport options that services share are not repeated.
    pub options: &'static [OptionHelp],
    /// Builds an instance from its options, without network.
    pub open: Open,
    /// The part of a template that belongs to this type.
    pub section: Option<SectionKind>,
}

/// Builds an instance called `name` from its options.
pub type Open = fn(name: &str, options: &Node, environment: &Environment) -> Result<Arc<dyn Service>, OptionsError>;

/// Compiles a section.
pub type CompileSection =
    fn(section: &Node, compiler: &dyn TextCompiler) -> Result<Box<dyn Section>, Vec<SectionError>>;

/// Limits of a service type as its vendor documents them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Longest text.
    pub body: Option<Length>,
    /// Most messages in a time.
    pub budget: Option<Budget>,
}

/// How long a text may be, as the vendor counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// In bytes of UTF-8.
    Bytes(usize),
    /// In characters.
    Characters(usize),
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Length::Bytes(count) => write!(f, "{count} bytes"),
            Length::Characters(count) => write!(f, "{count} characters"),
        }
    }
}

/// At most `count` messages in any stretch of `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many.
    pub count: u32,
    /// In which time.
    pub window: Duration,
}

/// What an instance needs of the outside world.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `User-Agent` of requests.
    pub user_agent: String,
    /// Folder with one PEM file per host name (contract 5.0).
    pub certificates: Option<std::path::PathBuf>,
    /// Variables of the process: those that hold its identity in a cloud (`AWS_…`, `GOOGLE_…`), and those that name proxies.
    pub variables: std::collections::BTreeMap<String, crate::Secret>,
    /// Values of the Secret that the options refer to with `$`: none of them is quoted, whatever option it stands in.
    pub secrets: Vec<crate::Secret>,
    /// Compiles the conditions that options may hold; without it such an option is refused.
    pub conditions: Option<Arc<dyn ConditionCompiler>>,
    /// Set when the options were written by a tenant (self-service); what they may not do is refused.
    pub tenant: Option<Tenant>,
}

/// What a tenant's options may do besides the ordinary. They never read files of the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// Which addresses they may reach.
    pub egress: crate::Egress,
    /// `insecureSkipVerify` is accepted.
    pub insecure_skip_verify: bool,
}

/// Compiles conditions over an answer: the engine's side of the port, so that no service knows a language.
pub trait ConditionCompiler: Send + Sync + fmt::Debug {
    /// Compiles one condition.
    ///
    /// # Errors
    /// Message, line and column.
    fn compile(&self, source: &str) -> Result<Arc<dyn Condition>, (String, (u32, u32))>;
}

/// A compiled condition.
pub trait Condition: Send + Sync + fmt::Debug {
    /// Whether it holds for these variables, a map.
    ///
    /// # Errors
    /// Why it could not be evaluated.
    fn holds(&self, variables: &Value) -> Result<bool, String>;
}

/// Options that cannot be used. Names the option; line and column are inside the key's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsError {
    /// What is wrong and what was expected.
    pub message: String,
    /// Where, from 1.
    pub at: (u32, u32),
    /// The next step.
    pub hint: String,
}

/// A configured instance of a service type.
#[async_trait]
pub trait Service: Send + Sync + fmt::Debug {
    /// Sends one message and reads the answer. Time-outs are the service's business.
    ///
    /// # Errors
    /// The retry rule, the reason, and what to do, free of secrets.
    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError>;

    /// The channel a recipient belongs to.
    fn channel(&self, recipient: &str) -> Channel;

    /// Whether the receiver understands nothing but JSON.
    fn wants_json(&self) -> bool {
        false
    }

    /// Options that mean nothing to this type, or are not used as they are written: each is worth a warning.
    fn remarks(&self) -> Vec<OptionsError> {
        Vec::new()
    }
}

/// What goes out.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// What is said.
    pub notification: &'a Notification,
    /// To which address of the service.
    pub recipient: &'a str,
    /// The stable id for vendors that accept one.
    pub id: &'a DeliveryId,
    /// The current time in milliseconds since 1970, for signatures.
    pub now: i64,
    /// What outlives a message and a restart.
    pub memory: &'a dyn Memory,
}

/// Where the vendor counts: one robot, one workspace token and chat, one mailbox. A channel is a queue of its own; budget, concurrency,
/// pauses and order are per channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Unique name, free of secrets. Two services that reach the same robot have the same name here.
    pub name: String,
    /// The vendor's rate, if it has one.
    pub budget: Option<Budget>,
    /// How many messages may be on their way at once.
    pub concurrency: u32,
    /// How failed attempts are repeated.
    pub retry: Retry,
    /// The vendor takes the id of a delivery and ignores it the second time, so that repeating an attempt cannot double a message.
    pub idempotent: bool,
}

impl Channel {
    /// The channel of a service for a delivery. Whoever configures a namespace has channels of their own.
    #[must_use]
    pub fn of(service: &dyn Service, route: &RouteKey) -> Self {
        let channel = service.channel(&route.destination.recipient);
        if route.owner.is_empty() {
            return channel;
        }
        Self { name: format!("{}/{}", route.owner, channel.name), ..channel }
    }
}

/// The wait after so many failures in a row, from 0: doubling from the shortest to the longest.
#[must_use]
pub fn backoff(min: Duration, max: Duration, failures: u32) -> Duration {
    min.saturating_mul(2_u32.saturating_pow(failures.min(30))).min(max)
}

/// Backoff of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Wait after the first failure; doubles from there.
    pub min: Duration,
    /// Longest wait between attempts.
    pub max: Duration,
    /// A delivery older than this is parked.
    pub give_up_after: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            min: Duration::from_secs(1),
            max: Duration::from_secs(300),
            give_up_after: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// How a service type compiles and combines its part of a template.
#[derive(Clone, Copy, Debug)]
pub struct SectionKind {
    /// Its key in a template.
    pub key: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// Without it nothing is sent.
    pub required: bool,
    /// Compiles the section once. All errors are reported, not only the first.
    pub compile: CompileSection,
    /// Folds a later template's section into an earlier one's (contract 4.3).
    pub merge: fn(earlier: &mut serde_json::Value, later: serde_json::Value),
}

/// An error in a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionError {
    /// The way from the template to the field: `webhook.dingtalk.body`.
    pub path: String,
    /// Line and column inside the field's text, or of the field when `source` is empty.
    pub at: (u32, u32),
    /// What is wrong.
    pub message: String,
    /// The text of the field; empty when the error is not inside a template text.
    pub source: String,
}

/// A compiled section.
pub trait Section: Send + Sync + fmt::Debug {
    /// Renders it for the instance called `service`; `None` when the section has nothing for that instance.
    ///
    /// # Errors
    /// The field that failed and why.
    fn render(&self, service: &str, context: &RenderContext<'_>) -> Result<Option<serde_json::Value>, RenderError>;

    /// Renders it for every instance that it names, to be shown.
    ///
    /// # Errors
    /// The field that failed and why.
    fn render_all(&self, context: &RenderContext<'_>) -> Result<serde_json::Value, RenderError> {
        Ok(self.render("", context)?.unwrap_or_default())
    }

    /// Fields that mean nothing to this section, as ways from the template, with their places: worth a warning.
    fn unknown_fields(&self) -> Vec<(String, (u32, u32))> {
        Vec::new()
    }

    /// The texts of what [`Self::render`] gave for `service` that their receiver reads as JSON.
    fn json_texts<'s>(&'s self, _service: &str, _rendered: &serde_json::Value) -> Vec<JsonText<'s>> {
        Vec::new()
    }
}

/// A text that its receiver reads as JSON.
#[derive(Debug)]
pub struct JsonText<'s> {
    /// The way to the field inside the section.
    pub path: String,
    /// The compiled text.
    pub text: &'s dyn Text,
    /// What it rendered to.
    pub rendered: Vec<u8>,
}

/// Compiles template texts: the engine's side of the port, so that no service knows a language.
pub trait TextCompiler {
    /// Compiles one text.
    ///
    /// # Errors
    /// Message, line and column.
    fn compile(&self, text: &str) -> Result<Box<dyn Text>, (String, (u32, u32))>;

    /// The name of the template that the texts belong to.
    fn template(&self) -> &str;
}

/// A compiled template text.
pub trait Text: Send + Sync + fmt::Debug {
    /// Renders it.
    ///
    /// # Errors
    /// Why, with the place inside the text.
    fn render(&self, context: &RenderContext<'_>) -> Result<Str, RenderError>;

    /// Which part of the text a byte of what it renders to comes from; `None` when the text does not know.
    fn origin(&self, _context: &RenderContext<'_>, _offset: usize) -> Option<Origin> {
        None
    }
}

/// The part of a text that a byte comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Line and column inside the text.
    pub at: (u32, u32),
    /// The action that printed it; empty for what is not part of one.
    pub action: String,
    /// What that printed.
    pub printed: Vec<u8>,
}

/// What a text is rendered with.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The variables (contract 3.4), a map.
    pub variables: &'a Value,
    /// The current time in milliseconds since 1970, for functions that ask.
    pub now: i64,
    /// The rest of the world; without it nothing is random, no name is looked up, and there is no deadline.
    pub ambient: Option<&'a dyn Ambient>,
    /// Whether host names may be looked up: not by what users configure for themselves.
    pub lookups: bool,
}

/// A text that could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// The way to the field, as far as it is known.
    pub path: String,
    /// Line and column inside the field's text.
    pub at: (u32, u32),
    /// Why.
    pub message: String,
}

impl RenderError {
    /// The same error one level further out: `body` becomes `webhook.dingtalk.body`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.path = if self.path.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.path) };
        self
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl std::error::Error for RenderError {}
