//! What the fake provider answers when nothing is scripted: OpenAI's shapes, the same bytes each time.

use serde_json::{Value, json};

use super::Received;
use super::reply::Reply;

/// What every answer says.
pub const WORDS: &str = "Hello there";
/// Tokens of input that every answer reports.
pub const INPUT_TOKENS: u64 = 12;
/// Tokens of output that every chat answer reports.
pub const OUTPUT_TOKENS: u64 = 3;
/// The end of a stream of chunks.
pub const DONE: &str = "data: [DONE]\n\n";

/// The answer to `request`, as OpenAI gives it.
pub(super) fn reply(request: &Received) -> Reply {
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let model = asked["model"].as_str().unwrap_or_default();
    let stream = asked["stream"] == true;
    let usage = asked["stream_options"]["include_usage"] == true;
    let reply = match (request.path.split('?').next().unwrap_or_default(), stream) {
        ("/v1/chat/completions", false) => Reply::json(&chat(model)),
        ("/v1/chat/completions", true) => Reply::events(chat_events(model, usage)),
        ("/v1/responses", false) => Reply::json(&response(model)),
        ("/v1/responses", true) => Reply::events(response_events(model)),
        ("/v1/completions", false) => Reply::json(&completion(model)),
        ("/v1/completions", true) => Reply::events(completion_events(model, usage)),
        ("/v1/embeddings", _) => Reply::json(&embedding(model)),
        (path, _) => Reply::json(&json!({"path": path, "got_bytes": request.body.len()})),
    };
    reply.header("x-request-id", "req_upstream_1").header("openai-processing-ms", "7")
}

fn chat_usage() -> Value {
    json!({
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1}
    })
}

/// A whole chat completion.
pub fn chat(model: &str) -> Value {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_996_800,
        "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": WORDS, "refusal": null},
            "logprobs": null,
            "finish_reason": "stop"
        }],
        "usage": chat_usage(),
        "service_tier": "default"
    })
}

/// One event that holds `value`.
pub fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn chunk(model: &str, choices: &Value, usage: Option<Value>) -> String {
    let mut chunk = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_795_996_800,
        "model": model,
        "choices": choices,
    });
    if let Some(usage) = usage {
        chunk["usage"] = usage;
    }
    data(&chunk)
}

/// A chunk with a piece of content.
pub fn chat_content(text: &str) -> String {
    chunk("gpt-4o-mini", &json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]), None)
}

/// The chunk that ends the one choice.
pub fn chat_finish() -> String {
    chunk("gpt-4o-mini", &json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), None)
}

/// The chunk that holds nothing but usage.
pub fn chat_usage_chunk(model: &str) -> String {
    chunk(model, &json!([]), Some(chat_usage()))
}

/// A chat completion as a stream; with usage, every chunk has the member.
pub fn chat_events(model: &str, usage: bool) -> Vec<String> {
    let nothing = || usage.then_some(Value::Null);
    let delta = |delta: Value, reason: Option<&str>| {
        chunk(model, &json!([{"index": 0, "delta": delta, "finish_reason": reason}]), nothing())
    };
    let mut events = vec![
        delta(json!({"role": "assistant", "content": "", "refusal": null}), None),
        delta(json!({"content": "Hello"}), None),
        delta(json!({"content": " there"}), None),
        delta(json!({}), Some("stop")),
    ];
    if usage {
        events.push(chat_usage_chunk(model));
    }
    events.push(DONE.to_owned());
    events
}

/// What a caller who did not ask for usage sees of a stream that was asked for it upstream.
pub fn chat_events_seen(model: &str) -> Vec<String> {
    let mut events = chat_events(model, true);
    events.retain(|event| !event.contains("prompt_tokens"));
    events
}

/// A whole text completion.
pub fn completion(model: &str) -> Value {
    json!({
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1_795_996_800,
        "model": model,
        "choices": [{"text": WORDS, "index": 0, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 15}
    })
}

/// A text completion as a stream.
pub fn completion_events(model: &str, usage: bool) -> Vec<String> {
    let piece = |choices: Value| {
        data(
            &json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": model, "choices": choices}),
        )
    };
    let mut events = vec![
        piece(json!([{"text": "Hello", "index": 0, "logprobs": null, "finish_reason": null}])),
        piece(json!([{"text": " there", "index": 0, "logprobs": null, "finish_reason": "stop"}])),
    ];
    if usage {
        let usage =
            json!({"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 15});
        events.push(data(&json!({
            "id": "cmpl-1", "object": "text_completion", "created": 1, "model": model, "choices": [], "usage": usage
        })));
    }
    events.push(DONE.to_owned());
    events
}

/// A response object in this state.
pub fn response_object(model: &str, status: &str) -> Value {
    let done = status == "completed";
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": WORDS, "annotations": [], "logprobs": []}]
    });
    let usage = json!({
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS
    });
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_795_996_800, "status": status,
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "model": model,
        "output": if done { json!([message]) } else { json!([]) },
        "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": if done { usage } else { Value::Null }
    })
}

/// A whole response.
pub fn response(model: &str) -> Value {
    response_object(model, "completed")
}

/// A named event with its sequence number.
pub fn response_event(kind: &str, number: u64, mut rest: Value) -> String {
    rest["type"] = kind.into();
    rest["sequence_number"] = number.into();
    format!("event: {kind}\ndata: {rest}\n\n")
}

/// A response as a stream.
pub fn response_events(model: &str) -> Vec<String> {
    let delta = |number, text| {
        let rest =
            json!({"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text, "logprobs": []});
        response_event("response.output_text.delta", number, rest)
    };
    let begun = response_object(model, "in_progress");
    let item = json!({"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []});
    vec![
        response_event("response.created", 0, json!({ "response": begun })),
        response_event("response.in_progress", 1, json!({ "response": begun })),
        response_event("response.output_item.added", 2, json!({"output_index": 0, "item": item})),
        delta(3, "Hello"),
        delta(4, " there"),
        response_event("response.completed", 5, json!({ "response": response(model) })),
    ]
}

/// A list of one embedding.
pub fn embedding(model: &str) -> Value {
    json!({
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -1e-7]}],
        "model": model,
        "usage": {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS}
    })
}
