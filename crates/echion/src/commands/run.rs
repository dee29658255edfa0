//! `echion run`: the line over a folder.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use echion_runtime::engine::{Action, Plan};
use echion_runtime::model::{Filter, SharedLedger, Status};
use echion_runtime::{Driver, Summary};
use serde_json::json;

use crate::args::{Format, Run};
use crate::folder::{Line, print_problems};
use crate::report::LineReporter;
use crate::{Outcome, print, setup};

/// Deliveries of earlier that a summary names.
const NAMED: u32 = 10;

pub(super) async fn run(args: Run) -> Outcome {
    let line = Line::open(&args.sources, &args.resources, &args.application_namespaces)?;
    let name =
        args.ledger.clone().unwrap_or_else(|| format!("sqlite:{}", args.resources.join(".echion.sqlite").display()));
    let quiet = args.output.output == Format::Json;
    let reporter = Arc::new(LineReporter::new(line.config_name(), quiet));
    if args.dry_run {
        // Nothing is written, so a ledger that is not there yet is an empty one.
        let exists = name.strip_prefix("sqlite:").is_some_and(|file| Path::new(file).exists());
        let ledger = setup::ledger(if exists { &name } else { "memory" }, setup::Purpose::Inspect).await?;
        print_problems(&line.folder.scan().problems);
        let plans = Driver::rehearse(line.parts(ledger, reporter, false)?).await?;
        return Ok(print_plans(&plans, args.output.output));
    }
    let ledger = setup::ledger(&name, setup::Purpose::Deliver).await?;
    if args.once {
        print_problems(&line.folder.scan().problems);
        let driver = Driver::new(line.parts(Arc::clone(&ledger), Arc::clone(&reporter) as Arc<_>, false)?);
        let summary = driver.once(setup::now().saturating_add(args.drain)).await?;
        print_summary(&summary, &ledger, args.output.output).await?;
        let fine = summary.failed == 0 && summary.counts.parked == 0 && summary.counts.pending == 0;
        return Ok(if fine && reporter.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    print::note(&format!("watching {}; Ctrl-C ends", args.resources.display()));
    watch(&line, ledger, reporter).await
}

/// Serves a folder until the process is asked to end.
pub(super) async fn watch(line: &Line, ledger: SharedLedger, reporter: Arc<LineReporter>) -> Outcome {
    let scanning = tokio::spawn(line.folder.watch(print_problems));
    let served = Driver::new(line.parts(ledger, reporter, true)?).serve(setup::stopping()).await;
    scanning.abort();
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn print_summary(summary: &Summary, ledger: &SharedLedger, format: Format) -> Result<(), crate::Failure> {
    let Summary { resources, skipped, planned, failed, totals, counts } = *summary;
    if format == Format::Json {
        let object = json!({
            "resources": resources,
            "skipped": skipped,
            "planned": planned,
            "failed": failed,
            "delivered": totals.delivered,
            "parked": counts.parked,
            "waiting": counts.pending,
        });
        print::out(&object.to_string());
        return Ok(());
    }
    let rest = [(failed, "could not be rendered"), (skipped, "skipped (`--dry-run` shows why)")];
    let rest = rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    print::out(&format!(
        "{}: {} delivered, {} waiting, {} parked{}",
        print::count(resources, "resource"),
        totals.delivered,
        counts.pending,
        counts.parked,
        rest.collect::<String>(),
    ));
    let (now, pauses) = (setup::now(), ledger.pauses(setup::now()).await?);
    for (status, count) in [(Status::Pending, counts.pending), (Status::Parked, counts.parked)] {
        let list = ledger.list(&Filter { status: Some(status), service: None, limit: NAMED }).await?;
        for delivery in &list {
            let (to, trigger) = (&delivery.intent.destination, &delivery.intent.trigger);
            let mut why = if delivery.detail.is_empty() { "waits for its turn" } else { &delivery.detail }.to_owned();
            let pause = pauses.get(&delivery.intent.channel).copied().filter(|_| status == Status::Pending);
            match (pause, delivery.due) {
                (Some(until), _) => why.push_str(&format!(" (the channel pauses for {} s)", (until - now) / 1000)),
                (None, Some(due)) if due > now => why.push_str(&format!(" (again in {} s)", (due - now) / 1000)),
                _ => {}
            }
            print::note(&format!("{} {} {trigger} → {to}: {why}", status.as_str(), delivery.resource));
        }
        let more = count.saturating_sub(list.len() as u64);
        if more > 0 {
            print::note(&format!("{} and {more} more: `echion deliveries list`", status.as_str()));
        }
    }
    Ok(())
}

fn print_plans(plans: &[Plan], format: Format) -> ExitCode {
    let failed =
        |plan: &Plan| plan.steps.iter().any(|s| matches!(s.action, Action::Failed(_) | Action::Unconfigured(_)));
    let code = if plans.iter().any(failed) { ExitCode::from(1) } else { ExitCode::SUCCESS };
    if format == Format::Json {
        let list: Vec<_> = plans.iter().map(|plan| json!({ "plan": plan, "deliveries": plan.intents })).collect();
        print::out(&json!(list).to_string());
        return code;
    }
    let mut rows = vec![["RESOURCE", "TRIGGER", "DESTINATION", "DO"].map(str::to_owned).to_vec()];
    for plan in plans {
        plan.notes.iter().for_each(|note| print::note(&format!("{}: {note}", print::paint(print::WARNING, "warning"))));
        let resource = plan.resource.to_string();
        if let Some(reason) = &plan.skipped {
            rows.push(vec![resource.clone(), String::new(), String::new(), format!("skip: {reason}")]);
        }
        for step in &plan.steps {
            let action = match &step.action {
                Action::Send => "send".to_owned(),
                Action::AlreadySent => "nothing: already sent".to_owned(),
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
