//! Traces and sessions as they come out of a store: calls and reported spans together.

mod tree;

use serde::Serialize;
use vocab::{NanoUsd, Time};

use crate::found::{FoundCall, Json};
use crate::span::SpanKind;
use crate::store::Cursor;

pub use tree::{Node, SpanDetail, Tree, Used, assemble};

/// The most calls of one trace a store gives out.
pub const TRACE_CALLS: usize = 1_000;
/// The most spans of one trace a store gives out.
pub const TRACE_SPANS: usize = 10_000;
/// When the texts of one trace have come to so many bytes, a store gives out no more of it.
pub const TRACE_BYTES: usize = 32 * 1024 * 1024;

/// Everything that is known of one trace.
#[derive(Clone, Debug, Default)]
pub struct FoundTrace {
    /// Its calls, oldest first.
    pub calls: Vec<FoundCall>,
    /// Its reported spans, oldest first.
    pub spans: Vec<FoundSpan>,
    /// Whether there were more than a store gives out at once.
    pub truncated: bool,
}

/// A reported span.
#[derive(Clone, Debug, Serialize)]
pub struct FoundSpan {
    /// Its own id, hex.
    pub span_id: String,
    /// The span it belongs under, hex.
    pub parent_span_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// What it does.
    pub kind: SpanKind,
    /// When it began.
    pub started_at: Time,
    /// How long it took, µs.
    pub duration_us: u64,
    /// Whether it failed.
    pub failed: bool,
    /// What it said about its end.
    pub status_message: Option<String>,
    /// The reporting service.
    pub service: Option<String>,
    /// The end user.
    pub user: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The model it asked.
    pub model: Option<String>,
    /// The provider it asked.
    pub provider: Option<String>,
    /// The registered prompt it used.
    pub prompt: Option<String>,
    /// The version of it.
    pub prompt_version: Option<u32>,
    /// All input tokens.
    pub input_tokens: Option<u64>,
    /// All output tokens.
    pub output_tokens: Option<u64>,
    /// What went in: JSON, or a string when it is not JSON.
    pub input: Option<Json>,
    /// What came out.
    pub output: Option<Json>,
    /// Every other attribute.
    pub attributes: Option<Json>,
    /// Events with their times and attributes.
    pub events: Option<Json>,
}

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceSummary {
    /// W3C trace id, hex.
    pub trace_id: String,
    /// The name of its root: a span's name, or the endpoint of a call that has no parent.
    pub name: String,
    /// When its first call or span began.
    pub started_at: Time,
    /// From then to the end of its last, µs.
    pub duration_us: u64,
    /// How many calls it has.
    pub calls: u64,
    /// How many reported spans.
    pub spans: u64,
    /// How many of both failed.
    pub errors: u64,
    /// Input and output tokens of its calls.
    pub tokens: u64,
    /// What its calls cost as far as it is known.
    pub cost_nanousd: NanoUsd,
    /// The end user its calls or spans named first.
    pub user: Option<String>,
    /// The session they named first.
    pub session: Option<String>,
}

/// A session in a list, and at the head of its own page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionSummary {
    /// The session, as callers named it.
    pub id: String,
    /// When its first call in the searched time began.
    pub started_at: Time,
    /// When its last one began.
    pub last_at: Time,
    /// How many calls.
    pub calls: u64,
    /// How many traces they belong to.
    pub traces: u64,
    /// How many calls failed.
    pub errors: u64,
    /// Input and output tokens.
    pub tokens: u64,
    /// What they cost as far as it is known.
    pub cost_nanousd: NanoUsd,
    /// The end user named last.
    pub user: Option<String>,
}

/// A page of summaries, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryPage<T> {
    /// The summaries.
    #[serde(rename = "data")]
    pub rows: Vec<T>,
    /// Where the next page starts; `None` when there is nothing more.
    pub next_cursor: Option<Cursor>,
    /// Whether everything in the searched time was looked at; false when time ran out first.
    pub complete: bool,
}
