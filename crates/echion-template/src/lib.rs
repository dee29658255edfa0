//! Go's `text/template`: lex, parse, execute.
//!
//! ```
//! use echion_template::{Functions, CallContext, Limits, parse};
//! use echion_value::{Value, time::Time};
//!
//! let template = parse("greeting", "Hello, {{.name}}!", &Functions::new(&[]))?;
//! let data: Value = serde_json::from_str(r#"{"name": "Argo"}"#)?;
//! let text = template.render(&data, &mut CallContext::new(Time::default()), &Limits::default())?;
//! assert_eq!(text, b"Hello, Argo!");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A template is parsed once and rendered often. Rendering does no I/O; the time, randomness and host names come through a
//! [`CallContext`], and [`Limits`] bound everything that a template can repeat, nest or produce.

mod call;
mod core;
mod error;
mod eval;
mod exec;
mod function;
mod lexer;
mod number;
mod operand;
mod origin;
mod parser;
mod reads;
mod token;
mod tree;

use std::sync::atomic::AtomicUsize;

use echion_value::Value;

pub use call::{CallContext, Expired, Limits, Random, Resolve};
pub use core::{ALL as OWN, escape};
pub use error::{Error, Phase};
pub use function::{Body, Function, Functions, Uses, takes};
pub use origin::Origin;
pub use reads::Reads;

/// A template that can be rendered, with all templates it defines.
#[derive(Debug)]
pub struct Template {
    name: String,
    text: String,
    trees: parser::Trees,
    /// How long the last output was.
    size: AtomicUsize,
}

/// Parses a template. `name` is what error texts call it.
///
/// # Errors
/// When the text is no template, with Go's text.
pub fn parse(name: &str, text: &str, functions: &Functions) -> Result<Template, Box<Error>> {
    let trees = parser::parse(name, text, functions)?;
    Ok(Template { name: name.to_owned(), text: text.to_owned(), trees, size: AtomicUsize::new(0) })
}

impl Template {
    /// Renders the template over `data`.
    ///
    /// # Errors
    /// When template and data do not fit, or the template asks for too much. The error holds what was written before.
    pub fn render(&self, data: &Value, call: &mut CallContext<'_>, limits: &Limits) -> Result<Vec<u8>, Box<Error>> {
        let mut run = exec::Run::new(self, call, limits, data);
        match run.whole(data) {
            Ok(()) => Ok(run.out),
            Err(error) => Err(error.with_partial(run.out)),
        }
    }
}

/// Whether a value is true in `if`, `and`, `default` and the like.
#[must_use]
pub fn is_true(value: &Value) -> bool {
    operand::is_true(value)
}
