//! `--jsonl`: one case a line in, one answer a line out, in order.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{Failure, Outcome, print};

/// How many bytes of answers are written at once.
const WRITTEN: usize = 64 * 1024;

pub(super) fn run(answer: fn(&Value) -> Value) -> Outcome {
    let mut out = Vec::new();
    let mut lines = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line);
        if read.map_err(|error| Failure::new(format!("cannot read standard input: {error}")))? == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answered = match serde_json::from_slice::<Value>(&line) {
            Ok(case) if case.is_object() => answer(&case),
            Ok(_) => json!({"id": null, "err": "expected a JSON object"}),
            Err(error) => json!({"id": null, "err": format!("not JSON: {error}")}),
        };
        // Writing into memory cannot fail.
        let _ = writeln!(out, "{answered}");
        if out.len() > WRITTEN && !print::bytes(&std::mem::take(&mut out)) {
            return Ok(ExitCode::SUCCESS);
        }
    }
    print::bytes(&out);
    Ok(ExitCode::SUCCESS)
}
