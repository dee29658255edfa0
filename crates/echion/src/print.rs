//! The one place where text leaves the process. Data goes to standard output, everything else to standard error; characters of foreign texts
//! that steer a terminal or forge a line are made visible here.

mod table;
mod visible;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ColorChoice;
use echion_runtime::model::{Diagnostic, Severity};
use serde_json::Value;

use crate::Failure;
use crate::args::Format;
use crate::places::Places;

pub(crate) use table::{columns, cut, cut_middle, table};
pub(crate) use visible::{Style, escaped_json, one_line, paint};

use visible::shown;

static COLOUR: OnceLock<ColorChoice> = OnceLock::new();

/// Some of the output is lost, for another reason than a reader that has gone away.
static LOST: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_colour(choice: ColorChoice) {
    let _ = COLOUR.set(choice);
}

fn coloured(terminal: bool) -> bool {
    match COLOUR.get() {
        Some(ColorChoice::Always) => true,
        Some(ColorChoice::Never) => false,
        _ => terminal && crate::setup::variable("NO_COLOR").is_none(),
    }
}

/// Writes to standard output, and says whether it has arrived. A reader that has gone away, such as `head`, is no error.
pub(crate) fn bytes(bytes: &[u8]) -> bool {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    let arrived = written.is_ok();
    note_loss(written);
    arrived
}

fn note_loss(result: io::Result<()>) {
    if result.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Lines of data.
pub(crate) fn out(text: &str) {
    let text = shown(text, coloured(io::stdout().is_terminal()));
    bytes(format!("{text}\n").as_bytes());
}

/// A value for machines.
pub(crate) fn json(value: &Value) {
    pretty(&value.to_string());
}

/// JSON that is written already.
pub(crate) fn pretty(json: &str) {
    bytes(format!("{}\n", escaped_json(json)).as_bytes());
}

/// A value for machines, in the format that is asked for: JSON unless it is YAML.
pub(crate) fn value(value: &Value, format: Format) {
    match format {
        Format::Yaml => drop(bytes(crate::yaml::to_string(value).as_bytes())),
        _ => json(value),
    }
}

/// Lines for people.
pub(crate) fn note(text: &str) {
    let mut err = io::stderr().lock();
    let text = shown(text, coloured(err.is_terminal()));
    let _ = writeln!(err, "{text}");
}

/// What happened, in one line.
pub(crate) fn event(style: Style, word: &str, text: &str) {
    note(&format!("{} {}", paint(style, word), one_line(text)));
}

/// What is to be done about it, in one line.
pub(crate) fn hint(text: &str) {
    if !text.is_empty() {
        note(&format!("  {}: {}", paint(Style::Hint, "hint"), one_line(text)));
    }
}

/// The end of the process: success means that all output has arrived.
pub(crate) fn finish(code: ExitCode) -> ExitCode {
    note_loss(io::stdout().lock().flush());
    if !LOST.load(Ordering::Relaxed) {
        return code;
    }
    failure(&Failure::new("standard output cannot be written: some of the output is lost"));
    ExitCode::from(2)
}

/// A usage error, or the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    note_loss(error.print());
    finish(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)))
}

/// Why a command could not run, and what to do.
pub(crate) fn failure(failure: &Failure) {
    note(&format!("{}: {}", paint(Style::Error, "error"), failure.message));
    if !failure.hint.is_empty() {
        note(&format!("\n{}: {}", paint(Style::Hint, "hint"), failure.hint));
    }
}

/// All diagnostics of a file, and a line that counts them.
pub(crate) fn diagnostics(file: &str, diagnostics: &[Diagnostic]) {
    if diagnostics.is_empty() {
        return;
    }
    let places = Places::of(file);
    for diagnostic in diagnostics {
        let word = match diagnostic.severity {
            Severity::Error => paint(Style::Error, "error"),
            Severity::Warning => paint(Style::Warning, "warning"),
        };
        note(&format!("{word}: {}", diagnostic.message));
        note(&format!("  --> {}", places.of_diagnostic(diagnostic)));
        if !diagnostic.source.trim().is_empty() {
            let place = (diagnostic.column as usize).saturating_sub(1);
            let (line, before) = table::excerpt(&one_line(&diagnostic.source), place);
            note(&format!("   | {line}"));
            note(&format!("   | {}{}", " ".repeat(table::width(&before)), paint(Style::Error, "^")));
        }
        if !diagnostic.hint.is_empty() {
            note(&format!("\n{}: {}", paint(Style::Hint, "hint"), diagnostic.hint));
        }
        note("");
    }
    let errors = diagnostics.iter().filter(|f| f.severity == Severity::Error).count();
    let counts = [(errors, "error"), (diagnostics.len() - errors, "warning")];
    let counts: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)).collect();
    if !counts.is_empty() {
        note(&format!("{} in {}", counts.join(" and "), places.file()));
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn count(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {what}s"),
    }
}
