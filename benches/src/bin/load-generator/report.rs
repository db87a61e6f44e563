//! What the calls told: how many, how they ended, and how long they took.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vocab::{Clock, Time};

use crate::connection::Answer;

/// The sum of what threads saw.
#[derive(Default)]
pub(crate) struct Report {
    total_us: Vec<u32>,
    ttfb_us: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    body_bytes: u64,
    body_reads: u64,
    /// The ids of whole answers and when these ended, when they are asked for.
    pub(crate) ids: Option<Vec<(String, Time)>>,
}

impl Report {
    /// An empty report, which keeps ids or not.
    pub(crate) fn keeping_ids(keeps_ids: bool) -> Self {
        Self { ids: keeps_ids.then(Vec::new), ..Self::default() }
    }

    /// Counts an answer whose latency started to count at `from` and which ended now.
    pub(crate) fn answered(&mut self, answer: &Answer, from: Duration, clock: &Clock) {
        let end = clock.monotonic();
        *self.statuses.entry(answer.status).or_default() += 1;
        if answer.status != 200 {
            return;
        }
        self.total_us.push(end.saturating_sub(from).as_micros() as u32);
        self.ttfb_us.push(answer.first_byte.saturating_sub(from).as_micros() as u32);
        self.body_bytes += answer.body_bytes;
        self.body_reads += answer.body_reads;
        if let Some(ids) = &mut self.ids {
            ids.extend(answer.call_id.clone().map(|id| (id, clock.now())));
        }
    }

    /// Takes in what another thread saw.
    pub(crate) fn add(&mut self, other: Self) {
        self.total_us.extend(other.total_us);
        self.ttfb_us.extend(other.ttfb_us);
        self.refused += other.refused;
        self.broken += other.broken;
        self.body_bytes += other.body_bytes;
        self.body_reads += other.body_reads;
        self.ids.get_or_insert_default().extend(other.ids.unwrap_or_default());
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
    }

    /// The whole as JSON, for a run of `seconds`.
    pub(crate) fn print(mut self, seconds: f64) -> Value {
        let ok = self.total_us.len();
        let others: u64 =
            self.statuses.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum();
        let each = ok.max(1) as f64;
        json!({
            "ok": ok,
            "errors": others + self.refused + self.broken,
            "statuses": self.statuses,
            "refused": self.refused,
            "broken": self.broken,
            "secs": seconds,
            "rps": ok as f64 / seconds,
            "total_us": percentiles(&mut self.total_us),
            "ttfb_us": percentiles(&mut self.ttfb_us),
            "reads_per_req": self.body_reads as f64 / each,
            "body_bytes": self.body_bytes as f64 / each,
        })
    }
}

fn percentiles(values: &mut [u32]) -> Value {
    values.sort_unstable();
    let Some(max) = values.last() else { return Value::Null };
    let at = |share: f64| values[((values.len() as f64 * share) as usize).min(values.len() - 1)];
    json!({ "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": max })
}
