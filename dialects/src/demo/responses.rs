//! Answers of the demo provider on the responses endpoint: the object, and the full sequence of its events.

use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::chat::pieces_of_json;
use super::event;
use super::reply::{Call, Reply};
use super::words::pieces;

/// Settings that an answer repeats as they were sent, and what they are when they were not.
const REPEATED: [(&str, &str); 16] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt", "null"),
    ("reasoning", r#"{"effort": null, "summary": null}"#),
    ("service_tier", "\"default\""),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format": {"type": "text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
];

pub(super) fn whole(ask: &Ask, reply: &Reply) -> Value {
    object(ask, reply, Stage::Done, &items(ask, reply, Stage::Done))
}

/// The events of a stream, each as it goes over the wire.
pub(super) fn stream(ask: &Ask, reply: &Reply) -> Vec<Vec<u8>> {
    let mut events = Events::default();
    let begun = object(ask, reply, Stage::Begun, &[]);
    events.push("response.created", json!({"response": begun}));
    events.push("response.in_progress", json!({"response": begun}));
    let stages = items(ask, reply, Stage::Begun).into_iter().zip(items(ask, reply, Stage::Done));
    for (index, (begun, done)) in stages.enumerate() {
        events.push("response.output_item.added", json!({"output_index": index, "item": begun}));
        content_events(&mut events, reply, index, &done["id"]);
        events.push("response.output_item.done", json!({"output_index": index, "item": done}));
    }
    let end = if is_whole(reply) { "response.completed" } else { "response.incomplete" };
    events.push(end, json!({"response": whole(ask, reply)}));
    events.out
}

/// Events with their types and their numbers from 0 on.
#[derive(Default)]
struct Events {
    out: Vec<Vec<u8>>,
}

impl Events {
    fn push(&mut self, kind: &str, members: Value) {
        let mut data = json!({"type": kind, "sequence_number": self.out.len()});
        if let (Value::Object(data), Value::Object(members)) = (&mut data, members) {
            data.extend(members);
        }
        self.out.push(event(Some(kind), &data));
    }
}

fn content_events(events: &mut Events, reply: &Reply, index: usize, id: &Value) {
    match reply {
        Reply::Text { text, .. } => text_events(events, id, index, text),
        Reply::Calls(calls) => {
            if let Some(call) = calls.get(index) {
                call_events(events, id, index, call);
            }
        }
    }
}

fn text_events(events: &mut Events, id: &Value, index: usize, text: &str) {
    let at = |members: Value| {
        let mut at = json!({"item_id": id, "output_index": index, "content_index": 0});
        if let (Value::Object(at), Value::Object(members)) = (&mut at, members) {
            at.extend(members);
        }
        at
    };
    events.push("response.content_part.added", at(json!({"part": part("")})));
    for piece in pieces(text) {
        events.push("response.output_text.delta", at(json!({"delta": piece, "logprobs": []})));
    }
    events.push("response.output_text.done", at(json!({"text": text, "logprobs": []})));
    events.push("response.content_part.done", at(json!({"part": part(text)})));
}

fn call_events(events: &mut Events, id: &Value, index: usize, call: &Call) {
    for piece in pieces_of_json(&call.arguments) {
        let delta = json!({"item_id": id, "output_index": index, "delta": piece});
        events.push("response.function_call_arguments.delta", delta);
    }
    let done = json!({"item_id": id, "output_index": index, "name": call.name, "arguments": call.arguments});
    events.push("response.function_call_arguments.done", done);
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// Whether an item or an answer has just begun, or is done.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Begun,
    Done,
}

fn items(ask: &Ask, reply: &Reply, stage: Stage) -> Vec<Value> {
    match reply {
        Reply::Text { text, .. } => vec![message(ask, reply, stage, text)],
        Reply::Calls(calls) => {
            (0..).zip(calls).map(|(number, call)| function_call(ask, number, call, stage)).collect()
        }
    }
}

fn message(ask: &Ask, reply: &Reply, stage: Stage, text: &str) -> Value {
    let content = if stage == Stage::Begun { json!([]) } else { json!([part(text)]) };
    let status = status(reply, stage);
    json!({"id": ask.id("msg_", 0), "type": "message", "status": status, "role": "assistant", "content": content})
}

fn function_call(ask: &Ask, number: u64, call: &Call, stage: Stage) -> Value {
    let (arguments, status) = match stage {
        Stage::Begun => ("", "in_progress"),
        Stage::Done => (call.arguments.as_str(), "completed"),
    };
    json!({
        "id": ask.id("fc_", number),
        "type": "function_call",
        "status": status,
        "call_id": ask.id("call_", number),
        "name": call.name,
        "arguments": arguments,
    })
}

fn object(ask: &Ask, reply: &Reply, stage: Stage, output: &[Value]) -> Value {
    let incomplete = stage == Stage::Done && !is_whole(reply);
    let mut object = json!({
        "id": ask.id("resp_", 0),
        "object": "response",
        "created_at": ask.created,
        "status": status(reply, stage),
        "background": false,
        "error": null,
        "incomplete_details": if incomplete { json!({"reason": "max_output_tokens"}) } else { Value::Null },
        "model": ask.model,
        "output": output,
        "usage": if stage == Stage::Done { usage(ask, reply) } else { Value::Null },
    });
    if let Value::Object(members) = &mut object {
        repeat_settings(ask, members);
    }
    object
}

fn repeat_settings(ask: &Ask, members: &mut Map<String, Value>) {
    for (name, default) in REPEATED {
        let sent = ask.body.get(name).filter(|value| !value.is_null()).cloned();
        let value = sent.unwrap_or_else(|| serde_json::from_str(default).unwrap_or_default());
        members.insert(name.to_owned(), value);
    }
}

fn usage(ask: &Ask, reply: &Reply) -> Value {
    let output = reply.tokens();
    json!({
        "input_tokens": ask.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": ask.input_tokens + output,
    })
}

fn status(reply: &Reply, stage: Stage) -> &'static str {
    match stage {
        Stage::Begun => "in_progress",
        Stage::Done if is_whole(reply) => "completed",
        Stage::Done => "incomplete",
    }
}

const fn is_whole(reply: &Reply) -> bool {
    !matches!(reply, Reply::Text { is_whole: false, .. })
}
