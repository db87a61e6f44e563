//! Chat messages in OpenAI's vocabulary: the form prompts are stored in and rendered to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One message: who speaks, what is said, and every field Weir has no word for (`name`, `tool_calls`, …).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; `null` or absent beside tool calls.
    #[serde(default)]
    pub content: Content,
    /// All other fields, kept in their order.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions, older name.
    System,
    /// Instructions, newer name.
    Developer,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// The result of a function call (legacy).
    Function,
}

impl Role {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Function => "function",
        }
    }

    /// Whether messages of this role are instructions.
    pub const fn instructs(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Text, images, audio and files in order.
    Parts(Vec<Part>),
    /// Nothing: `null` on the wire.
    #[default]
    Absent,
}

/// One content part in chat vocabulary: an object with a `type` (`text`, `image_url`, `input_audio`, `file`, …).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Part(pub Map<String, Value>);

impl Part {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("type".into(), "text".into());
        fields.insert("text".into(), Value::String(text.into()));
        Self(fields)
    }

    /// The part's `type`, empty when it has none.
    pub fn kind(&self) -> &str {
        self.0.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// The text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        if self.kind() == "text" { self.0.get("text").and_then(Value::as_str) } else { None }
    }
}
