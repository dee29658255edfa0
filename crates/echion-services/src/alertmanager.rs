//! Fires an alert in Prometheus Alertmanager (contract 5.1).
//!
//! API: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>. *Recipient* is not used.

use std::time::Duration;

use async_trait::async_trait;
use echion_model::yaml::Node;
use echion_model::{
    Channel, Field, FieldShape, Limits, Message, OptionShape, OptionsError, Receipt, RenderContext, RenderError,
    Secret, Section, SectionError, SectionKind, SendError, SendErrorKind, ServiceKind, TextCompiler,
};
use echion_value::time::Time;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::forge::REPOSITORY;
use crate::http::{Address, Http, Request};
use crate::options::{Shaped, options};
use crate::section::{self, Rendered, field};
use crate::vendor::{self, Opening, Vendor};

/// The type.
pub(crate) static KIND: ServiceKind = ServiceKind {
    name: "alertmanager",
    aliases: &[],
    summary: "Fires an alert in Prometheus Alertmanager.",
    recipient: "not used",
    limits: Limits { body: None, budget: None },
    example: "targets: [alertmanager-0.alertmanager:9093, alertmanager-1.alertmanager:9093]\n",
    options: Options::TABLE,
    open: vendor::open::<Alertmanager>,
    section: Some(SectionKind { key: "alertmanager", fields: FIELDS, required: true, compile, merge }),
};

static FIELDS: &[Field] = &[
    field(
        "labels",
        FieldShape::MapOrSource,
        "the alert's labels, at least one; `alertname` is the template's name unless set",
    ),
    field("annotations", FieldShape::MapOrSource, "the alert's annotations"),
    field("generatorURL", FieldShape::TextOr(REPOSITORY), "where the alert comes from; the repository unless set"),
];

options! {
    struct Options {
        /// `host:port` of every instance; one of them must take the alert.
        "targets" targets: Vec<String> = vec!["127.0.0.1:9093".to_owned()], "127.0.0.1:9093",
        /// `http` or `https`.
        "scheme" scheme: String = "http".to_owned(), "http",
        /// The path of the API.
        "apiPath" api_path: String = "/api/v2/alerts".to_owned(), "/api/v2/alerts",
        /// `{username, password}`; over `bearerToken`.
        "basicAuth" basic_auth: Option<BasicAuth>,
        /// A token.
        "bearerToken" bearer_token: Secret,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BasicAuth {
    username: String,
    password: Secret,
}

impl Shaped for BasicAuth {
    const SHAPE: OptionShape = OptionShape::Nested;
}

#[derive(Debug)]
struct Alertmanager {
    targets: Vec<Address>,
    basic_auth: Option<BasicAuth>,
    bearer_token: Secret,
    http: Http,
}

#[async_trait]
impl Vendor for Alertmanager {
    const KIND: &'static ServiceKind = &KIND;
    const TIMEOUT: Duration = Duration::from_secs(3);
    type Options = Options;

    fn open(options: Options, opening: &Opening<'_>) -> Result<Self, OptionsError> {
        opening.require("targets", options.targets.is_empty())?;
        let target = |target: &String| {
            let address = opening.address("targets", &format!("{}://{target}", options.scheme))?;
            Ok(address.join(&options.api_path))
        };
        let targets = options.targets.iter().map(target).collect::<Result<_, OptionsError>>()?;
        let Options { basic_auth, bearer_token, .. } = options;
        Ok(Self { targets, basic_auth, bearer_token, http: opening.http()? })
    }

    async fn send(&self, message: Message<'_>) -> Result<Receipt, SendError> {
        let body = payload(&vendor::needed(&message, "alertmanager")?, message.now)?;
        let mut posts = JoinSet::new();
        for target in &self.targets {
            let mut request = Request::post(target.clone()).json(&body);
            if let Some(auth) = &self.basic_auth {
                request = request.basic(&auth.username, &auth.password);
            } else if !self.bearer_token.is_empty() {
                request = request.bearer(&self.bearer_token);
            }
            let (http, now) = (self.http.clone(), message.now);
            posts.spawn(async move { http.deliver(request, now, |answer| answer.by_status()).await });
        }
        let (mut taken, mut worst) = (0, None::<SendError>);
        while let Some(done) = posts.join_next().await {
            match done {
                Ok(Ok(_)) => taken += 1,
                Ok(Err(error)) if worst.as_ref().is_none_or(|w| rank(&error) > rank(w)) => worst = Some(error),
                _ => {}
            }
        }
        let all = self.targets.len();
        match worst {
            // Members of a cluster share their alerts.
            _ if taken > 0 => Ok(Receipt { answer: format!("taken by {taken} of {all} instances") }),
            Some(error) => {
                Err(SendError { reason: format!("taken by none of {all} instances: {}", error.reason), ..error })
            }
            None => Err(SendError::unknown("no instance responded")),
        }
    }

    fn channel(&self, name: &str, _: &str) -> Channel {
        // Labels make an alert: the same once more is no second one.
        Channel { idempotent: true, ..vendor::channel(name, &KIND) }
    }
}

/// Which of several failures decides: that the alert may have arrived, then that an instance may recover, then that somebody can repair one.
fn rank(error: &SendError) -> u8 {
    match error.kind {
        SendErrorKind::Rejected => 0,
        SendErrorKind::Attention => 1,
        SendErrorKind::QuotaExhausted { .. } => 2,
        SendErrorKind::RateLimited { .. } => 3,
        SendErrorKind::Retryable { .. } => 4,
        SendErrorKind::Unknown => 5,
    }
}

fn payload(section: &Rendered, now: i64) -> Result<Value, SendError> {
    let mut labels = section.inner("labels").unwrap_or_default();
    if labels.is_empty() {
        let hint = "give the section `alertmanager` of the template at least one label";
        return Err(SendError::rejected("the alert has no labels", hint));
    }
    if labels.some("alertname").is_none() {
        labels.put("alertname", section.text("template"));
    }
    let source = web_address(section.text("generatorURL"));
    if Url::parse(&source).is_err() {
        let hint = "correct `generatorURL` in the section `alertmanager` of the template";
        return Err(SendError::rejected(format!("`generatorURL` is not an address: `{source}`"), hint));
    }
    let starts = Time::from_unix(now.div_euclid(1000), now.rem_euclid(1000) * 1_000_000);
    Ok(json!([{
        "labels": labels.as_value(),
        "annotations": section.value("annotations"),
        "generatorURL": source,
        "startsAt": starts.format("2006-01-02T15:04:05.999999999Z07:00"),
    }]))
}

/// The web page of a repository that is given as `git@host:path`.
fn web_address(url: &str) -> String {
    match url.strip_prefix("git@") {
        Some(rest) => format!("https://{}", rest.replacen(':', "/", 1)),
        None => url.to_owned(),
    }
}

/// A section that knows its template's name, which is the alert's unless the labels say otherwise.
#[derive(Debug)]
struct Named {
    inner: Box<dyn Section>,
    template: String,
}

fn compile(section: &Node, compiler: &dyn TextCompiler) -> Result<Box<dyn Section>, Vec<SectionError>> {
    let inner = section::compile("alertmanager", FIELDS, section, compiler)?;
    Ok(Box::new(Named { inner, template: compiler.template().to_owned() }))
}

impl Section for Named {
    fn render(&self, service: &str, context: &RenderContext<'_>) -> Result<Option<Value>, RenderError> {
        let mut rendered = self.inner.render(service, context)?;
        if let Some(fields) = rendered.as_mut().and_then(Value::as_object_mut) {
            fields.insert("template".to_owned(), self.template.as_str().into());
        }
        Ok(rendered)
    }

    fn unknown_fields(&self) -> Vec<(String, (u32, u32))> {
        self.inner.unknown_fields()
    }
}

/// Labels are overwritten; annotations and `generatorURL` only by something (contract 4.3).
fn merge(earlier: &mut Value, later: Value) {
    let labels = later.get("labels").cloned().unwrap_or(Value::Null);
    section::non_empty(earlier, later);
    if let Some(fields) = earlier.as_object_mut() {
        fields.insert("labels".to_owned(), labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_over_ssh_has_a_web_address() {
        assert_eq!(web_address("git@github.com:a/b.git"), "https://github.com/a/b.git");
        assert_eq!(web_address("https://github.com/a/b"), "https://github.com/a/b");
    }
}
