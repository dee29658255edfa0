//! `echion services`.

use std::process::ExitCode;

use echion_runtime::model::Length;
use serde_json::json;

use crate::args::{Format, Output};
use crate::{Outcome, print};

pub(super) fn run(output: &Output) -> Outcome {
    if output.output == Format::Json {
        let list: Vec<_> = echion_services::ALL
            .iter()
            .map(|kind| {
                json!({
                    "name": kind.name,
                    "aliases": kind.aliases,
                    "summary": kind.summary,
                    "recipient": kind.recipient,
                    "limits": {
                        "bodyBytes": match kind.limits.body { Some(Length::Bytes(count)) => Some(count), _ => None },
                        "bodyCharacters": match kind.limits.body { Some(Length::Characters(count)) => Some(count), _ => None },
                        "messages": kind.limits.budget.map(|b| b.count),
                        "windowSeconds": kind.limits.budget.map(|b| b.window.as_secs()),
                    },
                })
            })
            .collect();
        print::out(&json!(list).to_string());
    } else {
        let mut rows = vec![["NAME", "LIMITS", "RECIPIENT", "SUMMARY"].map(str::to_owned).to_vec()];
        rows.extend(echion_services::ALL.iter().map(|kind| {
            let rate = kind.limits.budget.map(|b| format!("{}/{}s", b.count, b.window.as_secs()));
            let body = kind.limits.body.map(|length| length.to_string());
            let limits = [rate, body].into_iter().flatten().collect::<Vec<_>>().join(", ");
            vec![kind.name.to_owned(), limits, kind.recipient.to_owned(), kind.summary.to_owned()]
        }));
        print::table(&rows);
    }
    Ok(ExitCode::SUCCESS)
}
