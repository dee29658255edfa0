//! The stack machine that runs compiled expressions. Values are borrowed from the environment and from the constants of the
//! program as long as possible: comparing what is already there allocates nothing.

mod calls;
mod conditions;
mod flat;
mod loops;
mod paths;
mod stack;

use std::borrow::Cow;

use echion_value::{List, Map, Str, Value};

use conditions::{in_texts, is_constant, matches, subject, text_test};
use flat::Start;
use loops::Scope;
use stack::Stack;

use crate::builtins::{not_a, type_name};
use crate::code::{Code, Op};
use crate::error::EvalError;
use crate::fetch;
use crate::limits::Meter;
use crate::operators::{calculate, compare, equal, int_of, negate, power, range};

type Ran<T = ()> = Result<T, EvalError>;

/// Observes an evaluation.
pub(crate) trait Watch {
    /// Whether it observes at all, so that every value must be seen on the stack.
    const WATCHES: bool;

    /// The instruction at `next` comes next, or the end.
    fn arrive(&mut self, next: usize, stack: &[Cow<'_, Value>]);
}

/// No observer: it costs nothing.
impl Watch for () {
    const WATCHES: bool = false;

    #[inline]
    fn arrive(&mut self, _: usize, _: &[Cow<'_, Value>]) {}
}

/// The value of the code over `env`, or what failed at which place.
pub(crate) fn run<'c, W: Watch>(
    code: &Code,
    env: &Map,
    meter: Meter<'c>,
    watch: &'c mut W,
) -> Result<Value, (EvalError, u32)> {
    let mut meter = meter;
    let mut start = Start { next: 0, holds: None };
    if !W::WATCHES {
        match flat::run(code, env, &mut meter, &mut start) {
            Ok(()) if start.next < code.ops.len() => {}
            Ok(()) => return start.holds.map(Value::Bool).ok_or_else(|| (broken(), 0)),
            Err(fault) => return Err((fault, place(code, start.next))),
        }
    }
    let mut machine = Machine {
        code,
        watch,
        env,
        meter,
        next: start.next,
        failed_at: None,
        stack: Stack::new(),
        scopes: Vec::new(),
        variables: vec![Cow::Owned(Value::Nil); code.variables],
    };
    if let Some(holds) = start.holds {
        machine.push(Value::Bool(holds));
    }
    match machine.run() {
        Ok(()) => match machine.stack.last() {
            // The usual result, without moving it several times.
            Some(Cow::Owned(Value::Bool(holds))) => Ok(Value::Bool(*holds)),
            _ => machine.stack.pop().map(Cow::into_owned).ok_or_else(|| (broken(), 0)),
        },
        Err(fault) => Err((fault, machine.failed_at.unwrap_or_else(|| place(code, machine.next)))),
    }
}

/// Where errors of the instruction before `next` are reported.
fn place(code: &Code, next: usize) -> u32 {
    next.checked_sub(1).and_then(|op| code.places.get(op)).copied().unwrap_or_default()
}

struct Machine<'a, 'c, W> {
    code: &'a Code,
    watch: &'c mut W,
    env: &'a Map,
    meter: Meter<'c>,
    next: usize,
    /// Where it failed, when the instruction has several places.
    failed_at: Option<u32>,
    stack: Stack<'a>,
    scopes: Vec<Scope<'a>>,
    variables: Vec<Cow<'a, Value>>,
}

fn broken() -> EvalError {
    EvalError::new("the program is broken")
}

fn size(count: u32) -> usize {
    count as usize
}

fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl<'a, W: Watch> Machine<'a, '_, W> {
    fn run(&mut self) -> Ran {
        let code = self.code;
        loop {
            self.watch.arrive(self.next, self.stack.as_slice());
            let Some(op) = code.ops.get(self.next) else { break };
            self.next += 1;
            self.meter.work(1)?;
            match *op {
                Op::Constant(index) => self.stack.push(Cow::Borrowed(&code.constants[size(index)])),
                Op::Nil => self.push(Value::Nil),
                Op::Bool(b) => self.push(Value::Bool(b)),
                Op::Int(n) => self.push(Value::Int(n)),
                Op::Pop => self.stack.drop_last(),
                Op::Store(index) => self.variables[size(index)] = self.pop()?,
                Op::Load(index) => self.stack.push(self.variables[size(index)].clone()),
                Op::Variable(name) => {
                    let Value::Str(name) = &code.constants[size(name)] else { return Err(broken()) };
                    let value = self.env.get(name.as_bytes());
                    self.stack.push(value.unwrap_or(Cow::Owned(Value::Nil)));
                }
                Op::Path(path) => {
                    let value = match self.borrowed(path)? {
                        Some(value) => Cow::Borrowed(value),
                        None => self.path(path)?,
                    };
                    self.stack.push(value);
                }
                Op::Environment => self.push(Value::Map(self.env.clone())),
                Op::Member(name) => {
                    let from = self.pop()?;
                    self.stack.push(fetch::fetch(&from, &code.constants[size(name)])?);
                }
                Op::Fetch => {
                    let (from, key) = self.pop_two()?;
                    self.stack.push(fetch::fetch(&from, &key)?);
                }
                Op::Negate => {
                    let value = negate(&*self.pop()?)?;
                    self.push(value);
                }
                Op::Not => {
                    let value = boolean(self.stack.last().ok_or_else(broken)?)?;
                    self.stack.drop_last();
                    self.push(Value::Bool(!value));
                }
                Op::Equal => self.binary(|meter, left, right| equal(meter, left, right).map(Value::Bool))?,
                Op::EqualInts => self.binary(|_, left, right| {
                    let int = |value: &Value| match value {
                        Value::Int(n) => Ok(*n),
                        other => Err(not_a(other, "int")),
                    };
                    Ok(Value::Bool(int(left)? == int(right)?))
                })?,
                Op::EqualTexts => self.binary(|_, left, right| {
                    fn text(value: &Value) -> Ran<&Str> {
                        match value {
                            Value::Str(text) => Ok(text),
                            other => Err(not_a(other, "string")),
                        }
                    }
                    Ok(Value::Bool(text(left)? == text(right)?))
                })?,
                Op::EqualConstant(index) => {
                    let value = self.pop()?;
                    let equals = is_constant(&mut self.meter, &value, &code.constants[size(index)])?;
                    self.push(Value::Bool(equals));
                }
                Op::UnequalConstant(index) => {
                    let value = self.pop()?;
                    let equals = is_constant(&mut self.meter, &value, &code.constants[size(index)])?;
                    self.push(Value::Bool(!equals));
                }
                Op::Compare(operator) => {
                    self.binary(|_, left, right| compare(operator, left, right).map(Value::Bool))?;
                }
                Op::Calculate(operator) => {
                    self.binary(|meter, left, right| calculate(meter, operator, left, right))?;
                }
                Op::Power => self.binary(|_, left, right| power(left, right))?,
                Op::Range => self.binary(range)?,
                Op::In => {
                    self.binary(|meter, needle, heap| fetch::is_in(meter, needle, heap).map(Value::Bool))?;
                }
                Op::InTexts(index) => {
                    let found = in_texts(&*self.pop()?, &code.constants[size(index)])?;
                    self.push(Value::Bool(found));
                }
                Op::Matches => self.binary(matches)?,
                Op::MatchesConstant(index) => {
                    let value = self.pop()?;
                    let found = !value.is_nil() && {
                        let subject = subject(&value)?;
                        self.meter.work(subject.len() / 16)?;
                        code.patterns[size(index)].is_match(subject)
                    };
                    self.push(Value::Bool(found));
                }
                Op::Text(operator) => self.binary(|meter, left, right| text_test(meter, operator, left, right))?,
                Op::Slice => {
                    let (to, from) = self.pop_two()?;
                    let node = self.pop()?;
                    let part = fetch::slice(&mut self.meter, &node, &from, &to)?;
                    self.push(part);
                }
                Op::Length => {
                    let value = self.stack.last().ok_or_else(broken)?;
                    let length = fetch::length(value).ok_or_else(|| {
                        EvalError::new(format!("invalid argument for len (type {})", type_name(value)))
                    })?;
                    self.push(Value::Int(int(length)));
                }
                Op::Call(count) => self.call(size(count))?,
                Op::CallPath(path, count) => self.call_path(path, size(count))?,
                Op::CallMember(member, count) => self.call_member(member, size(count))?,
                Op::Builtin(index, count) => {
                    let first = self.stack.len().checked_sub(size(count)).ok_or_else(broken)?;
                    let value = (code.builtins[size(index)].run)(&mut self.meter, &self.stack.as_slice()[first..])?;
                    self.stack.truncate(first);
                    self.push(value);
                }
                Op::List(count) => self.list(size(count))?,
                Op::CountedList => {
                    let count = int_of(&*self.pop()?)?;
                    self.list(usize::try_from(count).unwrap_or_default())?;
                }
                Op::Map(count) => self.map(size(count))?,
                Op::Jump(target) => self.next = size(target),
                Op::JumpIfTrue(target) => {
                    if boolean(self.stack.last().ok_or_else(broken)?)? {
                        self.next = size(target);
                    }
                }
                Op::JumpIfFalse(target) => {
                    if !boolean(self.stack.last().ok_or_else(broken)?)? {
                        self.next = size(target);
                    }
                }
                Op::JumpIfNil(target) => {
                    if self.stack.last().ok_or_else(broken)?.is_nil() {
                        self.next = size(target);
                    }
                }
                Op::JumpIfNotNil(target) => {
                    if !self.stack.last().ok_or_else(broken)?.is_nil() {
                        self.next = size(target);
                    }
                }
                other => self.run_loop(other)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, value: Value) {
        self.stack.push(Cow::Owned(value));
    }

    #[inline]
    fn pop(&mut self) -> Ran<Cow<'a, Value>> {
        self.stack.pop().ok_or_else(broken)
    }

    /// The last two values, in the order in which they were pushed.
    fn pop_two(&mut self) -> Ran<(Cow<'a, Value>, Cow<'a, Value>)> {
        let second = self.pop()?;
        Ok((self.pop()?, second))
    }

    fn binary(&mut self, operator: impl FnOnce(&mut Meter<'_>, &Value, &Value) -> Ran<Value>) -> Ran {
        let (left, right) = self.pop_two()?;
        let value = operator(&mut self.meter, &left, &right)?;
        self.push(value);
        Ok(())
    }

    fn list(&mut self, count: usize) -> Ran {
        self.meter.grow(count)?;
        let first = self.stack.len().checked_sub(count).ok_or_else(broken)?;
        let items = self.stack.split_off(first).into_iter().map(Cow::into_owned).collect();
        self.push(Value::List(List::of_any(items)));
        Ok(())
    }

    fn map(&mut self, count: usize) -> Ran {
        self.meter.grow(count)?;
        let first = self.stack.len().checked_sub(2 * count).ok_or_else(broken)?;
        let mut entries: Vec<(Str, Value)> = Vec::with_capacity(count);
        let mut values = self.stack.split_off(first).into_iter();
        while let (Some(key), Some(value)) = (values.next(), values.next()) {
            match key.into_owned() {
                Value::Str(key) => entries.push((key, value.into_owned())),
                other => return Err(not_a(&other, "string")),
            }
        }
        drop(values);
        // The reference takes the entries from the stack from behind, so of equal keys the first one wins.
        entries.reverse();
        self.push(Value::Map(Map::of_any(entries)));
        Ok(())
    }
}

fn boolean(value: &Value) -> Ran<bool> {
    match value {
        Value::Bool(b) => Ok(*b),
        other => Err(not_a(other, "bool")),
    }
}
