//! Cases for [`super`]: what fold must and must not do.

use serde_json::json;

use super::*;

fn folded(endpoint: Endpoint, stream: &str) -> Option<Value> {
    let bytes = fold(endpoint, &[Bytes::copy_from_slice(stream.as_bytes())])?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn chat(chunks: &[Value]) -> Value {
    let stream: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    folded(Endpoint::ChatCompletions, &(stream.concat() + "data: [DONE]\n\n")).unwrap()
}

fn message(deltas: &[Value]) -> Value {
    let chunks: Vec<Value> =
        deltas.iter().map(|delta| json!({"choices": [{"index": 0, "delta": delta}]})).collect();
    chat(&chunks)["choices"][0]["message"].clone()
}

#[test]
fn a_chat_stream_folds_into_the_answer_it_stands_for() {
    let base = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "fp"});
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = base.clone();
        chunk["choices"] = choices;
        chunk["usage"] = usage;
        chunk["obfuscation"] = "abc".into();
        chunk
    };
    let answer = chat(&[
        chunk(
            json!([{"index": 0, "delta": {"role": "assistant", "content": "", "refusal": null}, "finish_reason": null}]),
            Value::Null,
        ),
        chunk(
            json!([{"index": 0, "delta": {"content": "Hel"}, "logprobs": {"content": [{"token": "Hel", "logprob": -0.1}]}, "finish_reason": null}]),
            Value::Null,
        ),
        chunk(
            json!([{"index": 0, "delta": {"content": "lo"}, "logprobs": {"content": [{"token": "lo", "logprob": -0.2}]}, "finish_reason": null}]),
            Value::Null,
        ),
        chunk(json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}]), Value::Null),
        chunk(json!([]), json!({"prompt_tokens": 3, "completion_tokens": 2})),
    ]);
    assert_eq!(
        answer,
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "fp",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "refusal": null}, "finish_reason": "stop",
                "logprobs": {"content": [{"token": "Hel", "logprob": -0.1}, {"token": "lo", "logprob": -0.2}]}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    );
}

#[test]
fn tool_calls_are_put_together_by_index() {
    let call = |index: u32, rest: Value| {
        let mut call = rest;
        call["index"] = index.into();
        json!({"tool_calls": [call]})
    };
    let message = message(&[
        json!({"role": "assistant", "content": null}),
        call(0, json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}})),
        call(1, json!({"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}})),
        call(0, json!({"function": {"arguments": "{\"x\""}})),
        call(1, json!({"function": {"arguments": "{}"}})),
        call(0, json!({"id": "a", "function": {"name": "f", "arguments": ":1}"}})),
    ]);
    assert_eq!(message["content"], Value::Null);
    assert_eq!(
        message["tool_calls"],
        json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
               {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}])
    );
}

#[test]
fn whole_calls_that_share_an_index_stay_apart() {
    let call = |id: &str| json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!(message(&[call("a"), call("b")])["tool_calls"].as_array().unwrap().len(), 2);
}

#[test]
fn reasoning_refusals_and_content_lists_grow() {
    let grown = message(&[
        json!({"reasoning_content": "a", "reasoning": "x"}),
        json!({"reasoning_content": "b", "reasoning": "y", "content": null}),
        json!({"refusal": "n"}),
        json!({"refusal": "o"}),
    ]);
    assert_eq!(
        grown,
        json!({"role": "assistant", "content": null, "reasoning_content": "ab", "reasoning": "xy", "refusal": "no"})
    );
    let listed = message(&[
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]}),
        json!({"content": [{"type": "text", "text": "a"}]}),
        json!({"content": [{"type": "text", "text": "b"}, {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "c"}]}),
    ]);
    let expected = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "ab"},
        {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "c"}]);
    assert_eq!(listed["content"], expected);
}

#[test]
fn choices_are_put_together_by_index_and_sorted() {
    let answer = chat(&[
        json!({"choices": [{"index": 1, "delta": {"content": "b"}}]}),
        json!({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}, {"index": 1, "delta": {}, "finish_reason": "length"}]}),
    ]);
    let told: Vec<_> = answer["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| (&choice["message"]["content"], &choice["finish_reason"]))
        .collect();
    assert_eq!(told, [(&json!("a"), &json!("stop")), (&json!("b"), &json!("length"))]);
}

#[test]
fn a_stream_that_broke_off_folds_as_far_as_it_came() {
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"error\":{\"message\":\"gone\"}}\n\ndata: {\"cho";
    let answer = folded(Endpoint::ChatCompletions, stream).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "Hel");
    assert_eq!(answer["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(answer["error"]["message"], "gone");
}

#[test]
fn text_cut_between_surrogates_does_not_lose_the_rest() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"\\ude00b\"}}]}\n\n";
    assert_eq!(
        folded(Endpoint::ChatCompletions, stream).unwrap()["choices"][0]["message"]["content"],
        "a\u{fffd}\u{fffd}b"
    );
}

#[test]
fn pieces_may_be_cut_anywhere() {
    let stream =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"né\"}}]}\r\n\r\ndata: [DONE]\r\n\r\n"
            .as_bytes();
    let pieces: Vec<Bytes> = stream.chunks(1).map(Bytes::copy_from_slice).collect();
    assert_eq!(
        fold(Endpoint::ChatCompletions, &pieces),
        fold(Endpoint::ChatCompletions, &[Bytes::copy_from_slice(stream)])
    );
}

#[test]
fn streams_without_an_answer_fold_to_nothing() {
    for stream in ["", ": comment\n\n", "data: [DONE]\n\n", "data: nonsense\n\n"] {
        for endpoint in
            [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Responses, Endpoint::Embeddings]
        {
            assert_eq!(folded(endpoint, stream), None, "{endpoint} {stream}");
        }
    }
}

#[test]
fn completions_grow_by_text() {
    let stream = "data: {\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null,\"logprobs\":{\"tokens\":[\"a\"]}}]}\n\n\
                  data: {\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"stop\",\"logprobs\":{\"tokens\":[\"b\"]}}]}\n\n";
    let expected = json!({"object": "text_completion", "choices": [{"index": 0, "text": "ab", "finish_reason": "stop", "logprobs": {"tokens": ["a", "b"]}}]});
    assert_eq!(folded(Endpoint::Completions, stream), Some(expected));
}

fn responses(events: &[Value]) -> Option<Value> {
    let stream: Vec<String> = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect();
    folded(Endpoint::Responses, &stream.concat())
}

#[test]
fn the_last_event_of_a_response_is_the_answer() {
    let whole = json!({"id": "r", "status": "completed", "output": [{"type": "message"}]});
    let begun = json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}});
    for kind in ["response.completed", "response.incomplete", "response.failed"] {
        let events = [
            begun.clone(),
            json!({"type": "response.output_text.delta", "delta": "x"}),
            json!({"type": kind, "response": whole}),
        ];
        assert_eq!(responses(&events), Some(whole.clone()));
    }
}

#[test]
fn a_response_that_broke_off_is_put_together_from_its_items() {
    let events = [
        json!({"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "rs", "type": "reasoning", "summary": []}}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "hm"}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"id": "m", "type": "message", "role": "assistant", "content": []}}),
        json!({"type": "response.content_part.added", "output_index": 1, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "Hel"}),
        json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "lo"}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"id": "f", "type": "function_call", "name": "g", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{\"a\""}),
    ];
    let expected = json!({"id": "r", "status": "incomplete", "output": [
        {"id": "rs", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
        {"id": "f", "type": "function_call", "name": "g", "arguments": "{\"a\""}]});
    assert_eq!(responses(&events), Some(expected));
    let failed =
        responses(&[events[0].clone(), json!({"type": "error", "code": "server_error", "message": "gone"})])
            .unwrap();
    assert_eq!((&failed["status"], &failed["error"]["message"]), (&json!("failed"), &json!("gone")));
}

#[test]
fn an_output_index_of_any_size_takes_no_memory() {
    let event =
        json!({"type": "response.output_item.added", "output_index": u64::MAX, "item": {"type": "message"}});
    assert_eq!(responses(&[event]), None);
}

#[test]
fn the_text_of_a_request_is_what_was_said_in_it() {
    let chat = json!({"model": "m", "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "What is\nthis?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
    ], "tools": [{"type": "function", "function": {"name": "look", "description": "Looks."}}]});
    let text = request_text(Endpoint::ChatCompletions, chat.to_string().as_bytes());
    assert_eq!(text, "Be kind.\nWhat is\nthis?\nlook\n{\"at\":1}\na cat");
    let responses = json!({"instructions": "Be kind.", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_file", "filename": "a.pdf", "file_data": "AAAA"}]},
        {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": "a cat"}]});
    let text = request_text(Endpoint::Responses, responses.to_string().as_bytes());
    assert_eq!(text, "Be kind.\nHi\na.pdf\nlook\n{}\na cat");
}

#[test]
fn inputs_and_prompts_of_every_shape_are_text() {
    let text = |endpoint, body: Value| request_text(endpoint, body.to_string().as_bytes());
    assert_eq!(text(Endpoint::Responses, json!({"input": "Hi"})), "Hi");
    assert_eq!(text(Endpoint::Completions, json!({"prompt": ["a", "b"], "suffix": "c"})), "a\nb\nc");
    assert_eq!(text(Endpoint::Embeddings, json!({"input": ["a", "b"]})), "a\nb");
    assert_eq!(text(Endpoint::Embeddings, json!({"input": [[1, 2], [3]]})), "");
    assert_eq!(
        text(Endpoint::Passthrough, json!({"query": "q", "documents": ["d", {"text": "e"}]})),
        "q\nd\ne"
    );
}

#[test]
fn the_text_of_an_answer_is_what_was_said_in_it() {
    let text = |endpoint, body: Value| response_text(endpoint, body.to_string().as_bytes());
    let chat = json!({"id": "c", "choices": [{"message": {"role": "assistant", "reasoning_content": "hm", "content": "Hi", "refusal": null}}, {"message": {"content": [{"type": "text", "text": "Ho"}]}}]});
    assert_eq!(text(Endpoint::ChatCompletions, chat), "hm\nHi\nHo");
    assert_eq!(text(Endpoint::Completions, json!({"choices": [{"text": "a"}]})), "a");
    let response = json!({"output": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, {"type": "message", "content": [{"type": "output_text", "text": "Hi"}, {"type": "refusal", "refusal": "No"}]}], "instructions": "unsaid"});
    assert_eq!(text(Endpoint::Responses, response), "hm\nHi\nNo");
    assert_eq!(text(Endpoint::ChatCompletions, json!({"error": {"message": "gone", "code": "x"}})), "gone");
    assert_eq!(text(Endpoint::Embeddings, json!({"data": [{"embedding": [0.1]}]})), "");
}

#[test]
fn text_is_read_up_to_the_place_where_a_body_breaks() {
    assert_eq!(
        request_text(Endpoint::ChatCompletions, br#"{"messages":[{"content":"a"},{"content":"b"},{"con"#),
        "a\nb"
    );
    for body in [&b""[..], b"\xff", b"<html>", b"[[[", b"null"] {
        assert_eq!(request_text(Endpoint::ChatCompletions, body), "");
        assert_eq!(tool_names(Endpoint::ChatCompletions, body), [""; 0]);
    }
}

#[test]
fn of_a_long_text_the_middle_is_left_out() {
    let body = json!({"prompt": format!("first {} last", "é".repeat(TEXT_BYTES_MAX))});
    let text = request_text(Endpoint::Completions, body.to_string().as_bytes());
    assert!(text.len() <= TEXT_BYTES_MAX, "{}", text.len());
    assert!(text.starts_with("first é") && text.ends_with("é last"));
}

#[test]
fn the_names_of_called_tools_are_found_once_each() {
    let chat = json!({"choices": [{"message": {"name": "not this", "tool_calls": [
        {"function": {"name": "f", "arguments": "{\"name\":\"no\"}"}}, {"function": {"arguments": "{}", "name": "g"}},
        {"function": {"name": "f", "arguments": "{}"}}, {"type": "custom", "custom": {"name": "h", "input": "x"}}]}},
        {"message": {"function_call": {"name": "old", "arguments": "{}"}}}]});
    assert_eq!(tool_names(Endpoint::ChatCompletions, chat.to_string().as_bytes()), ["f", "g", "h", "old"]);
    let response = json!({"tools": [{"name": "offered", "parameters": {}}], "output": [{"type": "function_call", "name": "f", "arguments": "{}"}, {"type": "message"}]});
    assert_eq!(tool_names(Endpoint::Responses, response.to_string().as_bytes()), ["f"]);
}
