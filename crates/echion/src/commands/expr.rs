//! `echion expr`.

use std::process::ExitCode;

use echion_engine::{Preview, cases};
use serde_json::json;

use super::jsonl;
use crate::args::{Expr, Format};
use crate::{Failure, Outcome, print, setup};

pub(super) fn run(args: Expr) -> Outcome {
    if args.jsonl {
        return jsonl::run(cases::expr::answer);
    }
    let preview = preview(&args.sources, args.resource.as_deref())?;
    let value = match preview.expression(&args.expr.unwrap_or_default()) {
        Ok(value) => value,
        Err(error) => {
            print::failure(&Failure::new(error));
            return Ok(ExitCode::from(1));
        }
    };
    match args.output.output {
        Format::Table => print::out(&echion_value::format::display(&value).to_text()),
        Format::Json => print::out(&cases::expr::describe(json!(null), &value).to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

/// A resource as expressions and templates see it.
pub(super) fn preview(sources: &crate::args::Sources, resource: Option<&std::path::Path>) -> Result<Preview, Failure> {
    let config = setup::config(&setup::sources(sources)?, None);
    let app = resource.map(setup::resource).transpose()?.map(|r| r.object);
    Ok(Preview::new(config, app, setup::now(), std::sync::Arc::new(setup::NoRepository)))
}
