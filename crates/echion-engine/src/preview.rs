//! A single expression or template text over a resource, as `echion expr` and `echion render` show it.

use std::sync::Arc;

use echion_expr::{Context, Program, Trace};
use echion_value::time::Time;
use echion_value::{Map, Type, Value};

use crate::config::Config;
use crate::variables::{Repository, Scene};

/// A resource with everything that expressions and templates may ask.
pub struct Preview {
    variables: Map,
    now: i64,
}

impl Preview {
    /// A preview at a time in milliseconds since 1970.
    #[must_use]
    pub fn new(config: Config, app: Option<Value>, now: i64, repository: Arc<dyn Repository>) -> Self {
        let scene = Scene::at_millis(now, repository);
        let app = app.unwrap_or_else(|| Value::Map(Map::nil(Type::Any)));
        Self { variables: Map::of_any(scene.variables(&config, &app, None, "")), now }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// The language's own text, with the place.
    pub fn expression(&self, source: &str) -> Result<Value, String> {
        program(source)?.eval(&self.variables, &self.context()).map_err(|error| error.to_string())
    }

    /// What each part of an expression comes to.
    ///
    /// # Errors
    /// When it is no expression: the language's own text, with the place.
    pub fn trace(&self, source: &str) -> Result<Trace, String> {
        Ok(program(source)?.trace(&self.variables, &self.context()))
    }

    fn context(&self) -> Context<'static> {
        let now = Time::from_unix(self.now.div_euclid(1000), self.now.rem_euclid(1000) * 1_000_000);
        Context { now, ..Context::default() }
    }

    /// The text of a template.
    ///
    /// # Errors
    /// The language's own text, with the place.
    pub fn template(&self, source: &str) -> Result<Vec<u8>, String> {
        let template =
            echion_template::parse("template", source, echion_sprig::functions()).map_err(|e| e.to_string())?;
        crate::template::render(&template, &Value::Map(self.variables.clone()), self.now).map_err(|e| e.to_string())
    }
}

fn program(source: &str) -> Result<Program, String> {
    echion_expr::compile(source).map_err(|error| error.to_string())
}
