//! Which part of a template a byte of its output comes from.

use echion_value::Value;

use crate::exec::{Mark, Run};
use crate::{CallContext, Limits, Template};

/// Where a byte of an output comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The line of the template, counted from one.
    pub line: usize,
    /// The byte in that line, counted from one.
    pub column: usize,
    /// The action that printed it, as Go writes it: `{{.app.metadata.name}}`; empty where it is text of the template.
    pub action: String,
    /// What the action printed.
    pub printed: Vec<u8>,
}

impl Template {
    /// Where byte `offset` of the output comes from. Where that is text of the template, and something was printed before it
    /// in the same line of the output, it is what was printed: what breaks a text shows only behind it.
    ///
    /// This renders once more and keeps book, for those who have found something wrong with an output.
    #[must_use]
    pub fn origin(&self, data: &Value, call: &mut CallContext<'_>, limits: &Limits, offset: usize) -> Option<Origin> {
        let mut run = Run::new(self, call, limits, data);
        run.marks = Some(Vec::new());
        // An output that ends early still has its beginning.
        drop(run.whole(data));
        let (out, marks) = (run.out, run.marks.unwrap_or_default());
        let piece = marks.iter().rposition(|mark| mark.from <= offset)?;
        let line = out.get(..offset.min(out.len()))?.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = |index: usize| marks.get(index + 1).map_or(out.len(), |next| next.from);
        let printed = (0..=piece).rev().find(|index| marks.get(*index).is_some_and(|mark| mark.action.is_some()));
        let index = printed.filter(|index| *index == piece || end(*index) > line).unwrap_or(piece);
        let Mark { from, at, action } = *marks.get(index)?;
        let at = if action.is_some() { at } else { at + offset.saturating_sub(from) };
        let before = self.text.get(..at).unwrap_or(&self.text);
        Some(Origin {
            line: 1 + before.matches('\n').count(),
            column: 1 + before.len() - before.rfind('\n').map_or(0, |i| i + 1),
            action: action.map(ToString::to_string).unwrap_or_default(),
            printed: if action.is_some() { out.get(from..end(index))?.to_vec() } else { Vec::new() },
        })
    }
}
