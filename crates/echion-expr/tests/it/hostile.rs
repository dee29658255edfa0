//! Texts that were written to hurt: each must be refused, quickly and without a crash.

use echion_expr::{Context, ErrorKind, Limits, compile};
use echion_value::{Map, Value};

fn eval(source: &str) -> Result<Value, Box<echion_expr::Error>> {
    compile(source)?.eval(&Map::of_any(vec![]), &Context::default())
}

fn budget(source: &str) {
    match eval(source) {
        Err(error) if error.kind() == ErrorKind::Budget => {}
        Err(error) => panic!("{source:.60}: {error:.200}"),
        Ok(_) => panic!("{source:.60}: a value"),
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{a: ", "}"), ("not ", ""), ("-", ""), ("!", ""), ("f(", ")"), ("len(", ")")]
    {
        budget(&format!("{}1{}", open.repeat(100_000), close.repeat(100_000)));
        budget(&open.repeat(100_000));
    }
    budget(&"a?.".repeat(100_000));
    budget(&format!("a{}", ".b".repeat(3_000)));
    budget(&format!("a{}", "[0]".repeat(3_000)));
    budget(&format!("1{}", " ** 1".repeat(100_000)));
    budget(&format!("{}1", "true ? 1 : ".repeat(100_000)));
    budget(&"if true {".repeat(100_000));
    budget(&format!("{}1", "let a = 1; ".repeat(100_000)));
    budget(&format!("[]{}", " | len()".repeat(3_000)));
    budget(&"map([1], ".repeat(100_000));
}

#[test]
fn long_chains_of_operators_are_no_nesting() {
    let sum = format!("1{}", " + 1".repeat(4_000));
    assert!(matches!(eval(&sum), Ok(Value::Int(4001))));
    let or = format!("x == 1{}", " or x == 1".repeat(1_500));
    assert!(matches!(eval(&or), Ok(Value::Bool(false))));
}

#[test]
fn too_many_nodes_are_an_error() {
    budget(&format!("1{}", " + 1".repeat(10_000)));
    budget(&format!("[{}]", "1,".repeat(20_000)));
}

/// Loops that run backwards leave values on the stack, as in the reference.
#[test]
fn what_loops_leave_behind_is_bounded() {
    budget("let l = 1..3000; count(l, findLast(l, # < 0) == nil)");
    assert!(matches!(eval("[7, [1, 2, 3] | findLast(true)][0]"), Ok(Value::Bool(true))));
}

#[test]
fn doubling_conditions_are_bounded() {
    let mut source = "a".to_owned();
    for _ in 0..60 {
        source = format!("({source} ?: b)");
    }
    budget(&source);
}

#[test]
fn arguments_are_not_checked_again_for_each_overload() {
    let trims = format!("{}' a '{}", "trim(".repeat(60), ", ' ')".repeat(60));
    assert!(matches!(eval(&trims), Ok(Value::Str(text)) if text == "a"));
    let joins = format!("['a']{}", " | join('; ')".repeat(60));
    assert_eq!(eval(&joins).unwrap_err().kind(), ErrorKind::Check);
}

#[test]
fn large_results_are_refused_before_they_are_made() {
    budget("1..1000000000");
    budget("-9223372036854775807..9223372036854775807");
    budget("repeat('x', 1000000000)");
    budget("map(1..1000, 1..1000)");
    budget("reduce(1..60, #acc + #acc, 'x')");
    budget("reduce(1..40, replace(#acc, 'x', 'xx'), 'x')");
    budget("map(1..9999, map(1..9999, #))");
}

#[test]
fn endless_work_is_stopped() {
    budget("all(1..99999, all(1..99999, none(1..9999, # == 0)))");
    budget("uniq(1..40000)");
    let limits = Limits { steps: 10_000, ..Limits::default() };
    let context = Context { limits, ..Context::default() };
    let error = compile("sum(1..900000, # + # * #)").unwrap().eval(&Map::of_any(vec![]), &context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
}

#[test]
fn values_that_share_their_parts_are_not_walked_forever() {
    // Forty-five doublings: a small value with 2^45 leaves.
    let shared = "let v = reduce(1..45, [#acc, #acc], 0); let w = reduce(1..45, [#acc, #acc], 0);";
    for use_of in [
        "v == w",
        "v in [w]",
        "uniq([v, w])",
        "{a: v} == {a: w}",
        "toJSON(v)",
        "flatten(v)",
        "max(v)",
        "mean(v)",
        "median(v)",
    ] {
        let program = compile(&format!("{shared} {use_of}")).unwrap();
        let limits = Limits { steps: 300_000, elements: 100_000, bytes: 1 << 20 };
        let outcome = program.eval(&Map::of_any(vec![]), &Context { limits, ..Context::default() });
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Budget, "{use_of}");
    }
    // Go's `%v` is cut, so that it always ends.
    assert!(matches!(eval(&format!("{shared} len(string(v)) > 1000")), Ok(Value::Bool(true))));
}

#[test]
fn the_deadline_is_asked() {
    let expired = || true;
    let context = Context { expired: Some(&expired), ..Context::default() };
    let error = compile("sum(1..900000, # + # * #)").unwrap().eval(&Map::of_any(vec![]), &context).unwrap_err();
    assert_eq!(error.to_string().lines().next(), Some("time budget exceeded (1:6)"));
}

#[test]
fn deep_values_do_no_harm() {
    for use_of in [
        "string(v)",
        "v == [v]",
        "toJSON(v)",
        "flatten(v)",
        "max(v)",
        "mean(v)",
        "v in [v]",
        "uniq([v, [v]])",
        "len(v)",
    ] {
        drop(eval(&format!("let v = reduce(1..50000, [#acc], 0); {use_of}")));
    }
    drop(eval("let v = reduce(1..50000, {a: #acc}, 0); v == {a: v}"));
}

#[test]
fn every_budget_says_where_it_was_spent() {
    let place = |source: &str, limits: Limits| {
        let context = Context { limits, ..Context::default() };
        let outcome = compile(source).and_then(|program| program.eval(&Map::of_any(vec![]), &context));
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Budget, "{source:.60}");
        (error.message().to_owned(), error.line(), error.column())
    };
    let usual = Limits::default();
    let spent = |message: &str, line, column| (message.to_owned(), line, column);
    let too_deep = "expression is nested too deeply";
    // The text: its nesting, its size, and what it is compiled to.
    assert_eq!(place(&format!("1 +\n{}", "(".repeat(100_000)), usual), spent(too_deep, 2, 120));
    assert_eq!(place(&format!("a{}", ".b".repeat(3_000)), usual), spent(too_deep, 1, 403));
    let too_many = "compilation failed: expression exceeds maximum allowed nodes";
    assert_eq!(place(&format!("[\n{}]", "1,".repeat(20_000)), usual), spent(too_many, 2, 20_002));
    let doubled = (0..60).fold("a".to_owned(), |source, _| format!("({source} ?: b)"));
    assert_eq!(place(&doubled, usual).0, "expression is too large");
    // The evaluation: steps, elements and texts. Time has a test of its own.
    let steps = Limits { steps: 10_000, ..usual };
    assert_eq!(place("1 +\n  sum(1..90000, # % 7)", steps), spent("step budget exceeded", 2, 8));
    assert_eq!(place("1 +\n  len(1..900000000)", usual), spent("memory budget exceeded", 2, 8));
    assert_eq!(place("[1] == map(1..9, 1..900000)", usual), spent("memory budget exceeded", 1, 19));
    assert_eq!(place("'a' +\n repeat('x', 1000000000)", usual), spent("memory budget exceeded", 2, 2));
    assert_eq!(place("1 == reduce(1..60,\n #acc + #acc, 'x')", usual), spent("memory budget exceeded", 2, 7));
}

#[test]
fn extremes_of_arithmetic_do_no_harm() {
    for source in [
        "-9223372036854775807 - 1",
        "abs(-9223372036854775807 - 1)",
        "(-9223372036854775807 - 1) % -1",
        "9223372036854775807 * 9223372036854775807",
        "1 / 0",
        "0 / 0",
        "2 ** 9223372036854775807",
        "0.5 ** 1e300",
        "-2 ** 0.5",
        "int(1e300)",
        "int(0 / 0)",
        "[1][-9223372036854775807 - 1:]",
        "[1][1e300]",
        "'abc'[9223372036854775807:-9223372036854775807]",
        "bitshl(1, 9223372036854775807)",
        "split('abc', '', -9223372036854775807)",
        "sum(-9223372036854775807..9223372036854775807)",
        "round(1e300)",
    ] {
        drop(eval(source));
    }
}
