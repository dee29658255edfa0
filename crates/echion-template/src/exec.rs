//! Walking the tree: text, blocks, loops, templates.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::Ordering;

use echion_value::{Type, Value, format};

use crate::Template;
use crate::error::{Error, Phase};
use crate::host::{Host, Limits};
use crate::operand::{Operand, is_true};
use crate::tree::{Action, Block, Branch, Command, Expr, ExprKind, Invocation, Node, Pipe};

/// How many steps lie between two looks at the clock.
const STEPS_PER_LOOK: u64 = 256;

pub(crate) type Done<T> = Result<T, Box<Error>>;

/// The part of the template that is at work, for error texts.
#[derive(Clone, Copy)]
pub(crate) enum Place<'t> {
    Start,
    Action(&'t Action),
    Template(&'t Invocation),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expr(&'t Expr),
}

impl Place<'_> {
    fn at(self) -> usize {
        match self {
            Place::Start => 0,
            Place::Action(node) => node.at,
            Place::Template(node) => node.at,
            Place::Pipe(node) => node.at,
            Place::Command(node) => node.at,
            Place::Expr(node) => node.at,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Start => Ok(()),
            Place::Action(node) => write!(f, "{node}"),
            Place::Template(node) => write!(f, "{node}"),
            Place::Pipe(node) => write!(f, "{node}"),
            Place::Command(node) => write!(f, "{node}"),
            Place::Expr(node) => write!(f, "{node}"),
        }
    }
}

/// How a block ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Where a piece of the output comes from.
#[derive(Clone, Copy)]
pub(crate) struct Mark<'a> {
    /// The first byte of the piece.
    pub(crate) from: usize,
    /// The byte of the template.
    pub(crate) at: usize,
    /// The action that made it; none for text.
    pub(crate) action: Option<&'a Action>,
}

/// One rendering, of a template over data that live as long as `'a`.
pub(crate) struct Run<'a, 'r, 'h> {
    pub(crate) template: &'a Template,
    /// The template that is being executed.
    name: &'a str,
    pub(crate) host: &'r mut Host<'h>,
    limits: &'r Limits,
    pub(crate) out: Vec<u8>,
    /// Of all templates that are being executed; those of the current one begin at `floor`.
    variables: Vec<(&'a str, Operand<'a>)>,
    floor: usize,
    /// Arguments of the calls that are being prepared.
    pub(crate) stack: Vec<Value>,
    pub(crate) place: Place<'a>,
    steps: u64,
    /// The step before which the clock or the budget has to be looked at.
    next_look: u64,
    depth: usize,
    /// The pieces of the output, where somebody wants to know.
    pub(crate) marks: Option<Vec<Mark<'a>>>,
}

impl<'a, 'r, 'h> Run<'a, 'r, 'h> {
    pub(crate) fn new(template: &'a Template, host: &'r mut Host<'h>, limits: &'r Limits, data: &'a Value) -> Self {
        host.start(limits);
        // What the last rendering needed is a good guess.
        let room = template.size.load(Ordering::Relaxed).max(template.text.len()).min(1 << 16);
        let mut variables = Vec::with_capacity(8);
        variables.push(("$", Operand::of(data)));
        Self {
            template,
            name: &template.name,
            host,
            limits,
            out: Vec::with_capacity(room),
            variables,
            floor: 0,
            stack: Vec::new(),
            place: Place::Start,
            steps: 0,
            next_look: STEPS_PER_LOOK.min(limits.steps.saturating_add(1)),
            depth: 0,
            marks: None,
        }
    }

    pub(crate) fn whole(&mut self, data: &'a Value) -> Done<()> {
        if let Some(root) = self.template.trees.get(self.name) {
            self.block(root, &Operand::of(data))?;
        }
        self.template.size.store(self.out.len(), Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn fail<T>(&self, message: impl fmt::Display) -> Done<T> {
        self.error(Phase::Exec, &message)
    }

    pub(crate) fn over_budget<T>(&self, message: impl fmt::Display) -> Done<T> {
        self.error(Phase::Budget, &message)
    }

    #[cold]
    fn error<T>(&self, phase: Phase, message: &dyn fmt::Display) -> Done<T> {
        let Template { name, text, .. } = self.template;
        let at = self.place.at();
        let before = text.get(..at).unwrap_or(text);
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |i| i + 1);
        let quoted = echion_value::strconv::quote(self.name.as_bytes());
        let text = format!("template: {name}:{line}:{column}: executing {quoted} at <{}>: {message}", self.place);
        Err(Error::new(phase, text, &self.template.text, at))
    }

    /// Accounts for one action, call or iteration.
    pub(crate) fn step(&mut self) -> Done<()> {
        self.steps += 1;
        if self.steps < self.next_look { Ok(()) } else { self.look() }
    }

    #[cold]
    fn look(&mut self) -> Done<()> {
        if self.steps > self.limits.steps {
            return self.over_budget(format_args!("the template takes more than {} steps", self.limits.steps));
        }
        if self.host.is_expired() {
            return self.over_budget("the template takes too long");
        }
        self.next_look = (self.steps + STEPS_PER_LOOK).min(self.limits.steps.saturating_add(1));
        Ok(())
    }

    pub(crate) fn enter(&mut self) -> Done<()> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return self.fail(format_args!("exceeded maximum template depth ({})", self.limits.depth));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// See [`peek`].
    pub(crate) fn peek<'s>(&'s self, expr: &'a Expr, dot: &'s Operand<'a>) -> Option<Option<&'s Value>> {
        peek(expr, self.own(), dot)
    }

    fn own(&self) -> &[(&'a str, Operand<'a>)] {
        self.variables.get(self.floor..).unwrap_or_default()
    }

    fn own_variables(&mut self) -> &mut [(&'a str, Operand<'a>)] {
        self.variables.get_mut(self.floor..).unwrap_or_default()
    }

    pub(crate) fn variable(&self, name: &str) -> Done<Operand<'a>> {
        match self.own().iter().rev().find(|(n, _)| *n == name) {
            Some((_, operand)) => Ok(operand.clone()),
            None => self.fail(format_args!("undefined variable: {name}")),
        }
    }

    pub(crate) fn declare(&mut self, name: &'a str, operand: Operand<'a>) {
        self.variables.push((name, operand));
    }

    pub(crate) fn assign(&mut self, name: &str, operand: Operand<'a>) -> Done<()> {
        match self.own_variables().iter_mut().rev().find(|(n, _)| *n == name) {
            Some((_, there)) => {
                *there = operand;
                Ok(())
            }
            None => self.fail(format_args!("undefined variable: {name}")),
        }
    }

    fn block(&mut self, block: &'a Block, dot: &Operand<'a>) -> Done<Flow> {
        self.enter()?;
        for node in &block.nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::Next {
                self.leave();
                return Ok(flow);
            }
        }
        self.leave();
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'a Node, dot: &Operand<'a>) -> Done<Flow> {
        self.step()?;
        match node {
            Node::Text(at, text) => {
                self.mark(*at, None);
                self.write(text.as_bytes())?;
            }
            Node::Action(action) => {
                let own = self.variables.get(self.floor..).unwrap_or_default();
                if let Some(expr) = action.pipe.plain()
                    && let Some(Some(Value::Str(text))) = peek(expr, own, dot)
                    && text.len() <= self.limits.output.saturating_sub(self.out.len())
                {
                    if let Some(marks) = &mut self.marks {
                        marks.push(Mark { from: self.out.len(), at: action.at, action: Some(action) });
                    }
                    self.out.extend_from_slice(text.as_bytes());
                    return Ok(Flow::Next);
                }
                self.place = Place::Action(action);
                let operand = self.pipeline(&action.pipe, dot)?;
                if action.pipe.variables.is_empty() {
                    self.mark(action.at, Some(action));
                    self.print(action, &operand.value)?;
                }
            }
            Node::If(branches, otherwise) => return self.choose(branches, otherwise.as_ref(), dot, false),
            Node::With(branches, otherwise) => return self.choose(branches, otherwise.as_ref(), dot, true),
            Node::Range(branch, otherwise) => return self.range(branch, otherwise.as_ref(), dot),
            Node::Template(invocation) => self.invoke(invocation, dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// Remembers where the next piece of the output comes from.
    fn mark(&mut self, at: usize, action: Option<&'a Action>) {
        let from = self.out.len();
        if let Some(marks) = &mut self.marks {
            marks.push(Mark { from, at, action });
        }
    }

    fn choose(
        &mut self,
        branches: &'a [Branch],
        otherwise: Option<&'a Block>,
        dot: &Operand<'a>,
        sets_dot: bool,
    ) -> Done<Flow> {
        let mark = self.variables.len();
        let mut flow = None;
        for branch in branches {
            if !sets_dot
                && let Some(expr) = branch.pipe.plain()
                && let Some(value) = self.peek(expr, dot)
            {
                if value.is_some_and(is_true) {
                    flow = Some(self.block(&branch.body, dot)?);
                    break;
                }
                continue;
            }
            let operand = self.pipeline(&branch.pipe, dot)?;
            if is_true(&operand.value) {
                flow = Some(self.block(&branch.body, if sets_dot { &operand } else { dot })?);
                break;
            }
        }
        let flow = match (flow, otherwise) {
            (Some(flow), _) => flow,
            (None, Some(block)) => self.block(block, dot)?,
            (None, None) => Flow::Next,
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, branch: &'a Branch, otherwise: Option<&'a Block>, dot: &Operand<'a>) -> Done<Flow> {
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

    fn invoke(&mut self, invocation: &'a Invocation, dot: &Operand<'a>) -> Done<()> {
        self.place = Place::Template(invocation);
        let template = self.template;
        let Some((name, body)) = template.trees.get_key_value(&invocation.name) else {
            let quoted = echion_value::strconv::quote(invocation.name.as_bytes());
            return self.fail(format_args!("template {quoted} not defined"));
        };
        self.enter()?;
        let dot = match &invocation.pipe {
            Some(pipe) => self.pipeline(pipe, dot)?,
            None => Operand::ABSENT,
        };
        // A template sees nothing of its caller but the dot it was given.
        let place = self.place;
        let mark = self.variables.len();
        let floor = std::mem::replace(&mut self.floor, mark);
        self.variables.push(("$", dot.clone()));
        let caller = std::mem::replace(&mut self.name, name);
        self.block(body, &dot)?;
        self.name = caller;
        self.floor = floor;
        self.variables.truncate(mark);
        self.place = place;
        self.leave();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Done<()> {
        if self.out.len() + bytes.len() > self.limits.output {
            return self.over_budget(format_args!("the output is longer than {} bytes", self.limits.output));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn print(&mut self, action: &'a Action, value: &Value) -> Done<()> {
        self.place = Place::Action(action);
        let printed = match value {
            Value::Nil => return self.write(b"<no value>"),
            Value::Str(s) => return self.write(s.as_bytes()),
            Value::Func(_) => {
                let t = value.type_of().map(|t| t.to_string()).unwrap_or_default();
                return self.fail(format_args!("can't print {action} of type {t}"));
            }
            // A pointer is followed before it is printed.
            Value::Object(object) if object.object_type().name.starts_with('*') && object.display().is_none() => {
                let text = format::display(value);
                return self.write(text.as_bytes().strip_prefix(b"&").unwrap_or(text.as_bytes()));
            }
            _ => format::append(&mut self.out, value, self.limits.output),
        };
        match printed {
            Ok(()) => Ok(()),
            Err(_) => self.over_budget(format_args!("the output is longer than {} bytes", self.limits.output)),
        }
    }
}

/// The value of an operand that leads through nothing but unchanged maps, which takes no machinery: nothing inside where a key is
/// missing, and nothing at all where there is more to it.
fn peek<'s>(expr: &Expr, variables: &'s [(&str, Operand<'_>)], dot: &'s Operand<'_>) -> Option<Option<&'s Value>> {
    let (mut value, names) = match &expr.kind {
        ExprKind::Field(names) => (&*dot.value, names.as_slice()),
        ExprKind::Variable(name, names) => {
            let (_, operand) = variables.iter().rev().find(|(n, _)| *n == &**name)?;
            (&*operand.value, names.as_slice())
        }
        ExprKind::Dot => (&*dot.value, [].as_slice()),
        _ => return None,
    };
    for name in names {
        let Value::Map(map) = value else { return None };
        match map.peek(name.as_bytes())? {
            Some(next) => value = next,
            None => return Some(None),
        }
    }
    if matches!(value, Value::Nil) { None } else { Some(Some(value)) }
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
