//! Metrics of the recording of calls: they mirror what the recorder and the store count themselves.

use std::sync::{Mutex, PoisonError};

use analytics::{Condition, Counts};
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use vocab::Time;

use super::Maker;

/// What the queue had no room for, by class.
const DROPPED: [&str; 2] = ["bodies", "calls"];
/// What the disk had no room for.
const SHED: [&str; 4] = ["bodies", "previews", "successes", "rows"];

/// How records travel, and what became of them.
pub struct RecordMetrics {
    written: IntCounter,
    shipped: IntCounter,
    dropped: IntCounterVec,
    shed: IntCounterVec,
    poisoned: IntGauge,
    set_aside: IntGauge,
    outbox_rows: IntGauge,
    outbox_bytes: IntGauge,
    outbox_oldest: IntGauge,
}

impl RecordMetrics {
    pub(super) fn new(made: &Maker) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            written: made.counter(
                "weir_records_written_total",
                "Records committed: to the embedded store, or to the outbox.",
            )?,
            shipped: made
                .counter("weir_records_shipped_total", "Rows shipped from the outbox to the store.")?,
            dropped: made.counters(
                "weir_records_dropped_total",
                "What was not recorded because the recorder's queue was full, by class: bodies, calls.",
                &["class"],
            )?,
            shed: made.counters(
                "weir_records_shed_total",
                "What was not recorded because the disk was full, by class: bodies, previews, successes, rows.",
                &["class"],
            )?,
            poisoned: made
                .gauge("weir_records_poisoned", "Rows the store refused for what is in them, set aside.")?,
            set_aside: made
                .gauge("weir_records_file_set_aside", "1 when a damaged records file was set aside.")?,
            outbox_rows: made.gauge("weir_outbox_rows", "Rows that wait to be shipped.")?,
            outbox_bytes: made.gauge("weir_outbox_bytes", "Bytes of the outbox on disk.")?,
            outbox_oldest: made
                .gauge("weir_outbox_oldest_seconds", "How long the oldest row of the outbox has waited.")?,
        };
        // There from the start, whatever keeps the records: a sum with a series that is missing is no sum.
        for class in DROPPED {
            metrics.dropped.with_label_values(&[class]);
        }
        for class in SHED {
            metrics.shed.with_label_values(&[class]);
        }
        Ok(metrics)
    }

    /// Brings everything up to date.
    pub fn refresh(&self, counts: Counts, condition: &Condition, now: Time) {
        catch_up(&self.written, counts.written);
        for (class, count) in DROPPED.into_iter().zip([counts.dropped_bodies, counts.dropped_calls]) {
            catch_up(&self.dropped.with_label_values(&[class]), count);
        }
        self.set_aside.set(i64::from(condition.set_aside.is_some()));
        let shed = &condition.shed;
        let shed = [shed.bodies, shed.previews, shed.successes, shed.rows];
        for (class, count) in SHED.into_iter().zip(shed) {
            catch_up(&self.shed.with_label_values(&[class]), count);
        }
        let Some(outbox) = &condition.outbox else { return };
        catch_up(&self.shipped, outbox.shipped);
        self.poisoned.set(gauge(outbox.poisoned));
        self.outbox_rows.set(gauge(outbox.rows));
        self.outbox_bytes.set(gauge(outbox.bytes));
        let waited = outbox.oldest.map_or(0, |oldest| (now.micros() - oldest.micros()).max(0));
        self.outbox_oldest.set(waited / 1_000_000);
    }
}

/// Held while a counter is read and added to: two scrapes at the same moment would add the same gap twice.
static CATCHING_UP: Mutex<()> = Mutex::new(());

/// Brings a counter to a count kept elsewhere, which only grows.
pub(super) fn catch_up(counter: &IntCounter, count: u64) {
    let _alone = CATCHING_UP.lock().unwrap_or_else(PoisonError::into_inner);
    counter.inc_by(count.saturating_sub(counter.get()));
}

pub(super) fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use analytics::OutboxCondition;

    use super::*;
    use crate::metrics::Metrics;

    // Rules that add them up never fired where there is no outbox.
    #[test]
    fn what_may_be_lost_is_counted_from_the_start_with_and_without_an_outbox() {
        let metrics = Metrics::new(false).unwrap();
        metrics.records.refresh(Counts::default(), &Condition::default(), Time(1));
        let text = metrics.text();
        for class in [
            "dropped_total{class=\"calls\"} 0",
            "shed_total{class=\"rows\"} 0",
            "shed_total{class=\"successes\"} 0",
        ] {
            assert!(text.contains(&format!("weir_records_{class}")), "{class}");
        }
    }

    #[test]
    fn counters_never_run_ahead_however_many_scrape_at_once() {
        let counter = IntCounter::new("written", "help").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20_000).for_each(|count| catch_up(&counter, count)));
            }
        });
        assert_eq!(counter.get(), 19_999);
    }

    #[test]
    fn the_outbox_shows_and_a_clock_set_back_does_not_make_it_younger_than_nothing() {
        let metrics = Metrics::new(false).unwrap();
        let outbox = OutboxCondition {
            rows: 7,
            bytes: 4_096,
            oldest: Some(Time(9_000_000)),
            ..OutboxCondition::default()
        };
        let condition = Condition { outbox: Some(outbox), ..Condition::default() };
        let counts = Counts { written: 12, ..Counts::default() };
        metrics.records.refresh(counts, &condition, Time(21_500_000));
        let text = metrics.text();
        for line in ["weir_outbox_rows 7", "weir_outbox_oldest_seconds 12", "weir_records_written_total 12"] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        metrics.records.refresh(counts, &condition, Time(1));
        assert!(metrics.text().contains("weir_outbox_oldest_seconds 0"));
    }
}
