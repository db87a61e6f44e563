//! How a call looks as spans: a SERVER span for what the client asked of Weir, and under it a CLIENT span for every
//! try upstream.
//!
//! Ids are those of the record, so that the spans join the trace the client named in `traceparent`, and sending a
//! call again gives the same spans. Contents are what the project's policy kept, never more.

mod asked;
mod envelope;
mod genai;
mod messages;
mod openinference;
mod pairs;

#[cfg(test)]
mod tests;

use dialects::Endpoint;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

pub use self::envelope::Envelope;
use self::pairs::Pairs;
use crate::record::{Attempt, Outcome, Record};
use crate::row::Row;

/// How much of an error's message goes into a span.
const MESSAGE_BYTES: usize = 2 << 10;
/// How much of a call's text goes into its SERVER span.
const TEXT_BYTES: usize = 32 << 10;

/// Which attribute names say what a call was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// OpenTelemetry's GenAI conventions as released.
    #[default]
    Current,
    /// The same as they are about to become.
    Next,
    /// OpenInference.
    OpenInference,
}

/// How calls are made into spans.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exporting {
    /// Which names.
    pub names: Names,
    /// Whether requests and answers go along, as far as the project's policy kept them.
    pub bodies: bool,
}

/// One try, with what it is part of.
struct Try<'a> {
    row: &'a Row<'a>,
    attempt: &'a Attempt,
    /// Whether its answer is the one that was served.
    served: bool,
    bodies: bool,
}

impl Exporting {
    /// The spans of one call, the SERVER span first.
    pub fn spans(self, row: &Row<'_>) -> Vec<Span> {
        let record = &*row.record;
        let mut spans = vec![self.server(row)];
        let last = record.attempts.len().wrapping_sub(1);
        for (number, attempt) in record.attempts.iter().enumerate() {
            let served = attempt.won && number == last;
            spans.push(self.client(&Try { row, attempt, served, bodies: self.bodies }, number));
        }
        spans
    }

    fn server(self, row: &Row<'_>) -> Span {
        let record = &*row.record;
        let mut pairs = Pairs::default();
        if let Some(route) = route(record.endpoint) {
            pairs.text("http.request.method", "POST");
            pairs.text("http.route", route);
        }
        pairs.int("http.response.status_code", record.status.into());
        if self.names == Names::OpenInference {
            pairs.text("openinference.span.kind", "CHAIN");
        }
        about(&mut pairs, row);
        if self.bodies {
            // Trace lists show these of a root span; no convention for SERVER spans has others.
            pairs.text_if("input.value", &cut(&row.said.request, TEXT_BYTES));
            pairs.text_if("output.value", &cut(&row.said.response, TEXT_BYTES));
        }
        let failed = failure(record);
        pairs.some_text("error.type", failed);
        Span {
            trace_id: record.trace_id.to_vec(),
            span_id: record.span_id.to_vec(),
            parent_span_id: record.parent_span_id.map(Vec::from).unwrap_or_default(),
            name: route(record.endpoint)
                .map_or_else(|| "passthrough".to_owned(), |route| format!("POST {route}")),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: nanos(record.started.micros(), 0),
            end_time_unix_nano: nanos(record.started.micros(), record.duration_us),
            attributes: pairs.into(),
            status: failed.map(|_| status(record.error_message.as_deref())),
            ..Span::default()
        }
    }

    fn client(self, tried: &Try<'_>, number: usize) -> Span {
        let (record, attempt) = (&*tried.row.record, tried.attempt);
        let mut pairs = Pairs::default();
        match self.names {
            Names::Current | Names::Next => genai::describe(&mut pairs, tried, self.names),
            Names::OpenInference => openinference::describe(&mut pairs, tried),
        }
        pairs.int("weir.attempt", number as u64 + 1);
        pairs.text("weir.attempt.reason", attempt.reason);
        pairs.some_text("weir.upstream_request_id", attempt.upstream_request_id.as_deref());
        let failed = tried.failure();
        pairs.some_text("error.type", failed);
        Span {
            trace_id: record.trace_id.to_vec(),
            span_id: attempt_id(record.span_id, number).to_vec(),
            parent_span_id: record.span_id.to_vec(),
            name: match operation(record.endpoint) {
                Some(operation) => format!("{operation} {}", attempt.model),
                None => format!("passthrough {}", attempt.provider),
            },
            kind: SpanKind::Client.into(),
            start_time_unix_nano: nanos(attempt.started.micros(), 0),
            end_time_unix_nano: tried.ended(),
            attributes: pairs.into(),
            status: failed.map(|_| status(tried.message())),
            ..Span::default()
        }
    }
}

impl Try<'_> {
    /// Why the try failed; a served answer can still break off.
    fn failure(&self) -> Option<&'static str> {
        match self.attempt.failure_class {
            None if self.served => match self.row.record.outcome {
                Outcome::Truncated => Some("truncated"),
                Outcome::Timeout => Some("timeout"),
                _ => None,
            },
            class => class,
        }
    }

    fn message(&self) -> Option<&str> {
        self.attempt.error.as_deref().or(self.row.record.error_message.as_deref())
    }

    /// When the try ended: a served answer with the call, as its stream does.
    fn ended(&self) -> u64 {
        let record = &*self.row.record;
        let own = nanos(self.attempt.started.micros(), self.attempt.duration_us);
        if self.served { own.max(nanos(record.started.micros(), record.duration_us)) } else { own }
    }

    /// From sending to the first content, seconds.
    fn first_content_seconds(&self) -> Option<f64> {
        let record = &*self.row.record;
        let first = record.ttft_us.filter(|_| self.served && record.streaming)?;
        let sent = self.attempt.started.micros().saturating_sub(record.started.micros());
        Some(first.saturating_sub(u64::try_from(sent).unwrap_or(0)) as f64 / 1e6)
    }
}

/// What every convention leaves to the writer: the call as Weir knows it.
fn about(pairs: &mut Pairs, row: &Row<'_>) {
    let record = &*row.record;
    pairs.text("weir.call.id", &record.id.to_string());
    pairs.text("weir.project", &record.project);
    pairs.text("weir.outcome", record.outcome.as_str());
    pairs.some_text("weir.requested_model", record.requested_model.as_deref());
    pairs.some_text("user.id", record.user.as_deref());
    pairs.some_text("session.id", record.session.as_deref());
    pairs.texts("weir.tags", record.tags.iter().map(AsRef::as_ref));
    pairs.some_text("weir.metadata", row.metadata.as_deref());
    if let Some(cost) = record.cost {
        pairs.double("weir.cost_usd", usd(cost));
    }
    prompt(pairs, record);
}

/// The registered prompt and its version.
fn prompt(pairs: &mut Pairs, record: &Record) {
    let Some(prompt) = &record.prompt else { return };
    pairs.text("weir.prompt.name", &prompt.name);
    pairs.int("weir.prompt.version", prompt.version.into());
    pairs.some_text("weir.prompt.label", prompt.label.as_deref());
    let Some(exposure) = &record.exposure else { return };
    pairs.text("weir.experiment.name", &exposure.experiment);
    pairs.text("weir.experiment.arm", &exposure.arm);
}

/// What a try cost, where no convention has a name for it.
fn spent(pairs: &mut Pairs, cost: vocab::NanoUsd) {
    pairs.double("weir.cost_usd", usd(cost));
    // MLflow shows this one, and works out prices of its own without it.
    pairs.text("mlflow.llm.cost", &format!("{{\"total_cost\":{}}}", usd(cost)));
}

fn usd(cost: vocab::NanoUsd) -> f64 {
    cost.0 as f64 / 1e9
}

/// What the call is counted under as an error; `None` when it is none.
fn failure(record: &Record) -> Option<&str> {
    match record.outcome {
        Outcome::Ok | Outcome::Cancelled => None,
        outcome => Some(record.error_code.as_deref().unwrap_or(outcome.as_str())),
    }
}

fn status(message: Option<&str>) -> Status {
    Status { code: StatusCode::Error.into(), message: cut(message.unwrap_or_default(), MESSAGE_BYTES) }
}

const fn route(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions => Some("/v1/chat/completions"),
        Endpoint::Responses => Some("/v1/responses"),
        Endpoint::Completions => Some("/v1/completions"),
        Endpoint::Embeddings => Some("/v1/embeddings"),
        Endpoint::Passthrough => None,
    }
}

/// What the GenAI conventions call it.
const fn operation(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Responses => Some("chat"),
        Endpoint::Completions => Some("text_completion"),
        Endpoint::Embeddings => Some("embeddings"),
        Endpoint::Passthrough => None,
    }
}

/// Tries have no ids of their own: theirs follow from the call's, so that each is the same whenever it is asked for.
fn attempt_id(call: [u8; 8], number: usize) -> [u8; 8] {
    let step = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u64::from_be_bytes(call).wrapping_add(step).max(1).to_be_bytes()
}

fn nanos(started_us: i64, later_us: u64) -> u64 {
    u64::try_from(started_us).unwrap_or(0).saturating_add(later_us).saturating_mul(1_000)
}

/// The beginning of a text that is too long.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(bytes)).unwrap_or_default())
}
