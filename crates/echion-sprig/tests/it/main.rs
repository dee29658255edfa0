//! The functions as templates call them.

mod hostile;
mod rules;
mod secrets;

use echion_template::{CallContext, Error, Limits, parse};
use echion_value::Value;
use echion_value::time::Time;

fn render(text: &str) -> Result<String, Box<Error>> {
    render_with(text, &Limits::default())
}

fn render_with(text: &str, limits: &Limits) -> Result<String, Box<Error>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        Ok(())
    };
    let mut call = CallContext::new(Time::from_unix(1_750_000_000, 0)).with_random(&mut random);
    let template = parse("t", text, echion_sprig::functions())?;
    let out = template.render(&Value::Nil, &mut call, limits)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
