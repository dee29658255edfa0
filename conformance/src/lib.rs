//! Vectors computed by the reference implementation, and what it takes to run them. `README.md` documents where they come from and
//! what each field means.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// The folder with the vectors.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// All cases of `FILE.jsonl`, their fixtures expanded.
///
/// # Errors
/// When a file is missing or a line is not JSON: the text names it.
pub fn load(file: &str) -> Result<Vec<Value>, String> {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).map_err(|e| format!("{name}: {e}"));
    let mut fixtures = Map::new();
    for name in ["fixtures.json", "random_fixtures.json"] {
        let some: Map<String, Value> = serde_json::from_str(&read(name)?).map_err(|e| format!("{name}: {e}"))?;
        fixtures.extend(some);
    }
    let name = format!("{file}.jsonl");
    read(&name)?
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let mut case = serde_json::from_str(line).map_err(|e| format!("{name}:{}: {e}", i + 1))?;
            expand(&mut case, &fixtures);
            Ok(case)
        })
        .collect()
}

/// Replaces the `*_fixture` fields of a case by what they name. What the line itself holds wins.
fn expand(case: &mut Value, fixtures: &Map<String, Value>) {
    let Some(case) = case.as_object_mut() else { return };
    let mode = case.get("mode").and_then(Value::as_str).unwrap_or_default().to_owned();
    let take = |case: &mut Map<String, Value>, name: &str| {
        let name = case.remove(name)?;
        fixtures.get(name.as_str()?).cloned()
    };
    if let Some(env) = take(case, "env_fixture") {
        merge_under(case, "env", env);
    }
    if let Some(data) = take(case, "data_fixture") {
        if mode == "trigger" {
            for (key, value) in data.as_object().into_iter().flatten() {
                case.entry(key.clone()).or_insert_with(|| value.clone());
            }
        } else {
            merge_under(case, "data", data);
        }
    }
    for (fixture, key) in [("app_fixture", "app"), ("project_fixture", "appProject")] {
        if let Some(value) = take(case, fixture) {
            let mut one = Map::new();
            one.insert(key.to_owned(), value.clone());
            match mode.as_str() {
                "trigger" => drop(case.entry(key).or_insert(value)),
                "template" => merge_under(case, "data", Value::Object(one)),
                _ => merge_under(case, "env", Value::Object(one)),
            }
        }
    }
    if let Some(repo) = take(case, "repo_fixture") {
        case.entry("repo").or_insert(repo);
    }
}

fn merge_under(case: &mut Map<String, Value>, key: &str, fixture: Value) {
    match (case.get_mut(key), fixture) {
        (None, fixture) => drop(case.insert(key.to_owned(), fixture)),
        (Some(Value::Object(own)), Value::Object(fixture)) => {
            for (k, v) in fixture {
                own.entry(k).or_insert(v);
            }
        }
        (Some(_), _) => {}
    }
}
