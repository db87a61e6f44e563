//! How a content reads in the description: what `registry::content` holds, which knows nothing of HTTP.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Everything that shapes a call. `messages` or `text`, not both, and the same for all versions of a prompt.
#[derive(ToSchema)]
#[schema(as = Content)]
#[expect(dead_code, reason = "documents `registry::content::Content`, which knows nothing of HTTP")]
pub(in crate::admin) struct ContentBody {
    /// A chat prompt: messages `{role, content}`, places `{placeholder}` for the caller's messages, and other prompts
    /// `{include, role?}`, which are pinned (`snippets/tone` becomes `snippets/tone@3`) unless they name a label.
    #[schema(value_type = Option<Vec<Object>>)]
    messages: Option<Vec<Value>>,
    /// A text prompt.
    text: Option<String>,
    /// How the texts are read: `plain` (`{{name}}`), `jinja`, `fstring` (`{name}`).
    #[schema(default = "plain")]
    engine: Option<Engine>,
    /// Declared variables by name.
    variables: Option<BTreeMap<String, Variable>>,
    /// The model to call when the request names none.
    model: Option<String>,
    /// Models to try in order when that one fails, 5 at most.
    #[schema(value_type = Option<Vec<FallbackBody>>)]
    fallbacks: Option<Vec<Value>>,
    /// Request parameters by their OpenAI names; what the caller sends wins unless it is locked.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// Tools, as in chat completions.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<Value>>,
    /// Tool choice, as in chat completions.
    tool_choice: Option<Value>,
    /// Response format, as in chat completions.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
    /// What callers may not override: parameters, `model`, `tools`, `tool_choice`, `response_format`, `messages`.
    locked: Option<Vec<String>>,
}

/// A model to try when the one before it fails: its name, or its name with what is different for it.
#[derive(ToSchema)]
#[schema(as = Fallback)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents `registry::content::Fallback`")]
enum FallbackBody {
    /// The model; everything else is as the version has it.
    Model(String),
    /// The model and what is different for it.
    Different(Box<DifferentBody>),
}

/// What is different for a model that a version falls back to.
#[derive(ToSchema)]
#[schema(as = FallbackDifference, example = json!({"model": "o3", "parameters": {"temperature": null}, "response_format": null}))]
#[expect(dead_code, reason = "documents `registry::content::Fallback`")]
struct DifferentBody {
    /// The model.
    model: String,
    /// Parameters that are other than the version's; null takes one away.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// Tools instead of the version's; null for none.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<Value>>,
    /// Tool choice instead of the version's; null for none.
    tool_choice: Option<Value>,
    /// Response format instead of the version's; null for none.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
}

/// How texts are read.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `registry::content::Engine`")]
enum Engine {
    Plain,
    Jinja,
    Fstring,
}

/// A declared variable.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents `registry::content::Variable`")]
struct Variable {
    /// `string`, `number`, `integer`, `boolean`, `array`, `object`, `messages`, `image` or `file`; any when absent.
    r#type: Option<String>,
    /// Whether a call without it is refused; true unless there is a default.
    required: Option<bool>,
    /// What it is when the caller does not say.
    default: Option<Value>,
    /// What it is for.
    description: Option<String>,
    /// A value to try it with.
    example: Option<Value>,
}
