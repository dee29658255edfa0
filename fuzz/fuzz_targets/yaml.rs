//! No YAML panics, overflows the stack or exhausts memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(documents) = echion_model::yaml::parse_all(text) {
        for document in documents {
            let _ = document.to_value();
        }
    }
});
