//! No template panics, overflows the stack or runs away.
#![no_main]

use echion_template::{Host, Limits, parse};
use echion_value::Value;
use echion_value::time::Time;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let data: Value = serde_json::from_str(r#"{"app":{"a":[1,2.5,"x",null,{"b":true}],"s":"text"}}"#).unwrap_or_default();
    if let Ok(template) = parse("t", source, echion_sprig::functions()) {
        let _ = template.render(&data, &mut Host::new(Time::default()), &Limits::default());
    }
});
