//! `echion deliveries`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use echion_delivery::SqlLedger;
use echion_model::{DeliveryId, Filter, Ledger as _, Status};
use echion_value::time::{RFC3339, Time};
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
            let list = ledger.list(&Filter { status, limit }).await.map_err(|e| Failure::new(e.to_string()))?;
            if output.output == Format::Json {
                print::out(&json!(list).to_string());
                return Ok(ExitCode::SUCCESS);
            }
            let mut rows = vec![
                ["ID", "RECORDED", "STATUS", "TRIES", "RESOURCE", "TRIGGER", "DESTINATION", "DETAIL"]
                    .map(str::to_owned)
                    .to_vec(),
            ];
            rows.extend(list.iter().map(|d| {
                vec![
                    d.id.to_string(),
                    Time::from_unix(d.created.div_euclid(1000), 0).format(RFC3339),
                    d.status.as_str().to_owned(),
                    d.attempts.to_string(),
                    d.resource.to_string(),
                    d.intent.trigger.clone(),
                    d.intent.destination.to_string(),
                    if d.fix.is_empty() { d.detail.clone() } else { format!("{}; {}", d.detail, d.fix) },
                ]
            }));
            print::table(&rows);
            Ok(ExitCode::SUCCESS)
        }
        Deliveries::Redeliver { id, ledger } => {
            let ledger = existing(&ledger).await?;
            let id = DeliveryId(id);
            let done = ledger.redeliver(&id, setup::now()).await.map_err(|e| Failure::new(e.to_string()))?;
            if done {
                print::note(&format!("{id} is due again; a running `echion run` takes it up, or start one"));
                return Ok(ExitCode::SUCCESS);
            }
            Err(Failure::new(format!("no parked delivery {id}"))
                .hint("`echion deliveries list --status parked` shows those that can be re-delivered"))
        }
    }
}

/// Opens a ledger that is there: a misspelt name is not an empty history.
async fn existing(name: &str) -> Result<Arc<SqlLedger>, Failure> {
    match name
        .strip_prefix("sqlite:")
        .filter(|file| !file.is_empty() && matches!(Path::new(file).try_exists(), Ok(false)))
    {
        Some(file) => Err(Failure::new(format!("there is no ledger {file}"))
            .hint("`echion run` keeps it in `.echion.sqlite` in the folder of the resources")),
        None => setup::ledger(name).await,
    }
}
