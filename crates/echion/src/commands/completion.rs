//! `echion completion`.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Outcome;
use crate::args::Args;

pub(super) fn run(shell: Shell) -> Outcome {
    clap_complete::generate(shell, &mut Args::command(), "echion", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
