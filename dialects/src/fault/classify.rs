//! The table from a provider's status and words to a class of failure.
//!
//! Quota is tested before rate limit, because providers send both as 429 and only one is worth waiting for.
//! Codes are matched exactly; phrases only where a provider gives no code for what it means.

use super::FailureClass;
use super::said::{Form, Said};

/// A class, the codes that say it, and the phrases that do where there is no code.
struct Row {
    class: FailureClass,
    codes: &'static [&'static str],
    phrases: &'static [&'static str],
}

/// Read top to bottom; the first row that fits decides. Below 500 only: a server's error is its own.
const ROWS: [Row; 6] = [
    Row {
        class: FailureClass::Quota,
        codes: &[
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "insufficient_balance",
            "insufficient_credits",
            "enforced_spend_limit_reached",
        ],
        phrases: &["credit balance", "insufficient balance", "insufficient credits", "out of credits"],
    },
    Row {
        class: FailureClass::ContextLength,
        codes: &["context_length_exceeded", "context_window_exceeded", "prompt_too_long"],
        phrases: &["maximum context length", "context window", "prompt is too long", "input is too long"],
    },
    Row {
        class: FailureClass::ContentFilter,
        codes: &[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "moderation_blocked",
            "flagged_input",
        ],
        phrases: &["requires moderation"],
    },
    Row {
        class: FailureClass::Credential,
        codes: &["invalid_api_key", "api_key_invalid", "authentication_error", "unauthorized"],
        phrases: &["api key not valid", "invalid api key", "incorrect api key"],
    },
    Row {
        class: FailureClass::ModelGone,
        codes: &[
            "model_not_found",
            "model_not_available",
            "model_decommissioned",
            "model_deprecated",
            "deploymentnotfound",
            "invalid_model",
        ],
        phrases: &["is not a valid model id"],
    },
    Row {
        class: FailureClass::RateLimit,
        codes: &[
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limit",
            "resource_exhausted",
            "too_many_requests",
        ],
        phrases: &[],
    },
];

/// Decides what kind of failure a provider's error answer is.
pub(super) fn classify(status: u16, said: &Said) -> FailureClass {
    if is_garbled(status, said.form) {
        return FailureClass::Garbled;
    }
    if status < 500 && status != 413 {
        let row = ROWS.iter().find(|row| said.is_marked(row.codes) || said.mentions(row.phrases));
        if let Some(row) = row {
            return row.class;
        }
    }
    by_status(status, said)
}

/// Whether the body is not what an API answers, where the status alone does not already say enough.
fn is_garbled(status: u16, form: Form) -> bool {
    match form {
        Form::Json => false,
        Form::Text | Form::Empty => status < 400,
        Form::Html | Form::HalfJson => !matches!(status, 401 | 402 | 408 | 413 | 429 | 500..),
    }
}

fn by_status(status: u16, said: &Said) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Credential,
        402 => FailureClass::Quota,
        404 if said.mentions(&["model", "deployment"]) => FailureClass::ModelGone,
        410 => FailureClass::ModelGone,
        408 | 504 | 522 | 524 => FailureClass::Timeout,
        429 | 498 => FailureClass::RateLimit,
        425 | 500.. => FailureClass::Transient,
        400.. => FailureClass::CallerFault,
        300.. => FailureClass::Garbled,
        _ => inside_success(said),
    }
}

/// An error inside a 200 that carries no status: by its type, and else the provider's bad moment.
fn inside_success(said: &Said) -> FailureClass {
    if said.is_marked(&["invalid_request_error", "invalid_prompt", "invalid_value"]) {
        FailureClass::CallerFault
    } else if said.is_marked(&["timeout", "timeout_error", "vector_store_timeout"]) {
        FailureClass::Timeout
    } else {
        FailureClass::Transient
    }
}
