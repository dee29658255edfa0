//! Checks of the workspace that no compiler makes: `cargo xtask tidy`.

mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("tidy") => tidy::run(),
        _ => {
            print("usage: cargo xtask tidy");
            ExitCode::from(2)
        }
    }
}

/// One line on standard output.
#[expect(clippy::print_stdout, reason = "a program of the workspace, not a part of the product")]
fn print(line: &str) {
    println!("{line}");
}
