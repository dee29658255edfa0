//! A parsed template.

use std::fmt::{self, Display};

use echion_value::Value;

use crate::function::Callee;
use crate::number::Number;

/// A sequence of actions and text.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) nodes: Vec<Node>,
}

impl Block {
    /// Whether nothing but space is in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.nodes.iter().all(|node| match node {
            Node::Text(_, text) => text.trim().is_empty(),
            _ => false,
        })
    }
}

#[derive(Debug)]
pub(crate) enum Node {
    /// Text, and where it begins.
    Text(usize, Box<str>),
    Action(Action),
    If(Vec<Branch>, Option<Block>),
    With(Vec<Branch>, Option<Block>),
    Range(Box<Branch>, Option<Block>),
    Template(Box<Invocation>),
    Break,
    Continue,
}

/// A pipeline and what is done with it.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) body: Block,
}

/// A pipeline whose value is printed.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) at: usize,
    pub(crate) pipe: Pipe,
}

/// `{{template "name" pipeline}}`
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) at: usize,
    pub(crate) name: String,
    pub(crate) pipe: Option<Pipe>,
}

#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub(crate) at: usize,
    pub(crate) assigns: bool,
    pub(crate) variables: Vec<Box<str>>,
    pub(crate) commands: Vec<Command>,
}

impl Pipe {
    /// The operand, where a pipeline is nothing but one that takes no arguments and makes nothing: the most common one.
    pub(crate) fn plain(&self) -> Option<&Expr> {
        match (self.variables.as_slice(), self.commands.as_slice()) {
            ([], [command]) => match command.args.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) at: usize,
    pub(crate) args: Vec<Expr>,
}

/// An operand.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) at: usize,
    pub(crate) kind: ExprKind,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Dot,
    Nil,
    Bool(bool, Value),
    Number(Box<Number>),
    /// As written, and its value.
    Text(Box<str>, Value),
    /// `.a.b`
    Field(Vec<Box<str>>),
    /// `$x.a.b`
    Variable(Box<str>, Vec<Box<str>>),
    Function(Box<str>, Callee),
    /// `(pipeline).a.b`
    Chain(Box<Expr>, Vec<Box<str>>),
    Pipe(Box<Pipe>),
}

impl Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{}}}}}", self.pipe)
    }
}

impl Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", echion_value::strconv::quote(self.name.as_bytes()))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, variable) in self.variables.iter().enumerate() {
            write!(f, "{}{variable}", if i > 0 { ", " } else { "" })?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assigns { " = " } else { " := " })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if i > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            match &arg.kind {
                ExprKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields =
            |f: &mut fmt::Formatter<'_>, fields: &[Box<str>]| fields.iter().try_for_each(|field| write!(f, ".{field}"));
        match &self.kind {
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Bool(value, _) => write!(f, "{value}"),
            ExprKind::Number(number) => f.write_str(&number.text),
            ExprKind::Text(written, _) => f.write_str(written),
            ExprKind::Field(names) => fields(f, names),
            ExprKind::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            ExprKind::Function(name, _) => f.write_str(name),
            ExprKind::Chain(expr, names) => {
                match &expr.kind {
                    ExprKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{expr}")?,
                }
                fields(f, names)
            }
            ExprKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}
