//! What an answer tells while it passes: usage, why it ended, which model answered, and whether it failed.
//!
//! Nothing is built and nothing is changed. Each event is walked once ([`crate::cursor`]), which also checks
//! that it is JSON, so that a garbled stream is noticed at its first bad event.

use vocab::{NanoUsd, Usage};

use crate::Endpoint;
use crate::cursor::Text;
use crate::fault::Fault;
use crate::sse::Event;

mod chunk;
mod decimal;
mod response;
mod usage;
mod whole;

#[cfg(test)]
mod tests;

pub use whole::read_whole;

/// What an answer told about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Tokens, in Weir's own words. The last report counts; reports are never added up.
    pub usage: Option<Usage>,
    /// The provider's own usage object, JSON.
    pub usage_raw: Option<Box<str>>,
    /// Why the model stopped, in chat's words (`stop`, `length`, `tool_calls`, …) on every endpoint; the
    /// first choice's, when there are several.
    pub finish_reason: Option<Box<str>>,
    /// The model that the provider says answered.
    pub response_model: Option<Box<str>>,
    /// The service tier the provider says it served the call at (`flex`, `priority`, `batch`, `fast`, …); `None` is the
    /// standard one.
    pub service: Option<Box<str>>,
    /// What the provider says the call cost.
    pub stated_cost: Option<NanoUsd>,
    /// Bytes of text and tool arguments seen, to estimate tokens from when nobody counted them.
    pub output_bytes: u64,
}

/// The tokens in a provider's usage object, as records keep it in `usage_raw`.
pub fn read_usage(raw: &str) -> Option<Usage> {
    usage::Report::read(raw).usage()
}

/// What one event of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer begins, without content yet: role only, empty delta, `response.created` and the like.
    Startup,
    /// Content, tool calls or reasoning.
    Content,
    /// A choice ended; may hold content too.
    Finish,
    /// Usage and nothing else: to be withheld from a caller who did not ask for it.
    UsageOnly,
    /// The last event: `[DONE]`, `response.completed`, `response.incomplete`.
    Terminator,
    /// The provider failed inside a 200.
    Failed(Fault),
    /// No data: comments, blank lines, an empty event.
    Comment,
    /// The data is not JSON.
    Broken,
    /// An event this reader has no word for.
    Other,
}

/// Watches one stream, event by event.
#[derive(Debug)]
pub struct StreamWatch {
    endpoint: Endpoint,
    facts: Facts,
    choices: Choices,
    terminated: bool,
    next_sequence_number: u64,
}

/// Which choices have begun and which have ended, by index. Choices from 127 on share a bit.
#[derive(Clone, Copy, Debug, Default)]
struct Choices {
    begun: u128,
    ended: u128,
}

impl Choices {
    const fn begin(&mut self, index: u64) {
        self.begun |= Self::bit(index);
    }

    const fn end(&mut self, index: u64) {
        self.ended |= Self::bit(index);
    }

    const fn all_ended(self) -> bool {
        self.ended != 0 && self.begun & !self.ended == 0
    }

    const fn bit(index: u64) -> u128 {
        1 << if index < 127 { index } else { 127 }
    }
}

impl StreamWatch {
    /// A watch over an answer of `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            facts: Facts::default(),
            choices: Choices::default(),
            terminated: false,
            next_sequence_number: 0,
        }
    }

    /// Takes note of an event and says what it is.
    pub fn event(&mut self, event: &Event) -> Verdict {
        let Some(data) = event.data.as_deref().map(<[u8]>::trim_ascii).filter(|data| !data.is_empty()) else {
            return Verdict::Comment;
        };
        if data.starts_with(b"[DONE]") {
            self.terminated = true;
            return Verdict::Terminator;
        }
        if event.is_named("error") {
            return Verdict::Failed(Fault::inside(data));
        }
        let verdict = match self.endpoint {
            Endpoint::ChatCompletions | Endpoint::Completions => self.chunk(data),
            Endpoint::Responses => self.response_event(data, event.name.as_deref()),
            Endpoint::Embeddings | Endpoint::Passthrough => Ok(Verdict::Content),
        };
        verdict.unwrap_or(Verdict::Broken)
    }

    /// What the answer has told so far.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether the answer is whole: every choice has ended, or the last event has come. A stream that is
    /// passed through without being understood always counts as whole.
    pub const fn finished(&self) -> bool {
        let understood = !matches!(self.endpoint, Endpoint::Embeddings | Endpoint::Passthrough);
        self.terminated || self.choices.all_ended() || !understood
    }

    /// Whether the last event has come.
    pub const fn terminated(&self) -> bool {
        self.terminated
    }

    /// The sequence number that an event put after the last one seen must carry (responses).
    pub const fn next_sequence_number(&self) -> u64 {
        self.next_sequence_number
    }

    /// What the answer told.
    pub fn into_facts(self) -> Facts {
        self.facts
    }
}

impl Facts {
    fn take_usage(&mut self, raw: &str) {
        let report = usage::Report::read(raw);
        let Some(usage) = report.usage() else { return };
        self.usage = Some(usage);
        self.usage_raw = Some(raw.into());
        self.stated_cost = report.stated_cost().or(self.stated_cost);
        if let Some(service) = report.service() {
            self.service = Some(service.into());
        }
    }

    /// Keeps the last tier named: the first events may name what was asked for.
    fn take_service(&mut self, tier: Text<'_>) {
        self.service = usage::service(&tier.decode()).map(Into::into);
    }

    /// Keeps the first model named: later chunks repeat it.
    fn take_model(&mut self, model: Text<'_>) {
        if self.response_model.is_none() && !model.is_empty() {
            self.response_model = Some(model.decode().into());
        }
    }

    /// Keeps the first choice's reason, and until it comes the first one of all.
    fn take_finish_reason(&mut self, index: u64, reason: &str) {
        if index == 0 || self.finish_reason.is_none() {
            self.finish_reason = Some(reason.into());
        }
    }
}
