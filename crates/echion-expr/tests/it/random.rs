//! Random texts, of plausible tokens and of the grammar: whatever they mean, nothing may panic, hang or use much.

use std::cell::Cell;

use echion_expr::{Context, ErrorKind, Limits, Program, compile};
use echion_value::format::display;
use echion_value::{Map, Str, Value};

const TOKENS: &[&str] = &[
    "1",
    "0",
    "-1",
    "2.5",
    "0x1F",
    "1_000",
    "'a'",
    "\"b\"",
    "`c`",
    "b'd'",
    "true",
    "false",
    "nil",
    "app",
    "l",
    "m",
    "s",
    "$env",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "^",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "and",
    "or",
    "not",
    "&&",
    "||",
    "!",
    "in",
    "not in",
    "matches",
    "contains",
    "startsWith",
    "endsWith",
    "..",
    "??",
    "?",
    ":",
    "?:",
    "|",
    ".",
    "?.",
    "?.[",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ";",
    "#",
    "#acc",
    "#index",
    ".name",
    "let",
    "let x =",
    "x",
    "=",
    "if",
    "else",
    "::",
    "/* c */",
    "// d\n",
    "\\",
    "@",
    "'",
    "日本",
    "map(",
    "filter(",
    "all(",
    "any(",
    "reduce(",
    "sortBy(",
    "groupBy(",
    "count(",
    "sum(",
    "find(",
    "len(",
    "type(",
    "string(",
    "int(",
    "float(",
    "split(",
    "join(",
    "get(",
    "keys(",
    "sort(",
    "first(",
    "take(",
    "max(",
    "toJSON(",
    "fromJSON(",
    "uniq(",
    "flatten(",
    "concat(",
    "fromPairs(",
    "toPairs(",
    "replace(",
    "trim(",
    "bitshl(",
    "1..9",
    "[1, 2, 3]",
    "{a: 1}",
    "(1)",
    "app.name",
    "l[0]",
    "l[1:]",
    "f(",
];

struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Expressions that mean something, most of the time: each rule of the grammar is a template with holes.
struct Grammar(Xorshift);

impl Grammar {
    fn pick<'t>(&mut self, templates: &[&'t str]) -> &'t str {
        templates[self.0.below(templates.len())]
    }

    fn any(&mut self, depth: usize) -> String {
        let rules: [fn(&mut Self, usize) -> String; 5] =
            [Self::truth, Self::number, Self::text, Self::list, Self::anything];
        rules[self.0.below(rules.len())](self, depth)
    }

    /// Fills the holes of a template: `@T` is a truth, `@N` a number, `@S` a text, `@L` a list, `@A` anything.
    fn fill(&mut self, template: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut chars = template.chars();
        while let Some(c) = chars.next() {
            if c != '@' {
                out.push(c);
                continue;
            }
            match chars.next().unwrap_or('A') {
                'T' => out.push_str(&self.truth(depth - 1)),
                'N' => out.push_str(&self.number(depth - 1)),
                'S' => out.push_str(&self.text(depth - 1)),
                'L' => out.push_str(&self.list(depth - 1)),
                _ => out.push_str(&self.any(depth - 1)),
            }
        }
        out
    }

    fn grow(&mut self, depth: usize, leaves: &[&str], templates: &[&str]) -> String {
        if depth == 0 {
            return self.pick(leaves).to_owned();
        }
        let template = self.pick(templates);
        self.fill(template, depth)
    }

    fn truth(&mut self, depth: usize) -> String {
        let leaves =
            ["true", "false", "app.on", "s == 'x'", "app.n > 2", "nil == app.absent", "app.name in ['shop', 'x']"];
        let templates = [
            "(@T and @T)",
            "(@T or @T)",
            "not (@T)",
            "!(@T)",
            "(@T ? @T : @T)",
            "@N < @N",
            "@N >= @N",
            "@N == @N",
            "@S == @S",
            "@A == @A",
            "@A != nil",
            "@S contains @S",
            "@S startsWith @S",
            "@S endsWith @S",
            "@S matches 'a.*'",
            "@S matches @S",
            "@N in @L",
            "@A in @L",
            "@A not in @L",
            "all(@L, # != nil)",
            "any(@L, @T)",
            "none(@L, @T)",
            "one(@L, # == @N)",
            "(@T ?? @T)",
            "hasPrefix(@S, @S)",
            "(@T && @T || @T)",
            "date('2024-01-01') < date(@S)",
            "'k' in {k: @A}",
            "app.n in [1, 2, 3]",
            "if @T { @T } else { @T }",
        ];
        self.grow(depth, &leaves, &templates)
    }

    fn number(&mut self, depth: usize) -> String {
        let leaves = ["0", "1", "-1", "2.5", "9223372036854775807", "app.n", "l[0]", "0x1F", "1e300", "3"];
        let templates = [
            "(@N + @N)",
            "(@N - @N)",
            "(@N * @N)",
            "(@N / @N)",
            "(@N % @N)",
            "(@N ** @N)",
            "-(@N)",
            "len(@L)",
            "len(@S)",
            "abs(@N)",
            "int(@N)",
            "float(@S)",
            "round(@N)",
            "max(@L)",
            "min(@N, @N)",
            "sum(@L)",
            "sum(@L, @N)",
            "mean(@L)",
            "median(@L)",
            "count(@L, @T)",
            "findIndex(@L, @T)",
            "reduce(@L, #acc + #, @N)",
            "@L[@N]",
            "bitand(@N, @N)",
            "bitshl(@N, @N)",
            "indexOf(@S, @S)",
            "(@T ? @N : @N)",
            "(@A ?? @N)",
            "duration('90m').Minutes()",
            "date('2024-02-29').Unix()",
            "first(@L)",
            "last(@L)",
            "find(@L, @T)",
            "let v = @N; v + v",
        ];
        self.grow(depth, &leaves, &templates)
    }

    fn text(&mut self, depth: usize) -> String {
        let leaves = ["''", "'a'", "\"b\"", "`c`", "s", "app.name", "'日本'", "'\\u00e9'"];
        let templates = [
            "(@S + @S)",
            "upper(@S)",
            "lower(@S)",
            "trim(@S)",
            "trim(@S, @S)",
            "repeat(@S, 3)",
            "replace(@S, @S, @S)",
            "@S[@N:@N]",
            "join(split(@S, @S), @S)",
            "string(@A)",
            "toJSON(@A)",
            "toBase64(@S)",
            "fromBase64(toBase64(@S))",
            "type(@A)",
            "(@T ? @S : @S)",
            "(@A ?? @S)",
            "split(@S, @S)[0]",
            "date('2024-01-01').Format(@S)",
            "(@S | upper() | trim())",
            "let v = @S; v + v",
            "join(map(@L, string(#)), ',')",
        ];
        self.grow(depth, &leaves, &templates)
    }

    fn list(&mut self, depth: usize) -> String {
        let leaves = ["[]", "l", "[1, 2, 3]", "['a', 'b']", "1..9", "[nil]", "[{k: 1}, {k: 2}]"];
        let templates = [
            "[@A, @A]",
            "[@N, @N, @N]",
            "(@N..9)",
            "filter(@L, @T)",
            "map(@L, @A)",
            "map(@L, #index)",
            "map(@L, {# ?? @A})",
            "sort(@L)",
            "sortBy(@L, #)",
            "reverse(@L)",
            "uniq(@L)",
            "concat(@L, @L)",
            "flatten(@L)",
            "take(@L, @N)",
            "@L[@N:]",
            "keys({k: @A})",
            "values({k: @A})",
            "toPairs({k: @A})",
            "(@T ? @L : @L)",
            "(@L | filter(# != nil) | map(@A))",
            "groupBy(@L, # == @A)[true]",
            "fromJSON(toJSON(@L))",
            "let v = @L; v",
        ];
        self.grow(depth, &leaves, &templates)
    }

    fn anything(&mut self, depth: usize) -> String {
        let leaves = ["nil", "app", "m", "absent", "$env", "{}", "b'd'", "#", ".k"];
        let templates = [
            "{k: @A, 'l': @A}",
            "app?.m?.k",
            "@A?.k",
            "@A.k",
            "@A[@A]",
            "get(@A, @A)",
            "(@A ?? @A)",
            "(@T ? @A : @A)",
            "fromPairs([['k', @A]])",
            "groupBy(@L, @A)",
            "now()",
            "duration('1h')",
            "date(@S)",
            "timezone(@S)",
            "fromJSON(@S)",
            "@A; @A",
            "let v = @A; v",
        ];
        self.grow(depth, &leaves, &templates)
    }

    /// A small damage somewhere: most texts stay close to an expression.
    fn damage(&mut self, source: &str) -> String {
        let mut chars: Vec<char> = source.chars().collect();
        for _ in 0..=self.0.below(2) {
            let (at, last) = (self.0.below(chars.len()), chars.len() - 1);
            match self.0.below(4) {
                0 => drop(chars.remove(at)),
                1 => chars.insert(at, chars[at]),
                2 => chars.swap(at, (at + 1).min(last)),
                _ => chars.splice(at..at, self.pick(TOKENS).chars()).for_each(drop),
            }
            if chars.is_empty() {
                break;
            }
        }
        chars.into_iter().collect()
    }
}

fn env() -> Map {
    let app = Map::of_any(vec![
        (Str::from("name"), Value::from("shop")),
        (Str::from("n"), Value::Int64(3)),
        (Str::from("on"), Value::Bool(true)),
    ]);
    Map::of_any(vec![
        (Str::from("app"), Value::Map(app.clone())),
        (Str::from("l"), Value::from(vec![Value::Int64(1), Value::from("a"), Value::Nil])),
        (Str::from("m"), Value::Map(app)),
        (Str::from("s"), Value::from("Zürich")),
    ])
}

#[test]
fn no_text_does_harm() {
    let env = env();
    let limits = Limits { steps: 200_000, elements: 100_000, bytes: 1 << 20 };
    let context = Context { limits, ..Context::default() };
    let mut random = Xorshift(0x9E37_79B9_7F4A_7C15);
    let mut compiled = 0;
    for _ in 0..60_000 {
        let mut source = String::new();
        let mut open = Vec::new();
        for _ in 0..=random.below(12) {
            let token = TOKENS[random.below(TOKENS.len())];
            source.push_str(token);
            source.push(' ');
            for c in token.chars() {
                match c {
                    '(' => open.push(')'),
                    '[' => open.push(']'),
                    '{' => open.push('}'),
                    ')' | ']' | '}' => drop(open.pop()),
                    _ => {}
                }
            }
        }
        // Half of the texts are closed, so that more of them mean something.
        if random.below(2) == 0 {
            source.extend(open.into_iter().rev());
        }
        if let Ok(program) = compile(&source) {
            compiled += 1;
            if let Err(error) = program.eval(&env, &context) {
                assert!(!error.message().contains("program is broken"), "{source}: {error}");
            }
        }
    }
    assert!(compiled > 500, "only {compiled} texts compiled");
}

const STEPS: u64 = 100_000;
const LIMITS: Limits = Limits { steps: STEPS, elements: 20_000, bytes: 1 << 18 };

/// Evaluates within small limits, and sees that they hold.
fn bounded(program: &Program, env: &Map) -> Result<String, (ErrorKind, String)> {
    let readings = Cell::new(0);
    let look = || {
        readings.set(readings.get() + 1);
        false
    };
    let context = Context { limits: LIMITS, expired: Some(&look), ..Context::default() };
    let mut outcome = Ok(Value::Nil);
    let used = allocation_counter::measure(|| outcome = program.eval(env, &context));
    let source = program.source();
    assert!(readings.get() * 4096 <= STEPS + 4096, "{source}: {} readings of the clock", readings.get());
    assert!(used.bytes_max < 64 << 20, "{source}: {} bytes", used.bytes_max);
    // Tracing takes every step on the stack, evaluating does not: both must come to the same.
    let traced = program.trace(env, &context).outcome;
    let text = |outcome: Result<Value, Box<echion_expr::Error>>| match outcome {
        Ok(value) => Ok(display(&value).to_string()),
        Err(error) => Err((error.kind(), error.to_string())),
    };
    let (outcome, traced) = (text(outcome), text(traced));
    let spent = |outcome: &Result<String, (ErrorKind, String)>| matches!(outcome, Err((ErrorKind::Budget, _)));
    assert!(outcome == traced || spent(&outcome) || spent(&traced), "{source}: {outcome:?}, traced {traced:?}");
    outcome
}

#[test]
fn no_expression_of_the_grammar_does_harm() {
    let env = env();
    let mut grammar = Grammar(Xorshift(0x2545_F491_4F6C_DD1D));
    let (mut values, mut failures, mut refused) = (0, 0, 0);
    for round in 0..12_000 {
        let depth = 1 + grammar.0.below(4);
        let mut source = grammar.any(depth);
        if round % 3 == 0 {
            source = grammar.damage(&source);
        }
        let Ok(program) = compile(&source) else {
            refused += 1;
            continue;
        };
        match bounded(&program, &env) {
            Ok(_) => values += 1,
            Err((_, error)) => {
                assert!(!error.contains("program is broken"), "{source}: {error}");
                failures += 1;
            }
        }
    }
    assert!(
        values > 2_000 && failures > 500 && refused > 500,
        "{values} values, {failures} failures, {refused} refused"
    );
}
