//! Rows in columns that fit into the terminal.

use std::io::IsTerminal as _;

use super::visible::one_line;

/// Columns are at least this wide.
const NARROWEST: usize = 5;
/// A column that is folded keeps at least so much.
const FOLDED: usize = 12;
const GAP: usize = 2;

/// How many cells a line of standard output has; `None` where nothing limits it.
pub(crate) fn columns() -> Option<usize> {
    let said = crate::setup::variable("COLUMNS").and_then(|columns| columns.parse().ok());
    let terminal = || {
        let out = std::io::stdout();
        out.is_terminal().then(|| terminal_size::terminal_size_of(out)).flatten().map(|(width, _)| width.0.into())
    };
    said.or_else(terminal).filter(|columns| *columns >= NARROWEST)
}

/// Rows in columns: at least five wide, two blanks between, the last one as it comes. Where the terminal is narrower, the widest columns are
/// folded at words.
pub(crate) fn table(rows: &[Vec<String>]) {
    lines(rows, columns()).iter().for_each(|line| super::out(line));
}

fn lines(rows: &[Vec<String>], limit: Option<usize>) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(|cell| width(cell)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..count).map(widest).collect();
    if let Some(limit) = limit {
        fit(&mut widths, limit);
    }
    let mut lines = Vec::new();
    for row in &rows {
        let folded: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, width)| fold(cell, *width)).collect();
        let last = row.len().saturating_sub(1);
        for number in 0..folded.iter().map(Vec::len).max().unwrap_or(1) {
            let mut line = String::new();
            for (c, parts) in folded.iter().enumerate() {
                let part = parts.get(number).map_or("", String::as_str);
                line.push_str(part);
                if c < last {
                    let cells = (widths[c] + GAP).max(NARROWEST);
                    line.push_str(&" ".repeat(cells.saturating_sub(width(part))));
                }
            }
            lines.push(if number == 0 { line } else { line.trim_end().to_owned() });
        }
    }
    lines
}

/// Takes from the widest column until all of them fit, or nothing can be taken.
fn fit(widths: &mut [usize], limit: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > limit {
        match widths.iter_mut().max() {
            Some(widest) if *widest > FOLDED => *widest -= 1,
            _ => break,
        }
    }
}

/// A text in lines of at most so many cells, broken at blanks where there are any.
fn fold(text: &str, limit: usize) -> Vec<String> {
    if width(text) <= limit {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let used = lines.last().map_or(0, |line| width(line));
        if used > 0 && used + 1 + width(word) > limit {
            lines.push(String::new());
        } else if used > 0
            && let Some(line) = lines.last_mut()
        {
            line.push(' ');
        }
        for c in word.chars() {
            if lines
                .last()
                .is_some_and(|line| !line.is_empty() && width(line) + width(c.encode_utf8(&mut [0; 4])) > limit)
            {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

/// A text in one line, cut to so many cells.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let text = one_line(text);
    if width(&text) <= most {
        return text;
    }
    let mut shown = String::new();
    for c in text.chars() {
        if width(&shown) + width(c.encode_utf8(&mut [0; 4])) + 1 > most {
            break;
        }
        shown.push(c);
    }
    format!("{shown}…")
}

/// The same with what is in the middle left out: long parts of one expression begin alike.
pub(crate) fn cut_middle(text: &str, most: usize) -> String {
    let text = one_line(text);
    if width(&text) <= most {
        return text;
    }
    let end: String = text.chars().rev().take(most / 3).collect();
    let end: String = end.chars().rev().collect();
    format!("{}{end}", cut(&text, most.saturating_sub(width(&end))))
}

/// As much of a line as fits around a place, and what precedes the place in it.
pub(super) fn excerpt(line: &str, place: usize) -> (String, String) {
    let most = columns().unwrap_or(165).saturating_sub(5).max(20);
    let from = place.saturating_sub(most * 3 / 4);
    let shown = |from: usize, count: usize| -> String { line.chars().skip(from).take(count).collect() };
    let start = if from > 0 { "…" } else { "" };
    let end = if line.chars().count() > from + most { "…" } else { "" };
    (format!("{start}{}{end}", shown(from, most - 2)), format!("{start}{}", shown(from, place - from)))
}

/// Cells of a terminal that a string takes: CJK characters take two.
pub(super) fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_into_a_narrow_terminal_and_breaks_at_words() {
        let rows = [
            vec!["NAME".to_owned(), "SUMMARY".to_owned(), "N".to_owned()],
            vec!["dingtalk".to_owned(), "a robot of a DingTalk group 釘釘 群".to_owned(), "1".to_owned()],
        ];
        let text = lines(&rows, Some(30)).join("\n");
        assert_eq!(
            text,
            "NAME      SUMMARY            N\ndingtalk  a robot of a       1\n          DingTalk group\n          釘釘 群"
        );
        assert_eq!(lines(&rows, None).len(), 2);
        assert!(lines(&rows, Some(1)).len() > 2, "it ends, however narrow");
    }

    #[test]
    fn a_word_that_is_too_long_is_broken() {
        assert_eq!(fold("see https://example.com now", 10), ["see", "https://ex", "ample.com", "now"]);
    }

    #[test]
    fn a_cell_is_one_line() {
        assert_eq!(lines(&[vec!["a\nb".to_owned(), "c".to_owned()]], None), ["a\\nb  c"]);
    }

    #[test]
    fn a_caret_stays_below_its_place_in_a_long_line() {
        let (line, before) = excerpt(&"x".repeat(1000), 900);
        assert_eq!(width(&before), width(&line) - (line.chars().count() - before.chars().count()));
        assert!(width(&line) <= 165);
    }
}
