//! How numbers are distributed, in logarithmic buckets: quantiles with a bounded relative error, and two sketches
//! added to or taken from each other exactly (`DDSketch`, Masson, Rim, Lee, VLDB 2019).

use crate::report::QUANTILE_ACCURACY;

/// The ratio of a bucket's upper bound to its lower one.
const GAMMA: f64 = (1.0 + QUANTILE_ACCURACY) / (1.0 - QUANTILE_ACCURACY);
/// Its natural logarithm, which cannot be worked out in a constant; a test does.
const LN_GAMMA: f64 = 0.020_000_666_706_669_435;
/// Buckets there can be: what the largest number falls into, and one for zero.
const BUCKETS: usize = 2_200;
/// Empty buckets made at a time where smaller numbers turn up.
const ROOM: usize = 16;

/// Counts by bucket, from the first that is not empty on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    first: usize,
    counts: Vec<i64>,
}

/// Bucket 0 holds 0, bucket n > 0 what is above γⁿ⁻² and up to γⁿ⁻¹.
fn bucket_of(number: i64) -> usize {
    if number < 1 {
        return 0;
    }
    1 + (((number as f64).ln() / LN_GAMMA).ceil() as usize).min(BUCKETS - 2)
}

/// The number whose relative distance to both ends of a bucket is the same.
fn middle_of(bucket: usize) -> f64 {
    match bucket {
        0 => 0.0,
        bucket => 2.0 * GAMMA.powi(bucket as i32 - 1) / (GAMMA + 1.0),
    }
}

impl Sketch {
    /// Counts a number; `times` is negative to take it out again.
    pub(super) fn add(&mut self, number: i64, times: i64) {
        self.bump(bucket_of(number), times);
    }

    fn bump(&mut self, bucket: usize, times: i64) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let first = bucket.saturating_sub(ROOM);
            self.counts.splice(0..0, std::iter::repeat_n(0, self.first - first));
            self.first = first;
        }
        let at = bucket - self.first;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += times;
    }

    /// Adds a sketch as it was packed; `times` is -1 to take it out.
    pub(super) fn add_packed(&mut self, packed: &[u8], times: i64) {
        let mut numbers = Unpacking(packed);
        let mut bucket = 0;
        while let (Some(gap), Some(count)) = (numbers.next(), numbers.next()) {
            bucket += gap as usize;
            if bucket >= BUCKETS {
                // Damaged: what follows means nothing.
                return;
            }
            self.bump(bucket, times * count as i64);
        }
    }

    /// The counts that are not zero, each behind its distance from the one before.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut last = 0;
        for (n, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            push_number((self.first + n - last) as u64, &mut packed);
            push_number(count.unsigned_abs(), &mut packed);
            last = self.first + n;
        }
        packed
    }

    /// The number below which so much of all lies, `part` being 0 to 1; `None` when there is none.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let total: i64 = self.counts.iter().sum();
        let rank = part.clamp(0.0, 1.0) * (total - 1).max(0) as f64;
        let mut below = 0;
        let bucket = self.counts.iter().position(|count| {
            below += count;
            below as f64 > rank
        })?;
        Some(middle_of(self.first + bucket))
    }
}

/// Appends a number in as many groups of seven bits as it needs.
pub(super) fn push_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads numbers as [`push_number`] wrote them, as far as they are whole.
pub(super) struct Unpacking<'a>(pub(super) &'a [u8]);

impl Iterator for Unpacking<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut number = 0;
        for turn in 0..10 {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << (turn * 7);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_logarithm_is_right() {
        assert!((LN_GAMMA - GAMMA.ln()).abs() < 1e-15);
        assert!(bucket_of(i64::MAX) < BUCKETS);
    }

    fn sketch(numbers: &[i64]) -> Sketch {
        let mut sketch = Sketch::default();
        for number in numbers {
            sketch.add(*number, 1);
        }
        sketch
    }

    proptest! {
        #[test]
        fn every_quantile_is_within_the_accuracy(
            mut numbers in prop::collection::vec(prop_oneof![0_i64..10, 1_000..100_000_000_i64], 1..300),
            part in 0.0..=1.0,
        ) {
            let quantile = sketch(&numbers).quantile(part).unwrap();
            numbers.sort_unstable();
            let exact = numbers[(part * (numbers.len() - 1) as f64) as usize] as f64;
            prop_assert!((quantile - exact).abs() <= exact * (QUANTILE_ACCURACY + 1e-9), "{quantile} for {exact}");
        }

        #[test]
        fn sketches_are_added_and_taken_out_exactly(
            ours in prop::collection::vec(0_i64..1_000_000, 0..100),
            theirs in prop::collection::vec(0_i64..1_000_000_000, 0..100),
        ) {
            let mut sum = sketch(&ours);
            sum.add_packed(&sketch(&theirs).pack(), 1);
            prop_assert_eq!(sum.pack(), sketch(&[ours.clone(), theirs.clone()].concat()).pack());
            sum.add_packed(&sketch(&theirs).pack(), -1);
            prop_assert_eq!(sum.pack(), sketch(&ours).pack());
        }

        #[test]
        fn no_bytes_break_reading(packed in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut sketch = Sketch::default();
            sketch.add_packed(&packed, 1);
            prop_assert!(sketch.counts.len() <= BUCKETS);
        }
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Sketch::default().quantile(0.5), None);
        assert_eq!(sketch(&[]).pack(), Vec::<u8>::new());
    }
}
