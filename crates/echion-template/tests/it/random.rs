//! Templates made of random words: nothing may panic, and nothing may take long.

use echion_template::{CallContext, Limits};
use echion_value::Value;

use super::compile;

const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{- ",
    " -}}",
    "{{/* c */}}",
    "{{end}}",
    "{{else}}",
    "{{if .a}}",
    "{{else if 1}}",
    "{{with .l}}",
    "{{else with .n}}",
    "{{range .l}}",
    "{{range $i, $x := .m}}",
    "{{break}}",
    "{{continue}}",
    "{{define \"x\"}}",
    "{{block \"x\" .}}",
    "{{template \"x\" .}}",
    "{{template \"x\"}}",
    " ",
    "\n",
    "|",
    "(",
    ")",
    ",",
    ":=",
    "=",
    "$",
    "$x",
    "$x := 1",
    "{{$x := 1}}",
    "$x.a",
    ".",
    ".a",
    ".a.b",
    ".m.k",
    ".l",
    ".n",
    ".nope.x",
    "nil",
    "true",
    "1",
    "-1",
    "1.5",
    "0x1F",
    "0b1",
    "1_000",
    "1e3",
    "1i",
    "1+2i",
    "'x'",
    "'\\n'",
    "\"a\"",
    "\"%d %v\"",
    "\"\\x\"",
    "`raw`",
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "call",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "text",
    "海",
    "\u{0}",
    "9223372036854775807",
    "1e400",
];

struct Words(u64);

impl Words {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap()
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.next() % WORDS.len()]
    }

    /// Any words, or words within delimiters, which gets further.
    fn template(&mut self) -> String {
        let length = 1 + self.next() % 12;
        let mut text = String::new();
        let ordered = !self.next().is_multiple_of(4);
        for _ in 0..length {
            if ordered {
                let args: Vec<&str> = (0..=self.next() % 4).map(|_| self.word().trim_matches(['{', '}'])).collect();
                text.push_str(&format!("{{{{{}}}}}", args.join(" ")));
            } else {
                text.push_str(self.word());
            }
        }
        text
    }
}

#[test]
fn random_templates_do_no_harm() {
    let data = r#"{"a": {"b": "text"}, "l": [1, 2.5, "x", null], "m": {"k": true}, "n": null}"#;
    let data: Value = serde_json::from_str(data).unwrap();
    let limits = Limits { steps: 5_000, output: 1 << 16, ..Limits::default() };
    let mut words = Words(0x2545_f491_4f6c_dd1d);
    let (mut parsed, mut rendered) = (0, 0);
    for _ in 0..30_000 {
        if let Ok(template) = compile(&words.template()) {
            parsed += 1;
            let reads = template.reads();
            assert!(reads.paths.len() < 1000);
            rendered += usize::from(template.render(&data, &mut CallContext::default(), &limits).is_ok());
        }
    }
    assert!(parsed > 1_000 && rendered > 300, "{parsed} parsed and {rendered} rendered: the words fit too seldom");
}
