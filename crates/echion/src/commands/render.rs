//! `echion render`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use echion_runtime::engine::cases;
use serde_json::json;

use super::jsonl;
use crate::args::{Format, Render};
use crate::print::Style;
use crate::{Failure, Outcome, print};

pub(super) fn run(args: Render) -> Outcome {
    if args.jsonl {
        return jsonl::run(cases::template::answer);
    }
    let preview = super::expr::preview(&args.sources, args.resource.as_deref())?;
    let source = args.template.unwrap_or_default();
    let hint = super::expr::without_resource(args.resource.is_none(), &source);
    let text = match preview.template(&source) {
        Ok(text) => text,
        Err(error) => {
            print::failure(&Failure::new(error).hint(hint));
            return Ok(ExitCode::from(1));
        }
    };
    if !hint.is_empty() {
        print::event(Style::Warning, "warning:", hint);
    }
    match args.output.output {
        Format::Table if std::io::stdout().is_terminal() => {
            let text = String::from_utf8_lossy(&text);
            print::out(text.strip_suffix('\n').unwrap_or(&text));
        }
        // The text as it is: no newline that the template does not have, and no change to bytes that are not UTF-8.
        Format::Table => drop(print::bytes(&text)),
        format => print::value(&json!({ "out": String::from_utf8_lossy(&text) }), format),
    }
    Ok(ExitCode::SUCCESS)
}
