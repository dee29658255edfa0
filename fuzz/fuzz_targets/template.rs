//! No template panics, overflows the stack or runs away.
#![no_main]

use echion_template::{CallContext, Limits, parse};
use echion_value::Value;
use echion_value::time::Time;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let data: Value = serde_json::from_str(r#"{"app":{"a":[1,2.5,"x",null,{"b":true}],"s":"text"}}"#).unwrap_or_default();
    if let Ok(template) = parse("t", source, echion_sprig::functions()) {
        let _ = template.reads();
        let mut random = |bytes: &mut [u8]| {
            bytes.fill(7);
            Ok(())
        };
        let mut call = CallContext::new(Time::default()).with_random(&mut random);
        if let Ok(out) = template.render(&data, &mut call, &Limits::default()) {
            let _ = template.origin(&data, &mut call, &Limits::default(), out.len() / 2);
        }
    }
});
