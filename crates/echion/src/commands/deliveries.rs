//! `echion deliveries`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use echion_runtime::model::{Delivery, Filter, Selection, SharedLedger, Status, nearest};
use echion_runtime::value::time::Time;
use serde_json::json;

use crate::args::{Deliveries, Format, LedgerArg, StatusArg};
use crate::print::{Style, paint};
use crate::{Failure, Outcome, print, setup};

const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

pub(super) async fn run(args: Deliveries) -> Outcome {
    match args {
        Deliveries::List { ledger, status, service, trigger, resource, limit, output } => {
            let ledger = existing(&ledger).await?;
            let status = status.map(|status| match status {
                StatusArg::Pending => Status::Pending,
                StatusArg::Delivered => Status::Delivered,
                StatusArg::Parked => Status::Parked,
            });
            if let Some(name) = &service {
                check_service(&ledger, name).await?;
            }
            let of = |delivery: &Delivery| {
                let id = &delivery.resource;
                let name = resource.as_ref().is_none_or(|wanted| *wanted == id.name || *wanted == id.to_string());
                name && trigger.as_ref().is_none_or(|wanted| *wanted == delivery.intent.trigger)
            };
            // What the ledger does not select by is selected here, before the limit counts.
            let fetched = if trigger.is_some() || resource.is_some() { 0 } else { limit };
            let mut list = ledger.list(&Filter { status, service, limit: fetched }).await?;
            list.retain(of);
            list.truncate(if limit == 0 { usize::MAX } else { limit as usize });
            if output.output != Format::Table {
                print::value(&json!(list), output.output);
                return Ok(ExitCode::SUCCESS);
            }
            print::table(&rows(&list, &ledger).await?);
            Ok(ExitCode::SUCCESS)
        }
        Deliveries::Show { id, ledger, output } => {
            let ledger = existing(&ledger).await?;
            let delivery = find(&ledger, &id).await?;
            show(&ledger, &delivery, output.output).await
        }
        Deliveries::Redeliver { ids, parked, service, ledger, output } => {
            let ledger = existing(&ledger).await?;
            let mut selections = Vec::new();
            if parked {
                if let Some(name) = &service {
                    check_service(&ledger, name).await?;
                }
                selections.push(Selection::Parked { service });
            }
            // All of them are looked up first: either each can be sent again, or nothing happens.
            for id in &ids {
                let delivery = find(&ledger, id).await?;
                if delivery.status != Status::Parked {
                    let hint = "`echion deliveries list --status parked` shows those that can be sent again";
                    let message = format!("the delivery {} is {}, not parked", delivery.id, delivery.status.as_str());
                    return Err(Failure::new(message).hint(hint));
                }
                selections.push(Selection::Id(delivery.id.0));
            }
            let mut count = 0;
            for selection in &selections {
                count += ledger.redeliver(selection, setup::now()).await?;
            }
            if output.output != Format::Table {
                print::value(&json!({ "due": count }), output.output);
                return Ok(ExitCode::SUCCESS);
            }
            let deliveries = print::count(usize::try_from(count).unwrap_or(usize::MAX), "delivery");
            let what = if count == 0 { "" } else { "; a running `echion run` takes them up, or start one" };
            print::note(&format!("{deliveries} due again{what}"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn time(millis: i64) -> String {
    Time::from_unix(millis.div_euclid(1000), 0).format(RFC3339)
}

/// When a delivery is attempted next: not while its channel pauses.
fn next(delivery: &Delivery, pause: Option<i64>, now: i64) -> String {
    let due = match (delivery.status, delivery.due) {
        (Status::Delivered, _) | (_, None) => return String::new(),
        (_, Some(due)) => due.max(pause.unwrap_or(due)),
    };
    if due > now { time(due) } else { "now".to_owned() }
}

/// What came of it, or why it waits.
fn detail(delivery: &Delivery, pause: Option<i64>) -> String {
    let Delivery { detail, hint, .. } = delivery;
    match (delivery.status, pause, detail.is_empty()) {
        (Status::Pending, Some(until), true) => format!("its channel pauses until {}", time(until)),
        (Status::Pending, Some(until), false) => format!("{detail}; its channel pauses until {}", time(until)),
        (Status::Pending, None, true) => "waits for its turn in its channel".to_owned(),
        _ if hint.is_empty() => detail.clone(),
        _ => format!("{detail}; {hint}"),
    }
}

async fn rows(list: &[Delivery], ledger: &SharedLedger) -> Result<Vec<Vec<String>>, Failure> {
    let now = setup::now();
    let pauses = ledger.pauses(now).await?;
    let heads = ["ID", "STATUS", "RECORDED", "TRIES", "NEXT", "RESOURCE", "TRIGGER", "DESTINATION", "DETAIL"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(list.iter().map(|delivery| {
        let pause = pauses.get(&delivery.intent.channel).copied();
        vec![
            delivery.id.to_string(),
            delivery.status.as_str().to_owned(),
            time(delivery.created),
            delivery.attempts.to_string(),
            next(delivery, pause, now),
            delivery.resource.to_string(),
            delivery.intent.trigger.clone(),
            delivery.intent.destination.to_string(),
            detail(delivery, pause),
        ]
    }));
    Ok(rows)
}

async fn show(ledger: &SharedLedger, delivery: &Delivery, format: Format) -> Outcome {
    let attempts = ledger.attempts(&delivery.id).await?;
    if format != Format::Table {
        print::value(&json!({ "delivery": delivery, "attempts": attempts }), format);
        return Ok(ExitCode::SUCCESS);
    }
    let now = setup::now();
    let pause = ledger.pauses(now).await?.get(&delivery.intent.channel).copied();
    let intent = &delivery.intent;
    let facts = [
        ("id", delivery.id.to_string()),
        ("status", delivery.status.as_str().to_owned()),
        ("resource", delivery.resource.to_string()),
        ("trigger", intent.trigger.clone()),
        ("templates", intent.templates.join(", ")),
        ("destination", intent.destination.to_string()),
        ("recorded", time(delivery.created)),
        ("next", next(delivery, pause, now)),
        ("detail", detail(&Delivery { hint: String::new(), ..delivery.clone() }, pause)),
        ("hint", delivery.hint.clone()),
    ];
    let facts = facts.into_iter().filter(|(_, text)| !text.is_empty());
    print::table(&facts.map(|(name, text)| vec![name.to_owned(), text]).collect::<Vec<_>>());
    if !attempts.is_empty() {
        print::out("");
        let mut rows = vec![["ATTEMPT", "SECONDS", "OUTCOME", "RESPONSE"].map(str::to_owned).to_vec()];
        rows.extend(attempts.iter().map(|attempt| {
            let millis = attempt.finished.saturating_sub(attempt.started).max(0);
            let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
            vec![time(attempt.started), seconds, attempt.outcome.clone(), attempt.detail.clone()]
        }));
        print::table(&rows);
    }
    print::out(&format!("\n{}", paint(Style::Good, "message")));
    let notification = serde_json::to_value(&intent.notification).unwrap_or_default();
    print::value(&notification, Format::Yaml);
    Ok(ExitCode::SUCCESS)
}

/// The delivery whose id begins like this.
async fn find(ledger: &SharedLedger, prefix: &str) -> Result<Delivery, Failure> {
    let prefix = prefix.to_ascii_lowercase();
    if prefix.is_empty() {
        return Err(Failure::new("the id is empty").hint("`echion deliveries list` shows the ids"));
    }
    let all = ledger.list(&Filter::default()).await?;
    let mut found = all.into_iter().filter(|delivery| delivery.id.0.starts_with(&prefix));
    match (found.next(), found.next()) {
        (Some(delivery), None) => Ok(delivery),
        (None, _) => Err(Failure::new(format!("no delivery has an id that begins with `{prefix}`"))
            .hint("`echion deliveries list` shows the ids")),
        (Some(first), Some(second)) => {
            let count = 2 + found.count();
            let message = format!("{count} deliveries have an id that begins with `{prefix}`");
            Err(Failure::new(message).hint(format!("write more of it: {}, {}, …", second.id, first.id)))
        }
    }
}

/// A service that no delivery goes to is a misspelt one.
async fn check_service(ledger: &SharedLedger, name: &str) -> Result<(), Failure> {
    let all = ledger.list(&Filter::default()).await?;
    let known: BTreeSet<&str> = all.iter().map(|delivery| delivery.intent.destination.service.as_str()).collect();
    if known.contains(name) {
        return Ok(());
    }
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "the ledger has no delivery yet".to_owned(),
        None => format!("there are deliveries to {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Err(Failure::new(format!("no delivery goes to a service `{name}`")).hint(hint))
}

/// Opens a ledger that is there: a misspelt name is not an empty history.
async fn existing(args: &LedgerArg) -> Result<SharedLedger, Failure> {
    let name = match (&args.ledger, &args.resources) {
        (Some(name), _) => name.clone(),
        (None, folder) => setup::ledger_of(folder.as_deref().unwrap_or(Path::new("."))),
    };
    if name == "memory" {
        return Err(Failure::new("a ledger in memory can only be read by the process that has it")
            .hint("give the file of a ledger: `--ledger sqlite:FILE`"));
    }
    match name
        .strip_prefix("sqlite:")
        .filter(|file| !file.is_empty() && matches!(Path::new(file).try_exists(), Ok(false)))
    {
        Some(file) => Err(Failure::new(format!("there is no ledger {file}")).hint(
            "`echion run` keeps it in `.echion.sqlite` in the folder of the resources: `--resources DIR`, or `--ledger sqlite:FILE`",
        )),
        None => setup::ledger(&name, setup::Purpose::Inspect).await,
    }
}
