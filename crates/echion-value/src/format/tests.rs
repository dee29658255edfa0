use super::*;
use crate::{List, Map};

fn printf(format: &str, args: &[Value]) -> String {
    String::from_utf8_lossy(&sprintf(format.as_bytes(), args, LIMIT).unwrap()).into_owned()
}

#[test]
fn arguments_that_do_not_fit_are_named_in_the_text() {
    assert_eq!(printf("%d %d", &[Value::Int(1)]), "1 %!d(MISSING)");
    assert_eq!(printf("%d", &[Value::Int(1), Value::from("x"), Value::Nil]), "1%!(EXTRA string=x, <nil>)");
    assert_eq!(printf("%s", &[Value::Int(1)]), "%!s(int=1)");
    assert_eq!(printf("%[2]d %[1]d", &[Value::Int(1), Value::Int(2)]), "2 1");
    assert_eq!(printf("%[3]d", &[Value::Int(1)]), "%!d(BADINDEX)");
    assert_eq!(printf("%*d|%-4d|%", &[Value::Int(3), Value::Int(7), Value::Int(8)]), "  7|8   |%!(NOVERB)");
}

#[test]
fn durations_print_as_text_and_complain_as_numbers() {
    assert_eq!(printf("%v %d %t", &[Value::Duration(1), Value::Duration(2), Value::Duration(3)]), {
        "1ns 2 %!t(time.Duration=3)"
    });
}

#[test]
fn typed_nils_print_by_their_type() {
    let list = Value::List(List::nil(crate::Type::LIST));
    let map = Value::Map(Map::nil(crate::Type::Any));
    assert_eq!(printf("%v %v %#v %#v", &[list.clone(), map.clone(), list, map]), {
        "[] map[] []interface {}(nil) map[string]interface {}(nil)"
    });
}

#[test]
fn a_space_stands_between_operands_that_are_no_strings() {
    let args = [Value::Int(1), Value::Int(2), Value::from("a"), Value::from("b"), Value::Int(3), Value::Nil];
    assert_eq!(sprint(&args, LIMIT).unwrap(), b"1 2ab3 <nil>");
}

#[test]
fn a_text_that_doubles_itself_ends_at_the_limit() {
    let mut value = Value::from("x");
    for _ in 0..60 {
        value = Value::from(vec![value.clone(), value]);
    }
    assert!(sprint(std::slice::from_ref(&value), 1000).is_err());
    let mut out = Vec::new();
    assert!(append(&mut out, &value, 1000).is_err());
    assert_eq!(out.len(), 1000);
}

#[test]
fn deep_values_are_cut() {
    let mut value = Value::Nil;
    for _ in 0..100_000 {
        value = Value::from(vec![value]);
    }
    assert!(display(&value).len() > DEPTH);
}
