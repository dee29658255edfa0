//! Calls that were written to hurt.

use std::fmt::Write as _;

use echion_template::Limits;

use super::{render, render_with};

fn is_refused(text: &str) {
    assert!(render(text).is_err(), "{}", text.get(..200).unwrap_or(text));
}

#[test]
fn results_have_a_size() {
    is_refused(r#"{{repeat 1000000000 "abc"}}"#);
    is_refused(r#"{{repeat -1 "abc"}}"#);
    is_refused(r#"{{indent 1000000000 "a\nb"}}"#);
    is_refused("{{until 1000000000}}");
    is_refused("{{untilStep 0 1000000000000 1}}");
    is_refused("{{seq 1000000000}}");
    is_refused("{{randAlpha 1000000000}}");
    is_refused("{{randBytes 1000000000}}");
    is_refused(r#"{{replace "" (repeat 10000 "x") (repeat 10000 "y")}}"#);
    is_refused(r#"{{join (repeat 10000 "x") (until 10000)}}"#);
    is_refused("{{chunk 0 (list 1 2)}}");
}

#[test]
fn values_that_share_their_parts_are_not_followed_without_end() {
    for (make, uses) in [
        ("$v = list $v $v", ["toJson $v", "deepEqual $v $v", "uniq $v", "toString $v"]),
        (r#"$v = dict "a" $v "b" $v"#, ["toPrettyJson $v", "deepCopy $v", "cat $v", "quote $v"]),
    ] {
        for call in uses {
            let mut text = "{{$v := list 1}}".to_owned();
            for _ in 0..60 {
                write!(text, "{{{{{make}}}}}").unwrap();
            }
            let limits = Limits { result: 1 << 20, ..Limits::default() };
            assert!(render_with(&format!("{text}{{{{{call}}}}}"), &limits).is_err(), "{call}");
        }
    }
}

#[test]
fn deep_values_do_not_overflow_the_stack() {
    let deep = r#"{{$v := list 1}}{{range 20000}}{{$v = list $v}}{{end}}"#;
    let dicts = r#"{{$v := dict}}{{range 20000}}{{$v = dict "k" $v}}{{end}}"#;
    for call in ["toJson $v", "toPrettyJson $v", "deepCopy $v", "deepEqual $v $v", "toString $v", "uniq $v"] {
        let _ = render(&format!("{deep}{{{{{call}}}}}"));
        if call != "uniq $v" {
            let _ = render(&format!("{dicts}{{{{{call}}}}}"));
        }
    }
    let _ = render(&format!("{dicts}{{{{$w := $v}}}}{{{{merge $v (deepCopy $w)}}}}"));
    let two = r#"{{$v := dict}}{{$w := dict}}{{range 20000}}{{$v = dict "k" $v}}{{$w = dict "k" $w}}{{end}}"#;
    is_refused(&format!("{two}{{{{merge $v $w}}}}"));
    let json = format!(r#"{{{{fromJson (repeat {} "[")}}}}"#, 1_000_000);
    let _ = render(&json);
}

#[test]
fn a_dictionary_does_not_go_into_itself() {
    is_refused(r#"{{$d := dict}}{{$_ := set $d "d" $d}}"#);
    is_refused(r#"{{$d := dict "l" (list)}}{{$_ := set $d "l" (list $d)}}"#);
}

#[test]
fn odd_numbers_are_numbers() {
    assert_eq!(render("{{int 1e300}} {{int64 \"nan\"}}").unwrap(), "-9223372036854775808 0");
    is_refused(r#"{{addf "inf" 1}}"#);
    is_refused("{{div 1 0}}");
    assert_eq!(render("{{div -9223372036854775808 -1}}").unwrap(), "-9223372036854775808");
    let product = format!("{{{{mulf {}}}}}", "1.2345678901234567 ".repeat(2_000));
    is_refused(&product);
}
