//! Tokens to a syntax tree.

use std::sync::Arc;

use echion_value::Str;

use crate::ast::{Binary, Builtin, Id, Kind, Member, Tree, Unary};
use crate::builtins;
use crate::error::Finding;
use crate::lexer::{Lexer, Token, TokenKind};
use crate::literal::number;

/// How many nodes an expression may have; the reference's limit.
const MAX_NODES: usize = 10_000;

/// How deep an expression may be nested. The reference has no such limit, because its stack grows.
const MAX_DEPTH: usize = 120;

/// How deep its tree may be, where a chain of members, too, is one level for each.
const MAX_TREE_DEPTH: usize = 200;

type Parsed<T> = Result<T, Finding>;

/// The tree of `source` and its root.
pub(crate) fn parse(source: &str) -> Parsed<(Tree, Id)> {
    let start = Token { kind: TokenKind::End, at: 0, end: 0, value: Vec::new() };
    let mut parser = Parser {
        lexer: Lexer::new(source),
        current: start,
        last_end: 0,
        stash: None,
        tree: Tree::default(),
        nodes: 0,
        predicates: 0,
        depth: 0,
    };
    parser.next()?;
    let root = parser.sequence()?;
    if parser.current.kind != TokenKind::End {
        return Err(parser.unexpected());
    }
    Ok((parser.tree, root))
}

struct Parser {
    lexer: Lexer,
    current: Token,
    /// Where the token before the current one ends.
    last_end: u32,
    /// A token that was read too early.
    stash: Option<Token>,
    tree: Tree,
    nodes: usize,
    /// How many predicates surround the current token.
    predicates: usize,
    depth: usize,
}

impl Parser {
    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(Finding::syntax(self.current.at, message))
    }

    fn unexpected(&self) -> Finding {
        Finding::syntax(self.current.at, format!("unexpected token {}", self.current))
    }

    fn next(&mut self) -> Parsed<()> {
        self.last_end = self.current.end;
        self.current = match self.stash.take() {
            Some(token) => token,
            None => match self.lexer.next_token()? {
                Some(token) => token,
                None => return self.fail("unexpected end of expression"),
            },
        };
        Ok(())
    }

    fn is_operator(&self, text: &str) -> bool {
        self.current.is(TokenKind::Operator, text)
    }

    fn is_bracket(&self, text: &str) -> bool {
        self.current.is(TokenKind::Bracket, text)
    }

    fn expect(&mut self, kind: TokenKind, text: &str) -> Parsed<()> {
        if !self.current.is(kind, text) {
            return Err(self.unexpected());
        }
        self.next()
    }

    fn expect_identifier(&mut self) -> Parsed<Token> {
        if self.current.kind != TokenKind::Identifier {
            return Err(self.unexpected());
        }
        let token = self.current.clone();
        self.next()?;
        Ok(token)
    }

    fn count(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = "compilation failed: expression exceeds maximum allowed nodes";
            return Err(Finding::budget(self.current.at, message));
        }
        Ok(())
    }

    fn create(&mut self, kind: Kind, at: u32) -> Parsed<Id> {
        self.count()?;
        let id = self.tree.push(kind, at);
        self.tree.span_from(id, self.last_end);
        if self.tree.node(id).depth > MAX_TREE_DEPTH {
            return Err(Finding::budget(at, "expression is nested too deeply"));
        }
        Ok(id)
    }

    /// Runs a part of the grammar one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Finding::budget(self.current.at, "expression is nested too deeply"));
        }
        let result = part(self);
        self.depth -= 1;
        result
    }

    fn sequence(&mut self) -> Parsed<Id> {
        let first = self.expression(0)?;
        let mut nodes = vec![first];
        while self.is_operator(";") {
            self.next()?;
            if self.current.kind == TokenKind::End {
                break;
            }
            nodes.push(self.expression(0)?);
        }
        if nodes.len() == 1 {
            return Ok(first);
        }
        let at = self.tree.at(first);
        self.create(Kind::Sequence(nodes), at)
    }

    fn expression(&mut self, precedence: u32) -> Parsed<Id> {
        self.nested(|parser| {
            if precedence > 0 {
                return parser.operators(precedence);
            }
            if parser.is_operator("let") {
                return parser.declaration();
            }
            if parser.is_operator("if") {
                return parser.conditional_if();
            }
            let node = parser.operators(precedence)?;
            parser.ternary(node)
        })
    }

    /// An operand and the binary operators behind it that bind at least as tightly as `precedence`.
    fn operators(&mut self, precedence: u32) -> Parsed<Id> {
        let mut left = self.primary()?;
        let mut coalesced = false;
        while self.current.kind == TokenKind::Operator {
            let mut operator = self.current.clone();
            let negated = operator.is(TokenKind::Operator, "not");
            if negated {
                let (not, before) = (operator, self.last_end);
                self.next()?;
                match Binary::of(self.current.word()) {
                    Some(binary) if binary.may_be_negated() && binary.precedence() >= precedence => {
                        operator = self.current.clone();
                    }
                    Some(binary) if binary.may_be_negated() => {
                        self.stash = Some(std::mem::replace(&mut self.current, not));
                        self.last_end = before;
                        break;
                    }
                    _ => return Err(self.unexpected()),
                }
            }
            if precedence == 0 && operator.is(TokenKind::Operator, "|") {
                self.next()?;
                let name = self.expect_identifier()?;
                left = self.call(&name, vec![left])?;
                coalesced = false;
                continue;
            }
            let Some(binary) = Binary::of(operator.word()).filter(|b| b.precedence() >= precedence) else { break };
            self.next()?;
            if coalesced && binary != Binary::Coalesce {
                let message = format!(
                    "Operator ({}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses.",
                    binary.text()
                );
                return Err(Finding::syntax(operator.at, message));
            }
            if binary.is_ordering() {
                left = self.comparison(left, binary, operator.at)?;
            } else {
                let own = binary.precedence();
                let right = self.expression(if binary.is_right_associative() { own } else { own + 1 })?;
                left = self.create(Kind::Binary(binary, left, right), operator.at)?;
                if negated {
                    left = self.create(Kind::Unary(Unary::Not, left), operator.at)?;
                }
            }
            coalesced = binary == Binary::Coalesce;
        }
        Ok(left)
    }

    /// `a < b < c` is `a < b && b < c`.
    fn comparison(&mut self, left: Id, first: Binary, first_at: u32) -> Parsed<Id> {
        let (mut left, mut operator, mut at) = (left, first, first_at);
        let mut root = None;
        loop {
            let right = self.expression(operator.precedence() + 1)?;
            let compared = self.create(Kind::Binary(operator, left, right), at)?;
            let whole = match root {
                None => compared,
                Some(root) => self.create(Kind::Binary(Binary::AndAnd, root, compared), at)?,
            };
            root = Some(whole);
            left = right;
            let next = if self.current.kind == TokenKind::Operator { Binary::of(self.current.word()) } else { None };
            match next.filter(|b| b.is_ordering()) {
                None => return Ok(whole),
                Some(next) => {
                    operator = next;
                    at = self.current.at;
                    self.next()?;
                }
            }
        }
    }

    fn declaration(&mut self) -> Parsed<Id> {
        let start = self.current.at;
        self.next()?;
        let name = self.expect_identifier()?;
        self.expect(TokenKind::Operator, "=")?;
        let value = self.expression(0)?;
        self.expect(TokenKind::Operator, ";")?;
        let body = self.sequence()?;
        let node = self.create(Kind::Let { name: name.word().into(), value, body }, name.at)?;
        self.tree.widen(node, start, self.last_end);
        Ok(node)
    }

    fn conditional_if(&mut self) -> Parsed<Id> {
        let start = self.current.at;
        self.next()?;
        let condition = self.expression(0)?;
        let then = self.block()?;
        self.expect(TokenKind::Operator, "else")?;
        let otherwise = if self.is_operator("if") { self.nested(Self::conditional_if)? } else { self.block()? };
        // The reference neither counts nor places this node.
        self.nodes -= 1;
        let node = self.create(Kind::Conditional { condition, then, otherwise }, 0)?;
        self.tree.widen(node, start, self.last_end);
        Ok(node)
    }

    fn block(&mut self) -> Parsed<Id> {
        self.expect(TokenKind::Bracket, "{")?;
        let node = self.sequence()?;
        self.expect(TokenKind::Bracket, "}")?;
        Ok(node)
    }

    fn ternary(&mut self, node: Id) -> Parsed<Id> {
        let mut node = node;
        while self.is_operator("?") {
            self.next()?;
            let then = if self.is_operator(":") { node } else { self.expression(0)? };
            self.expect(TokenKind::Operator, ":")?;
            let otherwise = self.expression(0)?;
            node = self.create(Kind::Conditional { condition: node, then, otherwise }, self.current.at)?;
        }
        Ok(node)
    }

    fn primary(&mut self) -> Parsed<Id> {
        let token = self.current.clone();
        if token.kind == TokenKind::Operator {
            let unary = match token.word() {
                "not" => Some((Unary::Not, 50)),
                "!" => Some((Unary::Bang, 50)),
                "-" => Some((Unary::Minus, 90)),
                "+" => Some((Unary::Plus, 90)),
                _ => None,
            };
            if let Some((unary, precedence)) = unary {
                self.next()?;
                let operand = self.expression(precedence)?;
                let node = self.create(Kind::Unary(unary, operand), token.at)?;
                return self.postfix(node);
            }
            let hash = token.word() == "#";
            if self.predicates > 0 && (hash || token.word() == ".") {
                let mut name = String::new();
                if hash {
                    self.next()?;
                    if self.current.kind == TokenKind::Identifier {
                        name = self.current.word().to_owned();
                        self.next()?;
                    }
                }
                let node = self.create(Kind::Pointer(name.into()), token.at)?;
                return self.postfix(node);
            }
            if token.word() == "::" {
                self.next()?;
                let name = self.expect_identifier()?;
                let node = self.call(&name, Vec::new())?;
                return self.postfix(node);
            }
        }
        if token.is(TokenKind::Bracket, "(") {
            self.next()?;
            let node = self.sequence()?;
            self.expect(TokenKind::Bracket, ")")?;
            self.tree.widen(node, token.at, self.last_end);
            return self.postfix(node);
        }
        self.secondary(&token)
    }

    fn secondary(&mut self, token: &Token) -> Parsed<Id> {
        let node = match token.kind {
            TokenKind::Identifier => {
                self.next()?;
                match token.word() {
                    "true" => return self.create(Kind::Bool(true), token.at),
                    "false" => return self.create(Kind::Bool(false), token.at),
                    "nil" => return self.create(Kind::Nil, token.at),
                    _ if self.is_bracket("(") => self.call(token, Vec::new())?,
                    name => self.create(Kind::Identifier(name.into()), token.at)?,
                }
            }
            TokenKind::Number => {
                self.next()?;
                let kind = number(token.word()).or_else(|message| self.fail(message))?;
                return self.create(kind, token.at);
            }
            TokenKind::Text => {
                self.next()?;
                self.create(Kind::Text(Str::from(token.value.as_slice())), token.at)?
            }
            TokenKind::Bytes => {
                self.next()?;
                self.create(Kind::Bytes(Arc::from(token.value.as_slice())), token.at)?
            }
            TokenKind::Bracket if token.value == b"[" => self.list(token.at)?,
            TokenKind::Bracket if token.value == b"{" => self.map(token.at)?,
            _ => return Err(self.unexpected()),
        };
        self.postfix(node)
    }

    /// The call of a name, with what a pipe has put before the arguments.
    fn call(&mut self, name: &Token, piped: Vec<Id>) -> Parsed<Id> {
        if let Some((name_text, shape)) = builtins::predicate(name.word()) {
            let args = self.predicate_arguments(shape, piped)?;
            return self.builtin(name_text, args, name.at);
        }
        if let Some(builtin) = builtins::find(name.word()) {
            let args = self.arguments(piped)?;
            return self.builtin(builtin.name, args, name.at);
        }
        let callee = self.create(Kind::Identifier(name.word().into()), name.at)?;
        let args = self.arguments(piped)?;
        self.create(Kind::Call { callee, args }, name.at)
    }

    fn builtin(&mut self, name: &'static str, args: Vec<Id>, at: u32) -> Parsed<Id> {
        self.create(Kind::Builtin(Builtin { name, args, must_find: false, enough: None }), at)
    }

    fn predicate_arguments(&mut self, shape: &[builtins::Slot], mut args: Vec<Id>) -> Parsed<Vec<Id>> {
        self.expect(TokenKind::Bracket, "(")?;
        let rest = shape.get(args.len()..).unwrap_or_default();
        for (i, slot) in rest.iter().enumerate() {
            if self.is_bracket(")") {
                if slot.optional {
                    break;
                }
                return self.fail(format!("expected at least {} arguments", rest.len()));
            }
            if i > 0 {
                self.expect(TokenKind::Operator, ",")?;
                if slot.optional && self.is_bracket(")") {
                    break;
                }
            }
            args.push(if slot.predicate { self.predicate()? } else { self.expression(0)? });
        }
        if self.is_operator(",") {
            self.next()?;
        }
        self.expect(TokenKind::Bracket, ")")?;
        Ok(args)
    }

    fn arguments(&mut self, mut args: Vec<Id>) -> Parsed<Vec<Id>> {
        let piped = args.len();
        self.expect(TokenKind::Bracket, "(")?;
        while !self.is_bracket(")") {
            if args.len() > piped {
                self.expect(TokenKind::Operator, ",")?;
                if self.is_bracket(")") {
                    break;
                }
            }
            args.push(self.expression(0)?);
        }
        self.next()?;
        Ok(args)
    }

    fn predicate(&mut self) -> Parsed<Id> {
        let at = self.current.at;
        let braces = self.is_bracket("{");
        self.predicates += 1;
        let node = if braces {
            self.next()?;
            self.sequence()?
        } else {
            self.expression(0)?
        };
        self.predicates -= 1;
        if braces {
            self.expect(TokenKind::Bracket, "}")?;
        } else if self.is_operator(";") {
            return self.fail("wrap predicate with brackets { and }");
        }
        self.create(Kind::Predicate(node), at)
    }

    fn list(&mut self, at: u32) -> Parsed<Id> {
        self.next()?;
        let mut nodes = Vec::new();
        while !self.is_bracket("]") {
            if !nodes.is_empty() {
                self.expect(TokenKind::Operator, ",")?;
                if self.is_bracket("]") {
                    break;
                }
            }
            nodes.push(self.expression(0)?);
        }
        self.next()?;
        self.create(Kind::List(nodes), at)
    }

    fn map(&mut self, at: u32) -> Parsed<Id> {
        self.next()?;
        let mut pairs = Vec::new();
        while !self.is_bracket("}") {
            if !pairs.is_empty() {
                self.expect(TokenKind::Operator, ",")?;
                if self.is_bracket("}") {
                    break;
                }
                if self.is_operator(",") {
                    return Err(self.unexpected());
                }
            }
            let key = match self.current.kind {
                TokenKind::Number | TokenKind::Text | TokenKind::Identifier => {
                    let key = Kind::Text(Str::from(self.current.value.as_slice()));
                    let key = self.create(key, self.current.at)?;
                    self.next()?;
                    key
                }
                TokenKind::Bracket if self.is_bracket("(") => self.expression(0)?,
                _ => {
                    return self.fail(format!(
                        "a map key must be a quoted string, a number, a identifier, or an expression enclosed in \
                         parentheses (unexpected token {})",
                        self.current
                    ));
                }
            };
            self.expect(TokenKind::Operator, ":")?;
            let value = self.expression(0)?;
            self.count()?;
            pairs.push((key, value));
        }
        self.next()?;
        self.create(Kind::Map(pairs), at)
    }

    /// Members, indices, slices and calls behind an operand.
    fn postfix(&mut self, node: Id) -> Parsed<Id> {
        let mut node = node;
        loop {
            let token = self.current.clone();
            let optional = token.is(TokenKind::Operator, "?.");
            if optional || token.is(TokenKind::Operator, ".") {
                self.next()?;
                if optional && self.is_bracket("[") {
                    node = self.index(node, true)?;
                } else {
                    node = self.member(node, optional)?;
                }
            } else if token.is(TokenKind::Bracket, "[") {
                node = self.index(node, false)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn member(&mut self, node: Id, optional: bool) -> Parsed<Id> {
        let name = self.current.clone();
        self.next()?;
        let is_word = |word: &str| word.starts_with(|c: char| c == '_' || c == '$' || c.is_alphabetic());
        match name.kind {
            TokenKind::Identifier => {}
            // Operators that are words are good names, too.
            TokenKind::Operator if is_word(name.word()) => {}
            _ => return self.fail("expected name"),
        }
        let property = self.create(Kind::Text(Str::from(name.word())), name.at)?;
        let (inner, chained) = match self.tree.kind(node) {
            Kind::Chain(inner) => (*inner, true),
            _ => (node, false),
        };
        let method = self.is_bracket("(");
        let mut node = self.create(Kind::Member(Member { node: inner, property, optional, method }), name.at)?;
        if method {
            let args = self.arguments(Vec::new())?;
            node = self.create(Kind::Call { callee: node, args }, name.at)?;
        }
        if chained || optional {
            node = self.create(Kind::Chain(node), name.at)?;
        }
        Ok(node)
    }

    fn index(&mut self, node: Id, optional: bool) -> Parsed<Id> {
        let at = self.current.at;
        self.next()?;
        let from = if self.is_operator(":") { None } else { Some(self.expression(0)?) };
        if self.is_operator(":") {
            self.next()?;
            let to = if self.is_bracket("]") { None } else { Some(self.expression(0)?) };
            let node = self.create(Kind::Slice { node, from, to }, at)?;
            self.expect(TokenKind::Bracket, "]")?;
            self.tree.widen(node, self.tree.node(node).span.0, self.last_end);
            return Ok(node);
        }
        let Some(property) = from else { return Err(self.unexpected()) };
        let mut node = self.create(Kind::Member(Member { node, property, optional, method: false }), at)?;
        if optional {
            node = self.create(Kind::Chain(node), at)?;
        }
        self.expect(TokenKind::Bracket, "]")?;
        self.tree.widen(node, self.tree.node(node).span.0, self.last_end);
        Ok(node)
    }
}
