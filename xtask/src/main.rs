//! Checks of the workspace that no compiler makes, `cargo xtask tidy`; pages written from code, `cargo xtask codegen`; tests with what
//! they need, `cargo xtask test`; all of it, `cargo xtask ci`.

mod ci;
mod citations;
mod codegen;
mod manifests;
mod services;
mod step;
mod template;
mod test;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (command, option) = (args.next(), args.next());
    match (command.as_deref(), option.as_deref()) {
        (Some("tidy"), None) => exit(tidy::run()),
        (Some("codegen"), None) => exit(codegen::run(false)),
        (Some("codegen"), Some("--check")) => exit(codegen::run(true)),
        (Some("test"), None) => exit(test::test(false)),
        (Some("test"), Some("--fast")) => exit(test::test(true)),
        (Some("ci"), None) => exit(ci::run_all()),
        _ => {
            print("usage: cargo xtask tidy | codegen [--check] | test [--fast] | ci");
            ExitCode::from(2)
        }
    }
}

fn exit(result: Result<(), step::Failed>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(step::Failed(reason)) => {
            print(&format!("error: {reason}"));
            ExitCode::FAILURE
        }
    }
}

/// One line on standard output.
#[expect(clippy::print_stdout, reason = "a program of the workspace, not a part of the product")]
fn print(line: &str) {
    println!("{line}");
}
