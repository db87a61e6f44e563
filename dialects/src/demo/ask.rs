//! A request as the demo provider understands it.

use serde_json::Value;

use super::words::{hash, tokens};
use super::{CHAT_MODELS, EMBEDDING_MODEL, refuse};
use crate::Endpoint;
use crate::fault::Fault;
use crate::fold::request_text;

/// More choices than these are not made.
const CHOICES_MAX: u64 = 8;

/// A request, read.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) body: Value,
    pub(super) model: String,
    pub(super) created: i64,
    /// Who said what, oldest first.
    pub(super) said: Vec<Said>,
    pub(super) tools: Vec<Tool>,
    pub(super) input_tokens: u64,
    /// How many tokens the answer may have.
    pub(super) limit: Option<u64>,
    /// How many choices are wanted.
    pub(super) choices: u64,
    /// Whether a stream is to end with usage.
    pub(super) include_usage: bool,
    digest: u64,
}

/// What one message says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) role: String,
    pub(super) text: String,
}

/// A tool the caller offers.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) parameters: Value,
}

impl Ask {
    pub(super) fn read(endpoint: Endpoint, bytes: &[u8], created: i64) -> Result<Self, Fault> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| refuse(format!("the body is not JSON: {error}"), "invalid_request"))?;
        let model = read_model(endpoint, &body)?;
        let said = said(endpoint, &body);
        let limits = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
        Ok(Self {
            model,
            created,
            tools: tools(&body),
            input_tokens: tokens(&request_text(endpoint, bytes)) + 4 * said.len() as u64 + 3,
            limit: limits.iter().find_map(|name| body[*name].as_u64()),
            choices: body["n"].as_u64().unwrap_or(1).clamp(1, CHOICES_MAX),
            include_usage: body["stream_options"]["include_usage"] == true,
            digest: hash(bytes, 0),
            said,
            body,
        })
    }

    /// An id that only this request has: the same one each time.
    pub(super) fn id(&self, prefix: &str, number: u64) -> String {
        let tail = hash(&number.to_le_bytes(), self.digest);
        format!("{prefix}{:016x}{tail:016x}", self.digest)
    }

    /// What the caller was last to say, and whether that is the last message at all.
    pub(super) fn last_user(&self) -> (&str, bool) {
        let place = self.said.iter().rposition(|said| said.role == "user");
        let text = place.and_then(|place| self.said.get(place)).map_or("", |said| said.text.as_str());
        (text, place.is_some_and(|place| place + 1 == self.said.len()))
    }

    /// All instructions together.
    pub(super) fn instructions(&self) -> String {
        let instructions =
            self.said.iter().filter(|said| matches!(said.role.as_str(), "system" | "developer"));
        instructions.map(|said| said.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

fn read_model(endpoint: Endpoint, body: &Value) -> Result<String, Fault> {
    let model = body["model"].as_str().unwrap_or_default();
    let fits = if endpoint == Endpoint::Embeddings {
        model == EMBEDDING_MODEL
    } else {
        CHAT_MODELS.contains(&model)
    };
    if fits {
        return Ok(model.to_owned());
    }
    let message = format!(
        "the demo provider has no model `{model}` for this endpoint; use demo-small or demo-large to talk, \
         demo-embed to embed"
    );
    Err(refuse(message, "model_not_found"))
}

fn said(endpoint: Endpoint, body: &Value) -> Vec<Said> {
    let instructions = body["instructions"].as_str().map(|text| Said::new("system", text.to_owned()));
    let messages = match (endpoint, &body["input"]) {
        (Endpoint::ChatCompletions, _) => messages(&body["messages"]),
        (Endpoint::Responses, Value::String(text)) => vec![Said::new("user", text.clone())],
        (Endpoint::Responses, items) => messages(items),
        _ => Vec::new(),
    };
    instructions.into_iter().chain(messages).collect()
}

fn messages(list: &Value) -> Vec<Said> {
    let read = |message: &Value| {
        if message["type"] == "function_call_output" {
            return Some(Said::new("tool", text_of(&message["output"])));
        }
        Some(Said::new(message["role"].as_str()?, text_of(&message["content"])))
    };
    list.as_array().into_iter().flatten().filter_map(read).collect()
}

impl Said {
    fn new(role: &str, text: String) -> Self {
        Self { role: role.to_owned(), text }
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join(" ")
        }
        _ => String::new(),
    }
}

fn tools(body: &Value) -> Vec<Tool> {
    let read = |tool: &Value| {
        let function = if tool["function"].is_object() { &tool["function"] } else { tool };
        let name = function["name"].as_str()?.to_owned();
        Some(Tool { name, parameters: function["parameters"].clone() })
    };
    body["tools"].as_array().into_iter().flatten().filter_map(read).collect()
}
