//! Pages that are written from the code: `cargo xtask codegen`, and `--check` to see whether they are up to date.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use echion_expr::builtins::{self, Builtin};

use crate::services;
use crate::step::{Failed, cargo};

/// What comes before the tables of the page.
const INTRODUCTION: &str = include_str!("expression.md");

pub(crate) fn run(check: bool) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut good = one(&root, "docs/functions/expression.md", check, |_| Some(expression()));
    good &= one(&root, "docs/functions/template.md", check, |_| Some(crate::template::page()));
    for kind in echion_services::ALL {
        let page = format!("docs/services/{}.md", kind.name);
        good &= one(&root, &page, check, |old| services::fill(old, &services::page(kind)));
    }
    let shared = [("index", services::index("")), ("shared", services::shared())];
    good &= one(&root, "docs/services/README.md", check, |old| services::fill(old, &shared));
    let index = [("services", services::index("docs/services/"))];
    good &= one(&root, "README.md", check, |old| services::fill(old, &index));
    good &= one(&root, "docs/services/options.schema.json", check, |_| Some(services::schema()));
    for (page, blocks) in reference()? {
        let blocks: Vec<(&str, String)> = blocks.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        good &= one(&root, &page, check, |old| services::fill(old, &blocks));
    }
    for (file, text) in crate::manifests::files() {
        good &= one(&root, &file, check, |_| Some(text.clone()));
    }
    if good { Ok(()) } else { Err(Failed("not every page is as the code has it".to_owned())) }
}

/// Blocks of pages that follow from what the program declares: flags, variables, commands, metrics.
fn reference() -> Result<BTreeMap<String, BTreeMap<String, String>>, Failed> {
    let asked = ["run", "--quiet", "--locked", "--package", "echion", "--", "__reference"];
    let output = cargo(&asked).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| Failed(format!("cannot run the program: {error}")))?;
    if !output.status.success() {
        return Err(Failed(format!("the program does not print its reference: {}", output.status)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failed(format!("cannot read the program's reference: {error}")))
}

/// Writes one page, or checks it.
fn one(root: &Path, page: &str, check: bool, make: impl Fn(&str) -> Option<String>) -> bool {
    let path = root.join(page);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let Some(new) = make(&old) else {
        crate::print(&format!("{page} lacks a marker, such as `<!-- options -->` and `<!-- /options -->`"));
        return false;
    };
    if old == new {
        return true;
    }
    if check {
        crate::print(&format!("{page} is out of date: run `cargo xtask codegen`"));
        return false;
    }
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, new));
    match written {
        Ok(()) => crate::print(&format!("codegen: wrote {page}")),
        Err(error) => crate::print(&format!("{page} cannot be written: {error}")),
    }
    path.is_file()
}

/// The page about the expression language.
fn expression() -> String {
    let mut page = INTRODUCTION.trim_end().to_owned();
    page.push('\n');
    for (family, builtins) in builtins::families() {
        let _ =
            write!(page, "\n### {family}\n\n| Function | Meaning | Example | Result |\n| --- | --- | --- | --- |\n");
        for Builtin { name, signature, about, example: (source, result), .. } in builtins {
            let (function, about) = (code(&format!("{name}{signature}")), about.replace('|', "\\|"));
            let _ = writeln!(page, "| {function} | {about} | {} | {} |", code(source), code(result));
        }
    }
    page
}

/// A text as code in a cell of a table.
pub(crate) fn code(text: &str) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let text = text.replace('|', "\\|").replace('\n', " ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
