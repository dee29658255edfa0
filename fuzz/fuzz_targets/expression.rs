//! No expression panics, overflows the stack or runs away, and tracing changes no outcome.
#![no_main]

use echion_expr::{Context, Error, ErrorKind, Limits, compile};
use echion_value::format::display;
use echion_value::{Map, Value};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { steps: 1_000_000, elements: 100_000, bytes: 1 << 22 };

fuzz_target!(|source: &str| {
    let app: Value =
        serde_json::from_str(r#"{"a":[1,2.5,"x",null,{"b":true}],"s":"text","m":{"k":1}}"#).unwrap_or_default();
    let variables = Map::of_any(vec![("app".into(), app)]);
    let Ok(program) = compile(source) else { return };
    let context = Context { limits: LIMITS, ..Context::default() };
    let outcome = program.eval(&variables, &context);
    let traced = program.trace(&variables, &context).outcome;
    let spent =
        |outcome: &Result<Value, Box<Error>>| matches!(outcome, Err(error) if error.kind() == ErrorKind::Budget);
    if !spent(&outcome) && !spent(&traced) {
        let text = |outcome: Result<Value, Box<Error>>| {
            outcome.map(|value| display(&value).to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(text(outcome), text(traced));
    }
});
