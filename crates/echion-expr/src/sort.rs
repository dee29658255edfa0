//! Sorting as Go's `sort.Sort` does it: not stable, and which pair is compared first decides which error a user sees.

use echion_value::Value;

use crate::ast::Binary;
use crate::error::EvalError;
use crate::limits::Meter;
use crate::operators::compare;

/// A key and the item that it represents.
type Keyed = (Value, Value);

/// Up to this many items Go sorts by insertion.
const INSERTION: usize = 12;

/// The items in the order of their keys.
pub(crate) fn sort(meter: &mut Meter<'_>, items: Vec<Keyed>, descending: bool) -> Result<Vec<Value>, EvalError> {
    let len = items.len();
    let mut sorting = Sorting { meter, items, descending };
    let limit = usize::BITS - len.leading_zeros();
    sorting.pdq(0, len, limit as usize)?;
    Ok(sorting.items.into_iter().map(|(_, item)| item).collect())
}

struct Sorting<'m, 'c> {
    meter: &'m mut Meter<'c>,
    items: Vec<Keyed>,
    descending: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    Unknown,
    Increasing,
    Decreasing,
}

impl Sorting<'_, '_> {
    fn less(&mut self, i: usize, j: usize) -> Result<bool, EvalError> {
        self.meter.work(1)?;
        let (i, j) = if self.descending { (j, i) } else { (i, j) };
        compare(Binary::Less, &self.items[i].0, &self.items[j].0)
    }

    fn swap(&mut self, i: usize, j: usize) {
        self.items.swap(i, j);
    }

    fn insertion(&mut self, a: usize, b: usize) -> Result<(), EvalError> {
        for i in a + 1..b {
            let mut j = i;
            while j > a && self.less(j, j - 1)? {
                self.swap(j, j - 1);
                j -= 1;
            }
        }
        Ok(())
    }

    fn sift_down(&mut self, lo: usize, hi: usize, first: usize) -> Result<(), EvalError> {
        let mut root = lo;
        loop {
            let mut child = 2 * root + 1;
            if child >= hi {
                return Ok(());
            }
            if child + 1 < hi && self.less(first + child, first + child + 1)? {
                child += 1;
            }
            if !self.less(first + root, first + child)? {
                return Ok(());
            }
            self.swap(first + root, first + child);
            root = child;
        }
    }

    fn heap(&mut self, a: usize, b: usize) -> Result<(), EvalError> {
        let hi = b - a;
        for i in (0..=(hi - 1) / 2).rev() {
            self.sift_down(i, hi, a)?;
        }
        for i in (0..hi).rev() {
            self.swap(a, a + i);
            self.sift_down(0, i, a)?;
        }
        Ok(())
    }

    fn pdq(&mut self, a: usize, b: usize, limit: usize) -> Result<(), EvalError> {
        let (mut a, mut b, mut limit) = (a, b, limit);
        let (mut was_balanced, mut was_partitioned) = (true, true);
        loop {
            let len = b - a;
            if len <= INSERTION {
                return self.insertion(a, b);
            }
            if limit == 0 {
                return self.heap(a, b);
            }
            if !was_balanced {
                self.break_patterns(a, b);
                limit -= 1;
            }
            let (mut pivot, mut hint) = self.choose_pivot(a, b)?;
            if hint == Hint::Decreasing {
                self.items[a..b].reverse();
                pivot = (b - 1) - (pivot - a);
                hint = Hint::Increasing;
            }
            if was_balanced && was_partitioned && hint == Hint::Increasing && self.partial_insertion(a, b)? {
                return Ok(());
            }
            if a > 0 && !self.less(a - 1, pivot)? {
                a = self.partition_equal(a, b, pivot)?;
                continue;
            }
            let (mid, already) = self.partition(a, b, pivot)?;
            was_partitioned = already;
            let (left, right) = (mid - a, b - mid);
            let balance = len / 8;
            if left < right {
                was_balanced = left >= balance;
                self.pdq(a, mid, limit)?;
                a = mid + 1;
            } else {
                was_balanced = right >= balance;
                self.pdq(mid + 1, b, limit)?;
                b = mid;
            }
        }
    }

    fn partition(&mut self, a: usize, b: usize, pivot: usize) -> Result<(usize, bool), EvalError> {
        self.swap(a, pivot);
        let (mut i, mut j) = (a + 1, b - 1);
        while i <= j && self.less(i, a)? {
            i += 1;
        }
        while i <= j && !self.less(j, a)? {
            j -= 1;
        }
        if i > j {
            self.swap(j, a);
            return Ok((j, true));
        }
        self.swap(i, j);
        i += 1;
        j -= 1;
        loop {
            while i <= j && self.less(i, a)? {
                i += 1;
            }
            while i <= j && !self.less(j, a)? {
                j -= 1;
            }
            if i > j {
                break;
            }
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
        self.swap(j, a);
        Ok((j, false))
    }

    fn partition_equal(&mut self, a: usize, b: usize, pivot: usize) -> Result<usize, EvalError> {
        self.swap(a, pivot);
        let (mut i, mut j) = (a + 1, b - 1);
        loop {
            while i <= j && !self.less(a, i)? {
                i += 1;
            }
            while i <= j && self.less(a, j)? {
                j -= 1;
            }
            if i > j {
                return Ok(i);
            }
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
    }

    fn partial_insertion(&mut self, a: usize, b: usize) -> Result<bool, EvalError> {
        let mut i = a + 1;
        for _ in 0..5 {
            while i < b && !self.less(i, i - 1)? {
                i += 1;
            }
            if i == b {
                return Ok(true);
            }
            if b - a < 50 {
                return Ok(false);
            }
            self.swap(i, i - 1);
            if i - a >= 2 {
                for j in (1..i).rev() {
                    if !self.less(j, j - 1)? {
                        break;
                    }
                    self.swap(j, j - 1);
                }
            }
            if b - i >= 2 {
                for j in i + 1..b {
                    if !self.less(j, j - 1)? {
                        break;
                    }
                    self.swap(j, j - 1);
                }
            }
        }
        Ok(false)
    }

    fn break_patterns(&mut self, a: usize, b: usize) {
        let len = b - a;
        if len < 8 {
            return;
        }
        let mut random = len as u64;
        let modulus = len.next_power_of_two().max(1) as u64;
        let modulus = if len.is_power_of_two() { modulus * 2 } else { modulus };
        let idx = a + (len / 4) * 2 - 1;
        for i in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut other = (random & (modulus - 1)) as usize;
            if other >= len {
                other -= len;
            }
            self.swap(idx - 1 + i, a + other);
        }
    }

    fn choose_pivot(&mut self, a: usize, b: usize) -> Result<(usize, Hint), EvalError> {
        let len = b - a;
        let mut swaps = 0;
        let (mut i, mut j, mut k) = (a + len / 4, a + len / 4 * 2, a + len / 4 * 3);
        if len >= 8 {
            if len >= 50 {
                i = self.median(i - 1, i, i + 1, &mut swaps)?;
                j = self.median(j - 1, j, j + 1, &mut swaps)?;
                k = self.median(k - 1, k, k + 1, &mut swaps)?;
            }
            j = self.median(i, j, k, &mut swaps)?;
        }
        Ok(match swaps {
            0 => (j, Hint::Increasing),
            12 => (j, Hint::Decreasing),
            _ => (j, Hint::Unknown),
        })
    }

    fn median(&mut self, a: usize, b: usize, c: usize, swaps: &mut usize) -> Result<usize, EvalError> {
        let (a, b) = self.in_order(a, b, swaps)?;
        let (b, _) = self.in_order(b, c, swaps)?;
        let (_, b) = self.in_order(a, b, swaps)?;
        Ok(b)
    }

    fn in_order(&mut self, a: usize, b: usize, swaps: &mut usize) -> Result<(usize, usize), EvalError> {
        if self.less(b, a)? {
            *swaps += 1;
            return Ok((b, a));
        }
        Ok((a, b))
    }
}
