//! Rules that are easy to break.

use echion_template::{CallContext, Functions, Limits, Phase};
use echion_value::Value;

use super::{compile, render};

#[test]
fn absent_and_nil_are_not_the_same() {
    assert_eq!(render("{{.a.b.c}}", "{}").unwrap(), "<no value>");
    assert_eq!(render("{{.a}}", r#"{"a": null}"#).unwrap(), "<no value>");
    let error = render("{{.a.b}}", r#"{"a": null}"#).unwrap_err();
    assert_eq!(error.message(), r#"template: t:1:4: executing "t" at <.a.b>: nil pointer evaluating interface {}.b"#);
}

#[test]
fn an_error_has_its_place_and_what_was_written_before() {
    let error = render("one\ntwo {{len .n}}", r#"{"n": 5}"#).unwrap_err();
    assert_eq!(error.phase(), Phase::Exec);
    assert_eq!((error.line(), error.column()), (2, 7));
    assert_eq!(error.partial(), b"one\ntwo ");
    assert_eq!(compile("{{if}}").unwrap_err().phase(), Phase::Parse);
}

#[test]
fn templates_see_only_what_they_are_given() {
    let text = r#"{{define "x"}}{{.}}{{$}}{{end}}{{$v := 1}}{{template "x" 5}}{{template "x"}}"#;
    assert_eq!(render(text, "{}").unwrap(), "55<no value><no value>");
    assert!(compile(r#"{{$v := 1}}{{define "x"}}{{$v}}{{end}}"#).is_err());
}

#[test]
fn loops_break_and_continue() {
    let text = "{{range .}}{{if eq . 2}}{{continue}}{{end}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}";
    assert_eq!(render(text, "[1, 2, 3, 4, 5]").unwrap(), "13");
}

#[test]
fn assignments_reach_out_of_a_loop_and_declarations_do_not() {
    assert_eq!(render("{{$s := 0}}{{range .}}{{$s = .}}{{end}}{{$s}}", "[1, 2]").unwrap(), "2");
    assert_eq!(render("{{$s := 0}}{{range .}}{{$s := .}}{{end}}{{$s}}", "[1, 2]").unwrap(), "0");
}

#[test]
fn every_core_example_renders_to_what_it_says() {
    for function in Functions::new(&[]).all() {
        assert!(!function.doc.is_empty(), "{function:?}");
        if !function.example.is_empty() {
            assert_eq!(render(function.example, "{}").unwrap(), function.shows, "{function:?}");
        }
    }
}

#[test]
fn calls_with_several_results_are_refused_as_by_go() {
    let time = Value::Time(std::sync::Arc::new(echion_value::time::Time::default()));
    for (text, problem) in [
        ("{{.Zone}}", "at <.Zone>: invalid function signature for Zone: second return value should be error; is int"),
        ("{{.Clock}}", "at <.Clock>: function Clock has 3 return values; should be 1 or 2"),
    ] {
        let template = compile(text).unwrap();
        let error = template.render(&time, &mut CallContext::default(), &Limits::default()).unwrap_err();
        assert!(error.message().ends_with(problem), "{error}");
    }
}

#[test]
fn a_byte_of_the_output_has_its_origin() {
    let template = compile("a: {{.a}},\nb: {{printf \"%s\" .b}}!\n{{if .a}}end{{end}}").unwrap();
    let data: Value = serde_json::from_str(r#"{"a": "one", "b": "two"}"#).unwrap();
    let origin = |offset| {
        let origin = template.origin(&data, &mut CallContext::default(), &Limits::default(), offset).unwrap();
        (origin.line, origin.column, origin.action, String::from_utf8(origin.printed).unwrap())
    };
    let out = template.render(&data, &mut CallContext::default(), &Limits::default()).unwrap();
    assert_eq!(out, b"a: one,\nb: two!\nend");
    assert_eq!(origin(1), (1, 2, String::new(), String::new()));
    assert_eq!(origin(4), (1, 6, "{{.a}}".into(), "one".into()));
    // What follows an action in its line is put down to it.
    assert_eq!(origin(6), (1, 6, "{{.a}}".into(), "one".into()));
    assert_eq!(origin(14), (2, 6, "{{printf \"%s\" .b}}".into(), "two".into()));
    assert_eq!(origin(17), (3, 11, String::new(), String::new()));
}

#[test]
fn a_template_can_be_rendered_by_several_threads() {
    let template = compile("{{range .}}{{printf \"%03d\" .}}{{end}}").unwrap();
    let data = Value::from(vec![Value::Int(1), Value::Int(2)]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let out = template.render(&data, &mut CallContext::default(), &Limits::default()).unwrap();
                assert_eq!(out, b"001002");
            });
        }
    });
}
