//! Host names.

use echion_template::{CallContext, Function, Uses, takes};
use echion_value::Value;

use crate::args::{Result, TEXT, text};

pub(crate) static ALL: &[Function] = &[Function::new("getHostByName", takes(&[TEXT], TEXT), address)
    .doc("an address of a host", "{{getHostByName \"example.org\"}}", "")
    .using(Uses::NETWORK)];

fn address(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(Value::from(call.resolve(&text(args, 0).to_text())?))
}
