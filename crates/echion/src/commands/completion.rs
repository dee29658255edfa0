//! `echion completion`.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::{args, print};

pub(super) fn run(shell: Shell) -> ExitCode {
    // Written at once: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "echion", &mut script);
    print::bytes(&script);
    ExitCode::SUCCESS
}
