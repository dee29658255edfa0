//! The stack of one evaluation: the first few values need no allocation.

use std::borrow::Cow;

use echion_value::Value;

/// A `nil` to borrow.
pub(crate) static NIL: Value = Value::Nil;

/// How many values fit before the stack moves to the heap; few conditions need more.
const INLINE: usize = 4;

pub(crate) struct Stack<'a> {
    /// How many values are in `inline`.
    len: usize,
    inline: [Cow<'a, Value>; INLINE],
    /// All values, once there were too many.
    heap: Option<Vec<Cow<'a, Value>>>,
}

impl<'a> Stack<'a> {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { len: 0, inline: [const { Cow::Borrowed(&NIL) }; INLINE], heap: None }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: Cow<'a, Value>) {
        match (&mut self.heap, self.inline.get_mut(self.len)) {
            (None, Some(free)) => {
                *free = value;
                self.len += 1;
            }
            (Some(heap), _) => heap.push(value),
            (None, None) => self.spill().push(value),
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Cow<'a, Value>> {
        if let Some(heap) = &mut self.heap {
            return heap.pop();
        }
        self.len = self.len.checked_sub(1)?;
        Some(std::mem::replace(&mut self.inline[self.len], Cow::Borrowed(&NIL)))
    }

    /// Drops the last value where it is: moving it out costs more than most instructions.
    #[inline]
    pub(crate) fn drop_last(&mut self) {
        if let Some(heap) = &mut self.heap {
            heap.pop();
        } else if let Some(last) = self.len.checked_sub(1) {
            self.inline[last] = Cow::Borrowed(&NIL);
            self.len = last;
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[Cow<'a, Value>] {
        match &self.heap {
            Some(heap) => heap,
            None => &self.inline[..self.len],
        }
    }

    #[inline]
    pub(crate) fn last(&self) -> Option<&Cow<'a, Value>> {
        self.as_slice().last()
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        while self.len() > len {
            self.pop();
        }
    }

    /// Takes the values from `first` on, in the order in which they were pushed.
    pub(crate) fn split_off(&mut self, first: usize) -> Vec<Cow<'a, Value>> {
        if let Some(heap) = &mut self.heap {
            return heap.split_off(first);
        }
        let taken = self.inline[first..self.len].iter_mut();
        let taken = taken.map(|value| std::mem::replace(value, Cow::Borrowed(&NIL))).collect();
        self.len = first;
        taken
    }

    #[cold]
    fn spill(&mut self) -> &mut Vec<Cow<'a, Value>> {
        let mut heap = Vec::with_capacity(4 * INLINE);
        heap.extend(self.split_off(0));
        self.heap.insert(heap)
    }
}
