//! A rendered prompt and the caller's request, put together.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::Endpoint;
use crate::body::{Body, BodyError, Edit};
use crate::chat::Message;

/// One entry of a rendered prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum RenderedItem {
    /// A message whose texts are final.
    Message(Message),
    /// A place the caller's messages go to, or the messages a variable put there.
    Placeholder {
        /// The name of the place.
        name: String,
        /// The messages of the variable of that name.
        fill: Option<Vec<Value>>,
    },
}

/// What a prompt version brings to a call: its messages, rendered, and what it stores beside them, in chat vocabulary.
#[derive(Clone, Debug)]
pub struct Contribution<'v> {
    /// The rendered messages and the places between them.
    pub items: Vec<RenderedItem>,
    /// Whether this is a text prompt (its one item is a user message).
    pub text: bool,
    /// The model to call when the request names none.
    pub model: Option<&'v str>,
    /// Request parameters by their names in chat completions.
    pub parameters: &'v Map<String, Value>,
    /// Tools.
    pub tools: Option<&'v [Value]>,
    /// Tool choice.
    pub tool_choice: Option<&'v Value>,
    /// Response format.
    pub response_format: Option<&'v Value>,
    /// What the caller may not set to anything else.
    pub locked: &'v [String],
}

/// Changes a request so that it carries the prompt: messages, model, parameters, tools.
///
/// What named the prompt ([`crate::naming`]) has to be cut from `edit` before, for on `/v1/completions` both use `prompt`.
pub fn merge<'a>(
    endpoint: Endpoint,
    body: &Body<'a>,
    contribution: &Contribution<'_>,
    edit: &mut Edit<'a>,
) -> Result<(), MergeError> {
    let _ = (endpoint, body, contribution, edit);
    Err(MergeError::NothingLeft)
}

/// Why a prompt and a request do not go together. Speaks to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MergeError {
    /// The caller sets what the version locks.
    #[error("the prompt version locks `{name}`: leave it out, or send the version's own value")]
    ParameterLocked {
        /// What is locked, as the caller spelt it.
        name: String,
    },
    /// The prompt holds what this endpoint has no counterpart for.
    #[error("{endpoint} has no counterpart for the prompt's {what}: {instead}")]
    NotSupported {
        /// The endpoint's path.
        endpoint: &'static str,
        /// What it cannot take.
        what: String,
        /// What to do.
        instead: &'static str,
    },
    /// Neither the prompt nor the request says anything.
    #[error(
        "the prompt rendered to nothing and the request brings no messages: fill its variables or send messages"
    )]
    NothingLeft,
    /// A field of the request is not of the shape the prompt is merged into.
    #[error(transparent)]
    WrongShape(#[from] BodyError),
    /// Neither the request nor the version names a model.
    #[error("no model: name one in `model`, or publish a version of the prompt that has one")]
    NoModel,
}

impl MergeError {
    /// The error's `code`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ParameterLocked { .. } => "parameter_locked",
            Self::NotSupported { .. } => "not_supported",
            Self::NothingLeft => "template_error",
            Self::WrongShape(_) | Self::NoModel => "invalid_request",
        }
    }

    /// The request's field at fault.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::ParameterLocked { name } => Some(name),
            Self::NotSupported { .. } | Self::NothingLeft => None,
            Self::WrongShape(error) => error.param(),
            Self::NoModel => Some("model"),
        }
    }
}
