//! The program: arguments, commands, printing. The only crate that names all others, reads the environment and exits.

mod ambient;
mod arena;
mod args;
mod commands;
mod folder;
mod leadership;
mod log;
mod options;
mod places;
mod print;
mod report;
mod repository;
mod setup;
mod yaml;

use std::process::ExitCode;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: String,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: String::new() }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl From<echion_runtime::RuntimeError> for Failure {
    fn from(error: echion_runtime::RuntimeError) -> Self {
        match error {
            echion_runtime::RuntimeError::Ledger(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<echion_runtime::model::LedgerError> for Failure {
    fn from(error: echion_runtime::model::LedgerError) -> Self {
        let cause = std::error::Error::source(&error).map(|c| format!(": {c}")).unwrap_or_default();
        Self::new(format!("cannot {error}{cause}"))
            .hint("nothing is sent without a ledger: make room, stop the other process, or choose another file with `--ledger sqlite:FILE`")
    }
}

/// 0 is fine, 1 is a check that failed, 2 could not run.
type Outcome = Result<ExitCode, Failure>;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().collect(), setup::variable) {
        Ok(args) => args,
        Err(error) => return print::usage(&error),
    };
    if matches!(args.command, commands::Command::Controller(_)) {
        arena::allocate_from_one();
    }
    print::set_colour(args.color);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::failure(&Failure::new(format!("the runtime cannot start: {error}")));
            return ExitCode::from(2);
        }
    };
    let code = match runtime.block_on(commands::run(args)) {
        Ok(code) => code,
        Err(failure) => {
            print::failure(&failure);
            ExitCode::from(2)
        }
    };
    // An evaluation that is still computing, such as a tenant's costly template, would hold up the end for as long as it likes.
    runtime.shutdown_background();
    print::finish(code)
}
