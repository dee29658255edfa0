//! Host names.

use echion_template::{Function, Host, Uses, takes};
use echion_value::Value;

use crate::args::{Result, TEXT, text};

pub(crate) static ALL: &[Function] = &[Function::new("getHostByName", takes(&[TEXT], TEXT), address)
    .doc("an address of a host", "{{getHostByName \"example.org\"}}", "")
    .using(Uses::NETWORK)];

fn address(host: &mut Host<'_>, args: &[Value]) -> Result {
    Ok(Value::from(host.resolve(&text(args, 0).to_text())?))
}
