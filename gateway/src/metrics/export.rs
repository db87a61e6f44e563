//! Metrics of calls sent on as spans: they mirror what the exporter counts itself.

use prometheus::{IntCounterVec, IntGauge};

use super::Maker;
use super::records::{catch_up, gauge};
use crate::exporter::ExportCounts;

/// What became of spans, and what waits.
pub struct ExportMetrics {
    spans: IntCounterVec,
    queue_bytes: IntGauge,
}

impl ExportMetrics {
    pub(super) fn new(made: &Maker) -> Result<Self, prometheus::Error> {
        Ok(Self {
            spans: made.counters(
                "weir_export_spans_total",
                "Spans of calls sent on, by result: sent, rejected, failed, dropped.",
                &["result"],
            )?,
            queue_bytes: made.gauge("weir_export_queue_bytes", "Bytes of spans that wait to be sent on.")?,
        })
    }

    /// Brings everything up to date.
    pub fn refresh(&self, counts: &ExportCounts) {
        for (result, count) in [
            ("sent", counts.sent),
            ("rejected", counts.rejected),
            ("failed", counts.failed),
            ("dropped", counts.dropped),
        ] {
            catch_up(&self.spans.with_label_values(&[result]), count);
        }
        self.queue_bytes.set(gauge(counts.queue_bytes));
    }
}
