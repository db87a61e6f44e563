//! A rendered prompt and the caller's request, put together as the endpoint wants them.
//!
//! The request stays as it came except for what the prompt brings: its messages, and the model, parameters and tools
//! that the caller does not set. Naming the prompt ([`crate::naming`]) and rendering it are done before.

mod chat;
mod completions;
mod items;
mod messages;
mod parts;
mod places;
mod responses;
mod settings;
mod tools;

use std::borrow::Cow;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::Endpoint;
use crate::body::{Body, BodyError, Edit};
use crate::chat::Message;
use crate::naming;

pub use settings::{is_parameter, overridden};

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

/// What a prompt version brings to a call: its messages, rendered, and what it stores beside them, in the vocabulary
/// of chat completions.
#[derive(Clone, Debug)]
pub struct Contribution<'v> {
    /// The rendered messages and the places between them.
    pub items: Vec<RenderedItem>,
    /// Whether this is a text prompt (its one item is a user message).
    pub text: bool,
    /// The model to call when the request names none.
    pub model: Option<&'v str>,
    /// Request parameters.
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

impl Contribution<'_> {
    fn locks(&self, name: &str) -> bool {
        self.locked.iter().any(|locked| locked == name)
    }
}

/// Changes a request so that it carries the prompt: messages, model, parameters, tools.
///
/// [`naming::cut`] has to have run on `edit` before: on `/v1/completions` the prompt's name and its text both stand
/// in `prompt`.
pub fn merge<'a>(
    endpoint: Endpoint,
    body: &Body<'a>,
    contribution: &Contribution<'_>,
    edit: &mut Edit<'a>,
) -> Result<(), MergeError> {
    match endpoint {
        Endpoint::ChatCompletions => chat::merge(body, contribution, edit)?,
        Endpoint::Responses => responses::merge(body, contribution, edit)?,
        Endpoint::Completions => completions::merge(body, contribution, edit)?,
        Endpoint::Embeddings | Endpoint::Passthrough => return Err(takes_no_prompt(endpoint)),
    }
    let model = model(body, contribution)?;
    if named_model(body)?.is_none() {
        edit.set("model", json(&*model));
    }
    settings::merge(endpoint, body, contribution, edit)
}

/// The model a merged call goes to: the request's, unless it is absent, empty or names a prompt; else the version's.
pub fn model<'m>(body: &Body<'m>, contribution: &Contribution<'m>) -> Result<Cow<'m, str>, MergeError> {
    let Some(named) = named_model(body)? else {
        return contribution.model.map(Cow::Borrowed).ok_or(MergeError::NoModel);
    };
    if contribution.locks("model") && contribution.model != Some(&*named) {
        return Err(MergeError::locked("model"));
    }
    Ok(named)
}

fn named_model<'m>(body: &Body<'m>) -> Result<Option<Cow<'m, str>>, BodyError> {
    let named = body.text("model")?;
    Ok(named.filter(|model| !model.is_empty() && naming::model_reference(model).is_none()))
}

/// Any value as JSON text.
fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("text, numbers and maps with text keys always have a JSON form")
}

/// A prompt on an endpoint that has no place for one.
fn takes_no_prompt(endpoint: Endpoint) -> MergeError {
    MergeError::NotSupported {
        endpoint: path(endpoint),
        what: "a prompt".into(),
        instead: "prompts work on /v1/chat/completions, /v1/responses and, when they are one text, /v1/completions",
    }
}

const fn path(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ChatCompletions => "/v1/chat/completions",
        Endpoint::Responses => "/v1/responses",
        Endpoint::Completions => "/v1/completions",
        Endpoint::Embeddings => "/v1/embeddings",
        Endpoint::Passthrough => "this route",
    }
}

/// Why a prompt and a request do not go together. Speaks to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MergeError {
    /// The caller sets what the version locks.
    #[error("the prompt version locks {what}: leave `{name}` out{unless}")]
    ParameterLocked {
        /// What is locked, as the caller spelt it.
        name: String,
        /// What is locked, in words.
        what: &'static str,
        /// When it need not be left out.
        unless: &'static str,
    },
    /// The prompt holds what this endpoint has no counterpart for.
    #[error("{endpoint} cannot carry {what}: {instead}")]
    NotSupported {
        /// The endpoint's path.
        endpoint: &'static str,
        /// What it cannot carry.
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
    fn locked(name: impl Into<String>) -> Self {
        Self::ParameterLocked {
            name: name.into(),
            what: "this field",
            unless: ", or send the version's own value",
        }
    }

    /// The caller brings messages, in the field `name`, to a version that takes none.
    fn messages_locked(name: &'static str) -> Self {
        Self::ParameterLocked { name: name.into(), what: "its messages", unless: "" }
    }

    fn wrong_type(key: &'static str, wanted: &'static str) -> Self {
        Self::WrongShape(BodyError::wrong_type(key, wanted))
    }

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
            Self::ParameterLocked { name, .. } => Some(name),
            Self::NotSupported { .. } | Self::NothingLeft => None,
            Self::WrongShape(error) => error.param(),
            Self::NoModel => Some("model"),
        }
    }
}
