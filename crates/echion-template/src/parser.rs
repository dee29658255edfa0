//! Tokens to a tree.

use std::borrow::Cow;
use std::collections::HashMap;

use echion_value::{Str, Value, strconv};

use crate::error::{Error, Phase};
use crate::function::Functions;
use crate::lexer::Lexer;
use crate::number::Number;
use crate::token::{Kind, Token};
use crate::tree::{Action, Block, Branch, Command, Expr, ExprKind, Invocation, Node, Pipe};

/// How deep parentheses and blocks may be nested.
const DEPTH: usize = 200;

/// Every template that a text defines, by name.
pub(crate) type Trees = HashMap<String, Block>;

type Parsed<T> = Result<T, Box<Error>>;

/// Parses `text` as the template `name`, with all templates it defines.
pub(crate) fn parse(name: &str, text: &str, functions: &Functions) -> Parsed<Trees> {
    let mut parser = Parser {
        name,
        text,
        functions,
        lexer: Lexer::new(text),
        tokens: [NOTHING, NOTHING, NOTHING],
        waiting: 0,
        scope: Scope::default(),
        action_line: 0,
        depth: 0,
        trees: HashMap::new(),
    };
    parser.file()?;
    Ok(parser.trees)
}

const NOTHING: Token<'static> = Token { kind: Kind::Eof, at: 0, text: Cow::Borrowed(""), line: 1 };

/// What one template sees: its variables, and whether there is a loop to break.
struct Scope {
    variables: Vec<Box<str>>,
    loops: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self { variables: vec!["$".into()], loops: 0 }
    }
}

/// What ends a list of nodes.
enum Stop {
    End,
    Else,
}

impl Stop {
    fn describe(&self) -> &'static str {
        match self {
            Stop::End => "{{end}}",
            Stop::Else => "{{else}}",
        }
    }
}

enum Item {
    Node(Node),
    Stop(Stop),
}

struct Parser<'s> {
    name: &'s str,
    text: &'s str,
    functions: &'s Functions,
    lexer: Lexer<'s>,
    /// Up to three tokens that were read ahead; the first is the last one read.
    tokens: [Token<'s>; 3],
    waiting: usize,
    scope: Scope,
    /// Where the current action started, 0 outside of actions.
    action_line: usize,
    depth: usize,
    trees: Trees,
}

impl<'s> Parser<'s> {
    fn next(&mut self) -> Token<'s> {
        if self.waiting > 0 {
            self.waiting -= 1;
        } else {
            self.tokens[0] = self.lexer.next_token();
        }
        self.tokens.get(self.waiting).cloned().unwrap_or(NOTHING)
    }

    fn backup(&mut self) {
        self.waiting += 1;
    }

    fn peek(&mut self) -> Token<'s> {
        let token = self.next();
        self.backup();
        token
    }

    fn next_word(&mut self) -> Token<'s> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_word(&mut self) -> Token<'s> {
        let token = self.next_word();
        self.backup();
        token
    }

    fn fail<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        let token = &self.tokens[0];
        let message = format!("template: {}:{}: {message}", self.name, token.line);
        Err(Error::new(Phase::Parse, message, self.text, token.at))
    }

    fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.fail(format_args!("unexpected {} in {context}", token.describe()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            let word = if token.text.ends_with(" action") { "" } else { " in action" };
            extra = format!("{word} started at {}:{}", self.name, self.action_line);
        }
        self.fail(format_args!("{}{extra}", token.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'s>> {
        let token = self.next_word();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    /// The whole text: nodes and definitions.
    fn file(&mut self) -> Parsed<()> {
        let mut root = Block::default();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delimiter = self.next();
                if self.next_word().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                // Two tokens back: the delimiter, and the word that was read last.
                self.tokens[1] = delimiter;
                self.waiting = 2;
            }
            match self.text_or_action()? {
                Item::Node(node) => root.nodes.push(node),
                Item::Stop(stop) => return self.fail(format_args!("unexpected {}", stop.describe())),
            }
        }
        self.add(self.name.to_owned(), root)
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let token = self.next_word();
        let name = self.template_name(&token, context)?;
        self.expect(Kind::RightDelim, context)?;
        let body = self.own_block(context)?;
        self.add(name, body)
    }

    /// The body of a template of its own, which sees no variables of the surrounding one.
    fn own_block(&mut self, context: &str) -> Parsed<Block> {
        let outer = std::mem::take(&mut self.scope);
        let (body, stop) = self.block()?;
        self.scope = outer;
        match stop {
            Stop::End => Ok(body),
            Stop::Else => self.fail(format_args!("unexpected {} in {context}", stop.describe())),
        }
    }

    fn add(&mut self, name: String, body: Block) -> Parsed<()> {
        match self.trees.get(&name) {
            Some(there) if !there.is_blank() => {
                if !body.is_blank() {
                    let quoted = strconv::quote(name.as_bytes());
                    return self.fail(format_args!("template: multiple definition of template {quoted}"));
                }
            }
            _ => {
                self.trees.insert(name, body);
            }
        }
        Ok(())
    }

    fn block(&mut self) -> Parsed<(Block, Stop)> {
        self.deeper()?;
        let mut block = Block::default();
        while self.peek_word().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => block.nodes.push(node),
                Item::Stop(stop) => {
                    self.depth -= 1;
                    return Ok((block, stop));
                }
            }
        }
        self.fail("unexpected EOF")
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > DEPTH { self.fail("max expression depth exceeded") } else { Ok(()) }
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_word();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.at, token.text.into()))),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action()?;
                self.action_line = 0;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_word();
        let node = match token.kind {
            Kind::Block => self.block_action()?,
            Kind::Break => {
                self.loop_word("{{break}}")?;
                Node::Break
            }
            Kind::Continue => {
                self.loop_word("{{continue}}")?;
                Node::Continue
            }
            Kind::Else => {
                if !matches!(self.peek_word().kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Item::Stop(Stop::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::Stop(Stop::End));
            }
            Kind::If => {
                let (branches, otherwise) = self.branches("if", Some(Kind::If))?;
                Node::If(branches, otherwise)
            }
            Kind::With => {
                let (branches, otherwise) = self.branches("with", Some(Kind::With))?;
                Node::With(branches, otherwise)
            }
            Kind::Range => {
                let (mut branches, otherwise) = self.branches("range", None)?;
                match branches.pop() {
                    Some(branch) => Node::Range(Box::new(branch), otherwise),
                    None => return self.fail("unexpected EOF"),
                }
            }
            Kind::Template => self.template_action()?,
            _ => {
                self.backup();
                let at = self.peek().at;
                Node::Action(Action { at, pipe: self.pipeline("command", Kind::RightDelim)? })
            }
        };
        Ok(Item::Node(node))
    }

    fn loop_word(&mut self, word: &str) -> Parsed<()> {
        self.expect(Kind::RightDelim, word)?;
        if self.scope.loops == 0 { self.fail(format_args!("{word} outside {{{{range}}}}")) } else { Ok(()) }
    }

    /// An `if`, `with` or `range` with all that follows up to its `end`. `chained` is the word that may follow `else`.
    fn branches(&mut self, context: &str, chained: Option<Kind>) -> Parsed<(Vec<Branch>, Option<Block>)> {
        let variables = self.scope.variables.len();
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let pipe = self.pipeline(context, Kind::RightDelim)?;
            self.scope.loops += usize::from(context == "range");
            let (body, stop) = self.block()?;
            self.scope.loops -= usize::from(context == "range");
            branches.push(Branch { pipe, body });
            if matches!(stop, Stop::End) {
                break;
            }
            if Some(self.peek().kind) == chained {
                self.next();
                continue;
            }
            let (body, stop) = self.block()?;
            if matches!(stop, Stop::Else) {
                return self.fail(format_args!("expected end; found {}", stop.describe()));
            }
            otherwise = Some(body);
            break;
        }
        self.scope.variables.truncate(variables);
        Ok((branches, otherwise))
    }

    fn block_action(&mut self) -> Parsed<Node> {
        let context = "block clause";
        let token = self.next_word();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let body = self.own_block(context)?;
        self.add(name.clone(), body)?;
        Ok(Node::Template(Box::new(Invocation { at: token.at, name, pipe: Some(pipe) })))
    }

    fn template_action(&mut self) -> Parsed<Node> {
        let context = "template clause";
        let token = self.next_word();
        let name = self.template_name(&token, context)?;
        let mut pipe = None;
        if self.next_word().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(context, Kind::RightDelim)?);
        }
        Ok(Node::Template(Box::new(Invocation { at: token.at, name, pipe })))
    }

    fn template_name(&mut self, token: &Token<'s>, context: &str) -> Parsed<String> {
        match token.kind {
            Kind::String | Kind::RawString => {
                let name = self.unquote(token)?;
                Ok(name.to_text().into_owned())
            }
            _ => self.unexpected(token, context),
        }
    }

    fn unquote(&self, token: &Token<'s>) -> Parsed<Str> {
        match strconv::unquote(token.text.as_bytes()) {
            Some(text) => Ok(Str::from(text)),
            None => self.fail("invalid syntax"),
        }
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
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
