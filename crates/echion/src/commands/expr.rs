//! `echion expr`.

use std::process::ExitCode;

use echion_runtime::engine::{Preview, cases};
use serde_json::json;

use super::jsonl;
use crate::args::{Expr, Format};
use crate::{Failure, Outcome, print, setup};

pub(super) fn run(args: Expr) -> Outcome {
    if args.jsonl {
        return jsonl::run(cases::expr::answer);
    }
    let preview = preview(&args.sources, args.resource.as_deref())?;
    let source = args.expr.unwrap_or_default();
    let hint = without_resource(args.resource.is_none(), &source);
    if args.trace {
        return trace(&preview, &source, hint, args.output.output);
    }
    let value = match preview.expression(&source) {
        Ok(value) => value,
        Err(error) => return Ok(failed(error, hint)),
    };
    match args.output.output {
        Format::Table => print::out(&echion_runtime::value::format::display(&value).to_text()),
        format => {
            let shown = cases::expr::describe(json!(null), &value);
            if let Some(error) = shown["err"].as_str() {
                return Ok(failed(error.to_owned(), hint));
            }
            print::value(&shown, format);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: String, hint: &str) -> ExitCode {
    print::failure(&Failure::new(error).hint(hint));
    ExitCode::from(1)
}

/// What is missing where `app` is asked for and no resource is given; empty where nothing is.
pub(super) fn without_resource(missing: bool, source: &str) -> &'static str {
    let asked = source.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "app");
    if missing && asked { "no resource is given: add `--resource FILE`" } else { "" }
}

/// How many cells of a part of the expression, and of its value, are shown where no terminal limits them.
const PART: usize = 100;
const VALUE: usize = 100;

fn trace(preview: &Preview, source: &str, hint: &str, format: Format) -> Outcome {
    let trace = match preview.trace(source) {
        Ok(trace) => trace,
        Err(error) => return Ok(failed(error, hint)),
    };
    let steps = trace.steps.iter().map(|step| (step, source.get(step.start..step.end).unwrap_or_default()));
    match format {
        Format::Table => {
            print::out(source.trim_end());
            print::out("");
            // Long parts differ at their ends, so as much of them is shown as fits.
            let (most, value) = match print::columns() {
                Some(columns) => (columns.saturating_sub(24).max(20), columns.saturating_sub(6).max(20)),
                None => (PART, VALUE),
            };
            let rows: Vec<Vec<String>> = steps
                .map(|(step, part)| {
                    let outcome = match &step.outcome {
                        Ok(value) => echion_runtime::value::format::display(value).to_text().into_owned(),
                        Err(message) => format!("error: {message}"),
                    };
                    vec![
                        format!(
                            "  {}",
                            print::cut_middle(&part.split_whitespace().collect::<Vec<_>>().join(" "), most)
                        ),
                        print::cut(&outcome, value),
                    ]
                })
                .collect();
            print::table(&rows);
            if !trace.complete {
                print::note("more steps are not shown");
            }
        }
        format => {
            let steps = steps.map(|(step, part)| {
                let mut shown = json!({"start": step.start, "end": step.end, "text": part});
                match &step.outcome {
                    Ok(value) => {
                        let mut described = cases::expr::describe(json!(null), value);
                        match described["err"].take() {
                            serde_json::Value::Null => shown["value"] = described["out"].take(),
                            error => shown["error"] = error,
                        }
                    }
                    Err(message) => shown["error"] = json!(message),
                }
                shown
            });
            print::value(&steps.collect(), format);
        }
    }
    Ok(match trace.outcome {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => failed(error.to_string(), hint),
    })
}

/// A resource as expressions and templates see it.
pub(super) fn preview(sources: &crate::args::Sources, resource: Option<&std::path::Path>) -> Result<Preview, Failure> {
    let config = setup::config(&setup::sources(sources)?, None);
    let app = resource.map(setup::resource).transpose()?.map(|r| r.object);
    Ok(Preview::new(config, app, setup::context()))
}
