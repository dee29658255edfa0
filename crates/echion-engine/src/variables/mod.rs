//! The names a trigger or template can use besides the resource: `time`, `strings`, `repo`.

mod address;
mod context;
mod repo;
mod strings;
mod time;

pub use context::{EvaluationContext, Progress};
pub(crate) use repo::Forgiving;
pub use repo::{AppDetail, CommitMetadata, FileParameter, Helm, Parameter, Repository, repo};
pub use strings::strings;
pub use time::time;

use echion_value::{CallError, Value};

/// The bytes of an argument as text; the caller has checked that it is a string.
fn text(args: &[Value], index: usize) -> Result<String, CallError> {
    match args.get(index) {
        Some(Value::Str(s)) => Ok(s.to_text().into_owned()),
        _ => Err(CallError::new("a string is missing")),
    }
}
