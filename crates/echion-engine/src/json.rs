//! Rendered texts that must be JSON: what is wrong with one, and which part of its template did it.

use echion_model::{JsonText, RenderContext};
use serde::de::IgnoredAny;

/// The most characters of a value that are shown.
const SHOWN: usize = 60;

/// What is wrong with a text, with its place in the template and the next step.
pub(crate) struct JsonError {
    pub(crate) message: String,
    pub(crate) at: (u32, u32),
    pub(crate) hint: &'static str,
}

/// Reads a rendered text as JSON. Nothing is wrong with a text that neither looks like JSON nor must be some.
pub(crate) fn check(text: &JsonText<'_>, required: bool, context: &RenderContext<'_>) -> Option<JsonError> {
    let rendered = text.rendered.as_slice();
    let trimmed = rendered.trim_ascii();
    let looks = matches!((trimmed.first(), trimmed.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
        && (trimmed.contains(&b'"') || trimmed.len() == 2);
    if !looks && !required {
        return None;
    }
    let (problem, offset) = problem(rendered)?;
    let Some(origin) = text.text.origin(context, offset) else {
        let message = format!("{problem}, in line {}", 1 + count_lines(rendered, offset));
        return Some(JsonError { message: format!("this must be JSON, but is not: {message}"), at: (1, 1), hint: "" });
    };
    let mut message = format!("this must be JSON, but is not: {problem}");
    let mut hint = "render it with `echion render` to see it whole";
    if !origin.action.is_empty() {
        message.push_str(&format!("; `{}` printed `{}`", origin.action, shortened(&origin.printed)));
        hint = "write `{{ ... | jsonString }}` between quotes, or `{{ ... | toJson }}` without them";
    }
    Some(JsonError { message, at: origin.at, hint })
}

/// What keeps a text from being JSON, and the byte at which that shows.
fn problem(text: &[u8]) -> Option<(String, usize)> {
    if let Err(error) = std::str::from_utf8(text) {
        return Some(("it holds bytes that are no text".to_owned(), error.valid_up_to()));
    }
    let error = serde_json::from_slice::<IgnoredAny>(text).err()?;
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let line =
        text.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum::<usize>();
    Some((message.to_owned(), (line + error.column().saturating_sub(1)).min(text.len().saturating_sub(1))))
}

fn count_lines(text: &[u8], offset: usize) -> usize {
    text.iter().take(offset).filter(|byte| **byte == b'\n').count()
}

fn shortened(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(|c| match c {
            '\n' => vec!['\\', 'n'],
            '\r' => vec!['\\', 'r'],
            '\t' => vec!['\\', 't'],
            c if c.is_control() => vec!['\u{fffd}'],
            c => vec![c],
        })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
