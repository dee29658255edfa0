//! One line for what happens, as commands print it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use echion_delivery::Attempted;
use echion_runtime::engine::{Action, Config};
use echion_runtime::model::{Diagnostic, LedgerError, Outcome, SourceError};
use echion_runtime::{Evaluated, Reporter};

use crate::{print, setup};

/// Prints to standard error; what was printed last is not printed again.
#[derive(Default)]
pub(crate) struct LineReporter {
    /// The name of the configuration's file.
    config_name: String,
    /// Attempts are not printed.
    quiet: bool,
    printed: Mutex<Printed>,
}

#[derive(Default)]
struct Printed {
    configuration_error: String,
    diagnostics: Option<Vec<Diagnostic>>,
    errors: usize,
    /// Everything that is printed once: conditions that cannot be evaluated, messages that cannot be rendered.
    once: BTreeSet<String>,
}

impl LineReporter {
    /// A reporter for a configuration in this file. `quiet` leaves out attempts, where the output is for machines.
    pub(crate) fn new(config_name: &str, quiet: bool) -> Self {
        Self { config_name: config_name.to_owned(), quiet, ..Self::default() }
    }

    /// How many errors the configuration in use has.
    pub(crate) fn errors(&self) -> usize {
        self.printed().errors
    }

    fn printed(&self) -> std::sync::MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn once(&self, line: String) {
        if self.printed().once.insert(line.clone()) {
            print::note(&line);
        }
    }
}

impl Reporter for LineReporter {
    fn configured(&self, _: &str, config: &Arc<Config>) {
        let mut printed = self.printed();
        let before = printed.diagnostics.replace(config.diagnostics.clone());
        printed.errors = config.errors();
        printed.configuration_error.clear();
        // What could not be evaluated or rendered may be another thing now.
        printed.once.clear();
        drop(printed);
        if before.as_ref() != Some(&config.diagnostics) {
            print::diagnostics(&self.config_name, &config.diagnostics);
        }
        if before.is_some() && config.errors() == 0 {
            print::note(&format!("{} reloaded without errors", print::paint(print::GOOD, "configuration")));
        }
    }

    fn configuration_failed(&self, text: &str) {
        let mut printed = self.printed();
        if printed.configuration_error != text {
            text.clone_into(&mut printed.configuration_error);
            drop(printed);
            print::note(&format!("{}: {text}", print::paint(print::ERROR, "error")));
        }
    }

    fn revived(&self, count: u64) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let what = print::count(count, "parked delivery");
        print::note(&format!("{} {what}: the configuration has changed", print::paint(print::GOOD, "retrying")));
    }

    fn evaluated(&self, evaluated: &Evaluated<'_>) {
        let plan = evaluated.plan;
        for note in &plan.notes {
            self.once(format!("{}: {note}", print::paint(print::WARNING, "warning")));
        }
        for step in &plan.steps {
            match &step.action {
                // Many new Applications have no operation yet: one of them is example enough.
                Action::Unknown(error) if self.printed().once.insert(format!("{}\n{error}", step.trigger)) => {
                    let note = print::paint(print::WARNING, "note");
                    let (trigger, resource) = (&step.trigger, &plan.resource);
                    print::note(&format!("{note}: cannot evaluate `when` of {trigger} for {resource}: {error}"));
                }
                Action::Failed(reason) | Action::Unconfigured(reason) => {
                    let what = format!("{} {} → {}", plan.resource, step.trigger, step.destination);
                    self.once(format!("{} {what}: {reason}", print::paint(print::ERROR, "failed")));
                }
                _ => {}
            }
        }
    }

    fn source_failed(&self, _: &str, error: &SourceError) {
        print::note(&format!("{}: {error}", print::paint(print::WARNING, "warning")));
    }

    fn attempted(&self, attempted: &Attempted) {
        if self.quiet {
            return;
        }
        let (delivery, to) = (&attempted.delivery, &attempted.delivery.intent.destination);
        let what = format!("{} {} → {to}", delivery.resource, delivery.intent.trigger);
        match &attempted.outcome {
            Outcome::Delivered(receipt) => {
                print::note(&format!("{} {what}: {}", print::paint(print::GOOD, "delivered"), receipt.answer));
            }
            Outcome::Retry { due, error } => {
                let seconds = (due - setup::now()).max(0) / 1000;
                let word = print::paint(print::WARNING, "waiting");
                print::note(&format!("{word} {what}: {} (again in {seconds} s)", error.reason));
            }
            Outcome::Parked { due, error } => {
                let again = due.map(|due| format!(" (again in {} s)", (due - setup::now()).max(0) / 1000));
                let word = print::paint(print::ERROR, "parked");
                print::note(&format!("{word} {what}: {}{}", error.reason, again.unwrap_or_default()));
                if !error.hint.is_empty() {
                    print::note(&format!("  {}: {}", print::paint(print::HINT, "hint"), error.hint));
                }
            }
        }
    }

    fn ledger_failed(&self, error: &LedgerError) {
        let cause = std::error::Error::source(error).map(|c| format!(": {c}")).unwrap_or_default();
        print::note(&format!("{}: cannot {error}{cause}; trying again", print::paint(print::WARNING, "warning")));
    }
}
