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
    if args.trace {
        return trace(&preview, &source, args.output.output);
    }
    let value = match preview.expression(&source) {
        Ok(value) => value,
        Err(error) => return Ok(failed(error)),
    };
    match args.output.output {
        Format::Table => print::out(&echion_runtime::value::format::display(&value).to_text()),
        Format::Json => {
            let shown = cases::expr::describe(json!(null), &value);
            if let Some(error) = shown["err"].as_str() {
                return Ok(failed(error.to_owned()));
            }
            print::out(&shown.to_string());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: String) -> ExitCode {
    print::failure(&Failure::new(error));
    ExitCode::from(1)
}

/// How many characters of a part of the expression, and of its value, are shown.
const PART: usize = 60;
const VALUE: usize = 100;

fn trace(preview: &Preview, source: &str, format: Format) -> Outcome {
    let trace = match preview.trace(source) {
        Ok(trace) => trace,
        Err(error) => return Ok(failed(error)),
    };
    let steps = trace.steps.iter().map(|step| (step, source.get(step.start..step.end).unwrap_or_default()));
    match format {
        Format::Table => {
            print::out(source.trim_end());
            print::out("");
            let rows: Vec<Vec<String>> = steps
                .map(|(step, part)| {
                    let value = match &step.outcome {
                        Ok(value) => echion_runtime::value::format::display(value).to_text().into_owned(),
                        Err(message) => format!("error: {message}"),
                    };
                    vec![
                        format!("  {}", one_line(&part.split_whitespace().collect::<Vec<_>>().join(" "), PART)),
                        one_line(&value, VALUE),
                    ]
                })
                .collect();
            print::table(&rows);
            if !trace.complete {
                print::note("more steps are not shown");
            }
        }
        Format::Json => {
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
            print::out(&steps.collect::<serde_json::Value>().to_string());
        }
    }
    Ok(match trace.outcome {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => failed(error.to_string()),
    })
}

/// A text with blanks for line breaks and the like, cut to so many characters.
fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (count, c) in text.chars().enumerate() {
        if count + 1 >= most && text.chars().nth(most).is_some() {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// A resource as expressions and templates see it.
pub(super) fn preview(sources: &crate::args::Sources, resource: Option<&std::path::Path>) -> Result<Preview, Failure> {
    let config = setup::config(&setup::sources(sources)?, None);
    let app = resource.map(setup::resource).transpose()?.map(|r| r.object);
    Ok(Preview::new(config, app, setup::context()))
}
