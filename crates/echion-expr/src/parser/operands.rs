//! Operands: literals, names, calls, predicates, and what is in brackets.

use std::sync::Arc;

use echion_value::Str;

use super::{Parsed, Parser};
use crate::ast::{Builtin, Id, Kind, Unary};
use crate::builtins;
use crate::lexer::{Token, TokenKind};
use crate::literal::number;

impl Parser {
    pub(super) fn primary(&mut self) -> Parsed<Id> {
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

    pub(super) fn secondary(&mut self, token: &Token) -> Parsed<Id> {
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
    pub(super) fn call(&mut self, name: &Token, piped: Vec<Id>) -> Parsed<Id> {
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
        self.create(Kind::Builtin(Builtin { name, args, must_find: false, mapped: None, enough: None }), at)
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

    pub(super) fn arguments(&mut self, mut args: Vec<Id>) -> Parsed<Vec<Id>> {
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
}
