//! Pages that are written from the code: `cargo xtask codegen`, and `--check` to see whether they are up to date.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use echion_expr::builtins::{self, Builtin};

/// What comes before the tables of the page.
const INTRODUCTION: &str = include_str!("expression.md");

pub(crate) fn run(check: bool) -> ExitCode {
    let pages =
        [("docs/functions/expression.md", expression()), ("docs/functions/template.md", crate::template::page())];
    let mut written = pages.map(|(page, text)| write_page(page, text, check)).to_vec();
    written.extend(crate::manifests::files().into_iter().map(|(file, text)| write_page(&file, text, check)));
    if written.into_iter().all(|fine| fine) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Brings one page up to date, or says that it is not.
fn write_page(page: &str, text: String, check: bool) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        crate::print(&format!("codegen: {page} is up to date"));
        return true;
    }
    if check {
        crate::print(&format!("{page} is out of date: run `cargo xtask codegen`"));
        return false;
    }
    match path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text)) {
        Ok(()) => crate::print(&format!("codegen: wrote {page}")),
        Err(error) => {
            crate::print(&format!("{page} cannot be written: {error}"));
            return false;
        }
    }
    true
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
