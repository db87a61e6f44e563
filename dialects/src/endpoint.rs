//! The kinds of request the data plane tells apart.

use std::fmt;

use serde::Serialize;

/// Which of OpenAI's endpoints a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// Any other route below `/v1`, passed through.
    Passthrough,
}

impl Endpoint {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::ChatCompletions, Self::Responses, Self::Completions, Self::Embeddings, Self::Passthrough];

    /// The word used in records, metrics and search.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Passthrough => "passthrough",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
