//! What comparing may cost, so that no pair of texts keeps a node busy.

use std::hash::Hash;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The most steps one comparison takes, all its texts together: two texts of 5,000 lines each that share none.
const STEPS: u64 = 100_000_000;

/// What is left of it.
pub(super) struct Effort(u64);

impl Default for Effort {
    fn default() -> Self {
        Self(STEPS)
    }
}

impl Effort {
    /// Takes so many steps, if there are as many left.
    pub(super) fn take(&mut self, steps: u64) -> bool {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// How one list became the other: exactly, or as one replacement when that would cost too much.
    pub(super) fn compare<T: Eq + Hash>(&mut self, from: &[T], to: &[T]) -> Vec<DiffOp> {
        let start = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        let rest = from.iter().skip(start).rev().zip(to.iter().skip(start).rev());
        let end = rest.take_while(|(a, b)| a == b).count();
        let (old_len, new_len) = (from.len() - start - end, to.len() - start - end);
        let differing = (old_len + new_len) as u64;
        if self.take(differing.saturating_mul(differing)) {
            return capture_diff_slices(Algorithm::Myers, from, to);
        }
        let middle = DiffOp::Replace { old_index: start, old_len, new_index: start, new_len };
        let head = DiffOp::Equal { old_index: 0, new_index: 0, len: start };
        let tail = DiffOp::Equal { old_index: start + old_len, new_index: start + new_len, len: end };
        vec![head, middle, tail]
    }
}
