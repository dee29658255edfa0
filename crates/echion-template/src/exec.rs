//! Walking the tree: text, blocks, choices, templates; loops are in `range`.

mod range;

use std::fmt;
use std::sync::atomic::Ordering;

use echion_value::{Value, format};

use crate::Template;
use crate::call::{CallContext, Limits};
use crate::error::{Error, Phase};
use crate::operand::{Operand, is_true};
use crate::tree::{Action, Block, Branch, Command, Expr, ExprKind, Invocation, Node, Pipe};

/// How many steps lie between two readings of the clock.
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
    pub(crate) call: &'r mut CallContext<'h>,
    limits: &'r Limits,
    pub(crate) out: Vec<u8>,
    /// Of all templates that are being executed; those of the current one begin at `floor`.
    variables: Vec<(&'a str, Operand<'a>)>,
    floor: usize,
    /// Arguments of the calls that are being prepared.
    pub(crate) stack: Vec<Value>,
    pub(crate) place: Place<'a>,
    steps: u64,
    /// The step before which the clock or the budget has to be checked.
    next_look: u64,
    depth: usize,
    /// The pieces of the output, where somebody wants to know.
    pub(crate) marks: Option<Vec<Mark<'a>>>,
}

impl<'a, 'r, 'h> Run<'a, 'r, 'h> {
    pub(crate) fn new(
        template: &'a Template,
        call: &'r mut CallContext<'h>,
        limits: &'r Limits,
        data: &'a Value,
    ) -> Self {
        call.start(limits);
        // What the last rendering needed is a good guess.
        let room = template.size.load(Ordering::Relaxed).max(template.text.len()).min(1 << 16);
        let mut variables = Vec::with_capacity(8);
        variables.push(("$", Operand::of(data)));
        Self {
            template,
            name: &template.name,
            call,
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
        if self.call.is_expired() {
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
