//! A record made ready for storing: streams put together, texts and previews drawn out, policy applied.
//!
//! All of this happens on the recorder's thread, away from the call. A row borrows its record.

mod given;
mod media;
mod preview;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;
use dialects::Endpoint;
use dialects::fold;

use crate::policy::{BodyPolicy, Policy};
use crate::record::{Capture, Record};
use crate::redact::Redaction;

pub(crate) use given::{shortened, without_media};

/// What was kept of a call's bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyState {
    /// Everything.
    Full,
    /// The policy keeps variables and metadata only.
    Metadata,
    /// The policy keeps nothing.
    Off,
    /// The recorder's queue was full.
    Shed,
    /// The request or the answer exceeded the capture limit and is not there; the other is.
    TooLarge,
    /// The answer came in pieces that could not be put together, so it could not be redacted; the request is there.
    Withheld,
    /// The bodies could not be read, which is a bug.
    Unreadable,
}

impl BodyState {
    /// The word used in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Metadata => "metadata",
            Self::Off => "off",
            Self::Shed => "shed",
            Self::TooLarge => "too_large",
            Self::Withheld => "withheld",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A call on its way into a store.
#[derive(Debug)]
pub struct Row<'r> {
    /// The record, redacted, for every column that is stored as it is; not for bodies, metadata and variables.
    pub record: Cow<'r, Record>,
    /// The node that served the call.
    pub node: &'r str,
    /// How long it is kept; `None` is for ever.
    pub retention: Option<Duration>,
    /// What was kept of the bodies.
    pub body_state: BodyState,
    /// The bodies, when they are kept.
    pub bodies: Bodies<'r>,
    /// The caller's metadata, within its size.
    pub metadata: Option<Cow<'r, str>>,
    /// The prompt's variables, within their size.
    pub variables: Option<Cow<'r, str>>,
    /// What was said, drawn out of the bodies.
    pub said: Said,
    /// The end of what went upstream, for lists.
    pub request_preview: Option<String>,
    /// The beginning of the answer, for lists.
    pub response_preview: Option<String>,
    /// Tools the model called.
    pub tool_names: Vec<String>,
}

/// The bodies of one call as they are stored: streams put together, media replaced by what identifies it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bodies<'r> {
    /// What the caller sent.
    pub request: Option<Cow<'r, [u8]>>,
    /// What the caller got.
    pub response: Option<Cow<'r, [u8]>>,
    /// What went upstream, when it differs.
    pub upstream_request: Option<Cow<'r, [u8]>>,
}

impl Bodies<'_> {
    /// Whether there is nothing to store.
    pub const fn is_empty(&self) -> bool {
        self.request.is_none() && self.response.is_none() && self.upstream_request.is_none()
    }

    /// Draws out what was said: the request as it went upstream, and the answer.
    pub(crate) fn said(&self, endpoint: Endpoint) -> Said {
        let asked = self.upstream_request.as_deref().or(self.request.as_deref());
        Said {
            request: asked.map_or_else(String::new, |body| fold::request_text(endpoint, body)),
            response: self
                .response
                .as_deref()
                .map_or_else(String::new, |body| fold::response_text(endpoint, body)),
        }
    }
}

/// The human text of a call: what text search looks in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What went upstream.
    pub request: String,
    /// The answer.
    pub response: String,
}

impl<'r> Row<'r> {
    /// Makes the row of `record`. `shed` says that its bodies were given up because the queue was full.
    pub fn new(record: &'r Record, node: &'r str, policy: &Policy, shed: bool) -> Self {
        let bodies = policy.bodies.of_call(record.id);
        let redaction = &policy.redaction;
        let mut row = Self::bare(redaction.record(record), node, state_of(record, bodies, shed));
        row.retention = policy.retention;
        if bodies != BodyPolicy::Off {
            (row.metadata, row.variables) =
                given::keep(record.metadata.as_deref(), record.variables.as_deref(), redaction);
        }
        if matches!(row.body_state, BodyState::Full | BodyState::TooLarge) {
            // A bug in reading one odd body must not end the recording of all others.
            if catch_unwind(AssertUnwindSafe(|| row.read_bodies(record, redaction))).is_err() {
                row = Row {
                    metadata: row.metadata,
                    variables: row.variables,
                    retention: row.retention,
                    ..Self::bare(row.record, node, BodyState::Unreadable)
                };
            }
        }
        row
    }

    fn bare(record: Cow<'r, Record>, node: &'r str, body_state: BodyState) -> Self {
        Self {
            record,
            node,
            retention: None,
            body_state,
            bodies: Bodies::default(),
            metadata: None,
            variables: None,
            said: Said::default(),
            request_preview: None,
            response_preview: None,
            tool_names: Vec::new(),
        }
    }

    fn read_bodies(&mut self, record: &'r Record, redaction: &Redaction) {
        let safe = |body| redaction.json(media::replace(body));
        let answer = answer(record, !redaction.is_empty());
        if matches!(answer, Answer::Withheld) {
            self.body_state = BodyState::Withheld;
        }
        self.bodies = Bodies {
            request: sent(&record.request_body).map(safe),
            response: answer.body().map(safe),
            upstream_request: record.upstream_request_body.as_ref().and_then(sent).map(safe),
        };
        self.said = self.bodies.said(record.endpoint);
        self.request_preview = preview::end(&self.said.request);
        self.response_preview = preview::start(&self.said.response);
        // Every way of calling a tool has this in its name; most answers call none.
        let calls = |body: &&Cow<'_, [u8]>| memchr::memmem::find(body, b"_call").is_some();
        if let Some(response) = self.bodies.response.as_ref().filter(calls) {
            self.tool_names = fold::tool_names(record.endpoint, response);
        }
    }
}

/// `policy` is that of the call itself.
const fn state_of(record: &Record, policy: BodyPolicy, shed: bool) -> BodyState {
    match policy {
        BodyPolicy::Off => BodyState::Off,
        BodyPolicy::Metadata | BodyPolicy::Sampled(_) => BodyState::Metadata,
        BodyPolicy::Full if shed => BodyState::Shed,
        BodyPolicy::Full if is_cut(record) => BodyState::TooLarge,
        BodyPolicy::Full => BodyState::Full,
    }
}

/// Whether a body exceeded the capture limit.
const fn is_cut(record: &Record) -> bool {
    let request_is = record.request_body.is_empty() && record.request_bytes > 0;
    let upstream_is = matches!(&record.upstream_request_body, Some(body) if body.is_empty());
    request_is || upstream_is || matches!(record.response_body, Capture::TooLarge { .. })
}

fn sent(body: &Bytes) -> Option<Cow<'_, [u8]>> {
    (!body.is_empty()).then_some(Cow::Borrowed(body))
}

/// What is known of an answer.
enum Answer<'r> {
    Nothing,
    Body(Cow<'r, [u8]>),
    /// Pieces nobody can put together, in which what is to be redacted may be spread over several.
    Withheld,
}

impl<'r> Answer<'r> {
    fn body(self) -> Option<Cow<'r, [u8]>> {
        match self {
            Self::Body(body) => Some(body),
            Self::Nothing | Self::Withheld => None,
        }
    }
}

/// The answer as one body; a stream that cannot be put together is the text it was, unless that would have to be
/// redacted.
fn answer(record: &Record, redacted: bool) -> Answer<'_> {
    match &record.response_body {
        Capture::Nothing | Capture::TooLarge { .. } => Answer::Nothing,
        Capture::Whole(body) if body.is_empty() => Answer::Nothing,
        Capture::Whole(body) => Answer::Body(Cow::Borrowed(body)),
        Capture::Stream(pieces) => match fold::fold(record.endpoint, pieces) {
            Some(folded) => Answer::Body(Cow::Owned(folded)),
            None if redacted && pieces.len() > 1 => Answer::Withheld,
            None => Answer::Body(Cow::Owned(pieces.concat())),
        },
    }
}

#[cfg(test)]
mod tests;
