//! Walking the tree: text, blocks, loops, templates.

use std::fmt;

use echion_value::{Value, format};

use crate::Template;
use crate::error::{Error, Phase};
use crate::host::{Host, Limits};
use crate::operand::{Operand, is_true};
use crate::tree::{Action, Block, Branch, Command, Expr, Invocation, Node, Pipe};

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

/// One rendering.
pub(crate) struct Run<'t, 'r, 'h> {
    pub(crate) template: &'t Template,
    /// The template that is being executed.
    name: &'t str,
    pub(crate) host: &'r mut Host<'h>,
    limits: &'r Limits,
    pub(crate) out: Vec<u8>,
    variables: Vec<(&'t str, Operand)>,
    pub(crate) place: Place<'t>,
    steps: u64,
    depth: usize,
}

impl<'t, 'r, 'h> Run<'t, 'r, 'h> {
    pub(crate) fn new(template: &'t Template, host: &'r mut Host<'h>, limits: &'r Limits, data: &Value) -> Self {
        host.start(limits);
        Self {
            template,
            name: &template.name,
            host,
            limits,
            out: Vec::new(),
            variables: vec![("$", Operand::known(data.clone()))],
            place: Place::Start,
            steps: 0,
            depth: 0,
        }
    }

    pub(crate) fn whole(&mut self, data: &Value) -> Done<()> {
        match self.template.trees.get(self.name) {
            Some(root) => self.block(root, &Operand::known(data.clone())).map(|_| ()),
            None => Ok(()),
        }
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
        if self.steps > self.limits.steps {
            return self.over_budget(format_args!("the template takes more than {} steps", self.limits.steps));
        }
        if self.steps.is_multiple_of(STEPS_PER_LOOK) && self.host.is_expired() {
            return self.over_budget("the template takes too long");
        }
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

    pub(crate) fn variable(&self, name: &str) -> Done<Operand> {
        match self.variables.iter().rev().find(|(n, _)| *n == name) {
            Some((_, operand)) => Ok(operand.clone()),
            None => self.fail(format_args!("undefined variable: {name}")),
        }
    }

    pub(crate) fn declare(&mut self, name: &'t str, operand: Operand) {
        self.variables.push((name, operand));
    }

    pub(crate) fn assign(&mut self, name: &str, operand: Operand) -> Done<()> {
        match self.variables.iter_mut().rev().find(|(n, _)| *n == name) {
            Some((_, there)) => {
                *there = operand;
                Ok(())
            }
            None => self.fail(format_args!("undefined variable: {name}")),
        }
    }

    fn block(&mut self, block: &'t Block, dot: &Operand) -> Done<Flow> {
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

    fn node(&mut self, node: &'t Node, dot: &Operand) -> Done<Flow> {
        self.step()?;
        match node {
            Node::Text(text) => self.write(text.as_bytes())?,
            Node::Action(action) => {
                self.place = Place::Action(action);
                let operand = self.pipeline(&action.pipe, dot)?;
                if action.pipe.variables.is_empty() {
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

    fn choose(
        &mut self,
        branches: &'t [Branch],
        otherwise: Option<&'t Block>,
        dot: &Operand,
        sets_dot: bool,
    ) -> Done<Flow> {
        let mark = self.variables.len();
        let mut flow = None;
        for branch in branches {
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

    fn range(&mut self, branch: &'t Branch, otherwise: Option<&'t Block>, dot: &Operand) -> Done<Flow> {
        let mark = self.variables.len();
        let subject = self.pipeline(&branch.pipe, dot)?.value;
        let any = match &subject {
            Value::List(list) => {
                let element = list.element();
                let items = list.items().iter().enumerate();
                self.each(branch, items.map(|(i, v)| (index(i), Operand::element(v.clone(), element))))?
            }
            Value::Bytes(bytes) => {
                let bytes = bytes.as_deref().unwrap_or_default().iter().enumerate();
                self.each(branch, bytes.map(|(i, b)| (index(i), Operand::known(Value::Uint8(*b)))))?
            }
            Value::Map(map) => {
                let element = map.element();
                let entries = map.entries();
                let entries = entries.iter();
                self.each(
                    branch,
                    entries.map(|(k, v)| (Operand::known(Value::Str(k.clone())), Operand::element(v.clone(), element))),
                )?
            }
            Value::Table(table) => {
                let (key, element) = (table.key(), table.element());
                let entries = table.entries().iter();
                self.each(
                    branch,
                    entries.map(|(k, v)| (Operand::element(k.clone(), key), Operand::element(v.clone(), element))),
                )?
            }
            Value::Nil => false,
            Value::NilPointer(_) => return self.fail("range can't iterate over <nil>"),
            other => match whole_number(other) {
                Some(_) if branch.pipe.variables.len() > 1 => {
                    let shown = format::display(other);
                    return self.fail(format_args!("can't use {shown} to iterate over more than one variable"));
                }
                Some((count, make)) => {
                    self.each(branch, (0..count).map(|i| (Operand::known(make(i)), Operand::known(make(i)))))?
                }
                None => return self.fail(format_args!("range can't iterate over {}", format::display(other))),
            },
        };
        let mut flow = Flow::Next;
        if let (false, Some(block)) = (any, otherwise) {
            flow = self.block(block, dot)?;
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    /// Runs the body for each pair of index and element. Returns whether there was any.
    fn each(&mut self, branch: &'t Branch, items: impl Iterator<Item = (Operand, Operand)>) -> Done<bool> {
        let mark = self.variables.len();
        let mut any = false;
        for (index, element) in items {
            any = true;
            self.step()?;
            match (branch.pipe.variables.as_slice(), branch.pipe.assigns) {
                ([], _) => {}
                ([one], true) => self.assign(one, element.clone())?,
                ([first, second, ..], true) => {
                    self.assign(first, index)?;
                    self.assign(second, element.clone())?;
                }
                (names, false) => {
                    // The pipeline has pushed one variable for each name.
                    self.set_from_top(1, element.clone());
                    if names.len() > 1 {
                        self.set_from_top(2, index);
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

    fn set_from_top(&mut self, n: usize, operand: Operand) {
        if let Some(at) = self.variables.len().checked_sub(n)
            && let Some((_, there)) = self.variables.get_mut(at)
        {
            *there = operand;
        }
    }

    fn invoke(&mut self, invocation: &'t Invocation, dot: &Operand) -> Done<()> {
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
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let caller = std::mem::replace(&mut self.name, name);
        self.block(body, &dot)?;
        self.name = caller;
        self.variables = variables;
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

    fn print(&mut self, action: &'t Action, value: &Value) -> Done<()> {
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

fn index(i: usize) -> Operand {
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
