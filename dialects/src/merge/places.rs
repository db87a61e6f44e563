//! Where each endpoint keeps a setting that is stored by its name in chat completions.

use crate::Endpoint;
use crate::body::Body;

/// Three names of one parameter: the most tokens an answer may have.
const TOKEN_LIMITS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

/// Parameters of chat completions that the responses endpoint has no counterpart for.
const NOT_IN_RESPONSES: [&str; 13] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "modalities",
    "n",
    "prediction",
    "presence_penalty",
    "seed",
    "stop",
    "web_search_options",
];

/// Settings of chat completions that the older completions endpoint has no counterpart for.
const NOT_IN_COMPLETIONS: [&str; 13] = [
    "audio",
    "function_call",
    "functions",
    "modalities",
    "parallel_tool_calls",
    "prediction",
    "reasoning_effort",
    "response_format",
    "tool_choice",
    "tools",
    "top_logprobs",
    "verbosity",
    "web_search_options",
];

/// Where a setting stands in a request.
pub(super) enum Place<'n> {
    /// At the top level.
    Top(&'n str),
    /// At the top level, under one of the token limits' names.
    TokenLimit,
    /// Inside an object at the top level.
    Inner {
        /// The object.
        outer: &'static str,
        /// The member.
        member: &'static str,
        /// Both, as callers write them.
        path: &'static str,
    },
    /// The endpoint has no counterpart.
    Nowhere,
}

/// Where `endpoint` keeps the setting `name`; settings nobody knows keep their name.
pub(super) fn place(endpoint: Endpoint, name: &str) -> Place<'_> {
    let is_responses = endpoint == Endpoint::Responses;
    match name {
        _ if is_token_limit(name) => Place::TokenLimit,
        "reasoning_effort" if is_responses => {
            Place::Inner { outer: "reasoning", member: "effort", path: "reasoning.effort" }
        }
        "verbosity" if is_responses => {
            Place::Inner { outer: "text", member: "verbosity", path: "text.verbosity" }
        }
        "response_format" if is_responses => {
            Place::Inner { outer: "text", member: "format", path: "text.format" }
        }
        _ if is_responses && NOT_IN_RESPONSES.contains(&name) => Place::Nowhere,
        _ if endpoint == Endpoint::Completions && NOT_IN_COMPLETIONS.contains(&name) => Place::Nowhere,
        _ => Place::Top(name),
    }
}

/// Every top-level name callers use for the setting `name`; `None` when there is only that one.
pub(super) fn spellings(name: &str) -> Option<&'static [&'static str]> {
    match name {
        _ if is_token_limit(name) => Some(&TOKEN_LIMITS),
        // The older names of OpenAI's chat completions.
        "tools" => Some(&["tools", "functions"]),
        "tool_choice" => Some(&["tool_choice", "function_call"]),
        _ => None,
    }
}

/// Whether `name` is one of the names of the token limit.
pub(super) fn is_token_limit(name: &str) -> bool {
    TOKEN_LIMITS.contains(&name)
}

/// The name a stored token limit goes by: the caller's spelling (it may stand there with `null`), else the stored one
/// where the endpoint knows it, else the endpoint's own.
pub(super) fn token_limit(endpoint: Endpoint, body: &Body<'_>, stored: &str) -> &'static str {
    let known: &[&'static str] = match endpoint {
        Endpoint::ChatCompletions => &["max_completion_tokens", "max_tokens"],
        Endpoint::Responses => &["max_output_tokens"],
        Endpoint::Completions | Endpoint::Embeddings | Endpoint::Passthrough => &["max_tokens"],
    };
    let spelt = known.iter().find(|name| body.members().any(|(key, _)| key == **name));
    spelt.or_else(|| known.iter().find(|name| **name == stored)).copied().unwrap_or(known[0])
}
