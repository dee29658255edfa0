//! The template language as its users see it.
#![expect(clippy::unwrap_used, reason = "a test may fail at once")]

mod hostile;
mod random;
mod reads;
mod rules;

use echion_template::{CallContext, Error, Functions, Limits, Template, parse};
use echion_value::Value;

fn compile(text: &str) -> Result<Template, Box<Error>> {
    parse("t", text, &Functions::new(&[]))
}

/// Renders over a JSON text: the output, or the error.
fn render(text: &str, data: &str) -> Result<String, Box<Error>> {
    render_with(text, data, &Limits::default())
}

fn render_with(text: &str, data: &str, limits: &Limits) -> Result<String, Box<Error>> {
    let data: Value = serde_json::from_str(data).unwrap();
    let out = compile(text)?.render(&data, &mut CallContext::default(), limits)?;
    Ok(String::from_utf8(out).unwrap())
}
