//! A single expression or template text over a resource, as `echion expr` and `echion render` show it.

use echion_expr::{Program, Trace};
use echion_value::{Map, Type, Value};

use crate::config::Config;
use crate::variables::EvaluationContext;

/// A resource with everything that expressions and templates may ask.
pub struct Preview {
    variables: Map,
    values: Value,
    context: EvaluationContext,
}

impl Preview {
    /// A preview in a context.
    #[must_use]
    pub fn new(config: Config, app: Option<Value>, context: EvaluationContext) -> Self {
        let app = app.unwrap_or_else(|| Value::Map(Map::nil(Type::Any)));
        let variables = Map::of_any(context.variables(&config, &app, None, ""));
        Self { values: Value::Map(variables.clone()), variables, context }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// The language's own text, with the place.
    pub fn expression(&self, source: &str) -> Result<Value, String> {
        let program = program(source)?;
        self.context.with_context(|context| program.eval(&self.variables, context)).map_err(|error| error.to_string())
    }

    /// What each part of an expression comes to.
    ///
    /// # Errors
    /// When it is no expression: the language's own text, with the place.
    pub fn trace(&self, source: &str) -> Result<Trace, String> {
        let program = program(source)?;
        Ok(self.context.with_context(|context| program.trace(&self.variables, context)))
    }

    /// The text of a template.
    ///
    /// # Errors
    /// The language's own text, with the place.
    pub fn template(&self, source: &str) -> Result<Vec<u8>, String> {
        let template =
            echion_template::parse("template", source, echion_sprig::functions()).map_err(|e| e.to_string())?;
        crate::template::render(&template, &self.context.render_context(&self.values)).map_err(|e| e.to_string())
    }
}

fn program(source: &str) -> Result<Program, String> {
    echion_expr::compile(source).map_err(|error| error.to_string())
}
