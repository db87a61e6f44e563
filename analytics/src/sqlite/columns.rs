//! The narrow columns of a call, packed as one JSON array: one bound value instead of forty-four.
//!
//! Binding columns is most of what a row costs, so a call's columns stand in order in the text `fields` and the
//! view `calls` gives each its name back. Columns that filters compare come first, because reading stops at the
//! last one that is needed. A column added later goes to the end; rows without it read as null.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use dialects::Endpoint;

use crate::row::Row;

macro_rules! columns {
    ($($column:ident $name:literal,)*) => {
        /// A packed column; its number is its place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Column { $($column,)* }

        /// The columns' names in order.
        pub(super) const NAMES: &[&str] = &[$($name,)*];
    };
}

columns! {
    StartedAt "started_at",
    Project "project",
    Status "status",
    DurationUs "duration_us",
    TtftUs "ttft_us",
    CostNanousd "cost_nanousd",
    InputTokens "input_tokens",
    OutputTokens "output_tokens",
    Outcome "outcome",
    RequestedModel "requested_model",
    Provider "provider",
    Model "model",
    ResponseModel "response_model",
    Prompt "prompt",
    PromptId "prompt_id",
    PromptVersion "prompt_version",
    PromptLabel "prompt_label",
    PromptDigest "prompt_digest",
    User "user",
    Session "session",
    Tags "tags",
    KeyId "key_id",
    ErrorCode "error_code",
    ErrorMessage "error_message",
    Endpoint "endpoint",
    Streaming "streaming",
    Cache "cache",
    Experiment "experiment",
    Arm "arm",
    TraceId "trace_id",
    SpanId "span_id",
    ParentSpanId "parent_span_id",
    OverheadUs "overhead_us",
    Attempts "attempts",
    CachedInputTokens "cached_input_tokens",
    CacheWriteTokens "cache_write_tokens",
    ReasoningTokens "reasoning_tokens",
    AudioTokens "audio_tokens",
    UsageSource "usage_source",
    PriceId "price_id",
    FinishReason "finish_reason",
    ToolNames "tool_names",
    BodyState "body_state",
    Node "node",
    ArmUnit "arm_unit",
}

/// Columns whose value is itself an array.
pub(super) const LISTS: [Column; 2] = [Column::Tags, Column::ToolNames];

/// Packs the columns of `row` into `out`, which is emptied first.
pub(super) fn pack(row: &Row<'_>, out: &mut String) {
    out.clear();
    out.push('[');
    let mut packing = Packing(out);
    pack_measures(row, &mut packing);
    pack_words(row, &mut packing);
    pack_rest(row, &mut packing);
    out.pop();
    out.push(']');
}

fn pack_measures(row: &Row<'_>, out: &mut Packing<'_>) {
    let record = &*row.record;
    out.int(record.started.micros());
    out.text(&record.project);
    out.int(i64::from(record.status));
    out.count(Some(record.duration_us));
    out.count(record.ttft_us);
    out.maybe_int(record.cost.map(|cost| cost.0));
    out.count(record.usage.map(|usage| usage.input));
    out.count(record.usage.map(|usage| usage.output));
}

fn pack_words(row: &Row<'_>, out: &mut Packing<'_>) {
    let record = &*row.record;
    let prompt = record.prompt.as_ref();
    out.text(record.outcome.as_str());
    out.maybe(record.requested_model.as_deref());
    out.maybe(record.provider.as_deref());
    out.maybe(record.model.as_deref());
    out.maybe(record.response_model.as_deref());
    out.maybe(prompt.map(|prompt| &*prompt.name));
    out.bytes(prompt.map(|prompt| prompt.id.bytes()));
    out.maybe_int(prompt.map(|prompt| i64::from(prompt.version)));
    out.maybe(prompt.and_then(|prompt| prompt.label.as_deref()));
    out.maybe(prompt.map(|prompt| &*prompt.digest));
    out.maybe(record.user.as_deref());
    out.maybe(record.session.as_deref());
    out.list(&record.tags);
    out.bytes(record.key.map(vocab::Id::bytes));
    out.maybe(record.error_code.as_deref());
    out.maybe(record.error_message.as_deref());
    out.text(record.endpoint.as_str());
    out.flag(record.streaming);
    out.text(record.cache.as_str());
    let exposure = record.exposure.as_ref();
    out.maybe(exposure.map(|exposure| &*exposure.experiment));
    out.maybe(exposure.map(|exposure| &*exposure.arm));
}

fn pack_rest(row: &Row<'_>, out: &mut Packing<'_>) {
    let record = &*row.record;
    out.hex(Some(&record.trace_id));
    out.hex(Some(&record.span_id));
    out.hex(record.parent_span_id.as_ref().map(|id| &id[..]));
    out.count(Some(record.overhead_us));
    out.count(Some(record.attempts.len() as u64));
    out.count(record.usage.map(|usage| usage.cached_input));
    out.count(record.usage.map(|usage| usage.cache_write));
    out.count(record.usage.map(|usage| usage.reasoning));
    out.count(record.usage.map(vocab::Usage::audio));
    out.text(record.usage_source.as_str());
    out.maybe(record.price_id.as_deref());
    out.maybe(record.finish_reason.as_deref());
    out.list(&row.tool_names);
    out.text(row.body_state.as_str());
    out.text(row.node);
    out.maybe(record.exposure.as_ref().map(|exposure| &*exposure.unit));
}

/// Writes the elements of a JSON array, each with a comma behind it.
pub(super) struct Packing<'a>(pub(super) &'a mut String);

impl Packing<'_> {
    pub(super) fn int(&mut self, number: i64) {
        // Writing to a string cannot fail.
        write!(self.0, "{number},").unwrap_or_default();
    }

    pub(super) fn maybe_int(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.int(number),
            None => self.maybe(None),
        }
    }

    pub(super) fn count(&mut self, count: Option<u64>) {
        self.maybe_int(count.map(|count| i64::try_from(count).unwrap_or(i64::MAX)));
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.0.push_str(if flag { "true," } else { "false," });
    }

    pub(super) fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.push_str("null,"),
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        write_text(text, self.0);
        self.0.push(',');
    }

    fn list(&mut self, texts: &[impl AsRef<str>]) {
        if texts.is_empty() {
            return self.maybe(None);
        }
        self.0.push('[');
        for text in texts {
            self.text(text.as_ref());
        }
        self.0.pop();
        self.0.push_str("],");
    }

    pub(super) fn hex(&mut self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else { return self.maybe(None) };
        self.0.push('"');
        push_hex(bytes, self.0);
        self.0.push_str("\",");
    }

    /// An id in its usual form with dashes.
    fn bytes(&mut self, id: Option<[u8; 16]>) {
        let Some(id) = id else { return self.maybe(None) };
        self.0.push('"');
        for (n, part) in [&id[..4], &id[4..6], &id[6..8], &id[8..10], &id[10..]].into_iter().enumerate() {
            if n > 0 {
                self.0.push('-');
            }
            push_hex(part, self.0);
        }
        self.0.push_str("\",");
    }
}

pub(super) fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)].into());
        out.push(DIGITS[usize::from(byte & 15)].into());
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
        out.push_str(text.get(copied..at).unwrap_or_default());
        // Writing to a string cannot fail.
        write!(out, "\\u{byte:04x}").unwrap_or_default();
        copied = at + 1;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out.push('"');
}

/// A packed row, its elements found but not yet read.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    text: &'a str,
    places: [(u32, u32); NAMES.len()],
    found: usize,
}

impl<'a> Fields<'a> {
    /// Finds the elements up to and including `last`. A text that is no such array has none.
    pub(super) fn read(text: &'a str, last: Column) -> Self {
        let mut fields = Self { text, places: [(0, 0); NAMES.len()], found: 0 };
        let bytes = text.as_bytes();
        let mut at = 1;
        while fields.found <= last as usize {
            let Some(end) = element_end(bytes, at) else { break };
            fields.places[fields.found] = (at as u32, end as u32);
            fields.found += 1;
            if bytes.get(end) != Some(&b',') {
                break;
            }
            at = end + 1;
        }
        fields
    }

    /// Finds all elements.
    pub(super) fn read_all(text: &'a str) -> Self {
        Self::read(text, Column::ArmUnit)
    }

    fn raw(&self, column: Column) -> Option<&'a str> {
        if column as usize >= self.found {
            return None;
        }
        let (start, end) = self.places[column as usize];
        self.text.get(Range { start: start as usize, end: end as usize }).filter(|raw| *raw != "null")
    }

    pub(super) fn int(&self, column: Column) -> Option<i64> {
        self.raw(column)?.parse().ok()
    }

    pub(super) fn flag(&self, column: Column) -> bool {
        self.raw(column) == Some("true")
    }

    pub(super) fn text(&self, column: Column) -> Option<Cow<'a, str>> {
        let raw = self.raw(column)?;
        if raw.contains('\\') {
            return serde_json::from_str(raw).ok().map(Cow::Owned);
        }
        raw.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
    }

    pub(super) fn list(&self, column: Column) -> Vec<String> {
        self.raw(column).and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
    }
}

/// Where the element that begins at `at` ends.
fn element_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => string_end(bytes, at),
        b'[' => {
            let mut at = at + 1;
            while *bytes.get(at)? != b']' {
                at = if bytes[at] == b'"' { string_end(bytes, at)? } else { at + 1 };
            }
            Some(at + 1)
        }
        _ => memchr::memchr2(b',', b']', bytes.get(at..)?).map(|length| at + length),
    }
}

fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        end += memchr::memchr2(b'"', b'\\', bytes.get(end..)?)?;
        if bytes[end] == b'"' {
            return Some(end + 1);
        }
        end += 2;
    }
}

/// The endpoint a stored row names.
pub(super) fn endpoint(fields: &Fields<'_>) -> Endpoint {
    let endpoints =
        [Endpoint::ChatCompletions, Endpoint::Responses, Endpoint::Completions, Endpoint::Embeddings];
    let name = fields.text(Column::Endpoint).unwrap_or_default();
    endpoints.into_iter().find(|endpoint| endpoint.as_str() == name).unwrap_or(Endpoint::Passthrough)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vocab::{Id, Time};

    use super::*;
    use crate::policy::Policy;
    use crate::record::Record;

    fn record() -> Record {
        let started = Time(1_795_996_800_000_000);
        Record::begin(Id::at(started), "default".into(), started, Endpoint::Responses)
    }

    fn packed(record: &Record) -> String {
        let mut out = String::new();
        pack(&Row::new(record, "node", &Policy::default(), false), &mut out);
        out
    }

    #[test]
    fn every_column_has_its_place() {
        let text = packed(&record());
        let values: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(values.len(), NAMES.len());
        let value = |name| &values[NAMES.iter().position(|known| *known == name).unwrap()];
        assert_eq!((value("project"), value("node")), (&"default".into(), &"node".into()));
        assert_eq!((value("outcome"), value("body_state")), (&"internal".into(), &"full".into()));
        assert_eq!((value("endpoint"), value("attempts")), (&"responses".into(), &0.into()));
    }

    #[test]
    fn reading_stops_at_the_last_column_needed() {
        let text = packed(&record());
        let fields = Fields::read(&text, Column::Status);
        assert_eq!((fields.int(Column::Status), fields.text(Column::Outcome)), (Some(500), None));
        assert_eq!(Fields::read_all(&text).text(Column::Node).as_deref(), Some("node"));
    }

    #[test]
    fn what_is_no_packed_row_has_no_columns() {
        for text in ["", "[", "[]", "no array", "[\"", "[\"\\", "[[", "[1,", "null"] {
            let fields = Fields::read_all(text);
            assert_eq!((fields.text(Column::Node), fields.int(Column::Status)), (None, None), "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_survive_packing(user in "(?s).{0,40}", tags in prop::collection::vec("(?s).{0,10}", 0..4)) {
            let tagged = tags.iter().map(|tag| tag.as_str().into()).collect();
            let text = packed(&Record { user: Some(user.as_str().into()), tags: tagged, ..record() });
            let fields = Fields::read_all(&text);
            prop_assert_eq!(fields.text(Column::User).unwrap(), user);
            prop_assert_eq!(fields.list(Column::Tags), tags);
            prop_assert_eq!(fields.text(Column::Node).unwrap(), "node");
        }

        #[test]
        fn no_text_breaks_reading(text in r#"(\[|\]|,|"|\\|null|1|a|é){0,60}"#) {
            let fields = Fields::read_all(&text);
            prop_assert!(fields.list(Column::Tags).len() < 100);
            prop_assert!(fields.text(Column::Node).is_none_or(|node| node.len() < 200));
        }
    }
}
