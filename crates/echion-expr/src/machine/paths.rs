//! Names to follow from the environment.

use std::borrow::Cow;

use echion_value::{Map, Str, Type, Value};

use super::{Machine, Ran, Watch, size};
use crate::code::{Code, Path};
use crate::fetch;
use crate::machine::stack::NIL;

/// The value of a path that leads through maps that have not been changed; `None` leaves it to [`Machine::path`].
#[inline]
pub(super) fn borrowed<'a>(code: &'a Code, env: &'a Map, path: u32) -> Option<&'a Value> {
    let path = &code.paths[size(path)];
    let mut value = match env.peek(path.variable.as_bytes())? {
        Some(value) => value,
        None if path.members.is_empty() => &NIL,
        None => return None,
    };
    let mut members = path.members.iter();
    while let Some((name, _)) = members.next() {
        let Value::Map(map) = value else { return None };
        value = match map.peek(name.as_bytes())? {
            Some(next) => next,
            None if members.len() == 0 && map.element() == Type::Any => &NIL,
            None => return None,
        };
    }
    Some(value)
}

impl<'a, W: Watch> Machine<'a, '_, W> {
    /// As the function of this name.
    pub(super) fn borrowed(&mut self, path: u32) -> Ran<Option<&'a Value>> {
        self.meter.work(self.code.paths[size(path)].members.len())?;
        Ok(borrowed(self.code, self.env, path))
    }

    /// The value of any path.
    pub(super) fn path(&mut self, path: u32) -> Ran<Cow<'a, Value>> {
        let code = self.code;
        let Path { variable, members } = &code.paths[size(path)];
        let mut members = members.iter();
        let mut value = match self.env.get(variable.as_bytes()) {
            Some(Cow::Borrowed(value)) => follow(value, &mut members),
            Some(owned) => owned,
            None => Cow::Owned(Value::Nil),
        };
        for (name, at) in members {
            value = match fetch::fetch(&value, &Value::Str(name.clone())) {
                Ok(value) => value,
                Err(fault) => {
                    self.failed_at = Some(*at);
                    return Err(fault);
                }
            };
        }
        Ok(value)
    }
}

/// Goes along a path as long as it leads through maps that have not been changed: a chain of references.
fn follow<'a>(start: &'a Value, members: &mut std::slice::Iter<'_, (Str, u32)>) -> Cow<'a, Value> {
    let mut value = start;
    while let (Value::Map(map), [(name, _), ..]) = (value, members.as_slice()) {
        match map.get(name.as_bytes()) {
            Some(Cow::Borrowed(next)) => value = next,
            Some(owned) => {
                members.next();
                return owned;
            }
            None => break,
        }
        members.next();
    }
    Cow::Borrowed(value)
}
