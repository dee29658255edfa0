//! No expression panics, overflows the stack or runs away.
#![no_main]

use echion_expr::{Context, compile};
use echion_value::{Map, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let app: Value = serde_json::from_str(r#"{"a":[1,2.5,"x",null,{"b":true}],"s":"text","m":{"k":1}}"#).unwrap_or_default();
    let variables = Map::of_any(vec![("app".into(), app)]);
    if let Ok(program) = compile(source) {
        let _ = program.eval(&variables, &Context::default());
    }
});
