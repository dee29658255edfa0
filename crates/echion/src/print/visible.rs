//! Styles, and characters that must not reach a terminal as they are.

use anstyle::{AnsiColor, Style as Ansi};

/// How a word stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Error,
    Warning,
    Good,
    Hint,
}

/// Where a style begins and ends inside a string: characters that no text has a use for. They become escape sequences, or nothing, when all
/// others have been made visible.
const MARKS: [(char, Style); 4] =
    [('\u{fdd0}', Style::Error), ('\u{fdd1}', Style::Warning), ('\u{fdd2}', Style::Good), ('\u{fdd3}', Style::Hint)];
const END: char = '\u{fdd4}';

impl Style {
    fn ansi(self) -> Ansi {
        match self {
            Style::Error => AnsiColor::Red.on_default().bold(),
            Style::Warning => AnsiColor::Yellow.on_default().bold(),
            Style::Good => AnsiColor::Green.on_default().bold(),
            Style::Hint => AnsiColor::Cyan.on_default(),
        }
    }
}

/// A text in a style, where colours are wanted.
pub(crate) fn paint(style: Style, text: &str) -> String {
    let mark = MARKS.iter().find(|(_, known)| *known == style).map_or(END, |(mark, _)| *mark);
    format!("{mark}{text}{END}")
}

/// Steers a terminal, or the order in which it shows characters.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of lines as it is written: with `coloured`, styles are escape sequences.
pub(super) fn shown(text: &str, coloured: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut style = None;
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            END => {
                if let Some(style) = style.take().filter(|_| coloured) {
                    shown.push_str(&format!("{style:#}"));
                }
            }
            c if steers(c) => shown.extend(c.escape_unicode()),
            c => match MARKS.iter().find(|(mark, _)| *mark == c) {
                Some((_, found)) => {
                    let ansi = found.ansi();
                    style = Some(ansi);
                    if coloured {
                        shown.push_str(&ansi.to_string());
                    }
                }
                None => shown.push(c),
            },
        }
    }
    shown
}

/// The same in one line, whatever it holds.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push(' '),
            c if steers(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

/// JSON without the control characters that JSON allows in its strings.
pub(crate) fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) && c != '\n' {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_made_visible() {
        assert_eq!(shown("a\u{1b}[31mb\r\n\u{9b}c\u{202e}d\te", false), "a\\u{1b}[31mb\\u{d}\n\\u{9b}c\\u{202e}d\te");
        assert_eq!(shown("應用 ok é", true), "應用 ok é");
    }

    #[test]
    fn only_our_own_styles_become_escape_sequences() {
        let text = format!("{} \u{1b}[0m", paint(Style::Hint, "hint"));
        assert_eq!(shown(&text, false), "hint \\u{1b}[0m");
        assert_eq!(shown(&text, true), "\u{1b}[36mhint\u{1b}[0m \\u{1b}[0m");
    }

    #[test]
    fn a_line_break_in_a_name_forges_no_line() {
        assert_eq!(one_line("me\ndelivered argocd/x\r\u{85}y"), "me\\ndelivered argocd/x\\r\\u{85}y");
    }

    #[test]
    fn json_stays_json() {
        let json = serde_json::json!("a\u{1b}\u{9b}\u{7f}b").to_string();
        let escaped = escaped_json(&json);
        assert!(escaped.is_ascii() && !escaped.contains('\u{7f}'), "{escaped:?}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), "a\u{1b}\u{9b}\u{7f}b");
    }
}
