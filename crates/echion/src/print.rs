//! What people read. Data goes to standard output, everything else to standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use echion_runtime::model::{Diagnostic, Severity};

use crate::Failure;

static COLOUR: OnceLock<ColorChoice> = OnceLock::new();

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();

pub(crate) fn set_colour(choice: ColorChoice) {
    let _ = COLOUR.set(choice);
}

#[expect(clippy::disallowed_methods, reason = "the binary is where the environment is read")]
fn coloured(terminal: bool) -> bool {
    match COLOUR.get() {
        Some(ColorChoice::Always) => true,
        Some(ColorChoice::Never) => false,
        _ => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// A text in a style, for standard error.
pub(crate) fn paint(style: Style, text: &str) -> String {
    paint_for(std::io::stderr().is_terminal(), style, text)
}

/// A text in a style, for standard output.
pub(crate) fn paint_out(style: Style, text: &str) -> String {
    paint_for(std::io::stdout().is_terminal(), style, text)
}

fn paint_for(terminal: bool, style: Style, text: &str) -> String {
    if coloured(terminal) { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// One line of data. A reader that has gone away, such as `head`, is no error.
pub(crate) fn out(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// One line for people.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Why a command could not run, and what to do.
pub(crate) fn failure(failure: &Failure) {
    note(&format!("{}: {}", paint(ERROR, "error"), failure.message));
    if !failure.hint.is_empty() {
        note(&format!("\n{}: {}", paint(HINT, "hint"), failure.hint));
    }
}

/// All diagnostics of a file, and a line that counts them.
pub(crate) fn diagnostics(file: &str, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let word = match diagnostic.severity {
            Severity::Error => paint(ERROR, "error"),
            Severity::Warning => paint(WARNING, "warning"),
        };
        note(&format!("{word}: {}", diagnostic.message));
        note(&format!("  --> {file}: {}:{}:{}", diagnostic.key, diagnostic.line, diagnostic.column));
        if !diagnostic.source.trim().is_empty() {
            let (line, before) = excerpt(&diagnostic.source, (diagnostic.column as usize).saturating_sub(1));
            note(&format!("   | {line}"));
            note(&format!("   | {}{}", " ".repeat(width(&before)), paint(ERROR, "^")));
        }
        if !diagnostic.hint.is_empty() {
            note(&format!("\n{}: {}", paint(HINT, "hint"), diagnostic.hint));
        }
        note("");
    }
    if !diagnostics.is_empty() {
        let errors = diagnostics.iter().filter(|f| f.severity == Severity::Error).count();
        note(&format!("{} and {} in {file}", count(errors, "error"), count(diagnostics.len() - errors, "warning")));
    }
}

/// At most 160 characters of a line around a place, and what precedes the place in them.
fn excerpt(line: &str, place: usize) -> (String, String) {
    let from = place.saturating_sub(120);
    let shown = |from: usize, count: usize| -> String { line.chars().skip(from).take(count).collect() };
    let cut = if from > 0 { "…" } else { "" };
    (format!("{cut}{}", shown(from, 160)), format!("{cut}{}", shown(from, place - from)))
}

/// `1 error`, `2 errors`.
pub(crate) fn count(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {what}s"),
    }
}

/// Rows in columns: at least five wide, two blanks between, the last one as it comes.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|cell| width(cell) + 2).max().unwrap_or(0).max(5))
        .collect();
    for row in rows {
        let last = row.len().saturating_sub(1);
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if c < last {
                line.push_str(&" ".repeat(widths[c].saturating_sub(width(cell))));
            }
        }
        out(&line);
    }
}

/// Cells of a terminal that a string takes: CJK characters take two.
fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}
