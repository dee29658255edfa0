//! `cargo xtask ci`: everything that must hold before a change lands.

use std::io::ErrorKind;
use std::process::Command;
use std::time::Instant;

use crate::step::{Failed, cargo, root, run};
use crate::{codegen, test, tidy};

type Step = (&'static str, fn() -> Result<(), Failed>);

const STEPS: &[Step] = &[
    ("format", || run(&mut cargo(&["fmt", "--all", "--check"]))),
    ("lints", || run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))),
    ("tidy", tidy::run),
    ("spelling", || tool("typos", &[], "typos-cli")),
    ("dependencies", || tool("cargo-deny", &["check", "bans", "licenses", "sources"], "cargo-deny")),
    ("generated pages", || codegen::run(true)),
    ("documentation of the code", || {
        run(cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("fuzz targets", fuzz),
    ("tests: the README's second command", || test::test(false)),
    ("the main job: the README's first command", || {
        run(&mut cargo(&["run", "--release", "--locked", "--", "demo", "--exit"]))
    }),
];

/// Runs a program that is not part of the toolchain. Where it is missing that is said, and changes nothing: building it takes longer than
/// everything else.
fn tool(program: &str, arguments: &[&str], package: &str) -> Result<(), Failed> {
    match Command::new(program).args(arguments).current_dir(root()).status() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            crate::print(&format!("NOT CHECKED: {program} is missing; `cargo install {package} --locked` provides it"));
            Ok(())
        }
        Err(error) => Err(Failed(format!("{program} cannot be run: {error}"))),
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failed(format!("{program} found something"))),
    }
}

/// The fuzz targets compile. Only running them needs a nightly compiler, and only linking them libFuzzer, which is C++.
fn fuzz() -> Result<(), Failed> {
    let target = root().join("target").join("fuzz");
    let mut check = cargo(&["check", "--manifest-path", "fuzz/Cargo.toml", "--bins", "--target-dir"]);
    run(check.arg(target).env("CUSTOM_LIBFUZZER_PATH", "/nonexistent/libfuzzer.a"))
}

#[expect(clippy::disallowed_methods, reason = "a program of the workspace, not a part of the product")]
pub(crate) fn run_all() -> Result<(), Failed> {
    let start = Instant::now();
    for (name, step) in STEPS {
        let begin = Instant::now();
        crate::print(&format!("\n== {name}"));
        let result = step();
        crate::print(&format!("== {name}: {} s, {} s in total", begin.elapsed().as_secs(), start.elapsed().as_secs()));
        result?;
    }
    Ok(())
}
