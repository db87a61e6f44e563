//! Sums over calls, kept apart by time bucket and group: what reports and roll-ups are made of.

use std::collections::HashMap;

use super::columns::{Column, Fields};
use super::groups::failed;
use super::sketch::{Sketch, Unpacking, push_number};

/// What is summed up. The order is that of the packed sums: new ones go to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    Calls,
    Errors,
    Cost,
    /// Calls whose cost is known.
    Priced,
    /// Calls whose cost is not, although they used tokens.
    Unpriced,
    /// Calls whose tokens are known.
    Counted,
    Input,
    CachedInput,
    CacheWrite,
    Output,
    Reasoning,
    Audio,
    CacheHits,
    CacheMisses,
}

const SUMS: usize = Sum::CacheMisses as usize + 1;

/// Sums of whole numbers, so that taking a call out again is exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums([i64; SUMS]);

/// The sums over the calls of one bucket and group.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) sums: Sums,
    pub(super) latency: Sketch,
    pub(super) ttft: Sketch,
    /// For each score a report asks for: the sum and how many.
    pub(super) scores: Vec<(f64, u64)>,
}

impl Sums {
    pub(super) const fn get(&self, sum: Sum) -> i64 {
        self.0[sum as usize]
    }

    fn add(&mut self, sum: Sum, number: i64) {
        let total = &mut self.0[sum as usize];
        *total = total.saturating_add(number);
    }

    /// Adds a call; `times` is -1 to take it out. Columns that were not read count as unknown.
    fn add_call(&mut self, fields: &Fields<'_>, times: i64) {
        self.add(Sum::Calls, times);
        self.add(Sum::Errors, i64::from(failed(fields)) * times);
        let (input, output) = (fields.int(Column::InputTokens), fields.int(Column::OutputTokens));
        let used = input.unwrap_or(0) > 0 || output.unwrap_or(0) > 0;
        match fields.int(Column::CostNanousd) {
            Some(cost) => {
                self.add(Sum::Cost, cost.saturating_mul(times));
                self.add(Sum::Priced, times);
            }
            None => self.add(Sum::Unpriced, i64::from(used) * times),
        }
        if input.is_some() || output.is_some() {
            self.add(Sum::Counted, times);
        }
        for (sum, column) in TOKENS {
            self.add(sum, fields.int(column).unwrap_or(0).saturating_mul(times));
        }
        match fields.text(Column::Cache).as_deref() {
            Some("hit") => self.add(Sum::CacheHits, times),
            Some("miss") => self.add(Sum::CacheMisses, times),
            _ => {}
        }
    }

    fn add_packed(&mut self, packed: &[u8]) {
        for (total, number) in self.0.iter_mut().zip(Unpacking(packed)) {
            // The lowest bit is the sign.
            let number = (number >> 1) as i64 ^ -((number & 1) as i64);
            *total = total.saturating_add(number);
        }
    }

    fn pack(&self) -> Vec<u8> {
        let mut packed = Vec::new();
        for number in self.0 {
            push_number(((number << 1) ^ (number >> 63)) as u64, &mut packed);
        }
        packed
    }
}

const TOKENS: [(Sum, Column); 6] = [
    (Sum::Input, Column::InputTokens),
    (Sum::CachedInput, Column::CachedInputTokens),
    (Sum::CacheWrite, Column::CacheWriteTokens),
    (Sum::Output, Column::OutputTokens),
    (Sum::Reasoning, Column::ReasoningTokens),
    (Sum::Audio, Column::AudioTokens),
];

impl Cell {
    /// Adds a call; `times` is -1 to take it out.
    pub(super) fn add_call(&mut self, fields: &Fields<'_>, times: i64) {
        self.sums.add_call(fields, times);
        if let Some(duration) = fields.int(Column::DurationUs) {
            self.latency.add(duration, times);
        }
        if let Some(ttft) = fields.int(Column::TtftUs) {
            self.ttft.add(ttft, times);
        }
    }

    /// Adds a cell as a roll-up has it.
    pub(super) fn add_packed(&mut self, sums: &[u8], latency: &[u8], ttft: &[u8]) {
        self.sums.add_packed(sums);
        self.latency.add_packed(latency, 1);
        self.ttft.add_packed(ttft, 1);
    }

    /// The three parts a roll-up keeps.
    pub(super) fn pack(&self) -> [Vec<u8>; 3] {
        [self.sums.pack(), self.latency.pack(), self.ttft.pack()]
    }

    /// Whether no call is left in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.sums.get(Sum::Calls) <= 0
    }
}

/// Cells by bucket and group.
pub(super) struct Tally {
    cells: HashMap<Box<[u8]>, Cell>,
    key: Vec<u8>,
    most: usize,
    /// Whether there were more cells than there may be.
    pub(super) overflowed: bool,
}

/// Ends each value in a key; no text holds it.
const END: u8 = 0xff;
/// Stands for a value that is not there.
const ABSENT: u8 = 0xfe;

impl Tally {
    /// A tally of so many cells at most.
    pub(super) fn of_at_most(most: usize) -> Self {
        Self { cells: HashMap::new(), key: Vec::new(), most, overflowed: false }
    }

    /// Begins the key of a cell.
    pub(super) fn begin(&mut self, bucket: i64) {
        self.key.clear();
        self.key.extend_from_slice(&bucket.to_le_bytes());
    }

    /// Goes on with the key: one more value of the group. An empty one is none.
    pub(super) fn push(&mut self, value: Option<&str>) {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.key.extend_from_slice(value.as_bytes()),
            None => self.key.push(ABSENT),
        }
        self.key.push(END);
    }

    /// The key's length, to come back to.
    pub(super) const fn mark(&self) -> usize {
        self.key.len()
    }

    /// Forgets what was pushed since.
    pub(super) fn back_to(&mut self, mark: usize) {
        self.key.truncate(mark);
    }

    /// The cell of the key; `None` when there are too many already.
    pub(super) fn cell(&mut self) -> Option<&mut Cell> {
        if !self.cells.contains_key(&*self.key) {
            if self.cells.len() >= self.most {
                self.overflowed = true;
                return None;
            }
            self.cells.insert(self.key.as_slice().into(), Cell::default());
        }
        self.cells.get_mut(&*self.key)
    }

    /// All cells with their buckets and groups.
    pub(super) fn into_cells(self) -> impl Iterator<Item = (i64, Vec<Option<String>>, Cell)> {
        self.cells.into_iter().map(|(key, cell)| {
            let (bucket, values) = key.split_first_chunk().unwrap_or((&[0; 8], &[]));
            let values = values.split(|byte| *byte == END).map(value).collect::<Vec<_>>();
            // Nothing stands behind the last end.
            let values = values.split_last().map_or(Vec::new(), |(_, values)| values.to_vec());
            (i64::from_le_bytes(*bucket), values, cell)
        })
    }
}

fn value(bytes: &[u8]) -> Option<String> {
    if bytes == [ABSENT] { None } else { Some(String::from_utf8_lossy(bytes).into_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_below_zero_and_above_survive_packing() {
        let mut sums = Sums::default();
        sums.add(Sum::Cost, -5);
        sums.add(Sum::Calls, i64::MAX);
        sums.add(Sum::CacheMisses, 3);
        let mut read = Sums::default();
        read.add_packed(&sums.pack());
        assert_eq!(read, sums);
        read.add_packed(&[1, 2]);
        assert_eq!(read.get(Sum::Cost), -5, "what is not there adds nothing");
    }

    #[test]
    fn cells_are_told_apart_by_bucket_and_every_value() {
        let mut tally = Tally::of_at_most(3);
        for (bucket, values) in [(1, [Some("a"), None]), (1, [None, Some("a")]), (2, [Some("a"), Some("")])] {
            tally.begin(bucket);
            for value in values {
                tally.push(value);
            }
            tally.cell().unwrap().sums.add(Sum::Calls, bucket);
        }
        tally.begin(3);
        assert!(tally.cell().is_none() && tally.overflowed);
        let mut cells: Vec<_> = tally
            .into_cells()
            .map(|(bucket, group, cell)| (bucket, group, cell.sums.get(Sum::Calls)))
            .collect();
        cells.sort();
        let a = || Some("a".to_owned());
        assert_eq!(cells, [(1, vec![None, a()], 1), (1, vec![a(), None], 1), (2, vec![a(), None], 2)]);
    }
}
