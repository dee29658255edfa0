//! Upper and lower case, and the ways to write names.

use echion_template::{CallContext, Function, takes};
use echion_value::Value;

use crate::args::{Result, TEXT, bytes, make_text};
use crate::strings::runes;

pub(crate) static ALL: &[Function] = &[
    Function::new("upper", takes(&[TEXT], TEXT), upper).doc("in upper case", "{{upper \"abc\"}}", "ABC"),
    Function::new("lower", takes(&[TEXT], TEXT), lower).doc("in lower case", "{{lower \"ABC\"}}", "abc"),
    Function::new("title", takes(&[TEXT], TEXT), title).doc("every word with a capital", "{{title \"a bc\"}}", "A Bc"),
    Function::new("untitle", takes(&[TEXT], TEXT), untitle).doc("every word without", "{{untitle \"A Bc\"}}", "a bc"),
    Function::new("swapcase", takes(&[TEXT], TEXT), swap_case).doc(
        "upper case for lower and lower for upper",
        "{{swapcase \"Ab\"}}",
        "aB",
    ),
    Function::new("nospace", takes(&[TEXT], TEXT), no_space).doc("without any space", "{{nospace \"a b\"}}", "ab"),
    Function::new("initials", takes(&[TEXT], TEXT), initials).doc(
        "the first letter of every word",
        "{{initials \"First Try\"}}",
        "FT",
    ),
    Function::new("camelcase", takes(&[TEXT], TEXT), camel_case).doc(
        "words joined by capitals",
        "{{camelcase \"http_server\"}}",
        "HttpServer",
    ),
    Function::new("snakecase", takes(&[TEXT], TEXT), snake_case).doc(
        "words joined by underscores",
        "{{snakecase \"FirstName\"}}",
        "first_name",
    ),
    Function::new("kebabcase", takes(&[TEXT], TEXT), kebab_case).doc(
        "words joined by hyphens",
        "{{kebabcase \"FirstName\"}}",
        "first-name",
    ),
];

/// Go maps one character to one; where Unicode's full mapping gives several, there is none.
fn simple(c: char, mut full: impl Iterator<Item = char>) -> char {
    match (full.next(), full.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn to_upper(c: char) -> char {
    simple(c, c.to_uppercase())
}

fn to_lower(c: char) -> char {
    if c == 'İ' { 'i' } else { simple(c, c.to_lowercase()) }
}

/// The few letters that are two in one have a form of their own at the start of a word.
fn to_title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        'ა'..='ჿ' => c,
        _ => to_upper(c),
    }
}

fn is_title(c: char) -> bool {
    matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ')
}

/// Maps every character; bytes that are no UTF-8 become U+FFFD.
fn mapped(text: &[u8], mut change: impl FnMut(char) -> char) -> Value {
    let out: String = runes(text).map(|(c, _)| c.map_or('\u{fffd}', &mut change)).collect();
    make_text(out)
}

fn upper(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(mapped(bytes(args, 0), to_upper))
}

fn lower(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(mapped(bytes(args, 0), to_lower))
}

/// Whether a word ends at this character.
fn is_separator(c: char) -> bool {
    match c {
        '_' => false,
        _ if c.is_ascii() => !c.is_ascii_alphanumeric(),
        _ if c.is_alphanumeric() => false,
        _ => c.is_whitespace(),
    }
}

fn title(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut before = ' ';
    Ok(mapped(bytes(args, 0), |c| {
        let starts = is_separator(before);
        before = c;
        if starts { to_title(c) } else { c }
    }))
}

fn untitle(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut starts = true;
    Ok(mapped(bytes(args, 0), |c| {
        if c.is_whitespace() {
            starts = true;
            return c;
        }
        if std::mem::take(&mut starts) { to_lower(c) } else { c }
    }))
}

fn swap_case(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut starts = true;
    Ok(mapped(bytes(args, 0), |c| {
        if c.is_uppercase() || is_title(c) {
            starts = false;
            return to_lower(c);
        }
        if c.is_lowercase() {
            return if std::mem::take(&mut starts) { to_title(c) } else { to_upper(c) };
        }
        starts = c.is_whitespace();
        c
    }))
}

/// The reference reads bytes here, each as a character of its own.
fn as_characters(text: &[u8]) -> impl Iterator<Item = char> {
    text.iter().map(|byte| char::from(*byte))
}

fn no_space(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 0);
    if !as_characters(text).any(char::is_whitespace) {
        return Ok(make_text(text));
    }
    Ok(make_text(as_characters(text).filter(|c| !c.is_whitespace()).collect::<String>()))
}

fn initials(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let mut starts = true;
    let first = as_characters(bytes(args, 0)).filter(|c| {
        let space = c.is_whitespace();
        let takes = starts && !space;
        starts = space;
        takes
    });
    Ok(make_text(first.collect::<String>()))
}

fn is_connector(c: char) -> bool {
    matches!(c, '-' | '_') || c.is_whitespace()
}

fn camel_case(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text: Vec<char> = runes(bytes(args, 0)).map(|(c, _)| c.unwrap_or('\u{fffd}')).collect();
    // Connectors in front stay.
    let start = text.iter().position(|c| !is_connector(*c)).unwrap_or(text.len());
    let (front, rest) = text.split_at_checked(start).unwrap_or((&text, &[]));
    let mut out: String = front.iter().collect();
    let Some((first, rest)) = rest.split_first() else { return Ok(make_text(out)) };
    // After a capital, more capitals are lowered: `HTTPServer` is one word here.
    let mut after_capital = first.is_uppercase();
    let mut before = to_upper(*first);
    for c in rest {
        let mut c = *c;
        match (is_connector(before), is_connector(c)) {
            (true, true) => out.push(before),
            (true, false) => {
                after_capital = c.is_uppercase();
                c = to_upper(c);
            }
            (false, _) => {
                if after_capital && c.is_uppercase() {
                    c = to_lower(c);
                } else {
                    after_capital = false;
                }
                out.push(before);
            }
        }
        before = c;
    }
    out.push(before);
    Ok(make_text(out))
}

fn snake_case(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(make_text(joined(&String::from_utf8_lossy(bytes(args, 0)), '_')))
}

fn kebab_case(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(make_text(joined(&String::from_utf8_lossy(bytes(args, 0)), '-')))
}

/// The kinds of runs that a name is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    End,
    Connector,
    Punctuation,
    Upper,
    Letters,
    Number,
    Other,
}

fn is_letter(c: char) -> bool {
    // Chinese characters are no letters of a word.
    c.is_alphabetic() && !matches!(c, '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2a6d6}')
}

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}'
        | '\u{ff01}'..='\u{ff03}' | '\u{ff05}'..='\u{ff0a}' | '\u{ff0c}'..='\u{ff0f}' | '\u{ff1a}' | '\u{ff1b}'
        | '\u{ff1f}' | '\u{ff20}' | '¡' | '§' | '«' | '¶' | '·' | '»' | '¿')
}

fn is_lower_part(c: char) -> bool {
    is_letter(c) && !c.is_uppercase()
}

/// Splits the first run off.
fn next_run(text: &str) -> (Run, &str, &str) {
    let Some(first) = text.chars().next() else { return (Run::End, "", "") };
    let until = |keep: &dyn Fn(char) -> bool| text.find(|c| !keep(c)).unwrap_or(text.len());
    let (run, end) = if is_connector(first) {
        (Run::Connector, until(&is_connector))
    } else if is_punctuation(first) {
        (Run::Punctuation, until(&|c| is_punctuation(c) && !is_connector(c)))
    } else if first.is_uppercase() {
        (Run::Upper, upper_run(text))
    } else if is_letter(first) {
        (Run::Letters, until(&is_lower_part))
    } else if first.is_numeric() {
        (Run::Number, until(&char::is_numeric))
    } else {
        (Run::Other, until(&|c| !is_connector(c) && !is_letter(c) && !c.is_numeric() && !is_punctuation(c)))
    };
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (run, word, rest)
}

/// A capital and the small letters behind it, or several capitals, of which the last may begin the next word.
fn upper_run(text: &str) -> usize {
    let capitals = text.find(|c: char| !c.is_uppercase()).unwrap_or(text.len());
    let head = text.get(..capitals).unwrap_or(text);
    let rest = text.get(capitals..).unwrap_or_default();
    let last = head.chars().next_back().map_or(0, char::len_utf8);
    match rest.chars().next() {
        Some(c) if is_letter(c) && head.len() > last => capitals - last,
        Some(c) if is_letter(c) => capitals + rest.find(|c| !is_lower_part(c)).unwrap_or(rest.len()),
        _ => capitals,
    }
}

fn push_lower(out: &mut String, run: Run, word: &str, connector: char) {
    if !matches!(run, Run::Upper | Run::Connector) {
        out.push_str(word);
        return;
    }
    out.extend(word.chars().map(|c| if is_connector(c) { connector } else { to_lower(c) }));
}

/// The words of a text in lower case, with `connector` between.
fn joined(text: &str, connector: char) -> String {
    let joins = |run: Run| !matches!(run, Run::Connector | Run::Punctuation);
    let mut out = String::with_capacity(text.len() + 8);
    let (mut run, mut word, mut rest) = next_run(text);
    while !rest.is_empty() {
        if run != Run::Connector {
            push_lower(&mut out, run, word, connector);
        }
        let (before, before_word) = (run, word);
        (run, word, rest) = next_run(rest);
        match before {
            Run::Number => {
                while matches!(run, Run::Letters | Run::Number) {
                    push_lower(&mut out, run, word, connector);
                    (run, word, rest) = next_run(rest);
                }
                if run != Run::End && joins(run) {
                    out.push(connector);
                }
            }
            Run::Connector => push_lower(&mut out, before, before_word, connector),
            Run::Punctuation => {}
            _ if run != Run::Number => {
                if joins(run) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (run, word, rest) = next_run(rest);
                if run != Run::Letters {
                    // The number belongs to the word before: `Bld4Floor` is `bld4_floor`.
                    push_lower(&mut out, Run::Number, number, connector);
                    if joins(run) {
                        out.push(connector);
                    }
                } else {
                    // It belongs to the letters behind it: `HTTP2xx` is `http_2xx`.
                    out.push(connector);
                    push_lower(&mut out, Run::Number, number, connector);
                    while matches!(run, Run::Letters | Run::Number) {
                        push_lower(&mut out, run, word, connector);
                        (run, word, rest) = next_run(rest);
                    }
                    if run != Run::End && joins(run) {
                        out.push(connector);
                    }
                }
            }
        }
    }
    push_lower(&mut out, run, word, connector);
    out
}
