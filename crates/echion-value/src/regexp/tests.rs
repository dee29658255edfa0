use super::*;

fn re(pattern: &str) -> Regexp {
    Regexp::compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"))
}

fn error(pattern: &str) -> String {
    let text = Regexp::compile(pattern).unwrap_err();
    text.strip_prefix("error parsing regexp: ").unwrap().to_owned()
}

fn matches(pattern: &str, text: &str) -> bool {
    re(pattern).is_match(text.as_bytes())
}

fn replace(pattern: &str, text: &str, template: &str) -> String {
    String::from_utf8(re(pattern).replace_all(text.as_bytes(), template.as_bytes())).unwrap()
}

fn split(pattern: &str, text: &str, n: i64) -> Vec<String> {
    let parts = re(pattern);
    let parts = parts.split(text.as_bytes(), n);
    parts.into_iter().map(|p| String::from_utf8(p.to_vec()).unwrap()).collect()
}

#[test]
fn errors_have_go_texts() {
    for (pattern, want) in [
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("(a))b", "unexpected ): `(a))b`"),
        ("[", "missing closing ]: `[`"),
        ("x[a", "missing closing ]: `[a`"),
        ("[]", "missing closing ]: `[]`"),
        ("[a-", "missing closing ]: `[a-`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ("[a\\d-\\x]", "invalid escape sequence: `\\x]`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        (r"\p{Foo}x", r"invalid character class range: `\p{Foo}`"),
        (r"\p{Greek", r"invalid character class range: `\p{Greek`"),
        (r"\p{Alphabetic}", r"invalid character class range: `\p{Alphabetic}`"),
        (r"\p{sc=Greek}", r"invalid character class range: `\p{sc=Greek}`"),
        (r"\p{Grek}", r"invalid character class range: `\p{Grek}`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|*?", "missing argument to repetition operator: `*?`"),
        ("(+)", "missing argument to repetition operator: `+`"),
        ("(?i)*", "missing argument to repetition operator: `*`"),
        (r"\Q\E*", "missing argument to repetition operator: `*`"),
        ("**", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*+b", "invalid nested repetition operator: `*+`"),
        ("a+?{2}", "invalid nested repetition operator: `+?{2}`"),
        ("x{1001}", "invalid repeat count: `{1001}`"),
        ("x{2,1}", "invalid repeat count: `{2,1}`"),
        ("x{1,1001}", "invalid repeat count: `{1,1001}`"),
        ("x{99999999999999999999}", "invalid repeat count: `{99999999999999999999}`"),
        ("(x{100}){11}", "invalid repeat count: `{11}`"),
        ("((((((((((x{2}){2}){2}){2}){2}){2}){2}){2}){2}){2})", "invalid repeat count: `{2}`"),
        ("\\", "trailing backslash at end of expression: ``"),
        ("[\\", "trailing backslash at end of expression: ``"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        (r"\q", r"invalid escape sequence: `\q`"),
        (r"\u{41}", r"invalid escape sequence: `\u`"),
        (r"\U00000041", r"invalid escape sequence: `\U`"),
        (r"\é", r"invalid escape sequence: `\é`"),
        (r"\x{}", r"invalid escape sequence: `\x{}`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\xg1", r"invalid escape sequence: `\xg1`"),
        (r"[\b]", r"invalid escape sequence: `\b`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?x)", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?i--s)", "invalid or unsupported Perl syntax: `(?i--`"),
        ("(?", "invalid or unsupported Perl syntax: `(?`"),
        ("(?P<n a>x)", "invalid named capture: `(?P<n a>`"),
        ("(?P<>x)", "invalid named capture: `(?P<>`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?<=a)", "invalid named capture: `(?<=a)`"),
    ] {
        assert_eq!(error(pattern), want, "{pattern}");
    }
    assert_eq!(Regexp::compile_bytes(b"a\xff").unwrap_err(), "error parsing regexp: invalid UTF-8: `\u{FFFD}`");
}

#[test]
fn what_go_takes_for_characters() {
    assert!(matches("^a{,3}$", "a{,3}"));
    assert!(matches("^a{1$", "a{1"));
    assert!(matches("^a{01}$", "a{01}"));
    assert!(matches("^{$", "{"));
    assert!(matches("^}]$", "}]"));
    assert!(matches(r"^\Qa.b*\E+$", "a.b**"));
    assert!(matches(r"^\Q(", "("));
    assert!(matches(r"a\Q\E*$", "aaa"));
    assert!(matches(r"^[\d-z]+$", "1-z"));
    assert!(matches("^[[a]+$", "[a"));
    assert!(matches("^[a&&b]+$", "&ab"));
    assert!(matches("^[a~~b]+$", "~"));
    assert!(matches("^[]a]+$", "]a"));
    assert!(matches("^[^]a]$", "b") && !matches("^[^]a]$", "]"));
    assert!(matches("^[a-]+$", "-a") && matches("^[-a]+$", "-a"));
    assert!(matches(r"^\07\123\x41\x{42}\012$", "\x07SAB\n"));
    assert!(matches(r"^\_\<\#\ \-$", "_<# -"));
    assert!(matches(r"^a\b{start}$", "a{start}"));
    assert!(matches("^a b#c$", "a b#c"));
    assert!(matches(r"^[\x{D700}-\x{E000}]$", "\u{D7FF}") && !matches(r"\x{D800}", "\u{FFFD}"));
    assert!(!matches(r"[\x{D800}-\x{DFFF}]", "a") && matches(r"[^\x{D800}]", "a"));
}

#[test]
fn set_operators_are_ranges_and_characters() {
    // In Go [a--b] is the range from a to -, which is empty, so an error.
    assert_eq!(error("[a--b]"), "invalid character class range: `a--`");
    assert!(matches("^[+--]+$", ",-+"));
}

#[test]
fn classes_are_ascii() {
    assert!(!matches(r"\d", "٣") && !matches(r"\w", "é") && !matches(r"\s", "\u{a0}"));
    assert!(!matches(r"\s", "\x0b") && matches("[[:space:]]", "\x0b"));
    assert!(matches(r"^\W$", "é") && matches(r"^\D\S$", "é£"));
    assert!(matches(r"é\b|x", "éa") && !matches(r"é\b", "é"));
    assert!(matches(r"^\B$", "") && matches(r"^é\Bé$", "éé"));
    assert!(matches("^[[:alpha:]]+$", "aZ") && !matches("[[:alpha:]]", "é"));
    assert!(matches("^[[:^alpha:]]$", "é") && matches(r"^[^\W\d]+$", "ab"));
    assert!(matches(r"^\pN\p{Greek}\p{^Lu}\PL$", "1αa1"));
    assert!(matches(r"^\p{Letter}\p{uppercase letter}\p{Any}\p{ASCII}$", "éÉ😀~"));
    assert!(matches(r"^[\p{Han}\PL]+$", "类1"));
}

#[test]
fn flags_apply_to_the_rest_of_their_group() {
    assert!(!matches("^.$", "\n") && matches("(?s)^.$", "\n") && !matches("^((?s).)(.)$", "\n\n"));
    assert!(matches("(?i)zÜ", "Zürich") && matches("(?i:k)x", "\u{212a}x") && !matches("(?i:k)x", "kX"));
    assert!(matches("(?i)^[^a]$", "b") && !matches("(?i)^[^a]$", "A"));
    assert!(!matches("a$", "a\n") && matches("(?m)a$", "a\nb") && matches("(?m)^b", "a\nb"));
    assert!(!matches("(?m)a$", "a\r\n") && !matches("^b", "a\nb"));
    assert_eq!(re("(?U)a+").find(b"aaa"), Some((0, 1)));
    assert_eq!(re("(?U)a+?").find(b"aaa"), Some((0, 3)));
    assert_eq!(re("(?U-i:a+)a").find(b"aaa"), Some((0, 2)));
    assert_eq!(re("a{2,3}?").find(b"aaa"), Some((0, 2)));
    assert!(matches("^(?i-s:A.)b$", "axb") && matches("^(?-i)a$", "a"));
    assert!(matches("^(?:a*(?i)*)$", "aa"));
    assert!(matches("^*a$*", "a") && matches(r"^\b+a", "a"));
    assert!(matches("^(|a)*$", "aa") && matches("^(a||b)$", "") && matches("^()$", ""));
}

#[test]
fn alternatives_prefer_the_left() {
    assert_eq!(re("a|ab").find(b"ab"), Some((0, 1)));
    assert_eq!(re("(a+)(b)?").captures(b"xaa"), Some(vec![Some((1, 3)), Some((1, 3)), None]));
    assert_eq!(re("x").captures(b"y"), None);
    assert_eq!(re("(?P<n>a)|(?<n>b)").group_names(), ["", "n", "n"]);
    assert_eq!(re("a.c").as_str(), "a.c");
}

#[test]
fn find_all_drops_empty_matches_behind_matches() {
    assert_eq!(re("a*").find_all(b"baaac", -1), [(0, 0), (1, 4), (5, 5)]);
    assert_eq!(re("a*").find_all(b"baaac", 2), [(0, 0), (1, 4)]);
    assert_eq!(re("").find_all("é".as_bytes(), -1), [(0, 0), (2, 2)]);
    assert_eq!(re("a").find_all(b"aa", 0), []);
    assert_eq!(re("^a").find_all(b"aa", -1), [(0, 1)]);
    assert_eq!(re("a|b").find_all(b"xyz", -1), []);
}

#[test]
fn replacements_expand_groups() {
    assert_eq!(replace("a(x*)b", "-ab-axxb-", "${1}W"), "-W-xxW-");
    assert_eq!(replace("a(x*)b", "-ab-axxb-", "$1W"), "---");
    assert_eq!(replace("a(x*)b", "-ab-axxb-", "$1-$$-$-${-$"), "--$-$-${-$-xx-$-$-${-$-");
    assert_eq!(replace("(?P<first>a)(b)?", "ac", "[$first|$2|$9|$01|$0]"), "[a||||a]c");
    assert_eq!(replace("(?P<n>a)|(?P<n>b)", "ab", "<$n>"), "<a><b>");
    assert_eq!(replace("a*", "baaac", "x"), "xbxcx");
    assert_eq!(replace("", "é", "-"), "-é-");
    assert_eq!(replace("x", "abc", "y"), "abc");
    assert_eq!(replace("^a", "aa", ""), "a");
    assert_eq!(replace("a", "a", "$"), "$");
    let literal = re("a(x*)b").replace_all_literal(b"-ab-", b"${1}");
    assert_eq!(literal, b"-${1}-");
}

#[test]
fn split_follows_go() {
    assert_eq!(split("a*", "abaabaccadaaae", 5), ["", "b", "b", "c", "cadaaae"]);
    assert_eq!(split(r"\d+", "a1b22c", -1), ["a", "b", "c"]);
    assert_eq!(split("a", "banana", -1), ["b", "n", "n", ""]);
    assert_eq!(split("a", "banana", 2), ["b", "nana"]);
    assert_eq!(split("a", "banana", 1), ["banana"]);
    assert_eq!(split("a", "banana", 0), [""; 0]);
    assert_eq!(split("a", "", -1), [""]);
    assert_eq!(split("", "", -1), [""; 0]);
    assert_eq!(split("", "été", -1), ["é", "t", "é"]);
    assert_eq!(split("z+", "pizza", -1), ["pi", "a"]);
    assert_eq!(split(",", ",a,", -1), ["", "a", ""]);
}

#[test]
fn bytes_that_are_no_text_count_as_one_character_each() {
    assert_eq!(re("^.{3}$").find(b"a\xff\xfe"), Some((0, 3)));
    assert_eq!(re("b").find(b"\xff\xffb\xff"), Some((2, 3)));
    assert_eq!(re(r"\x{FFFD}+").find_all(b"a\xff\xe7\xb1b\xff", -1), [(1, 4), (5, 6)]);
    assert_eq!(re("").find_all(b"\xffa", -1), [(0, 0), (1, 1), (2, 2)]);
    assert_eq!(re("(.)").replace_all(b"\xff", b"<$1>"), b"<\xff>");
    assert_eq!(re("a").split(b"\xffa\xfe", -1), [&b"\xff"[..], b"\xfe"]);
}

#[test]
fn quote_meta_escapes_punctuation_of_patterns() {
    assert_eq!(quote_meta(br"a.b-[c]{1}^$|\?*+()"), br"a\.b-\[c\]\{1\}\^\$\|\\\?\*\+\(\)");
    assert_eq!(quote_meta(b"\xc3\xa9 \xff"), b"\xc3\xa9 \xff");
}

#[test]
fn hostile_patterns_are_refused_in_good_time() {
    assert!(error(&r"\pL{1000}".repeat(50)).starts_with("expression too large"));
    assert!(error(&"a".repeat(300_000)).starts_with("expression too large"));
    assert!(error(&"(".repeat(1_000)).starts_with("expression nests too deeply"));
    assert!(error(&("a".to_owned() + &"(?i)*".repeat(1_000))).starts_with("expression nests too deeply"));
    assert!(Regexp::compile(r"\p{L}{1,63}").is_ok());
    assert!(Regexp::compile("(?:.{1,1000})").is_ok());
    for nested in ["(a|b", "(?:(?i)a", "(", "(x*"] {
        // Each level is a group and a repetition.
        for (count, close) in [(29, ")*"), (59, ")")] {
            let deep = nested.repeat(count) + &close.repeat(count);
            let _ = re(&deep).is_match(b"ab");
        }
    }
}

#[test]
fn no_pattern_panics() {
    let pieces = [
        "a", "é", "(", ")", "[", "]", "^", "-", "*", "?", "{2}", "{", "|", "\\", "\\p", "\\Q", "(?i", ":", "\\x{",
        "[:", "$", "P<n>",
    ];
    for a in pieces {
        for b in pieces {
            for c in pieces {
                if let Ok(compiled) = Regexp::compile(&format!("{a}{b}{c}")) {
                    let _ = compiled.replace_all("aé-\n".as_bytes(), b"$1${n}$");
                    let _ = compiled.split(b"a\xff-", -1);
                }
            }
        }
    }
}
