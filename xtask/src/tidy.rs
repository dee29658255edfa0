//! Layers, file sizes, module docs, and docs that must exist.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::citations;
use crate::step::Failed;

/// Which crates of the workspace a crate may import: the table of ARCHITECTURE.md.
const LAYERS: &[(&str, &[&str])] = &[
    ("echion-value", &[]),
    ("echion-expr", &["echion-value"]),
    ("echion-template", &["echion-value"]),
    ("echion-sprig", &["echion-template", "echion-value"]),
    ("echion-model", &["echion-value"]),
    ("echion-engine", &["echion-expr", "echion-model", "echion-sprig", "echion-template", "echion-value"]),
    ("echion-services", &["echion-model", "echion-value"]),
    ("echion-console", &["echion-model"]),
    ("echion-delivery", &["echion-model"]),
    ("echion-sources", &["echion-model", "echion-value"]),
    ("echion-sandbox", &[]),
    ("echion-runtime", &["echion-delivery", "echion-engine", "echion-model", "echion-value"]),
    (
        "echion",
        &["echion-console", "echion-delivery", "echion-runtime", "echion-sandbox", "echion-services", "echion-sources"],
    ),
];

/// What the pure crates must not link: they do no I/O.
const PURE: &[&str] =
    &["echion-value", "echion-expr", "echion-template", "echion-sprig", "echion-model", "echion-engine"];
const IMPURE: &[&str] = &["tokio", "reqwest", "kube", "sqlx", "axum"];

/// Longest source file in lines.
const LINES: usize = 500;

const DOCS: &[&str] = &[
    "README.md",
    "README.zh.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE",
    "docs/compatibility.md",
    "docs/compatibility-contract.md",
    "docs/glossary.md",
    "conformance/README.md",
];

pub(crate) fn run() -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut problems = Vec::new();
    layers(&root, &mut problems);
    sources(&root, &mut problems);
    for doc in DOCS {
        if !root.join(doc).is_file() {
            problems.push(format!("{doc} is missing"));
        }
    }
    services(&root, &mut problems);
    differences(&root, &mut problems);
    citations::check(&root, &mut problems);
    for problem in &problems {
        crate::print(problem);
    }
    crate::print(&format!("tidy: {} problems", problems.len()));
    if problems.is_empty() { Ok(()) } else { Err(Failed("the workspace is not tidy".to_owned())) }
}

fn layers(root: &Path, problems: &mut Vec<String>) {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output();
    let metadata: Option<Value> = output.ok().and_then(|o| serde_json::from_slice(&o.stdout).ok());
    let Some(metadata) = metadata else {
        problems.push("cargo metadata cannot be read".to_owned());
        return;
    };
    let mut seen = 0;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = LAYERS.iter().find(|(n, _)| *n == name) else {
            if name.starts_with("echion-") {
                problems.push(format!("{name} is in no layer: add it to LAYERS and to ARCHITECTURE.md"));
            }
            continue;
        };
        seen += 1;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let wanted = dependency["name"].as_str().unwrap_or_default();
            // Tests may look anywhere.
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            if wanted.starts_with("echion-") && !allowed.contains(&wanted) {
                problems.push(format!("{name} must not import {wanted}"));
            }
            if PURE.contains(&name) && IMPURE.contains(&wanted) {
                problems.push(format!("{name} does no I/O and must not link {wanted}"));
            }
        }
    }
    if seen != LAYERS.len() {
        problems.push(format!("LAYERS names {} crates, the workspace has {seen} of them", LAYERS.len()));
    }
}

fn sources(root: &Path, problems: &mut Vec<String>) {
    let mut files = Vec::new();
    for folder in ["crates", "conformance", "xtask"] {
        rust_files(&root.join(folder), &mut files);
    }
    for file in &files {
        let text = fs::read_to_string(file).unwrap_or_default();
        let name = file.strip_prefix(root).unwrap_or(file).display();
        let tests = file.file_name().is_some_and(|n| n == "tests.rs");
        if !tests && !text.starts_with("//!") {
            problems.push(format!("{name}: a file begins with `//!` and what it is"));
        }
        let lines = text.lines().count();
        if lines > LINES {
            problems.push(format!("{name}: {lines} lines; split it, {LINES} is the most"));
        }
    }
    if files.len() < 20 {
        problems.push("the sources were not found".to_owned());
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|n| n != "target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The service list is sorted, and each type in it has its page.
fn services(root: &Path, problems: &mut Vec<String>) {
    let names: Vec<&str> = echion_services::ALL.iter().map(|kind| kind.name).collect();
    if !names.is_sorted() {
        problems.push("crates/echion-services/src/lib.rs: ALL must be sorted by name".to_owned());
    }
    for name in names {
        if !root.join(format!("docs/services/{name}.md")).is_file() {
            problems.push(format!("docs/services/{name}.md is missing"));
        }
    }
}

/// Every difference from Argo CD Notifications names tests that exist.
fn differences(root: &Path, problems: &mut Vec<String>) {
    let mut files = Vec::new();
    rust_files(&root.join("crates"), &mut files);
    rust_files(&root.join("conformance"), &mut files);
    let sources: String = files.iter().map(|file| fs::read_to_string(file).unwrap_or_default()).collect();
    let page = fs::read_to_string(root.join("docs/compatibility.md")).unwrap_or_default();
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_end_matches(" |").split(" | ").collect();
        let (Some(what), Some(tests)) = (cells.first(), cells.last()) else { continue };
        if cells.len() != 4 || *tests == "test" {
            continue;
        }
        rows += 1;
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        let missing = names.iter().find(|name| !sources.contains(&format!("fn {name}(")));
        if names.is_empty() || missing.is_some() {
            problems.push(format!("docs/compatibility.md: {what}: {tests} names no test that exists"));
        }
    }
    let scenarios = fs::read_dir(root.join("conformance/scenarios")).into_iter().flatten().flatten();
    for file in scenarios.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        if let Some(name) = file.strip_suffix(".ours.json")
            && !page.contains(&format!("| `{name}` |"))
        {
            problems.push(format!("docs/compatibility.md does not say why the scenario {name} goes otherwise"));
        }
    }
    if rows < 10 {
        problems.push("docs/compatibility.md: the table was not found".to_owned());
    }
}
