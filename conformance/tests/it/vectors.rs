//! One harness for every file of vectors. Whatever differs is listed in `known/FILE.snap`, and the test fails when a list is no longer true:
//! because of a difference that is new, or of one that is gone.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail at once")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use echion_engine::cases;
use echion_model::yaml::{Kind, Node, parse_all, parse_with_notes};
use echion_value::strconv::format_g_v;
use serde_json::{Value, json};

const FILES: [&str; 16] = [
    "argo_expr",
    "domain",
    "edges",
    "expr_grid",
    "expr_more",
    "expr_probes",
    "printf_grid",
    "random_expr",
    "random_template",
    "random_trigger",
    "sprig_grid",
    "sprig_lists",
    "template_grid",
    "template_own",
    "template_probes",
    "yaml",
];

#[test]
fn what_differs_is_listed() {
    std::thread::scope(|scope| {
        for file in FILES {
            scope.spawn(move || run(file));
        }
    });
}

/// How a want or an answer can end, in the order in which it is looked for.
const KINDS: [&str; 6] = ["compile_err", "config_err", "parse_err", "err", "results", "out"];

fn run(file: &str) {
    let cases = conformance::load(file).unwrap();
    assert!(!cases.is_empty(), "{file} is empty");
    let mut known = String::new();
    let (mut values, mut texts, mut accepted) = (0, 0, 0);
    for case in &cases {
        let (got, want) = (answer(case), &case["want"]);
        let id = case["id"].as_str().unwrap();
        if want.get("config_err").is_some() && got.get("warnings").is_some() {
            accepted += 1;
            writeln!(known, "{id}: accepted, {}", got["warnings"]).unwrap();
        } else if let Some(difference) = difference(want, &got) {
            values += 1;
            writeln!(known, "{id}: {difference}\n  {}", source(case)).unwrap();
        } else if let Some((want, got)) = error_texts(case, want, &got) {
            texts += 1;
            writeln!(known, "{id}: error texts\n  want {want}\n  got  {got}").unwrap();
        }
    }
    let head = format!(
        "{} cases, {values} differ, {accepted} are accepted with a warning, {texts} error texts differ\n",
        cases.len()
    );
    insta::with_settings!({snapshot_path => "../../known", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(file, head + &known);
    });
}

fn answer(case: &Value) -> Value {
    match case["mode"].as_str().unwrap() {
        "expr" => cases::expr::answer(case),
        "template" => cases::template::answer(case),
        "trigger" => cases::trigger::answer(case),
        "yaml" => read_yaml(case["yaml"].as_str().unwrap()),
        other => panic!("{}: no mode `{other}`", case["id"]),
    }
}

/// What a text of YAML means: numbers and texts as texts that begin with their Go type.
fn read_yaml(text: &str) -> Value {
    fn show(node: &Node) -> Value {
        match &node.kind {
            Kind::Null => Value::Null,
            Kind::Bool(b) => json!(b),
            Kind::Int(i) => json!(format!("i{i}")),
            Kind::Uint(i) => json!(format!("u{i}")),
            Kind::Float(f) => json!(format!("f{}", format_g_v(*f))),
            Kind::Text { text, .. } => json!(format!("s{text}")),
            Kind::List(items) => items.iter().map(show).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|(key, value)| (key.text().unwrap().to_owned(), show(value))).collect()
            }
        }
    }
    match parse_with_notes(text) {
        Err(error) => json!({ "config_err": error.to_string() }),
        Ok((node, notes)) if notes.is_empty() => json!({ "out": show(&node) }),
        Ok((node, notes)) => {
            let warnings: Vec<&str> = notes.iter().map(|note| note.what).collect();
            json!({ "out": show(&node), "warnings": warnings })
        }
    }
}

fn source(case: &Value) -> &Value {
    &case[case["mode"].as_str().unwrap_or_default()]
}

/// What is not the same, other than the text of an error.
fn difference(want: &Value, got: &Value) -> Option<String> {
    let kind = |value: &Value| KINDS.into_iter().find(|kind| value.get(kind).is_some());
    let same = kind(want) == kind(got)
        && match kind(want) {
            Some("results") => same_results(&want["results"], &got["results"]),
            Some("out") => ["out", "out_b64", "type", "types", "fmt", "fmt_b64"].into_iter().all(|key| {
                // Where a text is not UTF-8, its bytes are compared.
                let told = want.get(key).is_some() && want.get(format!("{key}_b64")).is_none();
                !told || equal(&want[key], &got[key])
            }),
            _ => true,
        };
    (!same).then(|| format!("want {want}\n  got  {got}"))
}

/// An absent `send` is null in Go; an `error` may be added.
fn same_results(want: &Value, got: &Value) -> bool {
    let (want, got) = (want.as_array().unwrap(), got.as_array().unwrap());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    want.len() == got.len()
        && want.iter().zip(got).all(|(w, g)| {
            ["key", "triggered", "oncePer"].iter().all(|field| w[field] == g[field])
                && list(&w["templates"]) == list(&g["templates"])
        })
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

/// The texts of an error, where they differ. What is wrong with the YAML of a trigger is worded by this project.
fn error_texts<'a>(case: &Value, want: &'a Value, got: &'a Value) -> Option<(&'a Value, &'a Value)> {
    let kinds = ["compile_err", "parse_err", "err"].into_iter();
    let (want, got) = kinds.filter(|_| case["mode"] != "trigger").find_map(|kind| want.get(kind).zip(got.get(kind)))?;
    (want != got).then_some((want, got))
}

#[test]
fn every_oddity_of_yaml_occurs() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for case in conformance::load("random_trigger").unwrap() {
        for oddity in case["oddities"].as_array().unwrap() {
            *count.entry(oddity.as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(count.len() >= 25 && count.values().all(|cases| *cases >= 2), "{count:?}");
}

/// The reader takes texts apart by hand, so it must cope with every end and every beginning.
#[test]
fn no_part_of_a_text_makes_the_yaml_reader_panic() {
    let mut read = 0;
    for case in conformance::load("yaml").unwrap() {
        let text = case["yaml"].as_str().unwrap();
        for (at, _) in text.char_indices() {
            read += usize::from(parse_all(&text[..at]).is_ok()) + usize::from(parse_all(&text[at..]).is_ok());
        }
    }
    assert!(read > 1000, "{read}");
}
