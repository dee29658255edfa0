//! The methods that values of a type have, known before there is a value.

use std::sync::{Arc, LazyLock};

use echion_value::time::Time;
use echion_value::{Method, Type, Value};

/// The methods of a type.
pub(crate) fn of_type(of: Type) -> &'static [Method] {
    static TIME: LazyLock<Value> = LazyLock::new(|| Value::Time(Arc::new(Time::default())));
    match of {
        Type::Time => TIME.methods(),
        Type::Duration => Value::Duration(0).methods(),
        Type::Month => Value::Month(1).methods(),
        Type::Weekday => Value::Weekday(0).methods(),
        _ => &[],
    }
}
