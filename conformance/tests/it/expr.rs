//! The expression vectors.
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
fn expr_grid() {
    run("expr_grid");
}

#[test]
fn argo_expr() {
    run("argo_expr");
}

#[test]
fn expr_probes() {
    run("expr_probes");
}

#[test]
fn expr_more() {
    run("expr_more");
}

fn run(file: &str) {
    let mut tally = Tally::default();
    for case in conformance::load(file).unwrap() {
        compare(&case, &mut tally);
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
    let (id, source, want) = (&case["id"], &case["expr"], &case["want"]);
    let got = echion_engine::cases::expr::answer(case);
    for kind in ["err", "compile_err"] {
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
    let differs = |key: &str| want.get(key).is_some_and(|value| !equal(value, &got[key]));
    let different: Vec<&str> =
        ["out", "type", "types", "fmt", "fmt_b64"].into_iter().filter(|key| differs(key)).collect();
    if !different.is_empty() {
        tally.failures.push(format!("{id} {source}\n  {different:?}\n  want {want}\n  got  {got}"));
    }
}

/// Integers are compared exactly, everything else that is a number as a float.
fn equal(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}
