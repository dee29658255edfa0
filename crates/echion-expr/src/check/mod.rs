//! What can be known to be wrong before any value exists.
//!
//! The environment has no types, so most natures are unknown; what literals and builtins give is known. Nodes below
//! something unknown that the reference does not check are not checked here either: they keep an unknown nature.

mod calls;

use std::collections::BTreeSet;
use std::sync::Arc;

use echion_value::{Method, Type};

use crate::ast::{Binary, Id, Kind, Member, Tree, Unary};
use crate::builtins;
use crate::error::CompileError;
use crate::nature::{BOOL, DURATION, FLOAT, INT, LIST, MAP, Nature, TEXT, TIME};
use crate::patterns;

/// How many nodes are checked; a node can be part of several others, and those again of several.
const MAX_VISITS: usize = 100_000;

type Checked = Result<Nature, CompileError>;

/// Checks the tree below `root` and notes the natures of its nodes.
pub(crate) fn check(tree: &mut Tree, root: Id) -> Result<(), CompileError> {
    Checker { tree, predicates: Vec::new(), variables: Vec::new(), visited: BTreeSet::new(), visits: 0 }
        .visit(root)
        .map(|_| ())
}

struct Checker<'t> {
    tree: &'t mut Tree,
    predicates: Vec<Scope>,
    variables: Vec<(Arc<str>, Nature)>,
    /// Nodes whose nature is known: each overload of a builtin checks the arguments again.
    visited: BTreeSet<Id>,
    visits: usize,
}

/// What a predicate can refer to.
struct Scope {
    collection: Nature,
    index: bool,
    accumulator: bool,
}

impl Checker<'_> {
    fn visit(&mut self, id: Id) -> Checked {
        if self.visited.contains(&id) {
            return Ok(self.tree.nature(id).clone());
        }
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(CompileError::budget(self.tree.at(id), "expression is too large"));
        }
        let nature = match self.tree.kind(id).clone() {
            Kind::Binary(..) => return self.binary_chain(id),
            Kind::Nil => Nature::Nil,
            Kind::Bool(_) => BOOL,
            Kind::Int(_) => INT,
            Kind::Float(_) => FLOAT,
            Kind::Text(_) => TEXT,
            Kind::Bytes(_) => Nature::Of(Type::BYTES),
            Kind::Constant(value) | Kind::Set(value) => value.type_of().map_or(Nature::Nil, Nature::of),
            Kind::Identifier(name) => self.identifier(&name),
            Kind::Pointer(name) => self.pointer(id, &name)?,
            Kind::Unary(operator, operand) => self.unary(id, operator, operand)?,
            Kind::Chain(node) => self.visit(node)?,
            Kind::Member(member) => self.member(id, &member)?,
            Kind::Slice { node, from, to } => self.slice(id, node, from, to)?,
            Kind::Call { callee, args } => self.call(id, callee, &args)?,
            Kind::Builtin(builtin) => self.builtin(id, &builtin)?,
            Kind::Predicate(node) => Nature::Predicate(Box::new(self.visit(node)?)),
            Kind::Let { name, value, body } => self.declaration(id, name, value, body)?,
            Kind::Sequence(nodes) => {
                let mut last = Nature::Unknown;
                for node in nodes {
                    last = self.visit(node)?;
                }
                last
            }
            Kind::Conditional { condition, then, otherwise } => self.conditional(condition, then, otherwise)?,
            Kind::List(nodes) => self.list(&nodes)?,
            Kind::Map(pairs) => {
                for (key, value) in pairs {
                    self.visit(key)?;
                    self.visit(value)?;
                }
                MAP
            }
        };
        self.note(id, &nature);
        Ok(nature)
    }

    fn note(&mut self, id: Id, nature: &Nature) {
        self.tree.node_mut(id).nature = nature.clone();
        self.visited.insert(id);
    }

    fn fail<T>(&self, id: Id, message: impl Into<String>) -> Result<T, CompileError> {
        Err(CompileError::check(self.tree.at(id), message))
    }

    fn identifier(&self, name: &str) -> Nature {
        if let Some((_, nature)) = self.variables.iter().rev().find(|(variable, _)| **variable == *name) {
            return nature.clone();
        }
        if builtins::find(name).is_some() { Nature::Builtin } else { Nature::Unknown }
    }

    fn pointer(&self, id: Id, name: &str) -> Checked {
        let Some(scope) = self.predicates.last() else {
            return self.fail(id, "cannot use pointer accessor outside predicate");
        };
        match name {
            "" if scope.collection.is_list() => Ok(scope.collection.element()),
            "" => Ok(Nature::Unknown),
            "index" if scope.index => Ok(INT),
            "acc" if scope.accumulator => Ok(Nature::Unknown),
            _ => self.fail(id, format!("unknown pointer #{name}")),
        }
    }

    fn unary(&mut self, id: Id, operator: Unary, operand: Id) -> Checked {
        let nature = self.visit(operand)?;
        match operator {
            Unary::Not | Unary::Bang if nature.is_bool() || nature.is_unknown() => Ok(BOOL),
            Unary::Plus | Unary::Minus if nature.is_number() || nature.is_unknown() => Ok(nature),
            _ => self.fail(id, format!("invalid operation: {} (mismatched type {nature})", operator.text())),
        }
    }

    /// Operators of one level lean to the left, in numbers only bounded by the size of the text: no recursion for them.
    fn binary_chain(&mut self, id: Id) -> Checked {
        let mut spine = Vec::new();
        let mut leftmost = id;
        while let Kind::Binary(operator, left, right) = self.tree.kind(leftmost) {
            spine.push((leftmost, *operator, *right));
            leftmost = *left;
        }
        self.visits += spine.len();
        let mut nature = self.visit(leftmost)?;
        for (id, operator, right) in spine.into_iter().rev() {
            let right_nature = self.visit(right)?;
            nature = self.binary(id, operator, &nature, &right_nature, right)?;
            self.note(id, &nature);
        }
        Ok(nature)
    }

    fn binary(&self, id: Id, operator: Binary, l: &Nature, r: &Nature, right: Id) -> Checked {
        use Binary as B;
        let number: fn(&Nature) -> bool = Nature::is_number;
        let text: fn(&Nature) -> bool = Nature::is_text;
        let time: fn(&Nature) -> bool = Nature::is_time;
        let duration: fn(&Nature) -> bool = Nature::is_duration;
        let both = |test: fn(&Nature) -> bool| test(l) && test(r);
        let numbers = both(number);
        let found = match operator {
            B::Equal | B::Unequal => l.is_comparable(r).then_some(BOOL),
            B::Or | B::OrOr | B::And | B::AndAnd => {
                (both(Nature::is_bool) || l.may_fit(r, &[Nature::is_bool])).then_some(BOOL)
            }
            B::Less | B::More | B::LessOrEqual | B::MoreOrEqual => {
                let same = numbers || both(text) || both(time) || both(duration);
                (same || l.may_fit(r, &[number, text, time, duration])).then_some(BOOL)
            }
            B::Subtract if numbers => Some(l.promote(r)),
            B::Subtract if both(time) || both(duration) => Some(DURATION),
            B::Subtract if time(l) && duration(r) => Some(TIME),
            B::Subtract => l.may_fit(r, &[number, time, duration]).then_some(Nature::Unknown),
            B::Multiply if numbers => Some(l.promote(r)),
            B::Multiply if (number(l) || duration(l)) && duration(r) || duration(l) && number(r) => Some(DURATION),
            B::Multiply => l.may_fit(r, &[number, duration]).then_some(Nature::Unknown),
            B::Divide | B::Power | B::Caret => (numbers || l.may_fit(r, &[number])).then_some(FLOAT),
            B::Modulo => (both(Nature::is_integer) || l.may_fit(r, &[Nature::is_integer])).then_some(INT),
            B::Add if numbers => Some(l.promote(r)),
            B::Add if both(text) => Some(TEXT),
            B::Add if time(l) && duration(r) || duration(l) && time(r) => Some(TIME),
            B::Add if both(duration) => Some(DURATION),
            B::Add => l.may_fit(r, &[number, text, time, duration]).then_some(Nature::Unknown),
            B::In => self.is_in(id, l, r)?,
            B::Matches => {
                if let Some(pattern) = self.tree.text(right)
                    && let Err(message) = patterns::compile(pattern.as_bytes())
                {
                    return self.fail(id, message);
                }
                let left_fits = text(l) || l.is_bytes();
                let fits = left_fits && text(r) || l.may_fit(r, &[text, Nature::is_bytes]);
                fits.then_some(BOOL)
            }
            B::Contains | B::StartsWith | B::EndsWith => (both(text) || l.may_fit(r, &[text])).then_some(BOOL),
            B::Range => {
                let fits = both(Nature::is_integer) || l.may_fit(r, &[Nature::is_integer]);
                fits.then(|| Nature::list_of(INT))
            }
            B::Coalesce => Some(merge_nil(l, r).unwrap_or_else(|| {
                let fits = l.go_type().is_some_and(|t| t != Type::Any && r.is_assignable(t));
                if fits { l.clone() } else { Nature::Unknown }
            })),
        };
        let mismatch = || {
            let (l, r) = (l.pointee(), r.pointee());
            format!("invalid operation: {} (mismatched types {l} and {r})", operator.text())
        };
        found.map_or_else(|| self.fail(id, mismatch()), Ok)
    }

    fn is_in(&self, id: Id, l: &Nature, r: &Nature) -> Result<Option<Nature>, CompileError> {
        if r.is_map() {
            if !l.is_unknown() && !l.is_assignable(r.key()) {
                return self.fail(id, format!("cannot use {l} as type {} in map key", r.key()));
            }
            return Ok(Some(BOOL));
        }
        if r.is_list() {
            let element = r.element();
            if !l.is_comparable(&element) {
                return self.fail(id, format!("cannot use {l} as type {element} in array"));
            }
            return Ok(Some(BOOL));
        }
        // A struct is asked for a field of that name.
        let named = (l.is_unknown() || l.is_text()) && r.is_struct();
        Ok((named || l.is_unknown() && r.is_text() || r.is_unknown()).then_some(BOOL))
    }

    fn member(&mut self, id: Id, member: &Member) -> Checked {
        if let Kind::Identifier(name) = self.tree.kind(member.node)
            && **name == *"$env"
        {
            return Ok(Nature::Unknown);
        }
        let base = self.visit(member.node)?;
        let property = self.visit(member.property)?;
        if base.is_unknown() {
            return Ok(Nature::Unknown);
        }
        let name = self.tree.text(member.property).map(ToString::to_string);
        if let Some(name) = &name {
            if base.is_nil() {
                return self.fail(id, format!("type nil has no field {name}"));
            }
            if let Some(method) = method_of(&base, name) {
                return Ok(Nature::Method(method));
            }
        }
        if base.is_map() {
            if !property.is_assignable(base.key()) && !property.is_unknown() {
                let message = format!("cannot use {property} to get an element from {base}");
                return self.fail(member.property, message);
            }
            return Ok(base.element());
        }
        if base.is_list() {
            if !property.is_integer() && !property.is_unknown() {
                let message = format!("array elements can only be selected using an integer (got {property})");
                return self.fail(member.property, message);
            }
            return Ok(base.element());
        }
        let base = base.pointee();
        match name {
            Some(name) if member.method => self.fail(id, format!("type {base} has no method {name}")),
            Some(name) => self.fail(id, format!("type {base} has no field {name}")),
            None => self.fail(id, format!("type {base}[{property}] is undefined")),
        }
    }

    fn slice(&mut self, id: Id, node: Id, from: Option<Id>, to: Option<Id>) -> Checked {
        let nature = self.visit(node)?;
        if nature.is_unknown() {
            return Ok(nature);
        }
        if !nature.is_text() && !nature.is_list() {
            return self.fail(id, format!("cannot slice {nature}"));
        }
        for bound in [from, to].into_iter().flatten() {
            let index = self.visit(bound)?;
            if !index.is_integer() && !index.is_unknown() {
                return self.fail(bound, format!("non-integer slice index {index}"));
            }
        }
        Ok(nature)
    }

    fn declaration(&mut self, id: Id, name: Arc<str>, value: Id, body: Id) -> Checked {
        if builtins::find(&name).is_some() {
            return self.fail(id, format!("cannot redeclare builtin {name}"));
        }
        if self.variables.iter().any(|(variable, _)| *variable == name) {
            return self.fail(id, format!("cannot redeclare variable {name}"));
        }
        let nature = self.visit(value)?;
        self.variables.push((name, nature));
        let nature = self.visit(body)?;
        self.variables.pop();
        Ok(nature)
    }

    fn conditional(&mut self, condition: Id, then: Id, otherwise: Id) -> Checked {
        let nature = self.visit(condition)?;
        if !nature.is_bool() && !nature.is_unknown() {
            return self.fail(condition, format!("non-bool expression (type {nature}) used as condition"));
        }
        // What is an `interface {}` takes anything; what has no type takes nothing.
        let (then, nothing) = (self.visit(then)?, otherwise);
        let otherwise = self.visit(otherwise)?;
        let untyped = otherwise.is_unknown() && self.is_untyped(nothing);
        Ok(merge_nil(&then, &otherwise).unwrap_or_else(|| {
            let fits = !untyped && otherwise.go_type().is_some_and(|t| then.is_assignable(t));
            let lists = then.is_list() && otherwise.is_list();
            match fits {
                true if lists && then.element().go_type() != otherwise.element().go_type() => LIST,
                true => then,
                false => Nature::Unknown,
            }
        }))
    }

    /// Whether the reference has no type at all for a node, as for `nil`; what builtins and elements give is at least an
    /// `interface {}`.
    fn is_untyped(&self, id: Id) -> bool {
        let mut id = id;
        loop {
            match self.tree.kind(id) {
                Kind::Chain(node) => id = *node,
                Kind::Identifier(_) | Kind::Call { .. } => return self.tree.node(id).nature.is_unknown(),
                Kind::Member(member) => return self.tree.node(member.node).nature.is_unknown(),
                _ => return false,
            }
        }
    }

    fn list(&mut self, nodes: &[Id]) -> Checked {
        let mut previous: Option<(Nature, &str)> = None;
        let mut alike = true;
        for node in nodes {
            let nature = self.visit(*node)?;
            let kind = if self.is_untyped(*node) { "invalid" } else { nature.kind() };
            alike &= previous.as_ref().is_none_or(|(_, other)| *other == kind);
            previous = Some((nature, kind));
        }
        Ok(if alike { Nature::list_of(previous.map(|(nature, _)| nature).unwrap_or_default()) } else { LIST })
    }
}

/// What either of two natures gives when one of them is `nil`.
fn merge_nil(first: &Nature, second: &Nature) -> Option<Nature> {
    match (first.is_nil(), second.is_nil()) {
        (true, _) => Some(second.clone()),
        (false, true) => Some(first.clone()),
        (false, false) => None,
    }
}

fn method_of(base: &Nature, name: &str) -> Option<&'static Method> {
    base.go_type()?.methods().iter().find(|method| method.name == name)
}
