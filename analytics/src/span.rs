//! One span of a trace, as applications report them over OTLP: what happened around calls.

use serde::Serialize;
use vocab::Time;

/// A span. Texts are as they came, within the limits of what takes them in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// The project of the key that reported it.
    pub project: Box<str>,
    /// W3C trace id.
    pub trace_id: [u8; 16],
    /// Its own id, unique within the trace. The same id again replaces nothing: the first one stays.
    pub span_id: [u8; 8],
    /// The span it belongs under; `None` for a root.
    pub parent_span_id: Option<[u8; 8]>,
    /// What it is called.
    pub name: Box<str>,
    /// What it does.
    pub kind: SpanKind,
    /// When it began.
    pub started: Time,
    /// How long it took, µs.
    pub duration_us: u64,
    /// Whether it failed.
    pub failed: bool,
    /// What it said about its end.
    pub status_message: Option<Box<str>>,
    /// The reporting service: `service.name`.
    pub service: Option<Box<str>>,
    /// The end user.
    pub user: Option<Box<str>>,
    /// The session.
    pub session: Option<Box<str>>,
    /// The model it asked.
    pub model: Option<Box<str>>,
    /// The provider it asked.
    pub provider: Option<Box<str>>,
    /// The registered prompt it used, and the version.
    pub prompt: Option<(Box<str>, Option<u32>)>,
    /// All input tokens, as reported.
    pub input_tokens: Option<u64>,
    /// All output tokens, as reported.
    pub output_tokens: Option<u64>,
    /// What went in: text or JSON.
    pub input: Option<Box<str>>,
    /// What came out: text or JSON.
    pub output: Option<Box<str>>,
    /// Every other attribute, resource and scope included: a JSON object.
    pub attributes: Option<Box<str>>,
    /// Events with their times and attributes: a JSON array.
    pub events: Option<Box<str>>,
}

impl Span {
    /// Roughly how many bytes this span holds in memory.
    pub(crate) fn weight(&self) -> usize {
        let texts = [
            &self.status_message,
            &self.service,
            &self.user,
            &self.session,
            &self.model,
            &self.provider,
            &self.input,
            &self.output,
            &self.attributes,
            &self.events,
        ];
        let said: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        size_of::<Self>() + self.project.len() + self.name.len() + said
    }
}

/// What a span does, whichever convention said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// Asks a model.
    Llm,
    /// Makes embeddings.
    Embedding,
    /// Looks something up for a model.
    Retriever,
    /// Orders what was found.
    Reranker,
    /// Runs a tool.
    Tool,
    /// Decides what to do next.
    Agent,
    /// Runs other steps.
    Chain,
    /// Checks what goes in or out.
    Guardrail,
    /// Judges.
    Evaluator,
    /// Anything else.
    #[default]
    Other,
}

impl SpanKind {
    /// The word used in stores and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Embedding => "embedding",
            Self::Retriever => "retriever",
            Self::Reranker => "reranker",
            Self::Tool => "tool",
            Self::Agent => "agent",
            Self::Chain => "chain",
            Self::Guardrail => "guardrail",
            Self::Evaluator => "evaluator",
            Self::Other => "other",
        }
    }

    /// The kind this word stands for; an unknown one is `other`.
    pub fn from_word(word: &str) -> Self {
        let all = [
            Self::Llm,
            Self::Embedding,
            Self::Retriever,
            Self::Reranker,
            Self::Tool,
            Self::Agent,
            Self::Chain,
            Self::Guardrail,
            Self::Evaluator,
        ];
        all.into_iter().find(|kind| kind.as_str() == word).unwrap_or_default()
    }
}
