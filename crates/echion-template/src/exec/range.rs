//! Loops.

use std::borrow::Cow;

use echion_value::{Type, Value, format};

use super::{Done, Flow, Run};
use crate::operand::Operand;
use crate::tree::{Block, Branch};

impl<'a> Run<'a, '_, '_> {
    pub(super) fn range(&mut self, branch: &'a Branch, otherwise: Option<&'a Block>, dot: &Operand<'a>) -> Done<Flow> {
        let mark = self.variables.len();
        let subject = self.pipeline(&branch.pipe, dot)?.value;
        let any = match &subject {
            Cow::Borrowed(Value::List(list)) => {
                let open = list.element() == Type::Any;
                let items = list.items().iter().map(|item| Operand { value: Cow::Borrowed(item), open });
                self.each(branch, items.enumerate(), index)?
            }
            Cow::Borrowed(Value::Map(map)) if matches!(map.entries(), Cow::Borrowed(_)) => {
                let open = map.element() == Type::Any;
                let Cow::Borrowed(entries) = map.entries() else { return Ok(Flow::Next) };
                let items = entries.iter().map(|(k, v)| (k, Operand { value: Cow::Borrowed(v), open }));
                self.each(branch, items, |key| Operand::known(Value::Str(key.clone())))?
            }
            subject => self.range_over(branch, subject)?,
        };
        let mut flow = Flow::Next;
        if let (false, Some(block)) = (any, otherwise) {
            flow = self.block(block, dot)?;
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    /// Ranges over a value that does not outlive the loop, or whose elements are made on the way.
    fn range_over(&mut self, branch: &'a Branch, subject: &Value) -> Done<bool> {
        match subject {
            Value::List(list) => {
                let element = list.element();
                let items = list.items().iter().map(|item| Operand::element(item.clone(), element));
                self.each(branch, items.enumerate(), index)
            }
            Value::Bytes(bytes) => {
                let bytes = bytes.as_deref().unwrap_or_default().iter();
                self.each(branch, bytes.map(|b| Operand::known(Value::Uint8(*b))).enumerate(), index)
            }
            Value::Map(map) => {
                let element = map.element();
                let entries = map.entries();
                let items = entries.iter().map(|(k, v)| (k, Operand::element(v.clone(), element)));
                self.each(branch, items, |key| Operand::known(Value::Str(key.clone())))
            }
            Value::Table(table) => {
                let (key, element) = (table.key(), table.element());
                let items = table.entries().iter().map(|(k, v)| (k, Operand::element(v.clone(), element)));
                self.each(branch, items, |k| Operand::element(k.clone(), key))
            }
            Value::Nil => Ok(false),
            Value::NilPointer(_) => self.fail("range can't iterate over <nil>"),
            other => match whole_number(other) {
                Some(_) if branch.pipe.variables.len() > 1 => {
                    let shown = format::display(other);
                    self.fail(format_args!("can't use {shown} to iterate over more than one variable"))
                }
                Some((count, make)) => {
                    let known = |i| Operand::known(make(i));
                    self.each(branch, (0..count).map(|i| (i, known(i))), known)
                }
                None => self.fail(format_args!("range can't iterate over {}", format::display(other))),
            },
        }
    }

    /// Runs the body for each element. `key` makes the index of one, where the loop asks for it. Returns whether there was any.
    fn each<K>(
        &mut self,
        branch: &'a Branch,
        items: impl Iterator<Item = (K, Operand<'a>)>,
        key: impl Fn(K) -> Operand<'a>,
    ) -> Done<bool> {
        let mark = self.variables.len();
        let mut any = false;
        for (index, element) in items {
            any = true;
            self.step()?;
            match (branch.pipe.variables.as_slice(), branch.pipe.assigns) {
                ([], _) => {}
                ([one], true) => self.assign(one, element.clone())?,
                ([first, second, ..], true) => {
                    self.assign(first, key(index))?;
                    self.assign(second, element.clone())?;
                }
                (names, false) => {
                    // The pipeline has pushed one variable for each name.
                    self.set_from_top(1, element.clone());
                    if names.len() > 1 {
                        self.set_from_top(2, key(index));
                    }
                }
            }
            let flow = self.block(&branch.body, &element)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(any)
    }

    fn set_from_top(&mut self, n: usize, operand: Operand<'a>) {
        if let Some(at) = self.variables.len().checked_sub(n)
            && let Some((_, there)) = self.variables.get_mut(at)
        {
            *there = operand;
        }
    }
}

fn index<'a>(i: usize) -> Operand<'a> {
    Operand::known(Value::Int(i64::try_from(i).unwrap_or(i64::MAX)))
}

/// Makes a number of the type that is ranged over.
type MakeNumber = fn(i64) -> Value;

/// How often a number is ranged over, and how its numbers are made.
fn whole_number(value: &Value) -> Option<(i64, MakeNumber)> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "each is below a number of its type")]
    Some(match value {
        Value::Int(n) => (*n, Value::Int),
        Value::Int64(n) => (*n, Value::Int64),
        Value::Duration(n) => (*n, Value::Duration),
        Value::Month(n) => (*n, Value::Month),
        Value::Weekday(n) => (*n, Value::Weekday),
        Value::Int32(n) => (i64::from(*n), |n| Value::Int32(n as i32)),
        Value::Uint8(n) => (i64::from(*n), |n| Value::Uint8(n as u8)),
        Value::Uint64(n) => (i64::try_from(*n).unwrap_or(i64::MAX), |n| Value::Uint64(n as u64)),
        _ => return None,
    })
}
