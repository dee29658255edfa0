//! Rules that are easy to break.

use echion_template::{Functions, Host, Limits, Phase};
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
fn a_template_can_be_rendered_by_several_threads() {
    let template = compile("{{range .}}{{printf \"%03d\" .}}{{end}}").unwrap();
    let data = Value::from(vec![Value::Int(1), Value::Int(2)]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let out = template.render(&data, &mut Host::default(), &Limits::default()).unwrap();
                assert_eq!(out, b"001002");
            });
        }
    });
}
