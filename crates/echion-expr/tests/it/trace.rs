//! What a trace reports about the parts of an expression.

use echion_expr::{Context, compile};
use echion_value::format::display;
use echion_value::{Map, Value};

/// Each step as `text = value`.
fn steps(source: &str) -> Vec<String> {
    let program = compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let trace = program.trace(&Map::of_any(vec![("a".into(), Value::Int(1))]), &Context::default());
    let steps = trace.steps.iter().map(|step| {
        let value = match &step.outcome {
            Ok(value) => display(value).to_string(),
            Err(message) => format!("error {message}"),
        };
        format!("{} = {value}", &source[step.start..step.end])
    });
    steps.collect()
}

#[test]
fn only_what_was_evaluated_is_told() {
    assert_eq!(steps("a == 1 or a == 2"), ["a = 1", "a == 1 = true", "a == 1 or a == 2 = true"]);
    assert_eq!(
        steps("a > 1 ? a + 1 : (a + 2)"),
        ["a = 1", "a > 1 = false", "a = 1", "(a + 2) = 3", "a > 1 ? a + 1 : (a + 2) = 3"]
    );
    assert_eq!(steps("b?.c.d"), ["b = <nil>", "b?.c.d = <nil>"]);
    assert_eq!(steps("b?.c ?? a"), ["b = <nil>", "b?.c = <nil>", "a = 1", "b?.c ?? a = 1"]);
    assert_eq!(steps("if a == 2 { a } else { 7 }"), ["a = 1", "a == 2 = false", "if a == 2 { a } else { 7 } = 7"]);
    assert_eq!(steps("'literal'"), ["'literal' = literal"]);
}

#[test]
fn parts_have_their_own_text() {
    assert_eq!(
        steps(" ( a not in [a, 2] ) // why"),
        ["a = 1", "a = 1", "[a, 2] = [1 2]", "( a not in [a, 2] ) = false"]
    );
    assert_eq!(steps("'ü' + string(a)"), ["a = 1", "string(a) = 1", "'ü' + string(a) = ü1"]);
    assert_eq!(
        steps("[a, 5][0:1] | len()"),
        ["a = 1", "[a, 5] = [1 5]", "[a, 5][0:1] = [1]", "[a, 5][0:1] | len() = 1"]
    );
    assert_eq!(steps("not (a in [2]) and true"), ["a = 1", "(a in [2]) = false", "not (a in [2]) and true = true"]);
}

#[test]
fn predicates_are_reported_for_each_element_and_variables_have_their_values() {
    assert_eq!(
        steps("let l = [1, 2]; any(l, # > a)"),
        [
            "l = [1 2]",
            "# = 1",
            "a = 1",
            "# > a = false",
            "# = 2",
            "a = 1",
            "# > a = true",
            "any(l, # > a) = true",
            "let l = [1, 2]; any(l, # > a) = true"
        ]
    );
}

#[test]
fn a_failure_is_reported_where_it_happened() {
    assert_eq!(steps("1 + (a.b ?? 2)"), ["a.b = error cannot fetch b from int"]);
    let trace = compile("map(1..100000, # + 1)").unwrap_or_else(|error| panic!("{error}"));
    let trace = trace.trace(&Map::of_any(vec![]), &Context::default());
    assert!(!trace.complete && trace.steps.len() == 1000 && trace.outcome.is_ok());
}
