//! `echion services`.

use std::process::ExitCode;

use echion_runtime::model::{Field, FieldShape, Length, OptionHelp, ServiceKind, nearest};
use serde_json::{Value, json};

use crate::args::{Format, Output};
use crate::{Failure, Outcome, print};

pub(super) fn run(name: Option<&str>, output: &Output) -> Outcome {
    if let Some(name) = name {
        return one(name, output.output);
    }
    if output.output != Format::Table {
        let list: Value = echion_services::ALL.iter().map(|kind| describe(kind)).collect();
        print::value(&list, output.output);
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["NAME", "SUMMARY", "RECIPIENT", "LIMITS"].map(str::to_owned).to_vec()];
    rows.extend(
        echion_services::ALL
            .iter()
            .map(|kind| vec![kind.name.to_owned(), kind.summary.to_owned(), kind.recipient.to_owned(), limits(kind)]),
    );
    print::table(&rows);
    Ok(ExitCode::SUCCESS)
}

/// A service type as its page explains it.
fn one(name: &str, format: Format) -> Outcome {
    let is_called = |kind: &&&ServiceKind| kind.name == name || kind.aliases.contains(&name);
    let Some(kind) = echion_services::ALL.iter().find(is_called) else {
        let names =
            echion_services::ALL.iter().flat_map(|kind| std::iter::once(kind.name).chain(kind.aliases.iter().copied()));
        let hint = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`echion services` lists them".to_owned(),
        };
        print::failure(&Failure::new(format!("there is no service type `{name}`")).hint(hint));
        return Ok(ExitCode::from(1));
    };
    if format != Format::Table {
        let mut described = describe(kind);
        let option =
            |o: &OptionHelp| json!({"name": o.name, "holds": o.shape.words(), "about": o.about, "default": o.default});
        described["options"] = kind.options.iter().map(option).collect();
        described["fields"] =
            fields(kind).into_iter().map(|row| json!({"name": row[0], "holds": row[1], "about": row[2]})).collect();
        print::value(&described, format);
        return Ok(ExitCode::SUCCESS);
    }
    print::out(&format!("{}: {}", kind.name, kind.summary));
    let facts =
        [("also called", kind.aliases.join(", ")), ("recipient", kind.recipient.to_owned()), ("limits", limits(kind))];
    facts.iter().filter(|(_, text)| !text.is_empty()).for_each(|(what, text)| print::out(&format!("{what}: {text}")));
    let option = |o: &OptionHelp| [o.name, o.shape.words(), o.about, o.default].map(str::to_owned).to_vec();
    if !kind.options.is_empty() {
        print::out("");
        let mut rows = vec![["OPTION", "HOLDS", "MEANING", "DEFAULT"].map(str::to_owned).to_vec()];
        rows.extend(kind.options.iter().map(option));
        print::table(&rows);
    }
    if let Some(section) = kind.section {
        print::out(&format!("\nin a template, under `{}`:\n", section.key));
        let mut rows = vec![["FIELD", "HOLDS", "MEANING"].map(str::to_owned).to_vec()];
        rows.extend(fields(kind));
        print::table(&rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn limits(kind: &ServiceKind) -> String {
    let rate = kind.limits.budget.map(|b| format!("{}/{}s", b.count, b.window.as_secs()));
    let body = kind.limits.body.map(|length| length.to_string());
    [rate, body].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn describe(kind: &ServiceKind) -> Value {
    json!({
        "name": kind.name,
        "aliases": kind.aliases,
        "summary": kind.summary,
        "recipient": kind.recipient,
        "limits": {
            "bodyBytes": match kind.limits.body { Some(Length::Bytes(count)) => Some(count), _ => None },
            "bodyCharacters": match kind.limits.body { Some(Length::Characters(count)) => Some(count), _ => None },
            "messages": kind.limits.budget.map(|b| b.count),
            "windowSeconds": kind.limits.budget.map(|b| b.window.as_secs()),
        },
    })
}

/// The fields of a section and of what is in them, as rows.
fn fields(kind: &ServiceKind) -> Vec<Vec<String>> {
    fn collect(fields: &[Field], outer: &str, rows: &mut Vec<Vec<String>>) {
        for Field { name, shape, about } in fields {
            rows.push(vec![format!("{outer}{name}"), shape.words().to_owned(), (*about).to_owned()]);
            if let FieldShape::Fields(inner) | FieldShape::List(inner) = shape {
                collect(inner, &format!("{outer}{name}."), rows);
            }
        }
    }
    let mut rows = Vec::new();
    if let Some(section) = kind.section {
        collect(section.fields, "", &mut rows);
    }
    rows
}
