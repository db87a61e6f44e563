//! What the demo provider answers to a conversation, before any endpoint gives it its shape.

use serde_json::{Value, json};

use super::ask::{Ask, Tool};
use super::sample::sample;
use super::words::{quote, take_tokens, tokens};

/// How much of what was said is quoted, in characters.
const QUOTE_CHARS: usize = 160;

/// An answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// Words; cut off when the caller's limit was reached.
    Text { text: String, is_whole: bool },
    /// Tools to call.
    Calls(Vec<Call>),
}

/// One tool to call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// A JSON object, as text.
    pub(super) arguments: String,
}

impl Reply {
    pub(super) fn to(ask: &Ask) -> Self {
        let calls = calls(ask);
        if !calls.is_empty() {
            return Self::Calls(calls);
        }
        let text = shaped(ask, speech(ask));
        let (kept, is_whole) = take_tokens(&text, ask.limit);
        Self::Text { text: kept.to_owned(), is_whole }
    }

    pub(super) fn tokens(&self) -> u64 {
        match self {
            Self::Text { text, .. } => tokens(text),
            Self::Calls(calls) => {
                calls.iter().map(|call| tokens(&call.name) + tokens(&call.arguments) + 4).sum()
            }
        }
    }
}

/// The tools to call: those that the caller's last message names, or the one that must be called.
fn calls(ask: &Ask) -> Vec<Call> {
    let (last, is_latest) = ask.last_user();
    let choice = &ask.body["tool_choice"];
    if !is_latest || choice == "none" {
        return Vec::new();
    }
    let last = last.to_lowercase();
    let forced = choice["function"]["name"].as_str().or_else(|| choice["name"].as_str());
    let is_wanted = |tool: &&Tool| match forced {
        Some(name) => tool.name == name,
        None => last.contains(&tool.name.to_lowercase()),
    };
    let mut wanted: Vec<&Tool> = ask.tools.iter().filter(is_wanted).collect();
    if wanted.is_empty() && choice == "required" {
        wanted.extend(ask.tools.first());
    }
    if ask.body["parallel_tool_calls"] == false {
        wanted.truncate(1);
    }
    let arguments = |tool: &Tool| match sample(&tool.parameters, "demo") {
        Value::Null => "{}".to_owned(),
        arguments => arguments.to_string(),
    };
    wanted.into_iter().map(|tool| Call { name: tool.name.clone(), arguments: arguments(tool) }).collect()
}

/// Friendly words that show what arrived.
fn speech(ask: &Ask) -> String {
    let latest = ask.said.last().filter(|said| matches!(said.role.as_str(), "tool" | "function"));
    let tools: Vec<&str> = ask.tools.iter().map(|tool| tool.name.as_str()).collect();
    let quotes = [
        ("The tool answered", latest.map_or("", |said| said.text.as_str())),
        ("You wrote", ask.last_user().0),
        ("My instructions say", &ask.instructions()),
        ("Name one of these tools and I will call it", &tools.join(", ")),
    ];
    let greeting = format!("Hello from {}, Weir's demo model.", ask.model);
    let quotes = quotes.into_iter().filter(|(_, text)| !text.trim().is_empty());
    let quotes = quotes.map(|(intro, text)| format!("{intro}: “{}”.", quote(text, QUOTE_CHARS)));
    let count = format!("This conversation has {} messages so far.", ask.said.len());
    let count = (ask.model == "demo-large").then_some(count);
    let sentences: Vec<String> = [greeting].into_iter().chain(quotes).chain(count).collect();
    sentences.join(" ")
}

/// The speech in the format the caller wants.
fn shaped(ask: &Ask, speech: String) -> String {
    let (chat, responses) = (&ask.body["response_format"], &ask.body["text"]["format"]);
    let format = if chat.is_object() { chat } else { responses };
    match format["type"].as_str() {
        Some("json_object") => json!({"answer": speech}).to_string(),
        Some("json_schema") => {
            let schema = format["json_schema"].get("schema").unwrap_or(&format["schema"]);
            sample(schema, &speech).to_string()
        }
        _ => speech,
    }
}
