//! What one prompt version holds: everything that shapes a call, as its author wrote it.
//!
//! How it is read from JSON, and refused, is in `content/read.rs`; whether its templates hold is for
//! [`crate::template::Template::compile`].

mod fallback;
mod included;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use dialects::chat::{Message, Role};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use fallback::Fallback;
pub(crate) use included::Standing;
pub use included::{DEPTH, Float, Floating, Included, Snippet};

/// The immutable content of a version. What is digested, compared and served; no commit message, no metadata.
///
/// Reading refuses unknown fields. A request body that carries more than a content (labels, a commit message, …)
/// takes its own fields out of the JSON object first and reads what is left as a `Content`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "read::RawContent")]
pub struct Content {
    /// The messages or the text.
    #[serde(flatten)]
    pub body: PromptBody,
    /// How the texts are read.
    pub engine: Engine,
    /// Declared variables by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub variables: IndexMap<String, Variable>,
    /// The model to call when the request names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Models to try when the first one fails, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// Request parameters by their OpenAI names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Tools in chat vocabulary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Value>>,
    /// Tool choice in chat vocabulary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    /// Response format in chat vocabulary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
    /// What callers may not override: parameters, `model`, `tools`, `tool_choice`, `response_format`, `messages`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locked: Vec<String>,
}

impl Content {
    /// The names of all its fields in JSON.
    pub const FIELDS: [&str; 11] = [
        "messages",
        "text",
        "engine",
        "variables",
        "model",
        "fallbacks",
        "parameters",
        "tools",
        "tool_choice",
        "response_format",
        "locked",
    ];

    /// A content that says nothing, of one kind or the other.
    pub(crate) fn empty(is_text: bool) -> Self {
        Self {
            body: if is_text { PromptBody::Text(String::new()) } else { PromptBody::Messages(Vec::new()) },
            engine: Engine::default(),
            variables: IndexMap::new(),
            model: None,
            fallbacks: Vec::new(),
            parameters: Map::new(),
            tools: None,
            tool_choice: None,
            response_format: None,
            locked: Vec::new(),
        }
    }

    /// The items of a chat prompt; none for a text prompt.
    pub fn items(&self) -> &[Item] {
        match &self.body {
            PromptBody::Messages(items) => items,
            PromptBody::Text(_) => &[],
        }
    }

    /// The names of the placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(|item| match item {
            Item::Placeholder { placeholder } => Some(placeholder.as_str()),
            Item::Message(_) | Item::Include { .. } => None,
        })
    }

    /// Whether this is a text prompt.
    pub const fn is_text(&self) -> bool {
        matches!(self.body, PromptBody::Text(_))
    }
}

/// A prompt is a list of messages or one text, for life.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptBody {
    /// A chat prompt.
    Messages(Vec<Item>),
    /// A text prompt: one user message on chat endpoints, the `prompt` of `/v1/completions`.
    Text(String),
}

/// One entry of a chat prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Item {
    /// A place the caller's messages, or a variable that holds messages, go to.
    Placeholder {
        /// The name of the place; `history` takes the caller's messages first.
        placeholder: String,
    },
    /// Another prompt's messages or text.
    Include {
        /// The reference, `name[@selector]`.
        include: String,
        /// The role a text snippet speaks in.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
    },
    /// A message whose texts are templates.
    Message(Message),
}

/// How a version's texts are read. Explicit, never guessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// `{{name}}` substitution only; everything else is literal.
    #[default]
    Plain,
    /// Jinja, sandboxed.
    Jinja,
    /// `{name}` with `{{` and `}}` as escapes.
    Fstring,
}

/// A declared variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// What values it takes; any when absent.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<VariableKind>,
    /// Whether a call without it is refused; true unless a default is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// What it is when the caller does not say; `null` is a default too, and renders to nothing.
    #[serde(default, deserialize_with = "read::present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A value to try it with.
    #[serde(default, deserialize_with = "read::present", skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

impl Variable {
    /// Whether a call without this variable is refused.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(self.default.is_none())
    }
}

impl Engine {
    /// The word in JSON and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Jinja => "jinja",
            Self::Fstring => "fstring",
        }
    }
}

impl VariableKind {
    /// The word in JSON and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
            Self::Messages => "messages",
            Self::Image => "image",
            Self::File => "file",
        }
    }
}

/// What values a variable takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableKind {
    /// Text.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
    /// A list of chat messages, for a placeholder.
    Messages,
    /// An image part.
    Image,
    /// A file part.
    File,
}

/// The variables of one call, by name.
pub type Variables = Map<String, Value>;

/// Foreign ids a prompt answers to, such as OpenAI's `pmpt_…`, with how their versions map to ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The foreign id; follows the rule for prompt names.
    pub id: String,
    /// Foreign version to ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, u32>,
    /// Our version when the caller names none; else the label `production` serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<u32>,
}
