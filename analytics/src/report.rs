//! Numbers over calls, as a value: measures x groups x time buckets x filter. Every chart and every alert is one.

mod words;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use vocab::Time;

use crate::filter::{Field, Filter};

pub use words::UnknownWord;

/// The relative error quantiles may have: both stores keep them in logarithmic buckets of this accuracy
/// (`DDSketch`, Masson, Rim, Lee, VLDB 2019).
pub const QUANTILE_ACCURACY: f64 = 0.01;

/// A question about many calls.
#[derive(Clone, Debug)]
pub struct Report {
    /// Only calls of this project; `None` is all.
    pub project: Option<Arc<str>>,
    /// Which calls.
    pub filter: Filter,
    /// The earliest start, itself included.
    pub from: Time,
    /// The latest start, itself excluded.
    pub to: Time,
    /// Where this is set, `from` and `to` are about when calls ended, and those that took longer than this are left
    /// out. A call is recorded when it ends: by their starts, the calls of the last minutes are never all there.
    pub ended_within: Option<Duration>,
    /// What is measured; at least one.
    pub measures: Vec<Measured>,
    /// By what it is split.
    pub group_by: Vec<Group>,
    /// How wide a time bucket is; `None` puts all of the time into one. Buckets begin at multiples of the
    /// interval since 1970 (UTC).
    pub interval: Option<Duration>,
    /// The most rows; those with the most calls stay.
    pub limit: u32,
}

impl Report {
    /// The earliest start of a call it is about.
    pub(crate) fn started_from(&self) -> Time {
        self.ended_within.map_or(self.from, |longest| self.from.minus(longest))
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// How many calls.
    Calls,
    /// Calls whose outcome is neither `ok` nor `cancelled`.
    Errors,
    /// Errors per call, 0 to 1.
    ErrorRate,
    /// Dollars spent, in billionths; calls of unknown cost add nothing.
    Cost,
    /// Calls whose cost is unknown although they used tokens.
    Unpriced,
    /// Tokens of a class.
    Tokens(TokenClass),
    /// A quantile of the duration, µs; the number lies within 0 and 1.
    Latency(f64),
    /// A quantile of the time to the first token, µs.
    Ttft(f64),
    /// Of the calls that asked the cache, those it answered, 0 to 1.
    CacheHitRate,
    /// The mean of the scores of this name given to these calls themselves, not to their traces or sessions.
    Score(String),
}

/// A class of tokens, as the columns of a call have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenClass {
    /// Input and output together.
    All,
    /// All input.
    Input,
    /// Input read from the provider's cache.
    CachedInput,
    /// Input written to it.
    CacheWrite,
    /// All output.
    Output,
    /// Output spent on reasoning.
    Reasoning,
    /// Audio on both sides.
    Audio,
}

/// By what a report is split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// A field of words, `metadata.<key>` and `variable.<key>` included. A call with several tags counts under
    /// each. `Field::Model` is the model that served.
    Field(Field),
    /// The HTTP status.
    Status,
    /// The prompt version's number.
    Version,
    /// The node.
    Node,
}

/// A report's answer. There is a row where there are calls, and none where there are not: a report about nothing has
/// no rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// The rows, by bucket, then by falling number of calls.
    pub rows: Vec<TableRow>,
    /// Whether every call was counted; false when time ran out first.
    pub complete: bool,
    /// Whether rows beyond the limit were left out.
    pub truncated: bool,
}

/// One bucket of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableRow {
    /// When the bucket begins; `None` without an interval.
    pub bucket: Option<Time>,
    /// The group's values in the order of `group_by`; `None` for calls without one or with an empty one.
    pub group: Vec<Option<String>>,
    /// The numbers in the order of `measures`; `None` where there is nothing to measure: no call of known cost, with
    /// tokens, with a first token, with a score, that asked the cache.
    pub values: Vec<Option<f64>>,
}
