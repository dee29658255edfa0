//! `echion run`: the line over a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use echion_runtime::engine::{Action, Plan};
use echion_runtime::model::{Delivery, Filter, SharedLedger, Status};
use echion_runtime::{Driver, Summary};
use serde_json::json;

use crate::args::{Format, Run};
use crate::folder::{Line, print_changed_problems, print_problems};
use crate::print::Style;
use crate::report::{LineReporter, explained};
use crate::{Outcome, print, setup};

/// Deliveries of earlier that a summary names.
const NAMED: u32 = 10;

pub(super) async fn run(args: Run) -> Outcome {
    let line = Line::open(&args.sources, &args.resources, &args.application_namespaces)?;
    let name = args.ledger.clone().unwrap_or_else(|| setup::ledger_of(&args.resources));
    let quiet = args.output.output != Format::Table;
    let reporter = Arc::new(LineReporter::new(line.config_name(), quiet));
    if args.dry_run {
        // Nothing is written, so a ledger that is not there yet is an empty one.
        let exists = name.strip_prefix("sqlite:").is_some_and(|file| Path::new(file).exists());
        let ledger = setup::ledger(if exists { &name } else { "memory" }, setup::Purpose::Inspect).await?;
        print_problems(&line.folder.scan().problems);
        let parts = line.parts(Arc::clone(&ledger), Arc::clone(&reporter) as Arc<_>, false)?;
        let plans = Driver::rehearse(parts).await?;
        let recorded = Recorded::read(&ledger).await?;
        let code = print_plans(&plans, &recorded, args.output.output);
        return Ok(if reporter.errors() == 0 { code } else { ExitCode::from(1) });
    }
    let ledger = setup::ledger(&name, setup::Purpose::Deliver).await?;
    if args.once {
        print_problems(&line.folder.scan().problems);
        let driver = Driver::new(line.parts(Arc::clone(&ledger), Arc::clone(&reporter) as Arc<_>, false)?);
        let summary = driver.once(setup::now().saturating_add(args.drain)).await?;
        print_summary(&summary, &ledger, &reporter, args.output.output).await?;
        if !ledger.is_durable() && summary.counts.pending + summary.counts.parked > 0 {
            print::event(
                Style::Warning,
                "warning:",
                "the ledger is in memory: what waits or is parked is forgotten now",
            );
        }
        let fine = summary.failed == 0 && summary.counts.parked == 0 && summary.counts.pending == 0;
        return Ok(if fine && reporter.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    print::note(&format!("watching {}; Ctrl-C ends", args.resources.display()));
    reporter.watches();
    watch(&line, ledger, reporter).await
}

/// Serves a folder until the process is asked to end.
pub(super) async fn watch(line: &Line, ledger: SharedLedger, reporter: Arc<LineReporter>) -> Outcome {
    let before = Mutex::new(Vec::new());
    let scanning = tokio::spawn(line.folder.watch(move |problems| {
        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
        print_changed_problems(&before, problems);
        *before = problems.to_vec();
    }));
    let served = Driver::new(line.parts(ledger, reporter, true)?).serve(setup::stopping()).await;
    scanning.abort();
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn print_summary(
    summary: &Summary,
    ledger: &SharedLedger,
    reporter: &LineReporter,
    format: Format,
) -> Result<(), crate::Failure> {
    let Summary { resources, skipped, planned, failed, totals, counts } = *summary;
    if format != Format::Table {
        let object = json!({
            "resources": resources,
            "skipped": skipped,
            "planned": planned,
            "failed": failed,
            "delivered": totals.delivered,
            "parked": counts.parked,
            "waiting": counts.pending,
        });
        print::value(&object, format);
        return Ok(());
    }
    let rest = [(failed, "could not be rendered"), (skipped, "skipped")];
    let rest = rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    print::out(&format!(
        "{}: {} delivered, {} waiting, {} parked{}",
        print::count(resources, "resource"),
        totals.delivered,
        counts.pending,
        counts.parked,
        rest.collect::<String>(),
    ));
    for (reason, resources) in reporter.skipped() {
        let count = resources.len();
        let shown: Vec<String> = resources.into_iter().take(3).collect();
        let more = if count > shown.len() { format!(" and {} more", count - shown.len()) } else { String::new() };
        print::event(Style::Warning, "skipped", &format!("{}{more}: {reason}", shown.join(", ")));
    }
    let (now, pauses) = (setup::now(), ledger.pauses(setup::now()).await?);
    for (status, count) in [(Status::Pending, counts.pending), (Status::Parked, counts.parked)] {
        let list = ledger.list(&Filter { status: Some(status), service: None, limit: NAMED }).await?;
        // The end of its attempt was printed a moment ago.
        for delivery in list.iter().filter(|delivery| !reporter.has_printed(&delivery.id)) {
            let (to, trigger) = (&delivery.intent.destination, &delivery.intent.trigger);
            let mut why = if delivery.detail.is_empty() { "waits for its turn" } else { &delivery.detail }.to_owned();
            let pause = pauses.get(&delivery.intent.channel).copied().filter(|_| status == Status::Pending);
            match (pause, delivery.due) {
                (Some(until), _) => why.push_str(&format!(" (the channel pauses for {} s)", (until - now) / 1000)),
                (None, Some(due)) if due > now => why.push_str(&format!(" (again in {} s)", (due - now) / 1000)),
                _ => {}
            }
            print::event(Style::Warning, status.as_str(), &format!("{} {trigger} → {to}: {why}", delivery.resource));
        }
        let more = count.saturating_sub(list.len() as u64);
        if more > 0 {
            print::note(&format!("{} and {more} more: `echion deliveries list`", status.as_str()));
        }
    }
    if counts.parked > 0 && ledger.is_durable() {
        print::hint(
            "what is parked is sent when its cause is corrected, or with `echion deliveries redeliver --parked`",
        );
    }
    Ok(())
}

/// What the ledger has recorded, by resource and state key.
struct Recorded(BTreeMap<(String, String), Delivery>);

impl Recorded {
    async fn read(ledger: &SharedLedger) -> Result<Self, crate::Failure> {
        let list = ledger.list(&Filter::default()).await?;
        // The newest is first, and counts.
        let list = list.into_iter().rev().map(|d| ((d.resource.to_string(), d.intent.state_key.clone()), d));
        Ok(Self(list.collect()))
    }

    /// When something was sent, or why it is not yet.
    fn say(&self, resource: &str, state_key: &str) -> String {
        let Some(delivery) = self.0.get(&(resource.to_owned(), state_key.to_owned())) else {
            return "nothing: already sent".to_owned();
        };
        let seconds = setup::now().saturating_sub(delivery.created).max(0) / 1000;
        let ago = match seconds {
            0..120 => format!("{seconds} s"),
            120..7200 => format!("{} min", seconds / 60),
            _ => format!("{} h", seconds / 3600),
        };
        match delivery.status {
            Status::Delivered => format!("nothing: already sent {ago} ago"),
            Status::Pending => format!("nothing: recorded {ago} ago, and waits"),
            Status::Parked => format!("nothing: recorded {ago} ago, and parked: {}", delivery.detail),
        }
    }
}

fn print_plans(plans: &[Plan], recorded: &Recorded, format: Format) -> ExitCode {
    let failed =
        |plan: &Plan| plan.steps.iter().any(|s| matches!(s.action, Action::Failed(_) | Action::Unconfigured(_)));
    let code = if plans.iter().any(failed) { ExitCode::from(1) } else { ExitCode::SUCCESS };
    if format != Format::Table {
        let list: Vec<_> = plans.iter().map(|plan| json!({ "plan": plan, "deliveries": plan.intents })).collect();
        print::value(&json!(list), format);
        return code;
    }
    let mut rows = vec![["RESOURCE", "TRIGGER", "DESTINATION", "DO"].map(str::to_owned).to_vec()];
    for plan in plans {
        plan.notes
            .iter()
            .for_each(|note| print::event(Style::Warning, "warning:", &format!("{}: {note}", plan.resource)));
        let resource = plan.resource.to_string();
        if let Some(reason) = &plan.skipped {
            rows.push(vec![resource.clone(), String::new(), String::new(), format!("skip: {}", explained(reason))]);
        }
        for step in &plan.steps {
            let action = match &step.action {
                Action::Send => "send".to_owned(),
                Action::AlreadySent => recorded.say(&resource, &step.state_key),
                Action::Clear => "clear".to_owned(),
                Action::Nothing => "nothing: the condition is false".to_owned(),
                Action::Unknown(error) => {
                    format!("nothing: the condition failed: {}", error.lines().next().unwrap_or_default())
                }
                Action::Failed(reason) | Action::Unconfigured(reason) => format!("fail: {reason}"),
            };
            rows.push(vec![resource.clone(), step.trigger.clone(), step.destination.to_string(), action]);
        }
    }
    print::table(&rows);
    code
}
