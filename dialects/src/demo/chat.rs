//! Chat completions of the demo provider.

use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::reply::{Call, Reply};
use super::words::pieces;

pub(super) fn whole(ask: &Ask, reply: &Reply) -> Value {
    let message = match reply {
        Reply::Text { text, .. } => {
            json!({"role": "assistant", "content": text, "refusal": null, "annotations": []})
        }
        Reply::Calls(calls) => {
            let calls: Vec<Value> =
                (0..).zip(calls).map(|(number, call)| tool_call(ask, number, call)).collect();
            json!({"role": "assistant", "content": null, "tool_calls": calls, "refusal": null, "annotations": []})
        }
    };
    let choice = |index: u64| json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish_reason(reply)});
    let choices: Vec<Value> = (0..ask.choices).map(choice).collect();
    json!({
        "id": ask.id("chatcmpl-", 0),
        "object": "chat.completion",
        "created": ask.created,
        "model": ask.model,
        "choices": choices,
        "usage": usage(ask.input_tokens, reply.tokens() * ask.choices),
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    })
}

/// The chunks of a stream, `[DONE]` not among them.
pub(super) fn stream(ask: &Ask, reply: &Reply) -> Vec<Value> {
    let deltas = deltas(ask, reply);
    let mut chunks = Vec::new();
    for index in 0..ask.choices {
        chunks.extend(deltas.iter().map(|delta| chunk(ask, index, delta, &Value::Null)));
        chunks.push(chunk(ask, index, &json!({}), &finish_reason(reply).into()));
    }
    if ask.include_usage {
        let usage = usage(ask.input_tokens, reply.tokens() * ask.choices);
        chunks.push(frame(ask, &[], usage));
    }
    chunks
}

fn deltas(ask: &Ask, reply: &Reply) -> Vec<Value> {
    match reply {
        Reply::Text { text, .. } => {
            let start = json!({"role": "assistant", "content": "", "refusal": null});
            let words = pieces(text).into_iter().map(|piece| json!({"content": piece}));
            [start].into_iter().chain(words).collect()
        }
        Reply::Calls(calls) => {
            let start = json!({"role": "assistant", "content": null, "refusal": null});
            let calls = (0..).zip(calls).flat_map(|(number, call)| call_deltas(ask, number, call));
            [start].into_iter().chain(calls).collect()
        }
    }
}

/// The first delta of a call names it, the others bring its arguments.
fn call_deltas(ask: &Ask, number: u64, call: &Call) -> Vec<Value> {
    let mut first = Map::from_iter([("index".to_owned(), number.into())]);
    if let Value::Object(fields) =
        tool_call(ask, number, &Call { name: call.name.clone(), arguments: String::new() })
    {
        first.extend(fields);
    }
    let rest = pieces_of_json(&call.arguments).into_iter();
    let rest = rest.map(|piece| json!({"index": number, "function": {"arguments": piece}}));
    [Value::Object(first)].into_iter().chain(rest).map(|call| json!({"tool_calls": [call]})).collect()
}

/// Arguments cut after each comma or colon, as tokens roughly are.
pub(super) fn pieces_of_json(arguments: &str) -> Vec<&str> {
    arguments.split_inclusive([',', ':']).collect()
}

fn tool_call(ask: &Ask, number: u64, call: &Call) -> Value {
    json!({
        "id": ask.id("call_", number),
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    })
}

fn chunk(ask: &Ask, index: u64, delta: &Value, finish_reason: &Value) -> Value {
    let choice = json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
    frame(ask, &[choice], Value::Null)
}

fn frame(ask: &Ask, choices: &[Value], usage: Value) -> Value {
    let mut frame = json!({
        "id": ask.id("chatcmpl-", 0),
        "object": "chat.completion.chunk",
        "created": ask.created,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
        "choices": choices,
    });
    if let (true, Value::Object(members)) = (ask.include_usage, &mut frame) {
        members.insert("usage".to_owned(), usage);
    }
    frame
}

fn finish_reason(reply: &Reply) -> &'static str {
    match reply {
        Reply::Text { is_whole: true, .. } => "stop",
        Reply::Text { is_whole: false, .. } => "length",
        Reply::Calls(_) => "tool_calls",
    }
}

/// Usage as chat completions and completions state it.
pub(super) fn usage(input: u64, output: u64) -> Value {
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}
