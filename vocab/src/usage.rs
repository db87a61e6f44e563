//! Token counts by class, in OpenAI's arithmetic.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// The tokens one call used. `input` and `output` are totals; the other classes say how they split
/// (cached, written, audio and image input are inside `input`; reasoning, audio and image output inside `output`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// Input tokens read from the provider's prompt cache.
    pub cached_input: u64,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: u64,
    /// Those written to be kept for an hour: a part of `cache_write`, the rest is for minutes.
    #[serde(default)]
    pub cache_write_1h: u64,
    /// Audio tokens in the input.
    pub audio_input: u64,
    /// Image tokens in the input.
    #[serde(default)]
    pub image_input: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Audio tokens in the output.
    pub audio_output: u64,
    /// Image tokens in the output.
    #[serde(default)]
    pub image_output: u64,
    /// Searches the provider ran, which cost a fee each; no tokens.
    #[serde(default)]
    pub searches: u64,
}

impl Usage {
    /// Input and output together.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Audio tokens on both sides together, as the record's `audio_tokens` counts them.
    pub const fn audio(self) -> u64 {
        self.audio_input.saturating_add(self.audio_output)
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.cached_input += other.cached_input;
        self.cache_write += other.cache_write;
        self.audio_input += other.audio_input;
        self.output += other.output;
        self.reasoning += other.reasoning;
        self.audio_output += other.audio_output;
        self.cache_write_1h += other.cache_write_1h;
        self.image_input += other.image_input;
        self.image_output += other.image_output;
        self.searches += other.searches;
    }
}

/// Who counted the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider said so.
    Provider,
    /// Weir counted what passed through it.
    Counted,
    /// Weir estimated from the length of the text.
    Estimated,
    /// Nobody counted.
    #[default]
    None,
}

impl UsageSource {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Counted => "counted",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}
