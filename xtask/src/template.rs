//! The page about the template language. Everything in its tables is rendered here.

use std::fmt::Write as _;

use echion_template::{CallContext, Function, Limits, parse};
use echion_value::Value;

use crate::codegen::code;

/// What comes before the tables of the page.
const INTRODUCTION: &str = include_str!("template.md");

const DATA: &str = r#"{"name": "demo", "live": true, "list": ["a", "b"], "map": {"k": 1}}"#;

/// What the language can write, and what that means.
const SYNTAX: &[(&str, &str)] = &[
    (r#"{{ .name }}"#, "a field; `.map.k` is a field of a field"),
    (r#"{{ "text" }} {{ `raw` }} {{ 1.5 }} {{ true }}"#, "constants"),
    (r#"{{ printf "%s has %d" .name 2 }}"#, "a function with its arguments"),
    (r#"{{ .name | upper | quote }}"#, "a pipeline: each value is the last argument of the next function"),
    (r#"{{ (index .list 0) | upper }}"#, "parentheses, where an argument is a call"),
    (r#"{{ $n := .name }}{{ $n }}"#, "a variable, seen up to the end of its block"),
    (r#"{{ $n := 1 }}{{ if .live }}{{ $n = 2 }}{{ end }}{{ $n }}"#, "a new value for a variable"),
    (
        r#"{{ if eq .name "demo" }}yes{{ else if .live }}live{{ else }}no{{ end }}"#,
        "a choice; empty, zero and missing are false",
    ),
    (r#"{{ with .map }}{{ .k }}{{ $.name }}{{ else }}none{{ end }}"#, "another dot; `$` is still the beginning"),
    (r#"{{ range .list }}<{{ . }}>{{ else }}empty{{ end }}"#, "a loop over a list or map"),
    (r#"{{ range $i, $x := .list }}{{ $i }}{{ $x }}{{ end }}"#, "a loop with index and element"),
    (
        r#"{{ range $i := 3 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ $i }}{{ end }}"#,
        "a loop over a number; `break` and `continue`",
    ),
    (r#"{{ define "row" }}[{{ . }}]{{ end }}{{ template "row" .name }}"#, "a template in the template"),
    ("a {{- .name -}} b", "no white space before and after"),
    (r#"{{/* nothing */}}x"#, "a comment"),
    (r#"{{ .missing.field }}"#, "a field that is not there"),
];

pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.trim_end().to_owned();
    page.push_str("\n\n## Syntax\n\nOver the data `");
    let _ = write!(page, "{DATA}`:\n\n| Template | Gives | Meaning |\n| --- | --- | --- |\n");
    for (source, about) in SYNTAX {
        let _ = writeln!(page, "| {} | {} | {about} |", code(source), code(&render(source)));
    }
    page.push_str("\n## Functions\n\nParameters are types of Go; `interface {}` takes everything. Every example is run by the tests.\n");
    for (family, functions) in echion_sprig::families() {
        let own = functions.iter().filter(|f| is_meant(f) && main_name(f).is_none());
        let _ =
            write!(page, "\n### {family}\n\n| Function | Meaning | Example | Result |\n| --- | --- | --- | --- |\n");
        for function in own {
            let others: Vec<String> = functions
                .iter()
                .filter(|f| is_meant(f) && main_name(f) == Some(function.name))
                .map(|f| format!("`{}`", f.name))
                .collect();
            let also = if others.is_empty() { String::new() } else { format!(" Also {}.", others.join(", ")) };
            let signature = code(&format!("{}{}", function.name, function.signature));
            let example = if function.example.is_empty() { String::new() } else { code(function.example) };
            let result = if function.shows.is_empty() { String::new() } else { code(function.shows) };
            let about = sentence(function.doc).replace('|', "\\|");
            let _ = writeln!(page, "| {signature} | {about}{also} | {example} | {result} |");
        }
    }
    page
}

/// Whether its name means this function: a later family may take the name of an earlier one.
fn is_meant(function: &Function) -> bool {
    echion_sprig::functions().get(function.name).is_some_and(|meant| std::ptr::eq(meant, function))
}

/// The function that this one is the same as.
fn main_name(function: &Function) -> Option<&'static str> {
    function.doc.strip_prefix("the same as ")
}

fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn render(source: &str) -> String {
    let data: Value = serde_json::from_str(DATA).unwrap_or_default();
    let rendered = parse("t", source, echion_sprig::functions())
        .and_then(|template| template.render(&data, &mut CallContext::default(), &Limits::default()));
    match rendered {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => format!("error: {error}"),
    }
}
