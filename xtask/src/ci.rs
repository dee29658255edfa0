//! `cargo xtask ci`: everything that must hold before a change lands.

use std::time::Instant;

use crate::step::{Failed, cargo, root, run};
use crate::{codegen, test, tidy};

type Step = (&'static str, fn() -> Result<(), Failed>);

const STEPS: &[Step] = &[
    ("format", || run(&mut cargo(&["fmt", "--all", "--check"]))),
    ("lints", || run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))),
    ("tidy", tidy::run),
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
