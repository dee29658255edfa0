//! The template vectors.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail at once, and says how much was equal")]

use serde_json::Value;

/// What became of the cases of one file.
#[derive(Default)]
struct Tally {
    cases: usize,
    failures: Vec<String>,
    errors: usize,
    texts_equal: usize,
    texts: Vec<String>,
}

#[test]
fn template_grid() {
    run("template_grid");
}

#[test]
fn template_probes() {
    run("template_probes");
}

#[test]
fn printf_grid() {
    run("printf_grid");
}

#[test]
fn sprig_grid() {
    run("sprig_grid");
}

#[test]
fn domain() {
    run("domain");
}

#[test]
fn template_own() {
    run("template_own");
}

fn run(file: &str) {
    let mut tally = Tally::default();
    for case in conformance::load(file).unwrap().iter().filter(|case| case["mode"] == "template") {
        compare(case, &mut tally);
    }
    let Tally { cases, failures, errors, texts_equal, texts } = tally;
    for text in &texts {
        println!("{file} {text}");
    }
    println!("{file}: {} of {cases} equal, {texts_equal} of {errors} error texts equal", cases - failures.len());
    assert!(failures.is_empty(), "{} of {cases} cases of {file} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(texts_equal * 100 >= errors * 95, "too many error texts of {file} differ");
}

fn compare(case: &Value, tally: &mut Tally) {
    tally.cases += 1;
    let (id, source, want) = (&case["id"], &case["template"], &case["want"]);
    let got = echion_engine::cases::template::answer(case);
    for kind in ["err", "parse_err"] {
        if let Some(text) = want.get(kind) {
            tally.errors += 1;
            if got.get(kind).is_none() {
                tally.failures.push(format!("{id} {source}\n  want {kind}: {text}\n  got {got}"));
            } else if got[kind] == *text {
                tally.texts_equal += 1;
            } else {
                tally.texts.push(format!("{id} {source}\n  want {text}\n  got  {}", got[kind]));
            }
            return;
        }
    }
    // Where the output is no UTF-8, its bytes are compared.
    let key = if want.get("out_b64").is_some() { "out_b64" } else { "out" };
    if got.get(key) != want.get(key) {
        tally.failures.push(format!("{id} {source}\n  want {}\n  got  {got}", want[key]));
    }
}
