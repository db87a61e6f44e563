//! What went wrong at a provider, as a value: its class, words for people, and how long to wait.
//!
//! The class is data; what follows from it (retry, next target, answer to the caller) is the gateway's table.

use std::time::Duration;

mod classify;
mod retry_after;
mod said;
mod write;

#[cfg(test)]
mod tests;

pub use retry_after::retry_after;
pub use write::{write_error, write_error_event};

use said::Said;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The provider had a bad moment.
    Transient,
    /// Too many requests or tokens for now.
    RateLimit,
    /// The account's money or allowance is used up; waiting a little does not help.
    Quota,
    /// The provider does not accept the key.
    Credential,
    /// The provider does not have, or no longer has, the model.
    ModelGone,
    /// The request itself is wrong and would be anywhere.
    CallerFault,
    /// The request is longer than the model's context.
    ContextLength,
    /// The provider's content policy refused.
    ContentFilter,
    /// The provider was too slow.
    Timeout,
    /// The answer cannot be read: HTML, half JSON, an unreadable event.
    Garbled,
    /// No connection, or it broke.
    Unreachable,
}

impl FailureClass {
    /// The word used in records, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimit => "rate_limit",
            Self::Quota => "quota",
            Self::Credential => "credential",
            Self::ModelGone => "model_gone",
            Self::CallerFault => "caller_fault",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Timeout => "timeout",
            Self::Garbled => "garbled",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether the same request to the same target may soon succeed. A silent provider is not asked twice.
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimit | Self::Garbled | Self::Unreachable)
    }

    /// Whether another target may succeed where this one failed.
    pub const fn may_work_elsewhere(self) -> bool {
        !matches!(self, Self::CallerFault | Self::ContentFilter)
    }
}

/// A provider's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure it was.
    pub class: FailureClass,
    /// What the provider said, for people: short, one line, never HTML.
    pub message: String,
    /// The provider's `code`; a numeric one as text.
    pub code: Option<String>,
    /// The provider's `type`.
    pub kind: Option<String>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A failure nobody put into a body, such as a refused connection.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), code: None, kind: None, retry_after: None }
    }

    /// The failure that an error object inside a 200 tells of.
    pub(crate) fn inside(body: &[u8]) -> Self {
        read_fault(200, None, body)
    }
}

/// Reads a provider's error answer, whatever shape its body has.
pub fn read_fault(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Fault {
    let said = Said::read(body);
    let status = said.status_or(status);
    Fault {
        class: classify::classify(status, &said),
        message: said.message(status),
        retry_after: retry_after.or(said.retry_after),
        code: said.code,
        kind: said.kind,
    }
}
