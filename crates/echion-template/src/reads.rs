//! What a template may read, known without rendering it: only what it reads has to be there, and only when that changes does
//! it have to be rendered again.

use std::collections::{BTreeMap, BTreeSet};

use crate::Template;
use crate::function::Callee;
use crate::tree::{Block, Branch, Command, Expr, ExprKind, Node, Pipe};

/// Longer paths, more rounds and more steps along paths are not followed: everything may be read then.
const LONGEST: usize = 16;
const ROUNDS: usize = 32;
const WORK: usize = 1 << 16;

/// What a template may read and use. It may do less; it never does more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Paths from the data, such as `app`, `status`, `sync`; all below the last name may be read.
    pub paths: BTreeSet<Vec<String>>,
    /// Whether it may read anything.
    pub everything: bool,
    /// Whether it calls functions or methods that the data hold. The paths name them.
    pub calls: bool,
    /// Whether it asks for the time, besides what functions of the data do.
    pub clock: bool,
    /// Whether it uses randomness.
    pub random: bool,
    /// Whether it looks up host names.
    pub network: bool,
}

/// The places of the data that a value may come from; none for what was made, and for parts of what has been read as a whole.
type Origins<'t> = BTreeSet<Vec<&'t str>>;

impl Template {
    /// What the template may read and use.
    #[must_use]
    pub fn reads(&self) -> Reads {
        let mut analysis = Analysis::new(self);
        analysis.dots.insert(&self.name, Origins::from([Vec::new()]));
        for _ in 0..ROUNDS {
            analysis.changed = false;
            let reached: Vec<_> = analysis.dots.iter().map(|(name, dot)| (*name, dot.clone())).collect();
            for (name, dot) in reached {
                analysis.current = name;
                analysis.learn("$", dot.clone());
                if let Some(body) = self.trees.get(name) {
                    analysis.block(body, &dot);
                }
            }
            if analysis.is_too_much() {
                break;
            }
            if !analysis.changed {
                return analysis.result();
            }
        }
        Reads { everything: true, calls: true, clock: true, random: true, network: true, ..Reads::default() }
    }
}

struct Analysis<'t> {
    current: &'t str,
    /// What each template that is reached is executed over.
    dots: BTreeMap<&'t str, Origins<'t>>,
    /// What each variable of each template may hold, whatever the scope.
    variables: BTreeMap<(&'t str, &'t str), Origins<'t>>,
    /// Paths that were walked along, whether or not anything came of it.
    touched: Origins<'t>,
    reads: Reads,
    /// Whether something was learned in this round.
    changed: bool,
    work: usize,
}

impl<'t> Analysis<'t> {
    fn new(template: &'t Template) -> Self {
        Self {
            current: &template.name,
            dots: BTreeMap::new(),
            variables: BTreeMap::new(),
            touched: Origins::new(),
            reads: Reads::default(),
            changed: false,
            work: 0,
        }
    }

    /// Whether it takes too long to know better than that everything may be read.
    fn is_too_much(&self) -> bool {
        self.work >= WORK
    }

    /// The reads, without those that are below others.
    fn result(mut self) -> Reads {
        for path in self.touched {
            let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
            // What begins with a path is right behind it in the order.
            if !self.reads.paths.range(path.clone()..).next().is_some_and(|read| read.starts_with(&path)) {
                self.reads.paths.insert(path);
            }
        }
        let all = self.reads.paths.clone();
        let above = |path: &[String]| (1..path.len()).any(|length| path.get(..length).is_some_and(|p| all.contains(p)));
        self.reads.paths.retain(|path| !above(path));
        self.reads
    }

    fn learn(&mut self, variable: &'t str, origins: Origins<'t>) {
        let known = self.variables.entry((self.current, variable)).or_default();
        let before = known.len();
        known.extend(origins);
        self.changed |= known.len() > before;
    }

    /// The value is read as a whole.
    fn read(&mut self, origins: &Origins<'t>) {
        for path in origins {
            if path.is_empty() {
                self.reads.everything = true;
            } else {
                self.reads.paths.insert(path.iter().map(|name| (*name).to_owned()).collect());
            }
        }
    }

    fn walk(&mut self, origins: &Origins<'t>, names: &'t [Box<str>]) -> Origins<'t> {
        let mut further = Origins::new();
        for path in origins {
            self.work += 1;
            if self.is_too_much() {
                break;
            }
            let mut path = path.clone();
            path.extend(names.iter().map(|name| &**name));
            if path.len() > LONGEST {
                self.work = WORK;
            } else {
                if !path.is_empty() {
                    self.touched.insert(path.clone());
                }
                further.insert(path);
            }
        }
        further
    }

    fn block(&mut self, block: &'t Block, dot: &Origins<'t>) {
        for node in &block.nodes {
            self.node(node, dot);
        }
    }

    fn node(&mut self, node: &'t Node, dot: &Origins<'t>) {
        self.work += dot.len();
        if self.is_too_much() {
            return;
        }
        // What a loop or `with` puts into the dot has been read as a whole.
        let made = Origins::new();
        match node {
            Node::Text(..) | Node::Break | Node::Continue => {}
            Node::Action(action) => {
                let value = self.pipeline(&action.pipe, dot);
                if action.pipe.variables.is_empty() {
                    self.read(&value);
                }
            }
            Node::If(branches, otherwise) => self.branches(branches, otherwise.as_ref(), dot, dot),
            Node::With(branches, otherwise) => self.branches(branches, otherwise.as_ref(), dot, &made),
            Node::Range(branch, otherwise) => {
                self.branches(std::slice::from_ref(branch), otherwise.as_ref(), dot, &made);
            }
            Node::Template(invocation) => {
                let argument = invocation.pipe.as_ref().map(|pipe| self.pipeline(pipe, dot)).unwrap_or_default();
                let fresh = !self.dots.contains_key(invocation.name.as_str());
                let known = self.dots.entry(&invocation.name).or_default();
                let before = known.len();
                known.extend(argument);
                self.changed |= fresh || known.len() > before;
            }
        }
    }

    fn branches(
        &mut self,
        branches: &'t [Branch],
        otherwise: Option<&'t Block>,
        dot: &Origins<'t>,
        inside: &Origins<'t>,
    ) {
        for branch in branches {
            let value = self.pipeline(&branch.pipe, dot);
            self.read(&value);
            self.block(&branch.body, inside);
        }
        if let Some(block) = otherwise {
            self.block(block, dot);
        }
    }

    fn pipeline(&mut self, pipe: &'t Pipe, dot: &Origins<'t>) -> Origins<'t> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last));
        }
        let value = last.unwrap_or_default();
        for variable in &pipe.variables {
            self.learn(variable, value.clone());
        }
        value
    }

    fn command(&mut self, command: &'t Command, dot: &Origins<'t>, last: Option<Origins<'t>>) -> Origins<'t> {
        let Some((first, arguments)) = command.args.split_first() else { return Origins::new() };
        let called = !arguments.is_empty() || last.is_some();
        let value = self.operand(first, dot);
        for argument in arguments {
            let argument = self.operand(argument, dot);
            self.read(&argument);
        }
        self.read(&last.unwrap_or_default());
        if !called {
            return value;
        }
        // A method, unless it is a function.
        self.reads.calls |= !matches!(first.kind, ExprKind::Function(..));
        self.read(&value);
        Origins::new()
    }

    fn operand(&mut self, expr: &'t Expr, dot: &Origins<'t>) -> Origins<'t> {
        match &expr.kind {
            ExprKind::Nil | ExprKind::Bool(..) | ExprKind::Number(_) | ExprKind::Text(..) => Origins::new(),
            ExprKind::Dot => dot.clone(),
            ExprKind::Field(names) => self.walk(dot, names),
            ExprKind::Variable(name, names) => {
                let origins = self.variables.get(&(self.current, &**name)).cloned().unwrap_or_default();
                self.work += origins.len();
                self.walk(&origins, names)
            }
            ExprKind::Chain(inner, names) => {
                let origins = self.operand(inner, dot);
                self.walk(&origins, names)
            }
            ExprKind::Pipe(pipe) => self.pipeline(pipe, dot),
            ExprKind::Function(_, callee) => {
                match callee {
                    Callee::Call => self.reads.calls = true,
                    Callee::Function(function) => {
                        self.reads.clock |= function.uses.clock;
                        self.reads.random |= function.uses.random;
                        self.reads.network |= function.uses.network;
                    }
                    Callee::And | Callee::Or | Callee::Len => {}
                }
                Origins::new()
            }
        }
    }
}
