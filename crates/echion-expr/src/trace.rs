//! What an evaluation has come to, part by part.

use std::borrow::Cow;
use std::sync::Arc;

use echion_value::Value;

use crate::code::Mark;
use crate::error::{Error, EvalError};
use crate::machine::Watch;

/// How many steps are kept: predicates are evaluated once for each element.
const MAX_STEPS: usize = 1000;

/// An evaluation and all that it has gone through.
#[derive(Debug)]
pub struct Trace {
    /// The subexpressions in the order in which they got their values. Literals, and functions that are called, are left out;
    /// names joined by dots are one subexpression.
    pub steps: Vec<Step>,
    /// Whether all steps were kept; long loops have more than anybody can read.
    pub complete: bool,
    /// What the whole expression came to.
    pub outcome: Result<Value, Box<Error>>,
}

/// One evaluation of a part of the text.
#[derive(Debug)]
pub struct Step {
    /// The first byte of the part.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// Its value, or the message of what failed in it and in none of its parts.
    pub outcome: Result<Value, String>,
}

/// Collects the steps of one evaluation.
pub(crate) struct Recorder {
    /// Ordered by first instruction, and outer before inner parts.
    marks: Vec<Mark>,
    /// The parts that are being evaluated, outer before inner ones.
    open: Vec<Mark>,
    steps: Vec<(Mark, Result<Value, String>)>,
    complete: bool,
}

impl Recorder {
    /// A recorder for code with these marks, in which inner parts come first.
    pub(crate) fn new(marks: &[Mark]) -> Self {
        let mut marks: Vec<Mark> = marks.iter().rev().copied().collect();
        marks.sort_by_key(|mark| mark.start);
        Self { marks, open: Vec::new(), steps: Vec::new(), complete: true }
    }

    fn record(&mut self, mark: Mark, outcome: impl FnOnce() -> Result<Value, String>) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push((mark, outcome()));
        } else {
            self.complete = false;
        }
    }

    /// The trace of an evaluation of `source` that has come to its end.
    pub(crate) fn finish(mut self, source: &Arc<str>, outcome: Result<Value, (EvalError, u32)>) -> Trace {
        if let (Err((fault, _)), Some(mark)) = (&outcome, self.open.pop()) {
            self.record(mark, || Err(fault.message().to_owned()));
        }
        let mut bytes: Vec<usize> = source.char_indices().map(|(at, _)| at).collect();
        bytes.push(source.len());
        let byte = |at: u32| bytes.get(at as usize).copied().unwrap_or(source.len());
        let step = |(mark, outcome): (Mark, _)| Step { start: byte(mark.span.0), end: byte(mark.span.1), outcome };
        Trace {
            steps: self.steps.into_iter().map(step).collect(),
            complete: self.complete,
            outcome: outcome.map_err(|(fault, at)| fault.at(at, source)),
        }
    }
}

impl Watch for Recorder {
    const WATCHES: bool = true;

    fn arrive(&mut self, next: usize, stack: &[Cow<'_, Value>]) {
        // What was jumped out of has no value.
        while let Some(mark) = self.open.pop_if(|mark| mark.end <= next) {
            if mark.end == next {
                self.record(mark, || Ok(stack.last().map(|value| value.as_ref().clone()).unwrap_or_default()));
            }
        }
        let first = self.marks.partition_point(|mark| mark.start < next);
        let starting = self.marks[first..].iter().take_while(|mark| mark.start == next);
        self.open.extend(starting);
    }
}
