//! Loops of the builtins that take a predicate.

use std::borrow::Cow;

use echion_value::{Table, Type, Value, identical};

use super::{Machine, Ran, Watch, broken, int, size};
use crate::builtins::not_a;
use crate::code::Op;
use crate::error::EvalError;
use crate::operators::kind_of;
use crate::{fetch, sort};

/// How many values may be on the stack.
const MOST_VALUES: usize = 1_000_000;

/// A loop over the elements of a collection.
pub(super) struct Scope<'a> {
    collection: Cow<'a, Value>,
    index: i64,
    length: i64,
    count: i64,
    accumulator: Cow<'a, Value>,
    groups: Vec<(Value, Vec<Value>)>,
    keyed: Vec<(Value, Value)>,
    descending: bool,
}

impl<'a> Scope<'a> {
    fn element(&self) -> Ran<Cow<'a, Value>> {
        let at = usize::try_from(self.index).unwrap_or(usize::MAX);
        if let Cow::Borrowed(Value::List(list)) = &self.collection {
            return list.items().get(at).map(Cow::Borrowed).ok_or_else(broken);
        }
        match self.collection.as_ref() {
            Value::Map(_) | Value::Table(_) => Err(EvalError::new("reflect: call of reflect.Value.Index on map Value")),
            other => Ok(Cow::Owned(fetch::element(other, at))),
        }
    }
}

impl<W: Watch> Machine<'_, '_, W> {
    /// The instructions of loops.
    pub(super) fn run_loop(&mut self, op: Op) -> Ran {
        if matches!(op, Op::Begin) {
            return self.begin();
        }
        if matches!(op, Op::End) {
            self.scopes.pop();
            return Ok(());
        }
        let Some(scope) = self.scopes.last_mut() else { return Err(broken()) };
        match op {
            Op::JumpIfEnd(target) if scope.index >= scope.length => self.next = size(target),
            Op::JumpIfStart(target) if scope.index < 0 => self.next = size(target),
            Op::JumpIfEnough(enough, target) if scope.count >= enough => self.next = size(target),
            Op::Next => scope.index += 1,
            // Each turn of such a loop leaves a value behind.
            Op::Previous if self.stack.len() > MOST_VALUES => return Err(EvalError::budget("memory budget exceeded")),
            Op::Previous => scope.index -= 1,
            Op::LastIndex => scope.index = scope.length - 1,
            Op::CountUp => scope.count += 1,
            Op::Element => {
                let element = scope.element()?;
                self.stack.push(element);
            }
            Op::Index => self.stack.push(Cow::Owned(Value::Int(scope.index))),
            Op::Count => self.stack.push(Cow::Owned(Value::Int(scope.count))),
            Op::ScopeLength => self.stack.push(Cow::Owned(Value::Int(scope.length))),
            Op::Accumulator => self.stack.push(scope.accumulator.clone()),
            Op::Accumulate => scope.accumulator = self.stack.pop().ok_or_else(broken)?,
            Op::FirstToAccumulator => {
                if scope.length == 0 {
                    return Err(EvalError::new("reduce of empty array with no initial value"));
                }
                scope.accumulator = scope.element()?;
                scope.index = 1;
            }
            Op::NotFound => return Err(EvalError::new("reflect: slice index out of range")),
            Op::Group => {
                let key = self.stack.pop().ok_or_else(broken)?.into_owned();
                let element = scope.element()?.into_owned();
                fetch::check_hashable(&key)?;
                self.meter.work(scope.groups.len() / 8)?;
                match scope.groups.iter_mut().find(|(other, _)| identical(other, &key)) {
                    Some((_, group)) => group.push(element),
                    None => scope.groups.push((key, vec![element])),
                }
            }
            Op::Groups => {
                let groups = std::mem::take(&mut scope.groups);
                let entries = groups.into_iter().map(|(key, group)| (key, Value::from(group))).collect();
                self.push(Value::Table(Table::new(Type::Any, Type::LIST, entries)));
            }
            Op::SortOrder => {
                let order = self.stack.pop().ok_or_else(broken)?;
                scope.descending = match order.as_ref() {
                    Value::Str(order) if *order == "asc" => false,
                    Value::Str(order) if *order == "desc" => true,
                    Value::Str(_) => return Err(EvalError::new("unknown order, use asc or desc")),
                    other => return Err(not_a(other, "string")),
                };
            }
            Op::SortKey => {
                let key = self.stack.pop().ok_or_else(broken)?.into_owned();
                let element = scope.element()?.into_owned();
                scope.keyed.push((key, element));
            }
            Op::Sort => {
                let (keyed, descending) = (std::mem::take(&mut scope.keyed), scope.descending);
                self.meter.grow(keyed.len())?;
                let sorted = sort::sort(&mut self.meter, keyed, descending)?;
                self.push(Value::from(sorted));
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self) -> Ran {
        let collection = self.pop()?;
        let length = fetch::length(&collection).ok_or_else(|| {
            let what = match kind_of(&collection) {
                "invalid" => "zero".to_owned(),
                kind => kind.to_owned(),
            };
            EvalError::new(format!("reflect: call of reflect.Value.Len on {what} Value"))
        })?;
        self.scopes.push(Scope {
            collection,
            index: 0,
            length: int(length),
            count: 0,
            accumulator: Cow::Owned(Value::Nil),
            groups: Vec::new(),
            keyed: Vec::new(),
            descending: false,
        });
        Ok(())
    }
}
