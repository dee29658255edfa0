//! Templates that were written to hurt. They run on the small stack of a test thread, without optimization.

use echion_template::{CallContext, Functions, Limits, Phase, parse};
use echion_value::Value;

use super::{compile, render, render_with};

fn is_over_budget(text: &str) {
    let error = render(text, "{}").unwrap_err();
    assert_eq!(error.phase(), Phase::Budget, "{error}");
}

#[test]
fn nesting_is_an_error_and_no_crash() {
    for depth in [1_000, 100_000] {
        let parens = format!("{{{{{}1{}}}}}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(compile(&parens).unwrap_err().phase(), Phase::Parse);
        let ifs = format!("{}{}", "{{if 1}}".repeat(depth), "{{end}}".repeat(depth));
        assert_eq!(compile(&ifs).unwrap_err().phase(), Phase::Parse);
        assert!(compile(&"{{if 1}}".repeat(depth)).is_err());
        assert!(compile(&"{{(".repeat(depth)).is_err());
    }
}

#[test]
fn nesting_below_the_limit_works() {
    let parens = format!("{{{{{}1{}}}}}", "(".repeat(190), ")".repeat(190));
    assert_eq!(render(&parens, "{}").unwrap(), "1");
    let ifs = format!("{}x{}", "{{if 1}}".repeat(190), "{{end}}".repeat(190));
    assert_eq!(render(&ifs, "{}").unwrap(), "x");
    let calls = format!("{{{{{}1{}}}}}", "print (".repeat(190), ")".repeat(190));
    assert_eq!(render(&calls, "{}").unwrap(), "1");
}

#[test]
fn a_long_chain_of_else_if_is_no_nesting() {
    let chain = format!("{{{{if .a}}}}a{}{{{{else}}}}end{{{{end}}}}", "{{else if .b}}b".repeat(10_000));
    assert_eq!(render(&chain, "{}").unwrap(), "end");
}

#[test]
fn endless_recursion_ends() {
    let error = render(r#"{{template "t" .}}"#, "{}").unwrap_err();
    assert!(error.message().contains("exceeded maximum template depth"), "{error}");
    let deep = format!(
        r#"{{{{define "x"}}}}{}{{{{template "x" .}}}}{}{{{{end}}}}{{{{template "x" .}}}}"#,
        "{{if 1}}".repeat(150),
        "{{end}}".repeat(150)
    );
    assert!(render(&deep, "{}").is_err());
    let calls = format!(
        r#"{{{{define "x"}}}}{{{{print {}1{} }}}}{{{{template "x" .}}}}{{{{end}}}}{{{{template "x" .}}}}"#,
        "(".repeat(150),
        ")".repeat(150)
    );
    assert!(render(&calls, "{}").is_err());
}

#[test]
fn endless_loops_end() {
    is_over_budget("{{range 100000000000}}{{end}}");
    is_over_budget("{{range 100000000000}}x{{end}}");
    is_over_budget("{{range 100000}}{{range 100000}}{{end}}{{end}}");
}

#[test]
fn texts_do_not_grow_without_end() {
    let doubling = format!(r#"{{{{$s := "x"}}}}{}{{{{len $s}}}}"#, "{{$s = print $s $s}}".repeat(40));
    let error = render(&doubling, "{}").unwrap_err();
    assert!(error.message().contains("longer than"), "{error}");
    assert!(render(r#"{{range 100000}}{{$x := printf "%999999d" 1}}{{end}}"#, "{}").is_err());
    is_over_budget(r#"{{range 100000}}{{printf "%99999d" 1}}{{end}}"#);
    assert_eq!(render(r#"{{printf "%100000000d" 1}}"#, "{}").unwrap(), "%!(NOVERB)%!(EXTRA int=1)");
}

#[test]
fn a_value_that_shares_its_parts_does_not_print_without_end() {
    let mut value = Value::from("x");
    for _ in 0..60 {
        value = Value::from(vec![value.clone(), value]);
    }
    let template = compile("{{.}}").unwrap();
    let error = template.render(&value, &mut CallContext::default(), &Limits::default()).unwrap_err();
    assert_eq!(error.phase(), Phase::Budget);
}

#[test]
fn a_deep_value_prints() {
    let mut value = Value::Nil;
    for _ in 0..100_000 {
        value = Value::from(vec![value]);
    }
    assert!(compile("{{.}}").unwrap().render(&value, &mut CallContext::default(), &Limits::default()).is_ok());
    assert!(compile("{{eq . .}}").unwrap().render(&value, &mut CallContext::default(), &Limits::default()).is_err());
}

#[test]
fn limits_are_kept() {
    let steps = Limits { steps: 10, ..Limits::default() };
    assert_eq!(render_with("{{range 100}}x{{end}}", "{}", &steps).unwrap_err().phase(), Phase::Budget);
    let output = Limits { output: 5, ..Limits::default() };
    let error = render_with("12345{{.}}", "{}", &output).unwrap_err();
    assert_eq!((error.phase(), error.partial().len()), (Phase::Budget, 5));
}

#[test]
fn a_deadline_ends_it() {
    let template = parse("t", "{{range 1000000}}{{end}}", &Functions::new(&[])).unwrap();
    let expired = || true;
    let mut call = CallContext::default().with_deadline(&expired);
    let error = template.render(&Value::Nil, &mut call, &Limits::default()).unwrap_err();
    assert!(error.message().contains("too long"), "{error}");
}
