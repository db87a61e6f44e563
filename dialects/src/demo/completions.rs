//! Legacy completions of the demo provider.

use serde_json::{Value, json};

use super::ask::Ask;
use super::chat::usage;
use super::refuse;
use super::words::{pieces, quote, take_tokens, tokens};
use crate::fault::Fault;

/// More prompts than these in one request are refused.
const PROMPTS_MAX: usize = 64;

/// One completed prompt.
struct Completed {
    text: String,
    finish_reason: &'static str,
}

pub(super) fn whole(ask: &Ask) -> Result<Value, Fault> {
    let completed = complete(ask)?;
    let choices =
        (0..).zip(&completed).map(|(index, done)| choice(index, &done.text, Some(done.finish_reason)));
    let mut answer = frame(ask, &choices.collect::<Vec<_>>());
    answer["usage"] = usage_of(ask, &completed);
    Ok(answer)
}

/// The chunks of a stream, `[DONE]` not among them.
pub(super) fn stream(ask: &Ask) -> Result<Vec<Value>, Fault> {
    let completed = complete(ask)?;
    let mut chunks = Vec::new();
    for (index, done) in (0_u64..).zip(&completed) {
        let words = pieces(&done.text);
        chunks.extend(words.iter().map(|piece| frame(ask, &[choice(index, piece, None)])));
        chunks.push(frame(ask, &[choice(index, "", Some(done.finish_reason))]));
    }
    if ask.include_usage {
        for chunk in &mut chunks {
            chunk["usage"] = Value::Null;
        }
        let mut last = frame(ask, &[]);
        last["usage"] = usage_of(ask, &completed);
        chunks.push(last);
    }
    Ok(chunks)
}

fn complete(ask: &Ask) -> Result<Vec<Completed>, Fault> {
    let prompts = prompts(&ask.body["prompt"]);
    if prompts.len() > PROMPTS_MAX {
        return Err(refuse(format!("send at most {PROMPTS_MAX} prompts"), "invalid_request"));
    }
    let each = usize::try_from(ask.choices).unwrap_or(1);
    let completed = prompts.iter().flat_map(|prompt| std::iter::repeat_n(prompt, each));
    Ok(completed.map(|prompt| complete_one(ask, prompt)).collect())
}

fn complete_one(ask: &Ask, prompt: &str) -> Completed {
    let text = format!(" … and so on, says {}, to “{}”.", ask.model, quote(prompt, 160));
    let (kept, is_whole) = take_tokens(&text, ask.limit);
    Completed { text: kept.to_owned(), finish_reason: if is_whole { "stop" } else { "length" } }
}

fn prompts(prompt: &Value) -> Vec<String> {
    match prompt {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.iter().any(|item| item.is_string() || item.is_array()) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        Value::Array(_) => vec![prompt.to_string()],
        _ => vec![String::new()],
    }
}

fn choice(index: u64, text: &str, finish_reason: Option<&str>) -> Value {
    json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish_reason})
}

fn frame(ask: &Ask, choices: &[Value]) -> Value {
    json!({
        "id": ask.id("cmpl-", 0),
        "object": "text_completion",
        "created": ask.created,
        "model": ask.model,
        "choices": choices,
    })
}

fn usage_of(ask: &Ask, completed: &[Completed]) -> Value {
    usage(ask.input_tokens, completed.iter().map(|done| tokens(&done.text)).sum())
}
