//! `echion render`.

use std::io::Write as _;
use std::process::ExitCode;

use echion_runtime::engine::cases;
use serde_json::json;

use super::jsonl;
use crate::args::{Format, Render};
use crate::{Failure, Outcome, print};

pub(super) fn run(args: Render) -> Outcome {
    if args.jsonl {
        return jsonl::run(cases::template::answer);
    }
    let preview = super::expr::preview(&args.sources, args.resource.as_deref())?;
    let text = match preview.template(&args.template.unwrap_or_default()) {
        Ok(text) => text,
        Err(error) => {
            print::failure(&Failure::new(error));
            return Ok(ExitCode::from(1));
        }
    };
    match args.output.output {
        // The text as it is: no newline that the template does not have, and no change to bytes that are not UTF-8.
        Format::Table => drop(std::io::stdout().lock().write_all(&text)),
        Format::Json => print::out(&json!({ "out": String::from_utf8_lossy(&text) }).to_string()),
    }
    Ok(ExitCode::SUCCESS)
}
