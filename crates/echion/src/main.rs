//! The program: arguments, commands, printing. The only crate that names all others, reads the environment and exits.

mod args;
mod cluster;
mod commands;
mod log;
mod print;
mod setup;
mod world;

use std::process::ExitCode;

use clap::Parser as _;

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

/// 0 is fine, 1 is a check that failed, 2 could not run.
type Outcome = Result<ExitCode, Failure>;

fn main() -> ExitCode {
    let args = args::Args::parse_from(setup::arguments());
    print::set_colour(args.color);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::failure(&Failure::new(format!("the runtime cannot start: {error}")));
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(commands::run(args)) {
        Ok(code) => code,
        Err(failure) => {
            print::failure(&failure);
            ExitCode::from(2)
        }
    }
}
