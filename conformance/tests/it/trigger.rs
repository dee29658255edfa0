//! Triggers: `domain` (mode trigger), results compared whole.

use echion_engine::cases::trigger::answer;
use serde_json::Value;

#[test]
fn triggers_say_what_the_reference_says() {
    let cases: Vec<Value> =
        conformance::load("domain").unwrap().into_iter().filter(|case| case["mode"] == "trigger").collect();
    let mut wrong = Vec::new();
    for case in &cases {
        let (got, want) = (answer(case), &case["want"]);
        let kind = |v: &Value| ["results", "compile_err", "config_err", "err"].into_iter().find(|k| v.get(k).is_some());
        let same = kind(&got) == kind(want)
            && got
                .get("results")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .zip(want["results"].as_array().into_iter().flatten())
                .all(|(g, w)| ["key", "triggered", "oncePer", "templates"].iter().all(|f| g[f] == w[f]))
            && got["results"].as_array().map(Vec::len) == want["results"].as_array().map(Vec::len);
        if !same {
            wrong.push(format!("domain {}: got {got}, want {want}", case["id"]));
        }
    }
    assert!(cases.len() > 200, "the vectors are missing");
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
