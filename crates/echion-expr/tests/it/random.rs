//! Random texts of plausible tokens: whatever they mean, nothing may panic, hang or use much.

use echion_expr::{Context, Limits, compile};
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

fn env() -> Map {
    let app = Map::of_any(vec![(Str::from("name"), Value::from("shop")), (Str::from("n"), Value::Int64(3))]);
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
