//! Rules that are easy to break.

use echion_template::{CallContext, Limits, parse};
use echion_value::Value;
use echion_value::time::Time;

use super::render;

#[test]
fn every_example_renders_to_what_it_says() {
    for function in echion_sprig::functions().all() {
        assert!(!function.doc.is_empty(), "{function:?} has no documentation");
        if let Some(main) = function.doc.strip_prefix("the same as ") {
            assert!(echion_sprig::functions().get(main).is_some(), "{function:?} is the same as nothing");
        } else if !["call", "getHostByName"].contains(&function.name) {
            assert!(!function.example.is_empty(), "{function:?} has no example");
            assert_eq!(render(function.example).unwrap(), function.shows, "{function:?}");
        }
    }
}

#[test]
fn a_dictionary_is_changed_for_everyone_who_has_it() {
    assert_eq!(render(r#"{{$a := dict "x" 1}}{{$b := $a}}{{$_ := set $b "y" 2}}{{$a}}"#).unwrap(), "map[x:1 y:2]");
    let copied = r#"{{$a := dict "x" 1}}{{$b := deepCopy $a}}{{$_ := set $b "y" 2}}{{$a}}"#;
    assert_eq!(render(copied).unwrap(), "map[x:1]");
}

#[test]
fn merging_keeps_and_overwriting_replaces() {
    let nested = r#"(dict "a" (dict "x" 1) "l" (list 1)) (dict "a" (dict "x" 2 "y" 3) "l" (list 2) "n" 0)"#;
    assert_eq!(render(&format!("{{{{merge {nested} | toJson}}}}")).unwrap(), r#"{"a":{"x":1,"y":3},"l":[1],"n":0}"#);
    assert_eq!(
        render(&format!("{{{{mergeOverwrite {nested} | toJson}}}}")).unwrap(),
        r#"{"a":{"x":2,"y":3},"l":[2],"n":0}"#
    );
}

#[test]
fn random_texts_have_their_length_and_letters() {
    let check = |text: &str, allowed: fn(char) -> bool| {
        let out = render(text).unwrap();
        assert_eq!(out.len(), 40, "{text}: {out}");
        assert!(out.chars().all(allowed), "{text}: {out}");
    };
    check("{{randAlphaNum 40}}", |c| c.is_ascii_alphanumeric());
    check("{{randAlpha 40}}", |c| c.is_ascii_alphabetic());
    check("{{randNumeric 40}}", |c| c.is_ascii_digit());
    check("{{randAscii 40}}", |c| (' '..='~').contains(&c));
    check("{{randBytes 30}}", |c| c.is_ascii_alphanumeric() || "+/=".contains(c));
    let uuid = render("{{uuidv4}}").unwrap();
    assert_eq!((uuid.len(), uuid.get(14..15)), (36, Some("4")), "{uuid}");
    let number: i64 = render("{{randInt 5 8}}").unwrap().parse().unwrap();
    assert!((5..8).contains(&number));
}

/// A rendering shows by its result whether it used the clock or randomness: others give another text.
#[test]
fn functions_say_what_they_use() {
    for function in echion_sprig::functions().all() {
        let used = |now: i64, byte: u8| {
            let mut random = |bytes: &mut [u8]| {
                for (i, b) in bytes.iter_mut().enumerate() {
                    *b = byte.wrapping_add(u8::try_from(i).unwrap_or_default());
                }
                Ok(())
            };
            let mut call = CallContext::new(Time::from_unix(now, 0)).with_random(&mut random);
            let template = parse("t", function.example, echion_sprig::functions()).unwrap();
            template.render(&Value::Nil, &mut call, &Limits::default()).ok()
        };
        let reads = parse("t", function.example, echion_sprig::functions()).unwrap().reads();
        let here = used(1_700_000_000, 3);
        assert!(reads.random || here == used(1_700_000_000, 77), "{function:?} is random");
        assert!(reads.clock || reads.random || here == used(1_800_000_000, 3), "{function:?} reads the clock");
    }
    let uses = |name: &str| echion_sprig::functions().get(name).unwrap().uses;
    for name in
        ["ago", "date", "dateInZone", "date_in_zone", "durationRound", "genCA", "htmlDate", "htmlDateInZone", "now"]
    {
        assert!(uses(name).clock, "{name}");
    }
    for name in ["bcrypt", "encryptAES", "genCA", "genPrivateKey", "htpasswd", "randInt", "shuffle", "uuidv4"] {
        assert!(uses(name).random, "{name}");
    }
    assert!(uses("getHostByName").network);
}
