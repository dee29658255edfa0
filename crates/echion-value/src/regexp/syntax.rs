//! Go's regular expression syntax, parsed and written anew for the `regex` crate.
//!
//! Every construct is checked by Go's rules and emitted in a form that means the same to the crate whatever its flags: a
//! character becomes a code point escape, a class a bracket expression without set operations, a flag a group around what
//! it applies to. So nothing of the pattern itself reaches the crate's parser.

use std::fmt::Write as _;

use super::class;
use super::token::{Max, class_char, counts, escaped, unicode_class};

/// How deep groups and repetitions may nest. Go allows 1000 levels; the crate compiles recursively on the caller's stack,
/// and this many levels take less than 1 MiB of it without optimisation.
const MAX_DEPTH: usize = 60;
/// How long a pattern may be, so that parsing cannot exhaust memory either.
const MAX_LENGTH: usize = 256 << 10;
/// The highest repeat count, also of repetitions inside each other.
const MAX_REPEAT: i64 = 1_000;

/// A pattern that Go refuses: what is wrong and the part of the pattern that is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError<'a> {
    pub(super) code: &'static str,
    pub(super) at: &'a str,
}

/// A pattern for the crate.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The name of each group, the whole match first; empty for groups without a name.
    pub(super) names: Vec<String>,
}

/// Translates a pattern of Go.
pub(super) fn translate(pattern: &str) -> Result<Translated, SyntaxError<'_>> {
    if pattern.len() > MAX_LENGTH {
        return Err(fail("expression too large", pattern));
    }
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        flags: Flags::default(),
        names: vec![String::new()],
        outer: Vec::new(),
        frame: Frame::default(),
    };
    parser.run()?;
    Ok(Translated { pattern: parser.frame.out, names: parser.names })
}

pub(super) fn fail<'a>(code: &'static str, at: &'a str) -> SyntaxError<'a> {
    SyntaxError { code, at }
}

/// The part of `from` that has been read when `rest` is left.
pub(super) fn read<'a>(from: &'a str, rest: &str) -> &'a str {
    from.get(..from.len().saturating_sub(rest.len())).unwrap_or(from)
}

pub(super) fn split_char(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    chars.next().map(|c| (c, chars.as_str()))
}

/// The flags `i`, `m`, `s` and `U`.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

/// What is open: a group or the whole pattern.
#[derive(Default)]
struct Frame {
    out: String,
    /// Where the last atom begins in `out`; a repetition applies to it.
    atom: Option<usize>,
    atom_load: Load,
    /// The heaviest atom so far.
    load: Load,
    /// The flags outside.
    flags: Flags,
}

/// What Go limits about a subexpression.
#[derive(Clone, Copy)]
struct Load {
    /// The product of the repeat counts inside each other.
    repeats: i64,
    depth: usize,
}

impl Default for Load {
    fn default() -> Self {
        Self { repeats: 1, depth: 0 }
    }
}

impl Frame {
    fn push(&mut self, atom: &str, load: Load) {
        self.atom = Some(self.out.len());
        self.out.push_str(atom);
        self.set_load(load);
    }

    fn set_load(&mut self, load: Load) {
        self.atom_load = load;
        self.load.repeats = self.load.repeats.max(load.repeats);
        self.load.depth = self.load.depth.max(load.depth);
    }
}

struct Parser<'a> {
    whole: &'a str,
    rest: &'a str,
    flags: Flags,
    names: Vec<String>,
    outer: Vec<Frame>,
    frame: Frame,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), SyntaxError<'a>> {
        // Where the repetition just read begins: another one must not follow it.
        let mut last_repeat = None;
        while let Some((c, after)) = split_char(self.rest) {
            let before = self.rest;
            let mut repeat = None;
            match c {
                '(' if after.starts_with('?') => self.perl_group()?,
                '(' => {
                    self.names.push(String::new());
                    self.open("(", after)?;
                }
                ')' => self.close(after)?,
                '|' => {
                    self.frame.out.push('|');
                    self.frame.atom = None;
                    self.rest = after;
                }
                '^' => self.leaf(if self.flags.multi_line { "(?m:^)" } else { r"\A" }, after),
                '$' => self.leaf(if self.flags.multi_line { "(?m:$)" } else { r"\z" }, after),
                '.' => self.leaf(if self.flags.dot_newline { "(?s:.)" } else { r"[^\n]" }, after),
                '[' => self.bracket()?,
                '*' | '+' | '?' => {
                    self.rest = after;
                    self.repeat(before, last_repeat, None)?;
                    repeat = Some(before);
                }
                '{' => match counts(before) {
                    Some((min, max, after)) => {
                        let too_many = |n: Option<i64>| n.is_none_or(|n| n > MAX_REPEAT);
                        let wrong = too_many(min)
                            || matches!(max, Max::Count(n) if too_many(n) || n.zip(min).is_some_and(|(n, m)| m > n));
                        if wrong {
                            return Err(fail("invalid repeat count", read(before, after)));
                        }
                        self.rest = after;
                        self.repeat(before, last_repeat, Some((min.unwrap_or(0), max)))?;
                        repeat = Some(before);
                    }
                    // What is no repetition is a brace.
                    None => self.literal('{', after),
                },
                '\\' => self.backslash()?,
                _ => self.literal(c, after),
            }
            last_repeat = repeat;
        }
        if self.outer.is_empty() { Ok(()) } else { Err(fail("missing closing )", self.whole)) }
    }

    fn leaf(&mut self, atom: &str, rest: &'a str) {
        self.frame.push(atom, Load::default());
        self.rest = rest;
    }

    fn literal(&mut self, c: char, rest: &'a str) {
        self.code_point(u32::from(c), rest);
    }

    fn code_point(&mut self, code: u32, rest: &'a str) {
        let atom = match char::from_u32(code) {
            // Surrogates can be written but are in no text.
            None => class::NOTHING.to_owned(),
            Some(c) if self.flags.fold_case && (c.is_ascii_alphabetic() || !c.is_ascii()) => {
                format!("(?i:{})", escape(c))
            }
            Some(c) => escape(c),
        };
        self.leaf(&atom, rest);
    }

    fn class(&mut self, body: &str, negated: bool, rest: &'a str) {
        let sign = if negated { "^" } else { "" };
        let atom = if self.flags.fold_case { format!("(?i:[{sign}{body}])") } else { format!("[{sign}{body}]") };
        self.leaf(&atom, rest);
    }

    fn open(&mut self, opener: &str, rest: &'a str) -> Result<(), SyntaxError<'a>> {
        if self.outer.len() >= MAX_DEPTH {
            return Err(fail("expression nests too deeply", self.whole));
        }
        let frame = Frame { out: opener.to_owned(), flags: self.flags, ..Frame::default() };
        self.outer.push(std::mem::replace(&mut self.frame, frame));
        self.rest = rest;
        Ok(())
    }

    fn close(&mut self, rest: &'a str) -> Result<(), SyntaxError<'a>> {
        let Some(outer) = self.outer.pop() else {
            return Err(fail("unexpected )", self.whole));
        };
        let mut group = std::mem::replace(&mut self.frame, outer);
        group.out.push(')');
        self.flags = group.flags;
        let load = self.deeper(group.load)?;
        self.frame.push(&group.out, load);
        self.rest = rest;
        Ok(())
    }

    fn deeper(&self, load: Load) -> Result<Load, SyntaxError<'a>> {
        let depth = load.depth + 1;
        if depth > MAX_DEPTH {
            return Err(fail("expression nests too deeply", self.whole));
        }
        Ok(Load { depth, ..load })
    }

    /// Applies the repetition that begins at `before` and has been read up to `self.rest`.
    fn repeat(
        &mut self,
        before: &'a str,
        last: Option<&'a str>,
        counts: Option<(i64, Max)>,
    ) -> Result<(), SyntaxError<'a>> {
        let mut lazy = self.flags.swap_greed;
        let operator = read(before, self.rest);
        if let Some(after) = self.rest.strip_prefix('?') {
            self.rest = after;
            lazy = !lazy;
        }
        if let Some(last) = last {
            return Err(fail("invalid nested repetition operator", read(last, self.rest)));
        }
        let written = read(before, self.rest);
        let Some(start) = self.frame.atom else {
            return Err(fail("missing argument to repetition operator", written));
        };
        let mut load = self.deeper(self.frame.atom_load)?;
        if let Some((min, max)) = counts {
            let most = match max {
                Max::Count(n) => n.unwrap_or(min),
                Max::Unbounded => min,
            };
            load.repeats = match (max, most) {
                (Max::Count(_), 0) => 1,
                _ => load.repeats.saturating_mul(most.max(1)),
            };
            if (min >= 2 || most >= 2) && load.repeats > MAX_REPEAT {
                return Err(fail("invalid repeat count", written));
            }
        }
        let frame = &mut self.frame;
        frame.out.insert_str(start, "(?:");
        frame.out.push(')');
        match counts {
            None => frame.out.push_str(operator),
            Some((min, max)) => {
                let max = match max {
                    Max::Unbounded => String::new(),
                    Max::Count(max) => max.unwrap_or(min).to_string(),
                };
                let _ = write!(frame.out, "{{{min},{max}}}");
            }
        }
        if lazy {
            frame.out.push('?');
        }
        frame.set_load(load);
        Ok(())
    }

    /// A group that begins with `(?`: flags, a name, or neither.
    fn perl_group(&mut self) -> Result<(), SyntaxError<'a>> {
        let start = self.rest;
        let named = start.strip_prefix("(?P<").or_else(|| start.strip_prefix("(?<"));
        if let Some(after) = named.filter(|after| !after.is_empty()) {
            let Some((name, after)) = after.split_once('>') else {
                return Err(fail("invalid named capture", start));
            };
            if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
                return Err(fail("invalid named capture", read(start, after)));
            }
            self.names.push(name.to_owned());
            // Without its name: in Go names may repeat.
            return self.open("(", after);
        }
        let mut flags = self.flags;
        let (mut value, mut saw_flag) = (true, false);
        let mut rest = start.get(2..).unwrap_or_default();
        while let Some((c, after)) = split_char(rest) {
            rest = after;
            match c {
                'i' => flags.fold_case = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_newline = value,
                'U' => flags.swap_greed = value,
                '-' if value => {
                    value = false;
                    saw_flag = false;
                    continue;
                }
                // A minus sign needs a flag behind it.
                ':' | ')' if value || saw_flag => {
                    if c == ':' {
                        self.open("(?:", rest)?;
                    }
                    self.rest = rest;
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            saw_flag = true;
        }
        Err(fail("invalid or unsupported Perl syntax", read(start, rest)))
    }

    fn backslash(&mut self) -> Result<(), SyntaxError<'a>> {
        let start = self.rest;
        let after = start.get(2..).unwrap_or_default();
        let mut bytes = start.bytes().skip(1);
        match bytes.next() {
            Some(b'A') => self.leaf(r"\A", after),
            Some(b'z') => self.leaf(r"\z", after),
            Some(b'b') => self.leaf(r"(?-u:\b)", after),
            Some(b'B') => self.leaf(r"(?-u:\B)", after),
            Some(b'C') => return Err(fail("invalid escape sequence", read(start, after))),
            Some(b'Q') => {
                let (literal, after) = after.split_once(r"\E").unwrap_or((after, ""));
                for c in literal.chars() {
                    self.literal(c, after);
                }
                self.rest = after;
            }
            Some(b'p' | b'P') => {
                let (body, negated, rest) = unicode_class(start)?;
                self.class(&body, negated, rest);
            }
            Some(letter) => match class::perl(letter) {
                Some((body, negated)) => self.class(body, negated, after),
                None => {
                    let (code, rest) = escaped(start)?;
                    self.code_point(code, rest);
                }
            },
            None => return Err(fail("trailing backslash at end of expression", "")),
        }
        Ok(())
    }

    /// A bracket expression.
    fn bracket(&mut self) -> Result<(), SyntaxError<'a>> {
        let start = self.rest;
        let mut rest = start.get(1..).unwrap_or_default();
        let negated = rest.starts_with('^');
        if negated {
            rest = rest.get(1..).unwrap_or_default();
        }
        let mut body = String::new();
        let mut first = true;
        // A closing bracket at the front is a character.
        while first || !rest.starts_with(']') {
            first = false;
            if let Some((name, after)) = rest.strip_prefix("[:").and_then(|r| r.split_once(":]")) {
                let (sign, plain) = match name.strip_prefix('^') {
                    Some(plain) => ("^", plain),
                    None => ("", name),
                };
                let Some(members) = class::posix(plain) else {
                    return Err(fail("invalid character class range", read(rest, after)));
                };
                let _ = write!(body, "[{sign}{members}]");
                rest = after;
                continue;
            }
            let letter = rest.strip_prefix('\\').and_then(|r| r.bytes().next());
            if matches!(letter, Some(b'p' | b'P')) {
                let (members, inverted, after) = unicode_class(rest)?;
                let sign = if inverted { "^" } else { "" };
                let _ = write!(body, "[{sign}{members}]");
                rest = after;
                continue;
            }
            if let Some((members, inverted)) = letter.and_then(class::perl) {
                let sign = if inverted { "^" } else { "" };
                let _ = write!(body, "[{sign}{members}]");
                rest = rest.get(2..).unwrap_or_default();
                continue;
            }
            let (low, after) = class_char(rest, start)?;
            let mut high = low;
            let range = rest;
            rest = after;
            // A minus sign right before the closing bracket is a character.
            if let Some(after) = rest.strip_prefix('-').filter(|r| !r.is_empty() && !r.starts_with(']')) {
                (high, rest) = class_char(after, start)?;
                if high < low {
                    return Err(fail("invalid character class range", read(range, rest)));
                }
            }
            push_range(&mut body, low, high);
        }
        if body.is_empty() {
            body.push_str(class::NOTHING);
        }
        self.class(&body, negated, rest.get(1..).unwrap_or_default());
        Ok(())
    }
}

/// A code point as the crate reads it anywhere.
fn escape(c: char) -> String {
    if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) }
}

/// Adds a range to a bracket expression, less the surrogates at its ends, which no text holds.
fn push_range(body: &mut String, low: u32, high: u32) {
    let surrogate = |code: u32| (0xD800..0xE000).contains(&code);
    let low = if surrogate(low) { 0xE000 } else { low };
    let high = if surrogate(high) { 0xD7FF } else { high };
    if low <= high {
        let _ = write!(body, "\\x{{{low:X}}}-\\x{{{high:X}}}");
    }
}
