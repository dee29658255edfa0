//! Pipelines, commands and operands.

use echion_value::{Value, strconv};

use super::{Parsed, Parser};
use crate::number::Number;
use crate::token::Kind;
use crate::tree::{Command, Expr, ExprKind, Pipe};

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let mut pipe = Pipe { at: self.peek_word().at, ..Pipe::default() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_word();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        self.check(&pipe, context)?;
        Ok(pipe)
    }

    /// `$x :=`, `$x =` and, for loops, `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        loop {
            let variable = self.peek_word();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.next();
            // A space is a token, so telling `$x foo` from `$x := foo` takes three tokens.
            let after = self.peek();
            let next = self.peek_word();
            let declares = matches!(next.kind, Kind::Assign | Kind::Declare);
            let comma = next.kind == Kind::Char && next.text == ",";
            if !declares && !comma {
                if after.kind == Kind::Space {
                    self.tokens[1] = after;
                    self.tokens[2] = variable;
                    self.waiting = 3;
                } else {
                    self.tokens[1] = variable;
                    self.waiting = 2;
                }
                return Ok(());
            }
            self.next_word();
            let name: Box<str> = variable.text.into();
            pipe.variables.push(name.clone());
            self.scope.variables.push(name);
            if declares {
                pipe.assigns = next.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() > 1 {
                return self.fail(format_args!("too many declarations in {context}"));
            }
            if !matches!(self.peek_word().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return self.fail("range can only initialize variables");
            }
        }
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.fail(format_args!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = command.args.first().map(|arg| &arg.kind);
            if let Some(ExprKind::Bool(..) | ExprKind::Dot | ExprKind::Nil | ExprKind::Number(_) | ExprKind::Text(..)) =
                first
            {
                return self.fail(format_args!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command { at: self.peek_word().at, args: Vec::new() };
        loop {
            self.peek_word();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() { self.fail("empty command") } else { Ok(command) }
    }

    /// A term and the fields behind it.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let next = self.peek();
        if next.kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            let field = self.next();
            fields.push(Box::from(field.text.strip_prefix('.').unwrap_or(&field.text)));
        }
        let kind = match term.kind {
            ExprKind::Field(mut names) => {
                names.append(&mut fields);
                ExprKind::Field(names)
            }
            ExprKind::Variable(name, mut names) => {
                names.append(&mut fields);
                ExprKind::Variable(name, names)
            }
            ExprKind::Bool(..) | ExprKind::Text(..) | ExprKind::Number(_) | ExprKind::Nil | ExprKind::Dot => {
                let quoted = strconv::quote(term.to_string().as_bytes());
                return self.fail(format_args!("unexpected . after term {quoted}"));
            }
            _ => ExprKind::Chain(Box::new(term), fields),
        };
        Ok(Some(Expr { at: next.at, kind }))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_word();
        let text = token.text.as_ref();
        let kind = match token.kind {
            Kind::Identifier => match self.functions.callee(text) {
                Some(callee) => ExprKind::Function(text.into(), callee),
                None => {
                    let quoted = strconv::quote(text.as_bytes());
                    return self.fail(format_args!("function {quoted} not defined"));
                }
            },
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => {
                if !self.scope.variables.iter().any(|v| v.as_ref() == text) {
                    return self.fail(format_args!("undefined variable {}", strconv::quote(text.as_bytes())));
                }
                ExprKind::Variable(text.into(), Vec::new())
            }
            Kind::Field => ExprKind::Field(vec![text.strip_prefix('.').unwrap_or(text).into()]),
            Kind::Bool => ExprKind::Bool(text == "true", Value::Bool(text == "true")),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let number = match token.kind {
                    Kind::CharConstant => Number::from_char(text),
                    Kind::Complex => Number::from_complex(text),
                    _ => Number::parse(text),
                };
                match number {
                    Ok(number) => ExprKind::Number(Box::new(number)),
                    Err(message) => return self.fail(message),
                }
            }
            Kind::LeftParen => {
                self.deeper()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                ExprKind::Pipe(Box::new(Pipe { at: pipe.at, ..pipe }))
            }
            Kind::String | Kind::RawString => ExprKind::Text(text.into(), Value::Str(self.unquote(&token)?)),
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        let at = match &kind {
            ExprKind::Pipe(pipe) => pipe.at,
            _ => token.at,
        };
        Ok(Some(Expr { at, kind }))
    }
}
