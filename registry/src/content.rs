//! What one prompt version holds: everything that shapes a call, as its author wrote it.

use std::collections::BTreeMap;

use dialects::chat::{Message, Role};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The immutable content of a version. What is digested, compared and served; no commit message, no metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The messages or the text.
    #[serde(flatten)]
    pub body: PromptBody,
    /// How the texts are read.
    #[serde(default)]
    pub engine: Engine,
    /// Declared variables by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub variables: IndexMap<String, Variable>,
    /// The model to call when the request names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Models to try when the first one fails, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// Request parameters by their OpenAI names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Tools in chat vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Value>>,
    /// Tool choice in chat vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    /// Response format in chat vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
    /// What callers may not override: parameters, `model`, `tools`, `tool_choice`, `response_format`, `messages`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locked: Vec<String>,
}

/// A prompt is a list of messages or one text, for life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptBody {
    /// A chat prompt.
    Messages(Vec<Item>),
    /// A text prompt: one user message on chat endpoints, the `prompt` of `/v1/completions`.
    Text(String),
}

/// One entry of a chat prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// What it is when the caller does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A value to try it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

impl Variable {
    /// Whether a call without this variable is refused.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(self.default.is_none())
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
