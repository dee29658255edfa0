//! Tokens to a syntax tree.

mod operands;
mod postfix;

use crate::ast::{Binary, Id, Kind, Tree, Unary};
use crate::error::CompileError;
use crate::lexer::{Lexer, Token, TokenKind};

/// How many nodes an expression may have; the reference's limit.
const MAX_NODES: usize = 10_000;

/// How deep an expression may be nested. The reference has no such limit, because its stack grows.
const MAX_DEPTH: usize = 120;

/// How deep its tree may be, where a chain of members, too, is one level for each.
const MAX_TREE_DEPTH: usize = 200;

type Parsed<T> = Result<T, CompileError>;

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
        Err(CompileError::syntax(self.current.at, message))
    }

    fn unexpected(&self) -> CompileError {
        CompileError::syntax(self.current.at, format!("unexpected token {}", self.current))
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
            return Err(CompileError::budget(self.current.at, message));
        }
        Ok(())
    }

    fn create(&mut self, kind: Kind, at: u32) -> Parsed<Id> {
        self.count()?;
        let id = self.tree.push(kind, at);
        self.tree.span_from(id, self.last_end);
        if self.tree.node(id).depth > MAX_TREE_DEPTH {
            return Err(CompileError::budget(at, "expression is nested too deeply"));
        }
        Ok(id)
    }

    /// Runs a part of the grammar one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CompileError::budget(self.current.at, "expression is nested too deeply"));
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
                return Err(CompileError::syntax(operator.at, message));
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
}
