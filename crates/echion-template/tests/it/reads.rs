//! What templates may read.

use super::compile;

/// The paths, joined by dots; `*` for everything.
fn paths(text: &str) -> String {
    let reads = compile(text).unwrap().reads();
    let mut paths: Vec<String> = reads.paths.iter().map(|path| path.join(".")).collect();
    if reads.everything {
        paths.push("*".to_owned());
    }
    paths.join(" ")
}

#[test]
fn fields_are_read_where_they_are_named() {
    assert_eq!(paths("text"), "");
    assert_eq!(
        paths("{{.app.metadata.name}} {{.app.status.health.status}}"),
        "app.metadata.name app.status.health.status"
    );
    assert_eq!(paths("{{$.app.a}}{{(.app).b}}{{(.app.c | print)}}"), "app.a app.b app.c");
    assert_eq!(paths("{{if .a.b}}{{.c}}{{else}}{{.d}}{{end}}"), "a.b c d");
    assert_eq!(paths("{{.}}"), "*");
    assert_eq!(paths("{{print $}}"), "*");
    assert_eq!(paths("{{index . \"app\"}}"), "*");
}

#[test]
fn what_is_tested_or_ranged_over_is_read_as_a_whole() {
    assert_eq!(paths("{{range .app.resources}}{{.kind}}{{.x.y}}{{$.z}}{{end}}"), "app.resources z");
    assert_eq!(paths("{{range $i, $r := .app.resources}}{{$r.kind}}{{end}}"), "app.resources");
    assert_eq!(paths("{{with .app.status}}{{.health}}{{else}}{{.other}}{{end}}"), "app.status other");
    assert_eq!(paths("{{range .}}{{.a}}{{end}}"), "*");
    assert_eq!(paths("{{(index .a.b 0).c.d}}{{len .e}}"), "a.b e");
}

#[test]
fn variables_are_followed() {
    assert_eq!(paths("{{$s := .app.status}}{{$s.health.status}}"), "app.status.health.status");
    assert_eq!(paths("{{$s := .app.status}}unused"), "app.status");
    assert_eq!(paths("{{$s := .a}}{{if .t}}{{$s = .b}}{{end}}{{$s.x}}"), "a.x b.x t");
    assert_eq!(paths("{{$s := .a}}{{range .l}}{{$s.x}}{{$s = $.b}}{{end}}"), "a.x b.x l");
    assert_eq!(paths("{{$s := .a}}{{range .l}}{{$s = $s.next}}{{end}}{{$s.x}}").split(' ').next_back(), Some("*"));
}

#[test]
fn templates_read_what_they_are_given() {
    let define = "{{define \"x\"}}{{.name}}{{template \"y\" .meta}}{{end}}{{define \"y\"}}{{$.uid}}{{end}}";
    assert_eq!(paths(&format!("{define}{{{{template \"x\" .app}}}}")), "app.meta.uid app.name");
    assert_eq!(paths(&format!("{define}{{{{template \"x\"}}}}")), "");
    assert_eq!(paths(define), "");
    assert_eq!(
        paths("{{define \"r\"}}{{.a}}{{template \"r\" .n}}{{end}}{{template \"r\" .app}}").split(' ').next_back(),
        Some("*")
    );
}

#[test]
fn what_grows_without_end_may_read_everything() {
    let tree =
        "{{define \"r\"}}{{template \"r\" .a}}{{template \"r\" .b}}{{template \"r\" .c}}{{end}}{{template \"r\" .}}";
    assert!(compile(tree).unwrap().reads().everything);
    let names: String = (0..2000).map(|i| format!("{{{{$x = $x.a{i}}}}}{{{{$x = .b{i}}}}}")).collect();
    assert!(compile(&format!("{{{{$x := .a}}}}{names}")).unwrap().reads().everything);
}

#[test]
fn calls_are_told() {
    assert!(compile("{{call .time.Now}}").unwrap().reads().calls);
    assert!(compile("{{.x.Format \"a\"}}").unwrap().reads().calls);
    assert!(compile("{{\"a\" | .x.Format}}").unwrap().reads().calls);
    assert!(!compile("{{.x.y}}{{print 1}}").unwrap().reads().calls);
    assert_eq!(paths("{{(call .time.Now).Format .app.layout}}"), "app.layout time.Now");
}
