//! One trace with all that is in it: calls and reported spans.
//!
//! Both are found by `trace_seen`, the bloom filter over trace ids that each table has.

use std::sync::Arc;

use clickhouse::Row;
use serde::Deserialize;
use vocab::Time;

use super::ask::{Asker, Failure, PATIENCE};
use super::export::size;
use super::get;
use super::rows::{CALL, CallRow, hex, span, text, word};
use super::sql::Sql;
use crate::span::SpanKind;
use crate::store::QueryError;
use crate::trace::{FoundSpan, FoundTrace, TRACE_BYTES, TRACE_CALLS, TRACE_SPANS};

/// Calls whose bodies are fetched at a time.
const FETCHED: usize = 64;

/// A row of `spans`.
#[derive(Row, Deserialize)]
struct SpanRow {
    span_id: [u8; 8],
    parent_span_id: [u8; 8],
    name: String,
    kind: String,
    started: i64,
    duration_us: u64,
    failed: bool,
    status_message: String,
    service: String,
    user: String,
    session: String,
    model: String,
    provider: String,
    prompt: String,
    prompt_version: u32,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input: String,
    output: String,
    attributes: String,
    events: String,
}

/// Returns what is known of one trace, until its texts come to too many bytes.
pub(super) async fn trace(
    asker: &Asker,
    project: &Arc<str>,
    trace_id: [u8; 16],
) -> Result<FoundTrace, QueryError> {
    let mut found = FoundTrace::default();
    let mut bytes = 0;
    let mut rows = calls(asker, project, trace_id).await?;
    found.truncated = rows.len() > TRACE_CALLS;
    rows.truncate(TRACE_CALLS);
    let mut rest = rows.into_iter().peekable();
    while rest.peek().is_some() {
        if bytes > TRACE_BYTES {
            found.truncated = true;
            return Ok(found);
        }
        let calls = get::whole(asker, rest.by_ref().take(FETCHED).collect()).await?;
        bytes += calls.iter().map(size).sum::<usize>();
        found.calls.extend(calls);
    }
    spans(asker, project, trace_id, (&mut found, bytes)).await?;
    Ok(found)
}

async fn calls(asker: &Asker, project: &Arc<str>, trace_id: [u8; 16]) -> Result<Vec<CallRow>, Failure> {
    let mut sql = Sql::new("SELECT ");
    sql.push(CALL).push(" FROM calls").append(&of_trace(project, trace_id));
    sql.push(" ORDER BY started_at, id LIMIT 1 BY id LIMIT ").int(TRACE_CALLS as i64 + 1);
    asker.rows(&sql, PATIENCE).await
}

async fn spans(
    asker: &Asker,
    project: &Arc<str>,
    trace_id: [u8; 16],
    (found, mut bytes): (&mut FoundTrace, usize),
) -> Result<(), Failure> {
    // Of a span that was reported again the first report stays; blocks have ids in the order they were made in.
    let mut sql = Sql::new(
        "SELECT span_id, parent_span_id, name, kind, toUnixTimestamp64Micro(started_at) AS started, duration_us,
         failed, status_message, service, user, session, model, provider, prompt, prompt_version, input_tokens,
         output_tokens, input, output, attributes, events FROM spans",
    );
    sql.append(&of_trace(project, trace_id));
    sql.push(" ORDER BY toUInt128(block) LIMIT 1 BY span_id LIMIT ").int(TRACE_SPANS as i64 + 1);
    let mut rows = asker.rows::<SpanRow>(&sql, PATIENCE).await?;
    rows.sort_by_key(|row| (row.started, row.span_id));
    for row in rows {
        if found.spans.len() == TRACE_SPANS || bytes > TRACE_BYTES {
            found.truncated = true;
            break;
        }
        bytes += row.input.len() + row.output.len() + row.attributes.len() + row.events.len();
        found.spans.push(FoundSpan::from(row));
    }
    Ok(())
}

fn of_trace(project: &Arc<str>, trace_id: [u8; 16]) -> Sql {
    let mut sql = Sql::new(" WHERE project = ");
    sql.text(&**project).push(" AND trace_id = toFixedString(unhex(").text(hex(&trace_id)).push("), 16)");
    sql
}

impl From<SpanRow> for FoundSpan {
    fn from(row: SpanRow) -> Self {
        Self {
            span_id: hex(&row.span_id),
            parent_span_id: span(row.parent_span_id),
            name: row.name,
            kind: SpanKind::from_word(&row.kind),
            started_at: Time(row.started),
            duration_us: row.duration_us,
            failed: row.failed,
            status_message: word(row.status_message),
            service: word(row.service),
            user: word(row.user),
            session: word(row.session),
            model: word(row.model),
            provider: word(row.provider),
            prompt: word(row.prompt),
            prompt_version: Some(row.prompt_version).filter(|version| *version != 0),
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            input: text(&row.input),
            output: text(&row.output),
            attributes: text(&row.attributes),
            events: text(&row.events),
        }
    }
}
