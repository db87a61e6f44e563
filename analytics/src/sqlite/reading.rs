//! Stored calls turned back into the columns of the public contract.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};
use serde_json::Value;
use vocab::id::Call;
use vocab::{Id, NanoUsd, Time, UsageSource};

use super::bodies::Unpacker;
use super::columns::{Column, Fields};
use super::readers::Reader;
use crate::found::{FoundAttempt, FoundCall, FoundRow, Json, Tries};
use crate::row::{Bodies, BodyState};

const ROW: &str = "SELECT c.id, c.fields, c.metadata, c.variables, b.usage_raw, b.request_preview,
                   b.response_preview FROM call AS c LEFT JOIN body AS b ON b.seq = c.seq
                   WHERE c.seq = ?1 LIMIT 1";
const CALL: &str = "SELECT c.id, c.fields, c.metadata, c.variables, b.usage_raw, b.request_preview,
                    b.response_preview, b.attempts, b.dictionary, b.packed
                    FROM call AS c LEFT JOIN body AS b ON b.seq = c.seq WHERE c.id = ?1 LIMIT 1";

const CALL_AT: &str = "SELECT c.id, c.fields, c.metadata, c.variables, b.usage_raw, b.request_preview,
                       b.response_preview, b.attempts, b.dictionary, b.packed
                       FROM call AS c LEFT JOIN body AS b ON b.seq = c.seq WHERE c.seq = ?1 LIMIT 1";

/// Reads one row of a list; `None` when it is gone.
pub(super) fn row(db: &Connection, seq: i64) -> rusqlite::Result<Option<FoundRow>> {
    db.prepare_cached(ROW)?.query_row([seq], found_row).optional()
}

/// Reads one call with everything that is kept of it.
pub(super) fn call(reader: &mut Reader, id: Id<Call>) -> rusqlite::Result<Option<FoundCall>> {
    let Reader { db, unpacker, .. } = reader;
    db.prepare_cached(CALL)?.query_row([id.bytes()], |row| found_call(row, unpacker)).optional()
}

/// Reads the call of this number with everything that is kept of it.
pub(super) fn call_at(
    db: &Connection,
    unpacker: &mut Unpacker,
    seq: i64,
) -> rusqlite::Result<Option<FoundCall>> {
    db.prepare_cached(CALL_AT)?.query_row([seq], |row| found_call(row, unpacker)).optional()
}

fn found_call(row: &SqlRow<'_>, unpacker: &mut Unpacker) -> rusqlite::Result<FoundCall> {
    let mut call = FoundCall {
        row: found_row(row)?,
        request_body: None,
        response_body: None,
        upstream_request_body: None,
    };
    call.row.attempts = Tries::All(attempts(row.get_ref(7)?.as_str_or_null()?.unwrap_or("[]")));
    let dictionary: Option<i64> = row.get(8)?;
    if let (Some(dictionary), Some(packed)) = (dictionary, row.get_ref(9)?.as_blob_or_null()?) {
        match unpacker.unpack(dictionary, packed) {
            Some(bodies) => call.take(&bodies),
            None => BodyState::Unreadable.as_str().clone_into(&mut call.row.body_state),
        }
    }
    Ok(call)
}

impl FoundCall {
    fn take(&mut self, bodies: &Bodies<'_>) {
        self.request_body = bodies.request.as_deref().and_then(body);
        self.response_body = bodies.response.as_deref().and_then(body);
        self.upstream_request_body = bodies.upstream_request.as_deref().and_then(body);
    }
}

/// A body as JSON when it is JSON, else as a JSON string.
pub(super) fn body(bytes: &[u8]) -> Option<Json> {
    let text = String::from_utf8_lossy(bytes);
    json(&text).or_else(|| serde_json::value::to_raw_value(&text).ok())
}

fn json(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

fn found_row(row: &SqlRow<'_>) -> rusqlite::Result<FoundRow> {
    let fields = Fields::read_all(row.get_ref(1)?.as_str()?);
    let [metadata, variables, usage_raw] = [given(row, 2)?, given(row, 3)?, given(row, 4)?];
    let text = |column| fields.text(column).map(std::borrow::Cow::into_owned);
    let word = |column| text(column).unwrap_or_default();
    let count = |column| fields.int(column).map(|count| count as u64);
    Ok(FoundRow {
        id: Id::from_bytes(row.get(0)?),
        project: word(Column::Project),
        started_at: Time(fields.int(Column::StartedAt).unwrap_or_default()),
        duration_us: count(Column::DurationUs).unwrap_or_default(),
        ttft_us: count(Column::TtftUs),
        overhead_us: count(Column::OverheadUs).unwrap_or_default(),
        endpoint: word(Column::Endpoint),
        streaming: fields.flag(Column::Streaming),
        status: fields.int(Column::Status).unwrap_or_default() as u16,
        outcome: word(Column::Outcome),
        error_code: text(Column::ErrorCode),
        error_message: text(Column::ErrorMessage),
        requested_model: text(Column::RequestedModel),
        provider: text(Column::Provider),
        model: text(Column::Model),
        response_model: text(Column::ResponseModel),
        attempts: Tries::Count(count(Column::Attempts).unwrap_or_default() as u32),
        cache: text(Column::Cache),
        key_id: text(Column::KeyId).and_then(|id| id.parse().ok()),
        user: text(Column::User),
        session: text(Column::Session),
        tags: fields.list(Column::Tags),
        metadata,
        prompt: text(Column::Prompt),
        prompt_id: text(Column::PromptId).and_then(|id| id.parse().ok()),
        prompt_version: count(Column::PromptVersion).map(|version| version as u32),
        prompt_digest: text(Column::PromptDigest),
        prompt_label: text(Column::PromptLabel),
        experiment: text(Column::Experiment),
        arm: text(Column::Arm),
        arm_unit: text(Column::ArmUnit),
        variables,
        input_tokens: count(Column::InputTokens),
        cached_input_tokens: count(Column::CachedInputTokens),
        cache_write_tokens: count(Column::CacheWriteTokens),
        output_tokens: count(Column::OutputTokens),
        reasoning_tokens: count(Column::ReasoningTokens),
        audio_tokens: count(Column::AudioTokens),
        usage_raw,
        usage_source: usage_source(&word(Column::UsageSource)),
        cost_nanousd: fields.int(Column::CostNanousd).map(NanoUsd),
        price_id: text(Column::PriceId),
        finish_reason: text(Column::FinishReason),
        tool_names: fields.list(Column::ToolNames),
        trace_id: word(Column::TraceId),
        span_id: word(Column::SpanId),
        parent_span_id: text(Column::ParentSpanId),
        request_preview: row.get(5)?,
        response_preview: row.get(6)?,
        body_state: word(Column::BodyState),
        node: word(Column::Node),
    })
}

fn given(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Option<Json>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.and_then(json))
}

fn usage_source(word: &str) -> UsageSource {
    [UsageSource::Provider, UsageSource::Counted, UsageSource::Estimated]
        .into_iter()
        .find(|source| source.as_str() == word)
        .unwrap_or_default()
}

/// Attempts as they were packed, in the order of [`super::schema::ATTEMPT`].
fn attempts(packed: &str) -> Vec<FoundAttempt> {
    let packed: Vec<Vec<Value>> = serde_json::from_str(packed).unwrap_or_default();
    packed.iter().zip(1..).map(|(parts, n)| attempt(parts, n)).collect()
}

fn attempt(parts: &[Value], n: u32) -> FoundAttempt {
    let int = |n: usize| parts.get(n).and_then(Value::as_i64);
    let count = |n| int(n).map(|count| count as u64);
    let text = |n: usize| parts.get(n).and_then(Value::as_str).map(str::to_owned);
    FoundAttempt {
        n,
        provider: text(0).unwrap_or_default(),
        model: text(1).unwrap_or_default(),
        account: None,
        status: int(2).map(|status| status as u16),
        failure_class: text(3),
        error: text(4),
        started_at: Time(int(5).unwrap_or_default()),
        duration_us: count(6).unwrap_or_default(),
        ttft_us: count(7),
        waited_us: count(12),
        upstream_request_id: text(8),
        cost_nanousd: int(9).map(NanoUsd),
        won: parts.get(10).and_then(Value::as_bool).unwrap_or_default(),
        reason: text(11).unwrap_or_default(),
    }
}
