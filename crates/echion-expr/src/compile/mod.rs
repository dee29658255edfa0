//! The syntax tree to instructions.

mod loops;

use std::sync::Arc;

use echion_value::{Str, Type, Value};

use crate::ast::{Binary, Builtin, Id, Kind, Member, Tree, Unary};
use crate::builtins;
use crate::code::{CalledMember, Code, Mark, Op, Path};
use crate::error::CompileError;
use crate::nature::Nature;
use crate::patterns;

/// How many instructions an expression may have: `a ?: b` doubles its condition, so text can grow without bound.
const MAX_OPS: usize = 100_000;

type Compiled = Result<(), CompileError>;

/// The code of the tree below `root`, with marks when it is to be traced.
pub(crate) fn compile(tree: &Tree, root: Id, traced: bool) -> Result<Code, CompileError> {
    let code = Code {
        ops: Vec::new(),
        places: Vec::new(),
        constants: Vec::new(),
        paths: Vec::new(),
        members: Vec::new(),
        patterns: Vec::new(),
        builtins: Vec::new(),
        variables: 0,
        marks: Vec::new(),
    };
    let mut compiler = Compiler { tree, root, traced, code, variables: Vec::new(), chains: Vec::new() };
    compiler.node(root)?;
    Ok(compiler.code)
}

struct Compiler<'t> {
    tree: &'t Tree,
    root: Id,
    traced: bool,
    code: Code,
    /// Variables in scope with their places.
    variables: Vec<(Arc<str>, u32)>,
    /// Jumps that leave the chains around the current node.
    chains: Vec<Vec<usize>>,
}

/// The value of a literal that is compared without a place on the stack.
fn scalar(kind: &Kind) -> Option<Value> {
    Some(match kind {
        Kind::Nil => Value::Nil,
        Kind::Bool(b) => Value::Bool(*b),
        Kind::Int(n) => Value::Int(*n),
        Kind::Text(text) => Value::Str(text.clone()),
        _ => return None,
    })
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Compiler<'_> {
    fn emit(&mut self, at: u32, op: Op) -> Result<usize, CompileError> {
        if self.code.ops.len() >= MAX_OPS {
            return Err(CompileError::budget(at, "expression is too large"));
        }
        self.code.ops.push(op);
        self.code.places.push(at);
        Ok(self.code.ops.len() - 1)
    }

    fn constant(&mut self, value: Value) -> u32 {
        if let Value::Str(text) = &value {
            let known = |other: &Value| matches!(other, Value::Str(s) if s == text);
            if let Some(index) = self.code.constants.iter().take(64).position(known) {
                return place(index);
            }
        }
        self.code.constants.push(value);
        place(self.code.constants.len() - 1)
    }

    fn here(&self) -> u32 {
        place(self.code.ops.len())
    }

    /// Makes a jump that was emitted earlier go to the next instruction.
    fn land(&mut self, jump: usize) {
        let target = self.here();
        if let Some(
            Op::Jump(to)
            | Op::JumpIfTrue(to)
            | Op::JumpIfFalse(to)
            | Op::JumpIfNil(to)
            | Op::JumpIfNotNil(to)
            | Op::JumpIfEnd(to)
            | Op::JumpIfStart(to)
            | Op::JumpIfEnough(_, to),
        ) = self.code.ops.get_mut(jump)
        {
            *to = target;
        }
    }

    fn node(&mut self, id: Id) -> Compiled {
        self.node_below(id, None)
    }

    /// Compiles a node; a chain below `??` leaves it to that operator to make nils plain.
    fn node_below(&mut self, id: Id, parent: Option<Binary>) -> Compiled {
        let start = self.code.ops.len();
        self.unmarked(id, parent)?;
        self.mark(id, start);
        Ok(())
    }

    /// Notes that the instructions from `start` on are those of a node. Literals say themselves what they are.
    fn mark(&mut self, id: Id, start: usize) {
        let (kind, span) = (self.tree.kind(id), self.tree.node(id).span);
        let literal = matches!(
            kind,
            Kind::Nil
                | Kind::Bool(_)
                | Kind::Int(_)
                | Kind::Float(_)
                | Kind::Text(_)
                | Kind::Bytes(_)
                | Kind::Constant(_)
                | Kind::Set(_)
        );
        if !self.traced || span.0 == span.1 || (literal && id != self.root) {
            return;
        }
        // Of nodes with the same text, as a chain and its last member, the outer one has the value that counts.
        self.code.marks.pop_if(|inner| inner.span == span && inner.start >= start);
        self.code.marks.push(Mark { start, end: self.code.ops.len(), span });
    }

    fn unmarked(&mut self, id: Id, parent: Option<Binary>) -> Compiled {
        let tree = self.tree;
        let at = tree.at(id);
        match tree.kind(id) {
            Kind::Nil => self.emit(at, Op::Nil)?,
            Kind::Bool(b) => self.emit(at, Op::Bool(*b))?,
            Kind::Int(n) => self.emit(at, Op::Int(*n))?,
            Kind::Float(f) => return self.literal(at, Value::Float(*f)),
            Kind::Text(s) => return self.literal(at, Value::Str(s.clone())),
            Kind::Bytes(bytes) => return self.literal(at, Value::Bytes(Some(bytes.clone()))),
            Kind::Constant(value) | Kind::Set(value) => return self.literal(at, value.clone()),
            Kind::Identifier(name) => return self.identifier(at, name),
            Kind::Pointer(name) => {
                let op = match &**name {
                    "index" => Op::Index,
                    "acc" => Op::Accumulator,
                    "" => Op::Element,
                    _ => return Err(CompileError::check(at, format!("unknown pointer {name}"))),
                };
                self.emit(at, op)?
            }
            Kind::Unary(operator, operand) => {
                self.node(*operand)?;
                match operator {
                    Unary::Not | Unary::Bang => self.emit(at, Op::Not)?,
                    Unary::Minus => self.emit(at, Op::Negate)?,
                    Unary::Plus => return Ok(()),
                }
            }
            Kind::Binary(..) => return self.binary_chain(id),
            Kind::Chain(node) => return self.chain(at, *node, parent == Some(Binary::Coalesce)),
            Kind::Member(member) => return self.member(at, member),
            Kind::Slice { node, from, to } => {
                self.node(*node)?;
                match to {
                    Some(to) => self.node(*to)?,
                    None => drop(self.emit(at, Op::Length)?),
                }
                match from {
                    Some(from) => self.node(*from)?,
                    None => drop(self.emit(at, Op::Int(0))?),
                }
                self.emit(at, Op::Slice)?
            }
            Kind::Call { callee, args } => {
                for arg in args {
                    self.node(*arg)?;
                }
                if let Kind::Member(member) = tree.kind(*callee)
                    && let Some(name) = tree.text(member.property).filter(|_| !member.optional)
                    && !matches!(tree.kind(member.node), Kind::Identifier(_) | Kind::Member(_))
                {
                    self.node(member.node)?;
                    let method = |of: Type| of.methods().iter().find(|method| *name == method.name);
                    let (of_time, of_duration) = (method(Type::Time), method(Type::Duration));
                    self.code.members.push(CalledMember { name: name.clone(), of_time, of_duration });
                    let member = place(self.code.members.len() - 1);
                    return self.emit(at, Op::CallMember(member, place(args.len()))).map(drop);
                }
                if let Kind::Member(member) = tree.kind(*callee)
                    && let Some(path) = self.path(tree.at(*callee), member)
                {
                    return self.emit(at, Op::CallPath(path, place(args.len()))).map(drop);
                }
                // What is called is no value that anybody wants to see.
                self.unmarked(*callee, None)?;
                self.emit(at, Op::Call(place(args.len())))?
            }
            Kind::Builtin(builtin) => return self.builtin(at, builtin),
            Kind::Predicate(node) => return self.node(*node),
            Kind::Let { name, value, body } => {
                self.node(*value)?;
                let index = place(self.code.variables);
                self.code.variables += 1;
                self.emit(at, Op::Store(index))?;
                self.variables.push((name.clone(), index));
                self.node(*body)?;
                self.variables.pop();
                return Ok(());
            }
            Kind::Sequence(nodes) => {
                for (i, node) in nodes.iter().enumerate() {
                    if i > 0 {
                        self.emit(at, Op::Pop)?;
                    }
                    self.node(*node)?;
                }
                return Ok(());
            }
            Kind::Conditional { condition, then, otherwise } => {
                self.node(*condition)?;
                let no = self.emit(at, Op::JumpIfFalse(0))?;
                self.emit(at, Op::Pop)?;
                self.node(*then)?;
                let end = self.emit(at, Op::Jump(0))?;
                self.land(no);
                self.emit(at, Op::Pop)?;
                self.node(*otherwise)?;
                self.land(end);
                return Ok(());
            }
            Kind::List(nodes) => {
                for node in nodes {
                    self.node(*node)?;
                }
                self.emit(at, Op::List(place(nodes.len())))?
            }
            Kind::Map(pairs) => {
                for (key, value) in pairs {
                    self.node(*key)?;
                    self.node(*value)?;
                }
                self.emit(at, Op::Map(place(pairs.len())))?
            }
        };
        Ok(())
    }

    fn literal(&mut self, at: u32, value: Value) -> Compiled {
        let constant = self.constant(value);
        self.emit(at, Op::Constant(constant)).map(drop)
    }

    fn identifier(&mut self, at: u32, name: &Arc<str>) -> Compiled {
        if let Some((_, index)) = self.variables.iter().rev().find(|(variable, _)| variable == name) {
            let index = *index;
            return self.emit(at, Op::Load(index)).map(drop);
        }
        if **name == *"$env" {
            return self.emit(at, Op::Environment).map(drop);
        }
        let name = self.constant(Value::Str(Str::from(&**name)));
        self.emit(at, Op::Variable(name)).map(drop)
    }

    fn chain(&mut self, at: u32, node: Id, below_coalesce: bool) -> Compiled {
        self.chains.push(Vec::new());
        self.node(node)?;
        for jump in self.chains.pop().unwrap_or_default() {
            self.land(jump);
        }
        if !below_coalesce {
            // A typed nil must not leave the chain.
            let done = self.emit(at, Op::JumpIfNotNil(0))?;
            self.emit(at, Op::Pop)?;
            self.emit(at, Op::Nil)?;
            self.land(done);
        }
        Ok(())
    }

    /// A path of plain names from a variable of the environment, followed by one instruction.
    fn path(&mut self, at: u32, member: &Member) -> Option<u32> {
        let tree = self.tree;
        let mut names = Vec::new();
        let (mut at, mut member) = (at, member);
        let variable = loop {
            names.push((tree.text(member.property).filter(|_| !member.optional)?, at));
            match tree.kind(member.node) {
                Kind::Member(next) => (at, member) = (tree.at(member.node), next),
                Kind::Identifier(name) => break name,
                _ => return None,
            }
        };
        if **variable == *"$env" || self.variables.iter().any(|(local, _)| local == variable) {
            return None;
        }
        let members = names.into_iter().rev().map(|(name, at)| (name.clone(), at)).collect();
        self.code.paths.push(Path { variable: Str::from(&**variable), members });
        Some(place(self.code.paths.len() - 1))
    }

    fn member(&mut self, at: u32, member: &Member) -> Compiled {
        if let Some(path) = self.path(at, member) {
            return self.emit(at, Op::Path(path)).map(drop);
        }
        self.node(member.node)?;
        if member.optional && !self.chains.is_empty() {
            let jump = self.emit(at, Op::JumpIfNil(0))?;
            if let Some(chain) = self.chains.last_mut() {
                chain.push(jump);
            }
        }
        if let Some(name) = self.tree.text(member.property) {
            let name = self.constant(Value::Str(name.clone()));
            return self.emit(at, Op::Member(name)).map(drop);
        }
        self.node(member.property)?;
        self.emit(at, Op::Fetch).map(drop)
    }

    fn binary_chain(&mut self, id: Id) -> Compiled {
        let start = self.code.ops.len();
        let mut spine = Vec::new();
        let mut leftmost = id;
        while let Kind::Binary(operator, left, right) = self.tree.kind(leftmost) {
            spine.push((leftmost, *operator, *right));
            leftmost = *left;
        }
        self.node_below(leftmost, spine.last().map(|(_, operator, _)| *operator))?;
        for (node, operator, right) in spine.into_iter().rev() {
            self.operator(node, operator, right)?;
            if node != id {
                self.mark(node, start);
            }
        }
        Ok(())
    }

    /// The comparison of two sides that the checker has one simple type for: a value that is not of it makes it fail.
    fn typed_equality(&self, node: Id) -> Option<Op> {
        let Kind::Binary(_, left, right) = self.tree.kind(node) else { return None };
        let literal = |id: Id| matches!(self.tree.kind(id), Kind::Int(_) | Kind::Text(_));
        if literal(*left) && literal(*right) {
            return None;
        }
        match (self.tree.nature(*left), self.tree.nature(*right)) {
            (Nature::Of(Type::Int), Nature::Of(Type::Int)) => Some(Op::EqualInts),
            (Nature::Of(Type::String), Nature::Of(Type::String)) => Some(Op::EqualTexts),
            _ => None,
        }
    }

    /// The right side of an operator and the operator itself; the left side is on the stack.
    fn operator(&mut self, node: Id, operator: Binary, right: Id) -> Compiled {
        use Binary as B;
        let at = self.tree.at(node);
        let shortcut = match operator {
            B::Or | B::OrOr => Some(Op::JumpIfTrue(0)),
            B::And | B::AndAnd => Some(Op::JumpIfFalse(0)),
            B::Coalesce => Some(Op::JumpIfNotNil(0)),
            _ => None,
        };
        if let Some(jump) = shortcut {
            let end = self.emit(at, jump)?;
            self.emit(at, Op::Pop)?;
            self.node_below(right, Some(operator))?;
            self.land(end);
            return Ok(());
        }
        match (operator, self.tree.kind(right)) {
            (B::In, Kind::Set(texts)) => {
                let constant = self.constant(texts.clone());
                return self.emit(at, Op::InTexts(constant)).map(drop);
            }
            (B::Matches, Kind::Text(pattern)) => {
                let pattern =
                    patterns::compile(pattern.as_bytes()).map_err(|message| CompileError::check(at, message))?;
                self.code.patterns.push(pattern);
                let index = place(self.code.patterns.len() - 1);
                return self.emit(at, Op::MatchesConstant(index)).map(drop);
            }
            _ => {}
        }
        if let (B::Equal | B::Unequal, Some(op)) = (operator, self.typed_equality(node)) {
            self.node(right)?;
            self.emit(at, op)?;
            if operator == B::Unequal {
                self.emit(at, Op::Not)?;
            }
            return Ok(());
        }
        if let (B::Equal | B::Unequal, Some(value)) = (operator, scalar(self.tree.kind(right))) {
            let constant = self.constant(value);
            let equal = operator == B::Equal;
            let op = if equal { Op::EqualConstant(constant) } else { Op::UnequalConstant(constant) };
            return self.emit(at, op).map(drop);
        }
        self.node(right)?;
        let op = match operator {
            B::Equal | B::Unequal => Op::Equal,
            B::Less | B::More | B::LessOrEqual | B::MoreOrEqual => Op::Compare(operator),
            B::Power | B::Caret => Op::Power,
            B::Range => Op::Range,
            B::In => Op::In,
            B::Matches => Op::Matches,
            B::Contains | B::StartsWith | B::EndsWith => Op::Text(operator),
            _ => Op::Calculate(operator),
        };
        self.emit(at, op)?;
        if operator == B::Unequal {
            self.emit(at, Op::Not)?;
        }
        Ok(())
    }

    fn builtin(&mut self, at: u32, builtin: &Builtin) -> Compiled {
        if builtins::predicate(builtin.name).is_some() {
            return self.looping(at, builtin);
        }
        let Some(known) = builtins::find(builtin.name) else {
            return Err(CompileError::check(at, format!("unknown builtin {}", builtin.name)));
        };
        for arg in &builtin.args {
            self.node(*arg)?;
        }
        self.code.builtins.push(known);
        let index = place(self.code.builtins.len() - 1);
        self.emit(at, Op::Builtin(index, place(builtin.args.len()))).map(drop)
    }
}
