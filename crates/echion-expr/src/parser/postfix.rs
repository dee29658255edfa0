//! Members, indices and slices.

use echion_value::Str;

use super::{Parsed, Parser};
use crate::ast::{Id, Kind, Member};
use crate::lexer::TokenKind;

impl Parser {
    /// Members, indices, slices and calls behind an operand.
    pub(super) fn postfix(&mut self, node: Id) -> Parsed<Id> {
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
