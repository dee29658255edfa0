//! Every builtin explains itself with an example that is true.

use echion_expr::{Context, builtins, compile};
use echion_value::Map;
use echion_value::time::Time;

#[test]
fn examples_give_what_they_say() {
    for builtin in builtins::all() {
        let (source, want) = builtin.example;
        let program = compile(source).unwrap_or_else(|error| panic!("{}: {error}", builtin.name));
        let context = Context { now: Time::from_unix(1_709_200_000, 0), ..Context::default() };
        let value = program.eval(&Map::of_any(vec![]), &context);
        let value = value.unwrap_or_else(|error| panic!("{}: {error}", builtin.name));
        assert_eq!(echion_value::format::display(&value).to_string(), want, "{}", builtin.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = builtins::all().map(|builtin| builtin.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
