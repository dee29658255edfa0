//! Checks of the workspace that no compiler makes, `cargo xtask tidy`, and pages written from code, `cargo xtask codegen`.

mod codegen;
mod manifests;
mod services;
mod template;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (command, option) = (args.next(), args.next());
    match (command.as_deref(), option.as_deref()) {
        (Some("tidy"), None) => tidy::run(),
        (Some("codegen"), None) => codegen::run(false),
        (Some("codegen"), Some("--check")) => codegen::run(true),
        _ => {
            print("usage: cargo xtask tidy | codegen [--check]");
            ExitCode::from(2)
        }
    }
}

/// One line on standard output.
#[expect(clippy::print_stdout, reason = "a program of the workspace, not a part of the product")]
fn print(line: &str) {
    println!("{line}");
}
