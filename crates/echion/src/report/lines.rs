//! One line for what happens, as commands print it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use echion_delivery::Attempted;
use echion_runtime::engine::{Action, Config};
use echion_runtime::model::{DeliveryId, Diagnostic, LedgerError, Outcome, Resource, ResourceId, SourceError};
use echion_runtime::{Evaluated, Reporter};

use crate::print::Style;
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
    /// Everything that is printed once: conditions that cannot be evaluated, messages that cannot be rendered, hints.
    once: BTreeSet<String>,
    /// Resources that were not evaluated, by the reason.
    skipped: BTreeMap<String, BTreeSet<String>>,
    /// Deliveries whose last attempt was printed.
    deliveries: BTreeSet<DeliveryId>,
    /// Evaluations are printed that come to nothing, and those of the first list are over.
    watches: bool,
    listed: bool,
    /// A digest of each resource as it was printed last.
    seen: BTreeMap<ResourceId, u64>,
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

    /// From now on, one line is printed for each resource that changes.
    pub(crate) fn watches(&self) {
        self.printed().watches = true;
    }

    /// Resources that were not evaluated, by the reason.
    pub(crate) fn skipped(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.printed().skipped.clone()
    }

    /// Whether the end of an attempt of this delivery was printed.
    pub(crate) fn has_printed(&self, id: &DeliveryId) -> bool {
        self.printed().deliveries.contains(id)
    }

    fn printed(&self) -> std::sync::MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line unless it was printed before.
    fn once(&self, style: Style, word: &str, text: String) {
        if self.printed().once.insert(format!("{word} {text}")) {
            print::event(style, word, &text);
        }
    }

    /// Prints a hint unless it was printed before: many deliveries have one cause.
    fn hint(&self, hint: &str) {
        if !hint.is_empty() && self.printed().once.insert(format!("hint {hint}")) {
            print::hint(hint);
        }
    }

    /// Whether a resource has changed since it was printed last, which the first list is not.
    fn is_news(&self, resource: &Resource) -> bool {
        let mut hasher = DefaultHasher::new();
        echion_runtime::value::json::marshal_plain(&resource.object).unwrap_or_default().hash(&mut hasher);
        let (digest, mut printed) = (hasher.finish(), self.printed());
        let before = printed.seen.insert(resource.id.clone(), digest);
        printed.watches && printed.listed && before != Some(digest)
    }
}

/// A reason why a resource is not evaluated, with the fields that it follows from.
pub(crate) fn explained(reason: &str) -> String {
    match reason {
        "sync status out of date" => {
            "sync status out of date: `status.reconciledAt` is missing or older than `status.operationState.finishedAt`"
                .to_owned()
        }
        other => other.to_owned(),
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
            print::event(Style::Good, "configuration", "reloaded without errors");
        }
    }

    fn configuration_failed(&self, text: &str) {
        let mut printed = self.printed();
        if printed.configuration_error != text {
            text.clone_into(&mut printed.configuration_error);
            drop(printed);
            print::event(Style::Error, "error:", text);
        }
    }

    fn revived(&self, count: u64) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let what = print::count(count, "parked delivery");
        print::event(Style::Good, "retrying", &format!("{what}: the configuration has changed"));
    }

    fn listed(&self, _: usize) {
        self.printed().listed = true;
    }

    fn unchanged(&self, resource: &ResourceId) {
        let printed = self.printed();
        if printed.watches && printed.listed {
            drop(printed);
            print::event(
                Style::Hint,
                "unchanged",
                &format!("{resource}: in nothing that a condition or a template reads"),
            );
        }
    }

    fn evaluated(&self, evaluated: &Evaluated<'_>) {
        let plan = evaluated.plan;
        let name = plan.resource.to_string();
        for note in &plan.notes {
            self.once(Style::Warning, "warning:", note.clone());
        }
        let status = evaluated.resource.object.at(&["status"]);
        let is_manifest = evaluated.resource.id.kind == "Application" && status.is_none_or(|status| status.is_nil());
        if is_manifest {
            let what = "has no `status`: this is a manifest from Git, not an Application that Argo CD reports on";
            self.once(Style::Warning, "warning:", format!("{name} {what}"));
            self.hint("export the live ones: `kubectl get applications -n argocd -o yaml > apps/all.yaml`");
        }
        let mut counts = [0; 3];
        for step in &plan.steps {
            match &step.action {
                // Many new Applications have no operation yet: one of them is example enough.
                Action::Unknown(error)
                    if !is_manifest && self.printed().once.insert(format!("{}\n{error}", step.trigger)) =>
                {
                    let text = format!("cannot evaluate `when` of {} for {name}: {error}", step.trigger);
                    print::event(Style::Warning, "note:", &text);
                }
                // The same for every resource: one of them is example enough.
                Action::Unconfigured(reason) => {
                    if self.printed().once.insert(format!("unconfigured {reason}")) {
                        let text = format!("{name} {} → {}: {reason}", step.trigger, step.destination);
                        print::event(Style::Error, "failed", &text);
                    }
                }
                Action::Failed(reason) => {
                    self.once(
                        Style::Error,
                        "failed",
                        format!("{name} {} → {}: {reason}", step.trigger, step.destination),
                    );
                }
                Action::Send => counts[0] += 1,
                Action::AlreadySent => counts[1] += 1,
                Action::Unknown(_) => {}
                Action::Nothing | Action::Clear => counts[2] += 1,
            }
        }
        if let Some(reason) = &plan.skipped {
            self.printed().skipped.entry(explained(reason)).or_default().insert(name.clone());
        }
        if !self.is_news(evaluated.resource) {
            return;
        }
        let text = match (&plan.skipped, counts) {
            (Some(reason), _) => format!("not evaluated: {}", explained(reason)),
            (None, _) if plan.steps.is_empty() => "no subscription applies to it".to_owned(),
            (None, [send, sent, nothing]) => {
                let parts = [(send, "to send"), (sent, "already sent"), (nothing, "whose condition is false")];
                let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
                parts.collect::<Vec<_>>().join(", ")
            }
        };
        print::event(Style::Hint, "changed", &format!("{name}: {text}"));
    }

    fn source_failed(&self, _: &str, error: &SourceError) {
        print::event(Style::Warning, "warning:", &error.to_string());
    }

    fn attempted(&self, attempted: &Attempted) {
        if self.quiet {
            return;
        }
        let (delivery, to) = (&attempted.delivery, &attempted.delivery.intent.destination);
        let what = format!("{} {} → {to}", delivery.resource, delivery.intent.trigger);
        self.printed().deliveries.insert(delivery.id.clone());
        match &attempted.outcome {
            Outcome::Delivered(receipt) => {
                print::event(Style::Good, "delivered", &format!("{what}: {}", receipt.answer));
            }
            Outcome::Retry { due, error } => {
                let seconds = (due - setup::now()).max(0) / 1000;
                print::event(Style::Warning, "waiting", &format!("{what}: {} (again in {seconds} s)", error.reason));
                self.hint(&error.hint);
            }
            Outcome::Parked { due, error } => {
                let again = due.map(|due| format!(" (again in {} s)", (due - setup::now()).max(0) / 1000));
                print::event(Style::Error, "parked", &format!("{what}: {}{}", error.reason, again.unwrap_or_default()));
                self.hint(&error.hint);
            }
        }
    }

    fn ledger_failed(&self, error: &LedgerError) {
        let cause = std::error::Error::source(error).map(|c| format!(": {c}")).unwrap_or_default();
        print::event(Style::Warning, "warning:", &format!("cannot {error}{cause}; trying again"));
    }
}
