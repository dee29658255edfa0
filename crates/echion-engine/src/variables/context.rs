//! Everything that conditions and templates may use besides the configuration: the clock, the repository, the helpers.

use std::sync::Arc;

use echion_expr::Context;
use echion_model::{Ambient, RenderContext, Resource};
use echion_value::time::Time;
use echion_value::{Map, Str, Type, Value};

use super::{Forgiving, Repository, repo, strings, time};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::trigger::{Condition, Evaluation};

/// One moment in which resources are evaluated.
#[derive(Clone)]
pub struct EvaluationContext {
    now: Time,
    time: Value,
    strings: Value,
    variable: Str,
    repository: Arc<dyn Repository>,
    ambient: Option<Arc<dyn Ambient>>,
    lookups: bool,
    progress: Option<Progress>,
}

/// Called with the name of each trigger whose evaluation begins, so that whoever waits knows which one takes long.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

impl EvaluationContext {
    /// A context at a time.
    #[must_use]
    pub fn new(now: Time, repository: Arc<dyn Repository>) -> Self {
        let clock = now.clone();
        let time = Value::Map(time(move || clock.clone()));
        let variable = "app".into();
        Self {
            now,
            time,
            strings: Value::Map(strings()),
            variable,
            repository,
            ambient: None,
            lookups: true,
            progress: None,
        }
    }

    /// The same moment for a kind of resource that conditions and templates know under another name than `app`.
    #[must_use]
    pub fn calling(self, variable: &str) -> Self {
        Self { variable: variable.into(), ..self }
    }

    /// A context at a time in milliseconds since 1970.
    #[must_use]
    pub fn at_millis(millis: i64, repository: Arc<dyn Repository>) -> Self {
        let nanos = millis.rem_euclid(1000) * 1_000_000;
        Self::new(Time::from_unix(millis.div_euclid(1000), nanos), repository)
    }

    /// The same with the ambient things.
    #[must_use]
    pub fn with_ambient(self, ambient: Arc<dyn Ambient>) -> Self {
        Self { ambient: Some(ambient), ..self }
    }

    /// The same with another repository to ask.
    #[must_use]
    pub fn with_repository(self, repository: Arc<dyn Repository>) -> Self {
        Self { repository, ..self }
    }

    /// The same for templates: where the repository has no answer they go without, and the reasons are kept.
    pub(crate) fn forgiving(&self) -> (Self, Arc<Forgiving>) {
        let forgiving = Arc::new(Forgiving::new(Arc::clone(&self.repository)));
        (self.clone().with_repository(Arc::clone(&forgiving) as Arc<dyn Repository>), forgiving)
    }

    /// The same for what users configure for themselves: no host name is looked up on their behalf.
    #[must_use]
    pub fn for_self_service(self) -> Self {
        Self { lookups: false, ..self }
    }

    /// The same with an observer of which trigger is evaluated.
    #[must_use]
    pub fn reporting(self, progress: Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    pub(crate) fn begins(&self, trigger: &str) {
        if let Some(progress) = &self.progress {
            progress(trigger);
        }
    }

    /// What texts are rendered with.
    #[must_use]
    pub fn render_context<'a>(&'a self, variables: &'a Value) -> RenderContext<'a> {
        RenderContext { variables, now: self.now_millis(), ambient: self.ambient.as_deref(), lookups: self.lookups }
    }

    /// The time in Unix seconds.
    #[must_use]
    pub fn now_seconds(&self) -> i64 {
        self.now.unix()
    }

    /// The time in milliseconds since 1970.
    #[must_use]
    pub fn now_millis(&self) -> i64 {
        self.now.unix_milli()
    }

    /// What a condition sees (contract 3.4).
    #[must_use]
    pub fn trigger_variables(&self, config: &Config, resource: &Resource, project: Option<&Value>) -> Map {
        Map::of_any(self.variables(config, &resource.object, project, ""))
    }

    /// What a template sees for a service, but for the recipient.
    #[must_use]
    pub fn template_variables(
        &self,
        config: &Config,
        resource: &Resource,
        project: Option<&Value>,
        service: &str,
    ) -> Map {
        let mut entries = self.variables(config, &resource.object, project, service);
        entries.push(("serviceType".into(), Value::from(service)));
        Map::of_any(entries)
    }

    /// The variables of a template with the recipient among them.
    #[must_use]
    pub fn with_recipient(&self, variables: &Map, recipient: &str) -> Map {
        let mut entries = variables.entries().into_owned();
        entries.push(("recipient".into(), Value::from(recipient)));
        Map::of_any(entries)
    }

    /// Asks a condition.
    #[must_use]
    pub fn evaluate(&self, condition: &Condition, variables: &Map) -> Evaluation {
        self.with_context(|context| condition.evaluate(variables, context))
    }

    /// Does something with a context for expressions, whose time begins now.
    pub(crate) fn with_context<T>(&self, act: impl FnOnce(&Context<'_>) -> T) -> T {
        let deadline = Deadline::new(self.ambient.as_deref());
        let expired = || deadline.is_over();
        act(&Context { now: self.now.clone(), expired: Some(&expired), ..Context::default() })
    }

    pub(crate) fn variables(
        &self,
        config: &Config,
        app: &Value,
        project: Option<&Value>,
        service: &str,
    ) -> Vec<(Str, Value)> {
        let mut variables = vec![
            (self.variable.clone(), app.clone()),
            ("appProject".into(), project.cloned().unwrap_or_else(|| Value::Map(Map::new(Type::Any, Vec::new())))),
            ("context".into(), Value::Map(config.context(service))),
            ("time".into(), self.time.clone()),
            ("strings".into(), self.strings.clone()),
            ("repo".into(), Value::Map(repo(&self.repository, app))),
        ];
        if let Some(secrets) = config.secrets() {
            variables.push(("secrets".into(), secrets));
        }
        variables
    }
}
