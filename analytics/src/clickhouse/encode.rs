//! Calls, spans and scores as rows of their tables, in the order of [`super::schema`]'s columns.
//!
//! A row is encoded once, on the recorder's thread, and waits in the outbox as it will be shipped.

use std::time::Duration;

use super::rowbinary::Cells;
use super::words;
use crate::folding::{self, BETWEEN};
use crate::outbox::{Batch, Keep, Table};
use crate::policy::Policies;
use crate::record::{Attempt, Record};
use crate::row::Row;
use crate::score::{Score, Target};
use crate::span::Span;
use crate::store::Entry;

/// A retention longer than this is for ever; the engine's dates end in 2106.
const RETENTION_DAYS: u64 = 20_000;
const DAY_S: u64 = 24 * 60 * 60;

/// Room that is used again from row to row.
#[derive(Default)]
pub(super) struct Encoder {
    text: Vec<u8>,
    words: Vec<u8>,
}

impl Encoder {
    /// Adds the rows of an entry to a batch, as far as there is room to keep it.
    pub(super) fn enter(&mut self, entry: Entry<'_>, keep: Keep, policies: &Policies, batch: &mut Batch) {
        match entry {
            Entry::Call(mut row) => {
                if keep.trim(&mut row, &mut batch.shed) {
                    self.enter_call(&row, batch);
                }
            }
            Entry::Span(given) => {
                if let Some(given) = keep.trim_span(given, &mut batch.shed) {
                    let retention = policies.of_project(&given.project).retention;
                    batch.row(Table::Spans, |out| span(&given, retention, out));
                }
            }
            Entry::Score(given) => {
                let retention = policies.of_project(&given.project).retention;
                batch.row(Table::Scores, |out| score(given, retention, out));
            }
        }
    }

    fn enter_call(&mut self, row: &Row<'_>, batch: &mut Batch) {
        batch.row(Table::Calls, |out| self.call(row, out));
        for (n, tried) in row.record.attempts.iter().enumerate() {
            batch.row(Table::Attempts, |out| attempt(row, n, tried, out));
        }
        if !row.bodies.is_empty() {
            batch.row(Table::Bodies, |out| self.bodies(row, out));
        }
    }

    /// The row of `calls`.
    pub(super) fn call(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        let record = &*row.record;
        let cells = &mut Cells(out);
        begin(cells, &record.project, record.started.micros());
        cells.uuid(record.id.bytes());
        outcome(record, cells);
        models(record, cells);
        cells.u32(record.attempts.len() as u32);
        cells.text(record.cache.as_str());
        cells.id_text(record.key.map(vocab::Id::bytes));
        cells.maybe(record.user.as_deref());
        cells.maybe(record.session.as_deref());
        cells.list(&record.tags);
        cells.maybe(row.metadata.as_deref());
        prompt(record, cells);
        cells.maybe(row.variables.as_deref());
        self.words(row, cells);
        usage(record, cells);
        cells.list(&row.tool_names);
        cells.fixed(record.trace_id);
        cells.fixed(record.span_id);
        cells.fixed(record.parent_span_id.unwrap_or_default());
        cells.maybe(row.request_preview.as_deref());
        cells.maybe(row.response_preview.as_deref());
        cells.text(row.body_state.as_str());
        cells.text(row.node);
        cells.u16(days(row.retention));
        cells.maybe(record.exposure.as_ref().map(|exposure| &*exposure.unit));
    }

    fn words(&mut self, row: &Row<'_>, cells: &mut Cells<'_>) {
        let mut count = 0;
        self.words.clear();
        let mut listed = Cells(&mut self.words);
        words::leave(row, &mut self.text, |word| {
            listed.bytes(word);
            count += 1;
        });
        cells.length(count);
        cells.0.extend_from_slice(&self.words);
    }

    /// The row of `bodies`; a call without any has none.
    fn bodies(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        let cells = &mut Cells(out);
        begin(cells, &row.record.project, row.record.started.micros());
        cells.uuid(row.record.id.bytes());
        for body in [&row.bodies.request, &row.bodies.response, &row.bodies.upstream_request] {
            cells.bytes(body.as_deref().unwrap_or_default());
        }
        self.text.clear();
        folding::fold_into(&row.said.request, &mut self.text);
        self.text.push(BETWEEN);
        folding::fold_into(&row.said.response, &mut self.text);
        cells.bytes(&self.text);
        cells.u16(days(row.retention));
    }
}

/// The row of `attempts` of the try at place `n`, counted from 0.
fn attempt(row: &Row<'_>, n: usize, attempt: &Attempt, out: &mut Vec<u8>) {
    let cells = &mut Cells(out);
    begin(cells, &row.record.project, attempt.started.micros());
    cells.uuid(row.record.id.bytes());
    cells.u32(n as u32 + 1);
    cells.text(&attempt.provider);
    cells.text(&attempt.model);
    // Several accounts at one provider are not built yet.
    cells.maybe(None);
    cells.maybe_u16(attempt.status);
    cells.maybe(attempt.failure_class);
    cells.maybe(attempt.error.as_deref());
    cells.u64(attempt.duration_us);
    cells.maybe_u64(attempt.ttft_us);
    cells.maybe_u64(Some(attempt.waited_us));
    cells.maybe(attempt.upstream_request_id.as_deref());
    cells.maybe_i64(attempt.cost.map(|cost| cost.0));
    cells.flag(attempt.won);
    cells.text(attempt.reason);
    cells.u16(days(row.retention));
}

/// The row of `spans`.
fn span(span: &Span, retention: Option<Duration>, out: &mut Vec<u8>) {
    let cells = &mut Cells(out);
    begin(cells, &span.project, span.started.micros());
    cells.fixed(span.trace_id);
    cells.fixed(span.span_id);
    cells.fixed(span.parent_span_id.unwrap_or_default());
    cells.text(&span.name);
    cells.text(span.kind.as_str());
    cells.u64(span.duration_us);
    cells.flag(span.failed);
    for text in [&span.status_message, &span.service, &span.user, &span.session, &span.model, &span.provider]
    {
        cells.maybe(text.as_deref());
    }
    let prompt = span.prompt.as_ref();
    cells.maybe(prompt.map(|(name, _)| &**name));
    cells.u32(prompt.and_then(|(_, version)| *version).unwrap_or_default());
    cells.maybe_u64(span.input_tokens);
    cells.maybe_u64(span.output_tokens);
    for text in [&span.input, &span.output, &span.attributes, &span.events] {
        cells.maybe(text.as_deref());
    }
    cells.u16(days(retention));
}

/// The row of `scores`.
fn score(score: &Score, retention: Option<Duration>, out: &mut Vec<u8>) {
    let cells = &mut Cells(out);
    begin(cells, &score.project, score.at.micros());
    cells.uuid(score.id.bytes());
    match &score.target {
        Target::Call(id) => {
            cells.text("call");
            cells.id_text(Some(id.bytes()));
        }
        Target::Trace(id) => {
            cells.text("trace");
            cells.text(&hex(id));
        }
        Target::Session(session) => {
            cells.text("session");
            cells.text(session);
        }
    }
    cells.text(&score.name);
    cells.f64(score.value);
    cells.maybe(score.comment.as_deref());
    cells.text(score.source.as_str());
    cells.maybe(score.author.as_deref());
    cells.u16(days(retention));
}

/// What every row begins with.
fn begin(cells: &mut Cells<'_>, project: &str, micros: i64) {
    cells.text(project);
    cells.i64(micros);
}

fn outcome(record: &Record, cells: &mut Cells<'_>) {
    cells.u64(record.duration_us);
    cells.maybe_u64(record.ttft_us);
    cells.u64(record.overhead_us);
    cells.text(record.endpoint.as_str());
    cells.flag(record.streaming);
    cells.u16(record.status);
    cells.text(record.outcome.as_str());
    cells.maybe(record.error_code.as_deref());
    cells.maybe(record.error_message.as_deref());
}

fn models(record: &Record, cells: &mut Cells<'_>) {
    cells.maybe(record.requested_model.as_deref());
    cells.maybe(record.provider.as_deref());
    cells.maybe(record.model.as_deref());
    cells.maybe(record.response_model.as_deref());
}

fn prompt(record: &Record, cells: &mut Cells<'_>) {
    let prompt = record.prompt.as_ref();
    cells.maybe(prompt.map(|prompt| &*prompt.name));
    cells.id_text(prompt.map(|prompt| prompt.id.bytes()));
    cells.u32(prompt.map_or(0, |prompt| prompt.version));
    cells.maybe(prompt.map(|prompt| &*prompt.digest));
    cells.maybe(prompt.and_then(|prompt| prompt.label.as_deref()));
    let exposure = record.exposure.as_ref();
    cells.maybe(exposure.map(|exposure| &*exposure.experiment));
    cells.maybe(exposure.map(|exposure| &*exposure.arm));
}

fn usage(record: &Record, cells: &mut Cells<'_>) {
    let usage = record.usage;
    cells.maybe_u64(usage.map(|usage| usage.input));
    cells.maybe_u64(usage.map(|usage| usage.cached_input));
    cells.maybe_u64(usage.map(|usage| usage.cache_write));
    cells.maybe_u64(usage.map(|usage| usage.output));
    cells.maybe_u64(usage.map(|usage| usage.reasoning));
    cells.maybe_u64(usage.map(vocab::Usage::audio));
    cells.maybe(record.usage_raw.as_deref());
    cells.text(record.usage_source.as_str());
    cells.maybe_i64(record.cost.map(|cost| cost.0));
    cells.maybe(record.price_id.as_deref());
    cells.maybe(record.finish_reason.as_deref());
}

/// A retention as the tables have it: days, begun ones whole, 0 for ever.
fn days(retention: Option<Duration>) -> u16 {
    let Some(retention) = retention else { return 0 };
    match retention.as_secs().div_ceil(DAY_S) {
        days if days > RETENTION_DAYS => 0,
        days => days.max(1) as u16,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
