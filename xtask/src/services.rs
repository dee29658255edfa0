//! Tables and schema of the services, written from what their code declares.

use std::fmt::Write as _;

use echion_model::{Field, FieldShape, OptionHelp, OptionShape, ServiceKind};
use serde_json::{Map, Value, json};

/// A page and the blocks in it that are written from code: between `<!-- name -->` and `<!-- /name -->`.
pub(crate) fn page(kind: &ServiceKind) -> Vec<(&'static str, String)> {
    let mut blocks = vec![("kind", head(kind)), ("options", options(kind.options))];
    if let Some(section) = kind.section {
        blocks.push(("section", fields(section.fields, "")));
    }
    blocks
}

fn head(kind: &ServiceKind) -> String {
    let mut text = format!("{}\n\n*Recipient*: {}.\n", kind.summary, kind.recipient);
    if !kind.aliases.is_empty() {
        let names = kind.aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\nAlso called {names}.");
    }
    let limits = limits(kind);
    if !limits.is_empty() {
        let _ = writeln!(text, "\nLimits, kept for you: {limits}.");
    }
    text
}

fn limits(kind: &ServiceKind) -> String {
    let rate = kind.limits.budget.map(|b| match b.window.as_secs() {
        60 => format!("{} messages a minute", b.count),
        seconds => format!("{} messages in {seconds} seconds", b.count),
    });
    let body = kind.limits.body.map(|length| format!("a text of {length}"));
    [rate, body].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn options(options: &[OptionHelp]) -> String {
    let mut table = "| option | what it holds | meaning | default |\n|---|---|---|---|\n".to_owned();
    for OptionHelp { name, shape, about, default } in options {
        let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
        let _ = writeln!(table, "| `{name}` | {} | {} | {default} |", shape.words(), cell(about));
    }
    table
}

fn fields(fields: &[Field], outer: &str) -> String {
    let mut table = String::new();
    if outer.is_empty() {
        table.push_str("| field | what it holds | meaning |\n|---|---|---|\n");
    }
    for Field { name, shape, about } in fields {
        let _ = writeln!(table, "| `{outer}{name}` | {} | {} |", shape.words(), cell(about));
        if let FieldShape::Fields(inner) | FieldShape::List(inner) = shape {
            table.push_str(&self::fields(inner, &format!("{outer}{name}.")));
        }
    }
    table
}

fn cell(text: &str) -> String {
    let text = text.trim().trim_end_matches('.').replace('|', "\\|");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The index of all types; `base` is the way to the pages.
pub(crate) fn index(base: &str) -> String {
    let mut table = "| type | what it does | recipient |\n|---|---|---|\n".to_owned();
    for kind in echion_services::ALL {
        let (summary, recipient) = (cell(kind.summary), cell(kind.recipient));
        let _ = writeln!(table, "| [`{0}`]({base}{0}.md) | {summary} | {recipient} |", kind.name);
    }
    table
}

/// The table of the options that HTTP services share.
pub(crate) fn shared() -> String {
    options(echion_services::shared_options())
}

/// JSON schema of the options of every type.
pub(crate) fn schema() -> String {
    let shared: Map<String, Value> = echion_services::shared_options().iter().map(property).collect();
    let types: Map<String, Value> = echion_services::configurable()
        .into_iter()
        .map(|kind| {
            let mut properties: Map<String, Value> = shared.clone();
            properties.extend(kind.options.iter().map(property));
            let schema = json!({ "type": "object", "description": kind.summary, "properties": properties });
            (kind.name.to_owned(), schema)
        })
        .collect();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Options of Echion's services, by type",
        "$defs": types,
    });
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn property(option: &OptionHelp) -> (String, Value) {
    let text = json!({ "type": "string" });
    let mut schema = match option.shape {
        OptionShape::Text | OptionShape::Secret => text,
        OptionShape::Flag => json!({ "type": "boolean" }),
        OptionShape::Number => json!({ "type": "integer" }),
        OptionShape::Duration => json!({ "type": ["string", "integer"] }),
        OptionShape::Texts => json!({ "type": "array", "items": text }),
        OptionShape::Map => json!({ "type": "object", "additionalProperties": text }),
        // Headers may be a list as well.
        OptionShape::SecretMap => json!({ "type": ["object", "array"] }),
        OptionShape::Nested => json!({ "type": ["object", "array"] }),
    };
    schema["description"] = cell(option.about).into();
    if matches!(option.shape, OptionShape::Secret | OptionShape::SecretMap) {
        schema["writeOnly"] = true.into();
    }
    (option.name.to_owned(), schema)
}

/// Puts the blocks into a page. `None` when a marker is missing.
pub(crate) fn fill(page: &str, blocks: &[(&str, String)]) -> Option<String> {
    let mut page = page.to_owned();
    for (name, text) in blocks {
        let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
        let start = page.find(&open)? + open.len();
        let end = start + page[start..].find(&close)?;
        page.replace_range(start..end, &format!("\n{}\n", text.trim_end()));
    }
    Some(page)
}
