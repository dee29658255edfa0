//! `echion deliveries`.

use std::path::Path;
use std::process::ExitCode;

use echion_runtime::model::{Filter, Selection, SharedLedger, Status};
use echion_runtime::value::time::{RFC3339, Time};
use serde_json::json;

use crate::args::{Deliveries, Format, StatusArg};
use crate::{Failure, Outcome, print, setup};

pub(super) async fn run(args: Deliveries) -> Outcome {
    match args {
        Deliveries::List { ledger, status, limit, output } => {
            let status = status.map(|status| match status {
                StatusArg::Pending => Status::Pending,
                StatusArg::Delivered => Status::Delivered,
                StatusArg::Parked => Status::Parked,
            });
            let ledger = existing(&ledger).await?;
            let list = ledger.list(&Filter { status, limit, ..Filter::default() }).await?;
            if output.output == Format::Json {
                print::out(&json!(list).to_string());
                return Ok(ExitCode::SUCCESS);
            }
            let mut rows = vec![
                ["ID", "RECORDED", "STATUS", "TRIES", "NEXT", "RESOURCE", "TRIGGER", "DESTINATION", "DETAIL"]
                    .map(str::to_owned)
                    .to_vec(),
            ];
            rows.extend(list.iter().map(|d| {
                vec![
                    d.id.to_string(),
                    Time::from_unix(d.created.div_euclid(1000), 0).format(RFC3339),
                    d.status.as_str().to_owned(),
                    d.attempts.to_string(),
                    d.due.map(|due| Time::from_unix(due.div_euclid(1000), 0).format(RFC3339)).unwrap_or_default(),
                    d.resource.to_string(),
                    d.intent.trigger.clone(),
                    d.intent.destination.to_string(),
                    if d.hint.is_empty() { d.detail.clone() } else { format!("{}; {}", d.detail, d.hint) },
                ]
            }));
            print::table(&rows);
            Ok(ExitCode::SUCCESS)
        }
        Deliveries::Redeliver { id, parked: _, service, ledger } => {
            let ledger = existing(&ledger).await?;
            let selection = match &id {
                Some(id) => Selection::Id(id.clone()),
                None => Selection::Parked { service },
            };
            let count = ledger.redeliver(&selection, setup::now()).await?;
            match (count, id) {
                (0, Some(id)) => Err(Failure::new(format!("no parked delivery {id}"))
                    .hint("`echion deliveries list --status parked` shows those that can be sent again; the beginning of an id must be that of one only")),
                (count, _) => {
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    print::note(&format!("{} due again; a running `echion run` takes it up, or start one", print::count(count, "delivery")));
                    Ok(ExitCode::SUCCESS)
                }
            }
        }
    }
}

/// Opens a ledger that is there: a misspelt name is not an empty history.
async fn existing(name: &str) -> Result<SharedLedger, Failure> {
    if name == "memory" {
        return Err(Failure::new("a ledger in memory can only be read by the process that has it")
            .hint("give the file of a ledger: `--ledger sqlite:FILE`"));
    }
    match name
        .strip_prefix("sqlite:")
        .filter(|file| !file.is_empty() && matches!(Path::new(file).try_exists(), Ok(false)))
    {
        Some(file) => Err(Failure::new(format!("there is no ledger {file}"))
            .hint("`echion run` keeps it in `.echion.sqlite` in the folder of the resources")),
        None => setup::ledger(name, setup::Purpose::Inspect).await,
    }
}
