//! The syntax tree, as one flat list of nodes: freeing it needs no recursion, however deep the text is nested.

use std::collections::BTreeSet;
use std::sync::Arc;

use echion_value::{Str, Value, deep_equal};

use crate::nature::Nature;

/// The place of a node in its tree.
pub(crate) type Id = u32;

#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Where errors of this node are reported.
    pub(crate) at: u32,
    /// The first character of its text and one past the last; empty for what the optimizer has made.
    pub(crate) span: (u32, u32),
    /// What the checker knows of the value. Nodes that it does not visit stay unknown.
    pub(crate) nature: Nature,
    /// How many levels are below it, which bounds the recursion of whatever walks the tree.
    pub(crate) depth: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Str),
    Bytes(Arc<[u8]>),
    /// A list of literals.
    Constant(Value),
    /// The literals that are looked for by `in`.
    Set(Value),
    Identifier(Arc<str>),
    /// `#` and its relatives.
    Pointer(Arc<str>),
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    /// The extent of `?.`: where evaluation goes on when something is nil.
    Chain(Id),
    Member(Member),
    Slice {
        node: Id,
        from: Option<Id>,
        to: Option<Id>,
    },
    Call {
        callee: Id,
        args: Vec<Id>,
    },
    Builtin(Builtin),
    Predicate(Id),
    Let {
        name: Arc<str>,
        value: Id,
        body: Id,
    },
    Sequence(Vec<Id>),
    Conditional {
        condition: Id,
        then: Id,
        otherwise: Id,
    },
    List(Vec<Id>),
    Map(Vec<(Id, Id)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) node: Id,
    pub(crate) property: Id,
    pub(crate) optional: bool,
    /// Whether it is called at once.
    pub(crate) method: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<Id>,
    /// Whether finding nothing is an error, as when the first item of a filtered list is indexed.
    pub(crate) must_find: bool,
    /// What becomes of a match: only the optimizer says so, which looks no further into it.
    pub(crate) mapped: Option<Id>,
    /// How many matches are enough to know the answer.
    pub(crate) enough: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    Bang,
    Minus,
    Plus,
}

impl Unary {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Unary::Not => "not",
            Unary::Bang => "!",
            Unary::Minus => "-",
            Unary::Plus => "+",
        }
    }
}

macro_rules! binary_operators {
    ($($name:ident $text:literal $precedence:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Binary { $($name,)* }

        impl Binary {
            pub(crate) fn of(text: &str) -> Option<Self> {
                match text { $($text => Some(Binary::$name),)* _ => None }
            }

            pub(crate) fn text(self) -> &'static str {
                match self { $(Binary::$name => $text,)* }
            }

            pub(crate) fn precedence(self) -> u32 {
                match self { $(Binary::$name => $precedence,)* }
            }
        }
    };
}

binary_operators! {
    Or "or" 10,
    OrOr "||" 10,
    And "and" 15,
    AndAnd "&&" 15,
    Equal "==" 20,
    Unequal "!=" 20,
    Less "<" 20,
    More ">" 20,
    LessOrEqual "<=" 20,
    MoreOrEqual ">=" 20,
    In "in" 20,
    Matches "matches" 20,
    Contains "contains" 20,
    StartsWith "startsWith" 20,
    EndsWith "endsWith" 20,
    Range ".." 25,
    Add "+" 30,
    Subtract "-" 30,
    Multiply "*" 60,
    Divide "/" 60,
    Modulo "%" 60,
    Power "**" 100,
    Caret "^" 100,
    Coalesce "??" 500,
}

impl Binary {
    pub(crate) fn is_right_associative(self) -> bool {
        matches!(self, Binary::Power | Binary::Caret)
    }

    /// Whether it can be chained, as in `1 < x < 5`.
    pub(crate) fn is_ordering(self) -> bool {
        matches!(self, Binary::Less | Binary::More | Binary::LessOrEqual | Binary::MoreOrEqual)
    }

    /// Whether `not` may precede it.
    pub(crate) fn may_be_negated(self) -> bool {
        matches!(self, Binary::In | Binary::Matches | Binary::Contains | Binary::StartsWith | Binary::EndsWith)
    }
}

impl Tree {
    /// Whether two nodes have the same meaning by their text: positions aside, all is the same.
    pub(crate) fn same(&self, left: Id, right: Id) -> bool {
        let mut pending = vec![(left, right)];
        // A node can be part of several others.
        let mut seen = BTreeSet::new();
        while let Some((left, right)) = pending.pop() {
            if left == right || !seen.insert((left, right)) {
                continue;
            }
            let (left, right) = (self.kind(left), self.kind(right));
            let parts = (children(left), children(right));
            if !is_alike(left, right) || parts.0.len() != parts.1.len() {
                return false;
            }
            pending.extend(parts.0.into_iter().zip(parts.1));
        }
        true
    }

    pub(crate) fn push(&mut self, kind: Kind, at: u32) -> Id {
        let id = self.nodes.len();
        let below = |id: &Id| self.node(*id).depth;
        let depth = match &kind {
            // Chains of operators lean to the left and are walked in loops.
            Kind::Binary(_, left, right) => below(left).max(below(right) + 1),
            kind => children(kind).iter().map(below).max().map_or(0, |depth| depth + 1),
        };
        self.nodes.push(Node { kind, at, span: (0, 0), nature: Nature::Unknown, depth });
        // Limits on nodes keep the count far below this.
        u32::try_from(id).unwrap_or(u32::MAX)
    }

    /// Gives a new node the text from its leftmost part to `end`.
    pub(crate) fn span_from(&mut self, id: Id, end: u32) {
        let parts = children(self.kind(id));
        let start = parts.iter().map(|part| self.node(*part).span.0).min();
        let start = match self.kind(id) {
            // Only these begin before their parts.
            Kind::Unary(..)
            | Kind::Predicate(_)
            | Kind::List(_)
            | Kind::Map(_)
            | Kind::Builtin(_)
            | Kind::Call { .. } => start.map_or(self.at(id), |start| start.min(self.at(id))),
            _ => start.unwrap_or_else(|| self.at(id)),
        };
        self.node_mut(id).span = (start, end.max(start));
    }

    /// Extends the text of a node, and of what only represents it, by what encloses it.
    pub(crate) fn widen(&mut self, id: Id, start: u32, end: u32) {
        let mut id = id;
        let old = self.node(id).span;
        while self.node(id).span == old {
            self.node_mut(id).span = (start, end);
            match self.kind(id) {
                Kind::Chain(node) | Kind::Unary(_, node) => id = *node,
                _ => return,
            }
        }
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(crate) fn kind(&self, id: Id) -> &Kind {
        &self.node(id).kind
    }

    pub(crate) fn at(&self, id: Id) -> u32 {
        self.node(id).at
    }

    pub(crate) fn nature(&self, id: Id) -> &Nature {
        &self.node(id).nature
    }

    /// The text, when the node is a text literal.
    pub(crate) fn text(&self, id: Id) -> Option<&Str> {
        match self.kind(id) {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn int(&self, id: Id) -> Option<i64> {
        match self.kind(id) {
            Kind::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// All nodes below and including `root`, children before parents, each once.
    pub(crate) fn post_order(&self, root: Id) -> Vec<Id> {
        let mut seen = vec![false; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut pending = vec![(root, false)];
        while let Some((id, done)) = pending.pop() {
            if done {
                order.push(id);
            } else if !std::mem::replace(&mut seen[id as usize], true) {
                pending.push((id, true));
                pending.extend(children(self.kind(id)).into_iter().rev().map(|child| (child, false)));
            }
        }
        order
    }
}

/// Whether two nodes are the same but for their parts.
fn is_alike(left: &Kind, right: &Kind) -> bool {
    match (left, right) {
        (Kind::Nil, Kind::Nil)
        | (Kind::Chain(_), Kind::Chain(_))
        | (Kind::Call { .. }, Kind::Call { .. })
        | (Kind::Predicate(_), Kind::Predicate(_))
        | (Kind::Sequence(_), Kind::Sequence(_))
        | (Kind::Conditional { .. }, Kind::Conditional { .. })
        | (Kind::List(_), Kind::List(_))
        | (Kind::Map(_), Kind::Map(_)) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Int(a), Kind::Int(b)) => a == b,
        (Kind::Float(a), Kind::Float(b)) => a == b,
        (Kind::Text(a), Kind::Text(b)) => a == b,
        (Kind::Bytes(a), Kind::Bytes(b)) => a == b,
        (Kind::Constant(a), Kind::Constant(b)) | (Kind::Set(a), Kind::Set(b)) => {
            deep_equal(a, b, &mut || Ok::<(), ()>(())) == Ok(true)
        }
        (Kind::Identifier(a), Kind::Identifier(b)) | (Kind::Pointer(a), Kind::Pointer(b)) => a == b,
        (Kind::Unary(a, _), Kind::Unary(b, _)) => a == b,
        (Kind::Binary(a, ..), Kind::Binary(b, ..)) => a == b,
        (Kind::Member(a), Kind::Member(b)) => a.optional == b.optional,
        (Kind::Slice { from: a, to: c, .. }, Kind::Slice { from: b, to: d, .. }) => {
            a.is_some() == b.is_some() && c.is_some() == d.is_some()
        }
        (Kind::Builtin(a), Kind::Builtin(b)) => a.name == b.name,
        (Kind::Let { name: a, .. }, Kind::Let { name: b, .. }) => a == b,
        _ => false,
    }
}

/// The nodes directly below one of this kind, in the order in which the reference visits them.
pub(crate) fn children(kind: &Kind) -> Vec<Id> {
    match kind {
        Kind::Unary(_, node) | Kind::Chain(node) | Kind::Predicate(node) => vec![*node],
        Kind::Binary(_, left, right) => vec![*left, *right],
        Kind::Member(member) => vec![member.node, member.property],
        Kind::Slice { node, from, to } => [Some(*node), *from, *to].into_iter().flatten().collect(),
        Kind::Call { callee, args } => std::iter::once(*callee).chain(args.iter().copied()).collect(),
        Kind::Builtin(builtin) => builtin.args.clone(),
        Kind::Let { value, body, .. } => vec![*value, *body],
        Kind::Sequence(nodes) | Kind::List(nodes) => nodes.clone(),
        Kind::Conditional { condition, then, otherwise } => vec![*condition, *then, *otherwise],
        Kind::Map(pairs) => pairs.iter().flat_map(|(k, v)| [*k, *v]).collect(),
        _ => Vec::new(),
    }
}
