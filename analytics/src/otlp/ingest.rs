//! From a trace export to the spans that are kept: names mapped, limits held, the project's policy applied.

use std::borrow::Cow;
use std::time::Duration;

use memchr::memmem;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self as proto, span};
use serde_json::{Map, Value, json};
use vocab::Time;

use super::attributes::{Attributes, into_text, object};
use super::contents;
use super::names;
use super::wire::{self, Encoding, Malformed, Reason, Rejected, Visitor};
use crate::policy::BodyPolicy;
use crate::policy::Policy;
use crate::row::{shortened, without_media};
use crate::span::Span;

/// The most spans read from one request; the rest of it is rejected.
pub const SPANS_MAX: usize = 10_000;
const TOO_MANY: &str = "over the limit of 10000 spans in one request: send smaller batches";
/// The largest span, as it is encoded.
pub const SPAN_BYTES_MAX: usize = 4 << 20;
const TOO_LARGE: &str = "over the limit of 4 MiB for one span: attach less to it";
/// What all spans of one request may hold in memory together; the rest is rejected.
const TAKEN_BYTES_MAX: usize = 32 << 20;
const TOO_HEAVY: &str = "over the limit of 32 MiB for the spans of one request: send smaller batches";
/// How much of an input or an output is kept.
const SAID_BYTES: usize = 1 << 20;
/// How much of the attributes that have no column of their own is kept, and likewise of the events.
const REST_BYTES: usize = 64 << 10;
/// How much of a resource is kept, and likewise of a scope: each of their spans holds a copy.
const ORIGIN_BYTES: usize = 4 << 10;
/// How many events of a span are kept.
const EVENTS_MAX: usize = 128;
/// How much of a name, a model, a user and the like is kept.
const WORD_BYTES: usize = 256;
/// How much of a status message is kept.
const MESSAGE_BYTES: usize = 4 << 10;
/// 2000-01-01: what claims to be older has no clock.
const EARLIEST: Time = Time(946_684_800_000_000);
/// How far a reporter's clock may be ahead.
const AHEAD: Duration = Duration::from_hours(24);

/// What became of a request.
#[derive(Debug, Default)]
pub struct Taken {
    /// The spans to keep.
    pub spans: Vec<Span>,
    /// Roughly how many bytes they hold in memory.
    pub bytes: usize,
    /// Those that are not kept.
    pub rejected: Rejected,
}

/// Reads a trace export for a project, under its policy.
pub fn ingest(
    encoding: Encoding,
    body: &[u8],
    project: &str,
    policy: &Policy,
    now: Time,
) -> Result<Taken, Malformed> {
    let mut intake =
        Intake { project, policy, now, origin: Common::default(), read: 0, taken: Taken::default() };
    wire::read(encoding, body, &mut intake)?;
    Ok(intake.taken)
}

struct Intake<'a> {
    project: &'a str,
    policy: &'a Policy,
    now: Time,
    origin: Common,
    /// How many spans were read, whether they are kept or not.
    read: usize,
    taken: Taken,
}

/// What the spans of one scope have in common.
#[derive(Default)]
struct Common {
    service: Option<Box<str>>,
    resource: Map<String, Value>,
    scope: Map<String, Value>,
}

impl Visitor for Intake<'_> {
    fn admits(&mut self, bytes: usize) -> bool {
        let reason = if self.read >= SPANS_MAX {
            TOO_MANY
        } else if bytes > SPAN_BYTES_MAX {
            TOO_LARGE
        } else {
            self.read += 1;
            return true;
        };
        self.taken.rejected.add(reason.into());
        false
    }

    fn resource(&mut self, resource: Resource) {
        let mut attributes = Attributes::of(resource.attributes);
        self.origin.service = attributes.take_text(&["service.name"]).map(|name| self.word(&name));
        self.origin.resource = self.origin_of(attributes.into_object());
    }

    fn scope(&mut self, scope: InstrumentationScope) {
        let mut attributes = object(scope.attributes);
        for (key, value) in [("name", scope.name), ("version", scope.version)] {
            if !value.is_empty() {
                attributes.insert(key.to_owned(), value.into());
            }
        }
        self.origin.scope = self.origin_of(attributes);
    }

    fn span(&mut self, span: Result<proto::Span, Reason>) {
        match span.and_then(|span| self.read(span)) {
            Ok(span) if self.taken.bytes + span.weight() > TAKEN_BYTES_MAX => {
                self.taken.rejected.add(TOO_HEAVY.into());
            }
            Ok(span) => {
                self.taken.bytes += span.weight();
                self.taken.spans.push(span);
            }
            Err(reason) => self.taken.rejected.add(reason),
        }
    }
}

impl Intake<'_> {
    fn read(&self, span: proto::Span) -> Result<Span, Reason> {
        let started = self.started(span.start_time_unix_nano)?;
        let nanos = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
        let mut kept = Span {
            project: self.project.into(),
            trace_id: id(&span.trace_id, "its trace id is not 16 bytes that are not all zero")?,
            span_id: id(&span.span_id, "its span id is not 8 bytes that are not all zero")?,
            parent_span_id: parent(&span.parent_span_id)?,
            name: self.word(&span.name),
            started,
            duration_us: nanos / 1_000,
            service: self.origin.service.clone(),
            ..Span::default()
        };
        let mut attributes = Attributes::of(span.attributes);
        let mut events: Vec<_> = span.events.into_iter().take(EVENTS_MAX).map(Told::of).collect();
        self.describe(&mut kept, &mut attributes);
        let mut status = span.status.unwrap_or_default();
        self.redact(&mut attributes, &mut events, &mut status);
        conclude(&mut kept, status, &mut attributes, &events);
        let contents_too = self.policy.bodies.keeps_trace(kept.trace_id);
        if contents_too {
            said(&mut kept, &mut attributes, &events);
        } else {
            attributes.retain(contents::is_plain);
        }
        if self.policy.bodies != BodyPolicy::Off {
            kept.events = told(events, contents_too);
            let links =
                span.links.into_iter().take(EVENTS_MAX).map(|told| link(told, contents_too)).collect();
            kept.attributes = self.rest(attributes, span.kind, links);
        }
        Ok(kept)
    }

    fn started(&self, nanos: u64) -> Result<Time, Reason> {
        let started = Time(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX));
        if nanos == 0 {
            return Err("it has no start time".into());
        }
        if started < EARLIEST || started > self.now.plus(AHEAD) {
            return Err("its start time is before 2000 or more than a day ahead: set the clock".into());
        }
        Ok(started)
    }

    /// What has no column of its own, with where it came from.
    fn rest(&self, attributes: Attributes, kind: i32, links: Vec<Value>) -> Option<Box<str>> {
        let mut rest = attributes.into_object();
        let mut add = |name: &str, value: Value| {
            rest.entry(name).or_insert(value);
        };
        if !self.origin.resource.is_empty() {
            add("resource", Value::Object(self.origin.resource.clone()));
        }
        if !self.origin.scope.is_empty() {
            add("scope", Value::Object(self.origin.scope.clone()));
        }
        if let Some(word) = otel_kind(kind) {
            add("otel.kind", word.into());
        }
        if !links.is_empty() {
            let mut links = Value::Array(links);
            self.policy.redaction.value(&mut links);
            add("links", links);
        }
        if rest.is_empty() {
            return None;
        }
        let text = Value::Object(rest).to_string();
        Some(shortened(without_media(&text), REST_BYTES).into())
    }

    /// What the span is about.
    fn describe(&self, kept: &mut Span, attributes: &mut Attributes) {
        kept.kind = names::kind(attributes);
        let usage = names::langfuse_usage(attributes);
        let identity = |name: String| cut(self.policy.redaction.identity(&name), WORD_BYTES);
        kept.user = attributes.take_text(names::USER).map(identity);
        kept.session = attributes.take_text(names::SESSION).map(identity);
        kept.model = attributes.take_text(names::MODEL).map(|model| self.word(&model));
        kept.provider = attributes.take_text(names::PROVIDER).map(|provider| self.word(&provider));
        kept.input_tokens = attributes.take_count(names::INPUT_TOKENS).or(usage.0);
        kept.output_tokens = attributes.take_count(names::OUTPUT_TOKENS).or(usage.1);
        if let Some(name) = attributes.take_text(names::PROMPT) {
            let version = attributes.take_count(names::PROMPT_VERSION);
            let version = version.and_then(|version| u32::try_from(version).ok());
            kept.prompt = Some((cut(name.into(), WORD_BYTES), version));
        }
    }

    /// Replaces what the project's rules name, before anything is cut, so that no half of it is left.
    fn redact(&self, attributes: &mut Attributes, events: &mut [Told], status: &mut proto::Status) {
        let redaction = &self.policy.redaction;
        if redaction.is_empty() {
            return;
        }
        status.message = redaction.said(Cow::Borrowed(&status.message)).into_owned();
        attributes.values_mut().for_each(|value| redaction.value(value));
        for event in events {
            event.name = redaction.text(&event.name).into_owned();
            event.attributes.values_mut().for_each(|value| redaction.value(value));
        }
    }

    /// A name, a model and the like: redacted, then cut.
    fn word(&self, text: &str) -> Box<str> {
        cut(self.policy.redaction.text(text), WORD_BYTES)
    }

    /// What is kept of a resource or a scope.
    fn origin_of(&self, mut attributes: Map<String, Value>) -> Map<String, Value> {
        attributes.values_mut().for_each(|value| self.policy.redaction.value(value));
        let text = Value::Object(attributes).to_string();
        serde_json::from_str(&shortened(without_media(&text), ORIGIN_BYTES)).unwrap_or_default()
    }
}

/// The events of a span, within their room.
fn told(events: Vec<Told>, contents_too: bool) -> Option<Box<str>> {
    let mut written = Vec::new();
    let mut bytes = 2;
    for mut event in events {
        if !contents_too {
            event.attributes.retain(|name, value| contents::is_plain(name, value));
        }
        let text = json!({"name": event.name, "at": event.at, "attributes": event.attributes}).to_string();
        let text = shortened(without_media(&text), REST_BYTES / 4).into_owned();
        bytes += text.len() + 1;
        if bytes > REST_BYTES {
            break;
        }
        written.push(text);
    }
    (!written.is_empty()).then(|| format!("[{}]", written.join(",")).into())
}

/// An event of a span.
struct Told {
    name: String,
    at: Time,
    attributes: Map<String, Value>,
}

impl Told {
    fn of(event: span::Event) -> Self {
        let at = Time(i64::try_from(event.time_unix_nano / 1_000).unwrap_or(i64::MAX));
        Self { name: event.name, at, attributes: object(event.attributes) }
    }
}

/// How the span ended.
fn conclude(kept: &mut Span, status: proto::Status, attributes: &mut Attributes, events: &[Told]) {
    let level = attributes.get("langfuse.observation.level").and_then(Value::as_str);
    kept.failed = status.code == StatusCode::Error as i32 || level == Some("ERROR");
    let mut message = Some(status.message).filter(|message| !message.is_empty());
    if message.is_none() {
        message = attributes.take_text(&["langfuse.observation.status_message"]);
    }
    if message.is_none() && kept.failed {
        message = events.iter().rev().find_map(thrown);
    }
    kept.status_message = message.map(|message| cut(message.into(), MESSAGE_BYTES));
}

fn thrown(event: &Told) -> Option<String> {
    let message = event.attributes.get("exception.message").filter(|_| event.name == "exception")?;
    Some(message.as_str()?.to_owned())
}

/// What went in and what came out.
fn said(kept: &mut Span, attributes: &mut Attributes, events: &[Told]) {
    let numbered = |attributes: &mut Attributes, prefixes: &[&str]| {
        prefixes.iter().find_map(|prefix| attributes.take_numbered(prefix)).map(into_text)
    };
    let mut input = attributes.take_text(names::INPUT);
    let mut output = attributes.take_text(names::OUTPUT);
    input = input.or_else(|| numbered(attributes, names::NUMBERED_INPUT));
    output = output.or_else(|| numbered(attributes, names::NUMBERED_OUTPUT));
    if input.is_none() || output.is_none() {
        let told = contents::of_events(events.iter().map(|event| (event.name.as_str(), &event.attributes)));
        input = input.or(told.0);
        output = output.or(told.1);
    }
    kept.input = input.map(|text| cut(bare(text).into(), SAID_BYTES));
    kept.output = output.map(|text| cut(bare(text).into(), SAID_BYTES));
}

/// A text with its media replaced, whether it is JSON or not.
fn bare(text: String) -> String {
    if text.starts_with(['{', '[']) || memmem::find(text.as_bytes(), b";base64,").is_none() {
        return without_media(&text).into_owned();
    }
    let quoted = Value::String(text).to_string();
    serde_json::from_str(&without_media(&quoted)).unwrap_or(quoted)
}

fn id<const N: usize>(bytes: &[u8], wrong: &'static str) -> Result<[u8; N], Reason> {
    let id: [u8; N] = bytes.try_into().map_err(|_| Cow::Borrowed(wrong))?;
    if id == [0; N] { Err(wrong.into()) } else { Ok(id) }
}

/// Some exporters write a root's missing parent as zeros.
fn parent(bytes: &[u8]) -> Result<Option<[u8; 8]>, Reason> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    id(bytes, "its parent's id is not 8 bytes").map(Some)
}

fn link(link: span::Link, contents_too: bool) -> Value {
    let mut attributes = object(link.attributes);
    if !contents_too {
        attributes.retain(|name, value| contents::is_plain(name, value));
    }
    json!({"trace_id": hex(&link.trace_id), "span_id": hex(&link.span_id), "attributes": attributes})
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16);
    bytes.iter().take(32).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

fn otel_kind(kind: i32) -> Option<&'static str> {
    match span::SpanKind::try_from(kind).ok()? {
        span::SpanKind::Unspecified | span::SpanKind::Internal => None,
        span::SpanKind::Server => Some("server"),
        span::SpanKind::Client => Some("client"),
        span::SpanKind::Producer => Some("producer"),
        span::SpanKind::Consumer => Some("consumer"),
    }
}

/// The beginning of a text that is too long.
fn cut(text: Cow<'_, str>, bytes: usize) -> Box<str> {
    if text.len() <= bytes {
        return text.into();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{}…", text.get(..end).unwrap_or_default()).into()
}
