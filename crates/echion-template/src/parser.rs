//! Tokens to a tree: text, blocks, definitions; what is inside of actions is in `pipeline`.

mod pipeline;

use std::borrow::Cow;
use std::collections::HashMap;

use echion_value::{Str, strconv};

use crate::error::{Error, Phase};
use crate::function::Functions;
use crate::lexer::Lexer;
use crate::token::{Kind, Token};
use crate::tree::{Action, Block, Branch, Invocation, Node};

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
}
