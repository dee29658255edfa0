//! `strings`: three functions of Go's package of that name.

use std::sync::LazyLock;

use echion_value::{Func, Map, Signature, Str, Type, Value};

use super::text;

const S: Type = Type::String;
static REPLACE_ALL: Signature = Signature::new(&[S, S, S], S);
static CHANGE: Signature = Signature::new(&[S], S);

static STRINGS: LazyLock<Map> = LazyLock::new(|| {
    Map::of_any(vec![
        (
            Str::from("ReplaceAll"),
            Value::Func(Func::new(&REPLACE_ALL, |args| {
                Ok(Value::from(text(args, 0)?.replace(&text(args, 1)?, &text(args, 2)?)))
            })),
        ),
        (
            Str::from("ToUpper"),
            Value::Func(Func::new(&CHANGE, |args| {
                Ok(Value::from(text(args, 0)?.chars().map(upper).collect::<String>()))
            })),
        ),
        (
            Str::from("ToLower"),
            Value::Func(Func::new(&CHANGE, |args| {
                Ok(Value::from(text(args, 0)?.chars().map(lower).collect::<String>()))
            })),
        ),
    ])
});

/// The members of `strings`.
#[must_use]
pub fn strings() -> Map {
    STRINGS.clone()
}

/// Go changes one character into one character; what would become several stays.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}
