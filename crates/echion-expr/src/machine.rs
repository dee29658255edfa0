//! The stack machine that runs compiled expressions. Values are borrowed from the environment and from the constants of the
//! program as long as possible: comparing what is already there allocates nothing.

use std::borrow::Cow;

use echion_value::{List, Map, Signature, Str, Table, Type, Value};

use crate::ast::Binary;
use crate::builtins::{find_part, not_a, type_name};
use crate::code::{Code, Op};
use crate::error::Fault;
use crate::fetch;
use crate::limits::Meter;
use crate::operators::{calculate, compare, equal, int_of, kind_of, negate, power};
use crate::patterns;
use crate::sort;
use crate::stack::{NIL, Stack};

type Ran<T = ()> = Result<T, Fault>;

/// Who is told how an evaluation goes on.
pub(crate) trait Watch {
    /// Whether it looks at all, so that every value must be seen on the stack.
    const WATCHES: bool;

    /// The instruction at `next` comes next, or the end.
    fn arrive(&mut self, next: usize, stack: &[Cow<'_, Value>]);
}

/// Nobody: it costs nothing.
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
) -> Result<Value, (Fault, u32)> {
    let mut machine = Machine {
        code,
        watch,
        env,
        meter,
        next: 0,
        failed_at: None,
        stack: Stack::new(),
        scopes: Vec::new(),
        variables: vec![Cow::Owned(Value::Nil); code.variables],
    };
    match machine.run() {
        Ok(()) => match machine.stack.last() {
            // The usual result, without moving it several times.
            Some(Cow::Owned(Value::Bool(holds))) => Ok(Value::Bool(*holds)),
            _ => machine.stack.pop().map(Cow::into_owned).ok_or_else(|| (broken(), 0)),
        },
        Err(fault) => {
            let instruction = || machine.next.checked_sub(1).and_then(|op| code.places.get(op)).copied();
            Err((fault, machine.failed_at.or_else(instruction).unwrap_or_default()))
        }
    }
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

/// A loop over the elements of a collection.
struct Scope<'a> {
    collection: Cow<'a, Value>,
    index: i64,
    length: i64,
    count: i64,
    accumulator: Cow<'a, Value>,
    groups: Vec<(Value, Vec<Value>)>,
    keyed: Vec<(Value, Value)>,
    descending: bool,
}

fn broken() -> Fault {
    Fault::new("the program is broken")
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
                    if let Some(value) = self.borrowed(path)? {
                        match self.test(value)? {
                            Some(holds) => self.push(Value::Bool(holds)),
                            None => self.stack.push(Cow::Borrowed(value)),
                        }
                        continue;
                    }
                    let value = self.path(path)?;
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
                Op::Equal => self.binary(|_, left, right| equal(left, right).map(Value::Bool))?,
                Op::EqualConstant(index) => {
                    let equals = is_constant(&*self.pop()?, &code.constants[size(index)])?;
                    self.push(Value::Bool(equals));
                }
                Op::UnequalConstant(index) => {
                    let equals = is_constant(&*self.pop()?, &code.constants[size(index)])?;
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
                    let length = fetch::length(value)
                        .ok_or_else(|| Fault::new(format!("invalid argument for len (type {})", type_name(value))))?;
                    self.push(Value::Int(int(length)));
                }
                Op::Call(count) => self.call(size(count))?,
                Op::CallMember(name, count) => self.call_member(name, size(count))?,
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

    /// The instructions of loops.
    fn run_loop(&mut self, op: Op) -> Ran {
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
                    return Err(Fault::new("reduce of empty array with no initial value"));
                }
                scope.accumulator = scope.element()?;
                scope.index = 1;
            }
            Op::NotFound => return Err(Fault::new("reflect: slice index out of range")),
            Op::Group => {
                let key = self.stack.pop().ok_or_else(broken)?.into_owned();
                let element = scope.element()?.into_owned();
                fetch::check_hashable(&key)?;
                self.meter.work(scope.groups.len() / 8)?;
                match scope.groups.iter_mut().find(|(other, _)| crate::operators::identical(other, &key)) {
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
                    Value::Str(_) => return Err(Fault::new("unknown order, use asc or desc")),
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
            Fault::new(format!("reflect: call of reflect.Value.Len on {what} Value"))
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

    /// The value of a path that leads through maps that nobody has changed; `None` leaves it to [`Self::path`].
    fn borrowed(&mut self, path: u32) -> Ran<Option<&'a Value>> {
        let code = self.code;
        let path = &code.paths[size(path)];
        let Value::Str(name) = &code.constants[size(path.variable)] else { return Err(broken()) };
        let Some(Cow::Borrowed(mut value)) = self.env.get(name.as_bytes()) else { return Ok(None) };
        let mut members = path.members.iter();
        while let Some((name, _)) = members.next() {
            let (Value::Map(map), Value::Str(name)) = (value, &code.constants[size(*name)]) else { return Ok(None) };
            value = match map.get(name.as_bytes()) {
                Some(Cow::Borrowed(next)) => next,
                None if members.len() == 0 && map.element() == Type::Any => &NIL,
                _ => return Ok(None),
            };
        }
        self.meter.work(path.members.len())?;
        Ok(Some(value))
    }

    /// What the next instruction says of a value, when that is a test against a constant: then it is done, too, without the
    /// stack.
    fn test(&mut self, value: &Value) -> Ran<Option<bool>> {
        if W::WATCHES {
            return Ok(None);
        }
        let (test, constant): (fn(&Value, &Value) -> Ran<bool>, _) = match self.code.ops.get(self.next) {
            Some(Op::EqualConstant(constant)) => (is_constant, constant),
            Some(Op::UnequalConstant(constant)) => (|v, c| is_constant(v, c).map(|equals| !equals), constant),
            Some(Op::InTexts(constant)) => (in_texts, constant),
            _ => return Ok(None),
        };
        self.next += 1;
        self.meter.work(1)?;
        test(value, &self.code.constants[size(*constant)]).map(Some)
    }

    fn path(&mut self, path: u32) -> Ran<Cow<'a, Value>> {
        let code = self.code;
        let path = &code.paths[size(path)];
        let Value::Str(name) = &code.constants[size(path.variable)] else { return Err(broken()) };
        self.meter.work(path.members.len())?;
        let mut members = path.members.iter();
        let mut value = match self.env.get(name.as_bytes()) {
            Some(Cow::Borrowed(value)) => self.follow(value, &mut members)?,
            Some(owned) => owned,
            None => Cow::Owned(Value::Nil),
        };
        for (name, at) in members {
            value = match fetch::fetch(&value, &code.constants[size(*name)]) {
                Ok(value) => value,
                Err(fault) => {
                    self.failed_at = Some(*at);
                    return Err(fault);
                }
            };
        }
        Ok(value)
    }

    /// Goes along a path as long as it leads through maps that nobody has changed: a chain of references.
    fn follow(&self, start: &'a Value, members: &mut std::slice::Iter<'_, (u32, u32)>) -> Ran<Cow<'a, Value>> {
        let mut value = start;
        while let (Value::Map(map), [(name, _), ..]) = (value, members.as_slice()) {
            let Value::Str(name) = &self.code.constants[size(*name)] else { return Err(broken()) };
            match map.get(name.as_bytes()) {
                Some(Cow::Borrowed(next)) => value = next,
                Some(owned) => {
                    members.next();
                    return Ok(owned);
                }
                None => break,
            }
            members.next();
        }
        Ok(Cow::Borrowed(value))
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

    fn call(&mut self, count: usize) -> Ran {
        let callee = self.pop()?;
        let func = match callee.as_ref() {
            Value::Nil => return Err(Fault::new("invalid operation: cannot call nil")),
            Value::Func(func) => func,
            other => {
                let message = format!("invalid operation: cannot call non-function of type {}", type_name(other));
                return Err(Fault::new(message));
            }
        };
        let value = self.with_arguments(count, |args| {
            check_arguments(func.signature(), args)?;
            Ok(func.call(args)?)
        })?;
        self.push(value);
        Ok(())
    }

    /// Calls a member of the value on the stack; a method needs no function value for that.
    fn call_member(&mut self, name: u32, count: usize) -> Ran {
        let from = self.pop()?;
        let name = &self.code.constants[size(name)];
        if let (false, Value::Str(text)) = (matches!(*from, Value::Map(_)), name)
            && let Some(method) = text.as_str().and_then(|name| from.method(name))
        {
            let value = self.with_arguments(count, |args| {
                check_arguments(&method.signature, args)?;
                Ok((method.call)(&from, args)?)
            })?;
            self.push(value);
            return Ok(());
        }
        let callee = fetch::fetch(&from, name)?;
        self.stack.push(callee);
        self.meter.work(1)?;
        self.call(count)
    }

    /// Runs `call` with the last values of the stack.
    fn with_arguments(&mut self, count: usize, call: impl FnOnce(&mut [Value]) -> Ran<Value>) -> Ran<Value> {
        if count == 1 {
            return call(&mut [self.pop()?.into_owned()]);
        }
        let first = self.stack.len().checked_sub(count).ok_or_else(broken)?;
        let mut args: Vec<Value> = self.stack.split_off(first).into_iter().map(Cow::into_owned).collect();
        call(&mut args)
    }
}

impl<'a> Scope<'a> {
    fn element(&self) -> Ran<Cow<'a, Value>> {
        let at = usize::try_from(self.index).unwrap_or(usize::MAX);
        if let Cow::Borrowed(Value::List(list)) = &self.collection {
            return list.items().get(at).map(Cow::Borrowed).ok_or_else(broken);
        }
        match self.collection.as_ref() {
            Value::Map(_) | Value::Table(_) => Err(Fault::new("reflect: call of reflect.Value.Index on map Value")),
            other => Ok(Cow::Owned(fetch::element(other, at))),
        }
    }
}

fn boolean(value: &Value) -> Ran<bool> {
    match value {
        Value::Bool(b) => Ok(*b),
        other => Err(not_a(other, "bool")),
    }
}

fn is_constant(value: &Value, constant: &Value) -> Ran<bool> {
    match (value, constant) {
        (Value::Str(text), Value::Str(constant)) => Ok(text == constant),
        (Value::Map(map), Value::Nil) => Ok(map.is_nil()),
        _ => equal(value, constant),
    }
}

fn range(meter: &mut Meter<'_>, from: &Value, to: &Value) -> Ran<Value> {
    let (from, to) = (int_of(from)?, int_of(to)?);
    let count = i128::from(to) - i128::from(from) + 1;
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    meter.grow(count)?;
    Ok(Value::List(List::new(Type::INTS, (from..=to).map(Value::Int).collect())))
}

fn in_texts(needle: &Value, texts: &Value) -> Ran<bool> {
    let Value::List(texts) = texts else { return Err(broken()) };
    match needle {
        Value::Str(needle) => Ok(texts.items().iter().any(|text| matches!(text, Value::Str(s) if s == needle))),
        // The keys of a Go map: `nil` stands for the zero key.
        Value::Nil => Ok(texts.items().iter().any(|text| matches!(text, Value::Str(s) if s.is_empty()))),
        other => {
            let found = type_name(other);
            let message = format!("reflect.Value.MapIndex: value of type {found} is not assignable to type string");
            Err(Fault::new(message))
        }
    }
}

/// What a pattern is matched against: a text or bytes.
fn subject(value: &Value) -> Ran<&[u8]> {
    match value {
        Value::Str(s) => Ok(s.as_bytes()),
        Value::Bytes(bytes) => Ok(bytes.as_deref().unwrap_or_default()),
        other => Err(not_a(other, "[]uint8")),
    }
}

fn matches(meter: &mut Meter<'_>, value: &Value, pattern: &Value) -> Ran<Value> {
    if value.is_nil() || pattern.is_nil() {
        return Ok(Value::Bool(false));
    }
    let Value::Str(pattern) = pattern else { return Err(not_a(pattern, "string")) };
    // Compiling costs far more than most instructions.
    meter.work(1000 + pattern.len() * 50)?;
    let pattern = patterns::compile(pattern.as_bytes()).map_err(Fault::new)?;
    let subject = subject(value)?;
    meter.work(subject.len() / 16)?;
    Ok(Value::Bool(pattern.is_match(subject)))
}

fn text_test(meter: &mut Meter<'_>, operator: Binary, left: &Value, right: &Value) -> Ran<Value> {
    if left.is_nil() || right.is_nil() {
        return Ok(Value::Bool(false));
    }
    // Go evaluates the assertion of the left side first.
    let Value::Str(left) = left else { return Err(not_a(left, "string")) };
    let Value::Str(right) = right else { return Err(not_a(right, "string")) };
    let (left, right) = (left.as_bytes(), right.as_bytes());
    meter.work(left.len() / 16)?;
    Ok(Value::Bool(match operator {
        Binary::Contains => find_part(left, right).is_some(),
        Binary::StartsWith => left.starts_with(right),
        _ => left.ends_with(right),
    }))
}

/// Whether a function takes the arguments, as Go's reflection sees it; `nil` becomes the zero value of its type.
fn check_arguments(signature: &Signature, args: &mut [Value]) -> Ran {
    let expected = signature.params.len();
    if signature.variadic {
        if args.len() + 1 < expected {
            return Err(Fault::new("reflect: Call with too few input arguments"));
        }
    } else if args.len() != expected {
        let message = format!("invalid number of arguments: expected {expected}, got {}", args.len());
        return Err(Fault::new(message));
    }
    for (index, arg) in args.iter_mut().enumerate() {
        let wanted = signature.param(index).unwrap_or(Type::Any);
        match arg.type_of() {
            None => *arg = fetch::zero(wanted),
            Some(found) if wanted != Type::Any && found != wanted => {
                return Err(Fault::new(format!("reflect: Call using {found} as type {wanted}")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
