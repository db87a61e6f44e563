//! The kinds of provider this version speaks to, and what each needs.

use crate::nearest::nearest;
use crate::problem::Wrong;

/// What a provider speaks and how it is reached. Every OpenAI-compatible service is `OpenAi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// OpenAI, or anything that speaks its API.
    OpenAi,
    /// Azure OpenAI through its v1 API.
    Azure,
    /// Mistral.
    Mistral,
    /// Groq.
    Groq,
    /// DeepSeek.
    DeepSeek,
    /// OpenRouter.
    OpenRouter,
    /// Ollama.
    Ollama,
    /// Answers by itself, without any network.
    Demo,
}

impl ProviderKind {
    /// Every kind, in the order they are told.
    pub const ALL: [Self; 8] = [
        Self::OpenAi,
        Self::Azure,
        Self::Mistral,
        Self::Groq,
        Self::DeepSeek,
        Self::OpenRouter,
        Self::Ollama,
        Self::Demo,
    ];

    /// The word in the file; also the name a provider of this kind usually has.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Mistral => "mistral",
            Self::Groq => "groq",
            Self::DeepSeek => "deepseek",
            Self::OpenRouter => "openrouter",
            Self::Ollama => "ollama",
            Self::Demo => "demo",
        }
    }

    /// Where it is when nothing else is said; `None` when it has no one address.
    pub(crate) const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Mistral => Some("https://api.mistral.ai/v1"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::DeepSeek => Some("https://api.deepseek.com/v1"),
            Self::OpenRouter => Some("https://openrouter.ai/api/v1"),
            Self::Ollama => Some("http://127.0.0.1:11434/v1"),
            Self::Azure | Self::Demo => None,
        }
    }

    /// The variable that usually holds its key.
    pub(crate) const fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OPENAI_API_KEY"),
            Self::Azure => Some("AZURE_OPENAI_API_KEY"),
            Self::Mistral => Some("MISTRAL_API_KEY"),
            Self::Groq => Some("GROQ_API_KEY"),
            Self::DeepSeek => Some("DEEPSEEK_API_KEY"),
            Self::OpenRouter => Some("OPENROUTER_API_KEY"),
            Self::Ollama | Self::Demo => None,
        }
    }

    /// The variable that usually holds its address.
    pub(crate) const fn url_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OPENAI_BASE_URL"),
            Self::Azure => Some("AZURE_OPENAI_ENDPOINT"),
            Self::Mistral => Some("MISTRAL_BASE_URL"),
            Self::Groq => Some("GROQ_BASE_URL"),
            Self::DeepSeek => Some("DEEPSEEK_BASE_URL"),
            Self::OpenRouter => Some("OPENROUTER_BASE_URL"),
            Self::Ollama => Some("OLLAMA_HOST"),
            Self::Demo => None,
        }
    }

    /// The header that carries its key, when that is not `Authorization: Bearer`.
    pub(crate) const fn key_header(self) -> Option<&'static str> {
        match self {
            Self::Azure => Some("api-key"),
            Self::OpenAi
            | Self::Mistral
            | Self::Groq
            | Self::DeepSeek
            | Self::OpenRouter
            | Self::Ollama
            | Self::Demo => None,
        }
    }

    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Reads a kind from the file.
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some(kind) = Self::named(text) {
            return Ok(kind);
        }
        let compatible = "write \"openai\" for its OpenAI-compatible endpoint, with that endpoint's base_url";
        if ["anthropic", "gemini", "google", "vertex", "bedrock", "aws"].contains(&text) {
            return Err(Wrong::new(format!("\"{text}\" is not supported by this version yet"), compatible));
        }
        let names = || Self::ALL.into_iter().map(Self::as_str);
        let fix = match nearest(text, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!(
                "write \"openai\" for any OpenAI-compatible service, or one of {}",
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        Err(Wrong::new(format!("there is no kind `{text}`"), fix))
    }
}
