//! Reported spans: kept once each, read back by trace.

use std::io;

use rusqlite::{CachedStatement, Connection, Row as SqlRow, Transaction, params};
use serde_json::Value;
use vocab::Time;

use super::bodies::{self, Packer, Unpacker};
use super::columns::{Packing, push_hex};
use super::reading;
use crate::span::{Span, SpanKind};
use crate::trace::FoundSpan;

const ADD: &str = "INSERT INTO span (trace_id, span_id, project, started, user, fields, dictionary, packed)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (trace_id, span_id, project) DO NOTHING";
const OF_TRACE: &str = "SELECT seq, span_id, started, user, fields, dictionary, packed FROM span
                        WHERE trace_id = ?1 AND project = ?2 ORDER BY started, seq LIMIT ?3";

/// Adds a span; false when it is there already.
pub(super) fn add(tx: &Transaction<'_>, span: &Span, packer: &mut Packer) -> rusqlite::Result<bool> {
    let long = [&span.input, &span.output, &span.attributes, &span.events];
    let blob = if long.iter().all(|part| part.is_none()) {
        None
    } else {
        let parts = long.map(|part| part.as_deref().map(str::as_bytes));
        Some(packer.pack_parts(parts).map_err(unpackable)?)
    };
    let mut fields = String::from("[");
    pack(span, &mut Packing(&mut fields));
    fields.pop();
    fields.push(']');
    let added = tx.prepare_cached(ADD)?.execute(params![
        span.trace_id,
        span.span_id,
        span.project,
        span.started.micros(),
        span.user,
        fields,
        blob.map(|_| bodies::DICTIONARY),
        blob,
    ])?;
    Ok(added > 0)
}

fn unpackable(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// The short parts of a span, in the order [`Short`] reads them.
fn pack(span: &Span, out: &mut Packing<'_>) {
    out.hex(span.parent_span_id.as_ref().map(|id| &id[..]));
    out.text(&span.name);
    out.text(span.kind.as_str());
    out.count(Some(span.duration_us));
    out.flag(span.failed);
    out.maybe(span.status_message.as_deref());
    out.maybe(span.service.as_deref());
    out.maybe(span.session.as_deref());
    out.maybe(span.model.as_deref());
    out.maybe(span.provider.as_deref());
    out.maybe(span.prompt.as_ref().map(|(name, _)| &**name));
    out.maybe_int(span.prompt.as_ref().and_then(|(_, version)| version.map(i64::from)));
    out.count(span.input_tokens);
    out.count(span.output_tokens);
}

/// The short parts of a stored span.
pub(super) struct Short(Vec<Value>);

impl Short {
    pub(super) fn read(packed: &str) -> Self {
        Self(serde_json::from_str(packed).unwrap_or_default())
    }

    fn text(&self, n: usize) -> Option<String> {
        self.0.get(n).and_then(Value::as_str).map(str::to_owned)
    }

    fn count(&self, n: usize) -> Option<u64> {
        self.0.get(n).and_then(Value::as_u64)
    }

    pub(super) fn has_parent(&self) -> bool {
        self.0.first().is_some_and(Value::is_string)
    }

    pub(super) fn name(&self) -> String {
        self.text(1).unwrap_or_default()
    }

    pub(super) fn duration_us(&self) -> u64 {
        self.count(3).unwrap_or_default()
    }

    pub(super) fn failed(&self) -> bool {
        self.0.get(4).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn session(&self) -> Option<String> {
        self.text(7)
    }
}

/// Spans of one trace, oldest first.
pub(super) struct OfTrace<'c>(CachedStatement<'c>);

impl<'c> OfTrace<'c> {
    pub(super) fn prepare(db: &'c Connection) -> rusqlite::Result<Self> {
        db.prepare_cached(OF_TRACE).map(Self)
    }

    /// Gives each span's row to `see`, up to `limit` of them.
    pub(super) fn each(
        &mut self,
        project: &str,
        trace_id: [u8; 16],
        limit: usize,
        mut see: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut rows = self.0.query(params![trace_id, project, limit as i64])?;
        while let Some(row) = rows.next()? {
            see(row)?;
        }
        Ok(())
    }
}

/// Bytes of a span's long texts as they are stored.
pub(super) fn packed_bytes(row: &SqlRow<'_>) -> rusqlite::Result<usize> {
    Ok(row.get_ref(6)?.as_blob_or_null()?.map_or(0, <[u8]>::len))
}

/// Reads a row of [`OfTrace`] in full.
pub(super) fn found(row: &SqlRow<'_>, unpacker: &mut Unpacker) -> rusqlite::Result<FoundSpan> {
    let short = Short::read(row.get_ref(4)?.as_str()?);
    let mut span_id = String::new();
    push_hex(row.get_ref(1)?.as_blob()?, &mut span_id);
    let dictionary: Option<i64> = row.get(5)?;
    let texts = match (dictionary, row.get_ref(6)?.as_blob_or_null()?) {
        (Some(dictionary), Some(packed)) => unpacker.unpack_parts(dictionary, packed).unwrap_or_default(),
        _ => [None; 4],
    };
    let [input, output, attributes, events] = texts.map(|text| text.and_then(reading::body));
    Ok(FoundSpan {
        span_id,
        parent_span_id: short.text(0),
        name: short.name(),
        kind: SpanKind::from_word(&short.text(2).unwrap_or_default()),
        started_at: Time(row.get(2)?),
        duration_us: short.duration_us(),
        failed: short.failed(),
        status_message: short.text(5),
        service: short.text(6),
        user: row.get(3)?,
        session: short.session(),
        model: short.text(8),
        provider: short.text(9),
        prompt: short.text(10),
        prompt_version: short.count(11).map(|version| version as u32),
        input_tokens: short.count(12),
        output_tokens: short.count(13),
        input,
        output,
        attributes,
        events,
    })
}
