//! Cases for [`super`]: what demo must and must not do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::fold::{fold, response_text, tool_names};
use crate::sse::EventReader;
use crate::watch::{StreamWatch, Verdict, read_whole};

const CREATED: i64 = 1_795_996_800;
const ENDPOINTS: [Endpoint; 3] = [Endpoint::ChatCompletions, Endpoint::Responses, Endpoint::Completions];

fn answer(endpoint: Endpoint, body: &Value) -> Value {
    let bytes = whole(endpoint, body.to_string().as_bytes(), CREATED).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn chat(body: Value) -> Value {
    let mut body = body;
    body["model"] = "demo-small".into();
    answer(Endpoint::ChatCompletions, &body)
}

fn refused(endpoint: Endpoint, body: &str) -> Option<String> {
    whole(endpoint, body.as_bytes(), CREATED).unwrap_err().code
}

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}}}}})
}

fn ask(endpoint: Endpoint, last: &str) -> Value {
    match endpoint {
        Endpoint::Responses => json!({"model": "demo-large", "instructions": "Be kind.", "input": last,
            "tools": [{"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]}),
        Endpoint::Completions => {
            json!({"model": "demo-small", "prompt": [last, "b"], "stream_options": {"include_usage": true}})
        }
        _ => json!({"model": "demo-small", "stream_options": {"include_usage": true}, "tools": [weather()],
            "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": last}]}),
    }
}

fn events(endpoint: Endpoint, body: &Value) -> (Vec<Bytes>, Vec<Verdict>, StreamWatch) {
    let events = stream(endpoint, body.to_string().as_bytes(), CREATED).unwrap();
    let events: Vec<Bytes> = events.into_iter().map(Bytes::from).collect();
    let (mut reader, mut watch) = (EventReader::new(), StreamWatch::new(endpoint));
    let mut verdicts = Vec::new();
    for event in &events {
        reader.push(event.clone());
        verdicts.push(watch.event(&reader.next_event().unwrap().unwrap()));
        assert_eq!(reader.next_event(), None, "one item is one event");
    }
    (events, verdicts, watch)
}

#[test]
fn an_answer_shows_the_prompt_that_arrived() {
    let answer = chat(
        json!({"messages": [{"role": "system", "content": "Answer as a pirate."}, {"role": "user", "content": [{"type": "text", "text": "Where is\nthe gold?"}]}]}),
    );
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(
        text,
        "Hello from demo-small, Weir's demo model. You wrote: “Where is the gold?”. My instructions say: “Answer as a pirate.”."
    );
}

#[test]
fn a_stream_stands_for_the_whole_answer() {
    for endpoint in ENDPOINTS {
        for last in ["Hello", "Please use get_weather now."] {
            let body = ask(endpoint, last);
            let (pieces, _, watch) = events(endpoint, &body);
            let whole = whole(endpoint, body.to_string().as_bytes(), CREATED).unwrap();
            let folded = fold(endpoint, &pieces).unwrap();
            assert_eq!(response_text(endpoint, &folded), response_text(endpoint, &whole));
            assert_eq!(tool_names(endpoint, &folded), tool_names(endpoint, &whole));
            let facts = read_whole(endpoint, &whole).unwrap();
            assert_eq!(read_whole(endpoint, &folded).unwrap(), facts);
            assert_eq!(
                (&watch.facts().usage, &watch.facts().finish_reason),
                (&facts.usage, &facts.finish_reason)
            );
            assert!(watch.finished() && watch.terminated() && facts.usage.is_some());
        }
    }
}

#[test]
fn the_same_request_gives_the_same_answer_and_another_one_other_ids() {
    for endpoint in ENDPOINTS {
        assert_eq!(answer(endpoint, &ask(endpoint, "a")), answer(endpoint, &ask(endpoint, "a")));
        assert_ne!(answer(endpoint, &ask(endpoint, "a"))["id"], answer(endpoint, &ask(endpoint, "b"))["id"]);
    }
}

#[test]
fn a_chat_stream_begins_empty_and_ends_with_finish_usage_and_terminator() {
    let (_, verdicts, _) = events(Endpoint::ChatCompletions, &ask(Endpoint::ChatCompletions, "Hello"));
    assert_eq!(verdicts.first(), Some(&Verdict::Startup));
    assert_eq!(verdicts[verdicts.len() - 3..], [Verdict::Finish, Verdict::UsageOnly, Verdict::Terminator]);
    assert!(verdicts[1..verdicts.len() - 3].iter().all(|verdict| *verdict == Verdict::Content));
    let plain = json!({"model": "demo-small", "messages": [{"role": "user", "content": "Hi"}]});
    let (pieces, verdicts, _) = events(Endpoint::ChatCompletions, &plain);
    assert!(!verdicts.contains(&Verdict::UsageOnly));
    assert!(!String::from_utf8(pieces.concat()).unwrap().contains("usage"));
}

#[test]
fn tools_named_in_the_last_user_message_are_called() {
    let tools = json!([weather()]);
    let called =
        chat(json!({"tools": tools, "messages": [{"role": "user", "content": "Call GET_WEATHER please"}]}));
    let choice = &called["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &Value::Null)
    );
    let arguments = choice["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), json!({"city": "demo", "unit": "c"}));
    let not_asked = chat(json!({"tools": tools, "messages": [{"role": "user", "content": "Hi"}]}));
    assert_eq!(not_asked["choices"][0]["finish_reason"], "stop");
    assert!(not_asked.to_string().contains("get_weather"), "the offer is mentioned");
}

#[test]
fn the_tool_choice_is_obeyed() {
    let finish = |choice: Value, text: &str| {
        chat(json!({"tools": [weather()], "tool_choice": choice, "messages": [{"role": "user", "content": text}]}))["choices"][0]["finish_reason"].clone()
    };
    assert_eq!(finish(json!("none"), "get_weather"), "stop");
    assert_eq!(finish(json!("required"), "Hi"), "tool_calls");
    assert_eq!(finish(json!({"type": "function", "function": {"name": "get_weather"}}), "Hi"), "tool_calls");
}

#[test]
fn a_tools_result_is_answered_in_words() {
    let answer = chat(json!({"tools": [weather()], "messages": [
        {"role": "user", "content": "get_weather"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "12 degrees"}]}));
    assert!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("The tool answered: “12 degrees”")
    );
    let response = whole(Endpoint::Responses, json!({"model": "demo-small", "tools": [{"type": "function", "name": "f"}], "input": [
        {"role": "user", "content": "f"}, {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "12 degrees"}]}).to_string().as_bytes(), CREATED).unwrap();
    assert!(response_text(Endpoint::Responses, &response).contains("12 degrees"));
}

#[test]
fn a_limit_cuts_the_answer_and_says_so() {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let cut = chat(json!({"max_tokens": 5, "messages": messages}));
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    assert_eq!(cut["choices"][0]["message"]["content"], "Hello from");
    assert!(cut["usage"]["completion_tokens"].as_u64().unwrap() <= 5);
    let body = json!({"model": "demo-small", "input": "Hi", "max_output_tokens": 5});
    let response = answer(Endpoint::Responses, &body);
    assert_eq!(
        (&response["status"], &response["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let (_, _, watch) = events(Endpoint::Responses, &body);
    assert_eq!(watch.facts().finish_reason.as_deref(), Some("length"));
}

#[test]
fn structured_answers_fit_what_was_asked_for() {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let content = |format: Value| {
        let answer = chat(json!({"response_format": format, "messages": messages}));
        serde_json::from_str::<Value>(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap()
    };
    assert!(content(json!({"type": "json_object"}))["answer"].as_str().unwrap().contains("Hi"));
    let schema = json!({"type": "object", "$defs": {"p": {"type": "object", "properties": {"x": {"type": "number", "minimum": 3}}}}, "properties": {
        "ok": {"type": "boolean"}, "list": {"type": "array", "items": {"$ref": "#/$defs/p"}}, "kind": {"enum": ["a"]},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "nothing": {"type": ["null", "string"]}}});
    let expected = json!({"ok": true, "list": [{"x": 3}], "kind": "a", "maybe": 1, "nothing": null});
    assert_eq!(
        content(json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema}})),
        expected
    );
    let endless = json!({"$ref": "#"});
    assert_eq!(
        content(json!({"type": "json_schema", "json_schema": {"name": "s", "schema": endless}})),
        Value::Null
    );
}

#[test]
fn several_choices_are_made_and_counted() {
    let body = json!({"model": "demo-small", "n": 2, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "Hi"}]});
    let (_, _, watch) = events(Endpoint::ChatCompletions, &body);
    let whole = answer(Endpoint::ChatCompletions, &body);
    assert_eq!(whole["choices"].as_array().unwrap().len(), 2);
    assert!(watch.finished());
    assert_eq!(watch.facts().usage.map(|usage| usage.output), whole["usage"]["completion_tokens"].as_u64());
}

#[test]
fn responses_events_are_numbered_from_zero_without_gaps() {
    let (pieces, verdicts, watch) = events(Endpoint::Responses, &ask(Endpoint::Responses, "Hello"));
    assert_eq!(watch.next_sequence_number(), pieces.len() as u64);
    assert_eq!(verdicts[..4], [const { Verdict::Startup }; 4]);
    assert_eq!(verdicts.last(), Some(&Verdict::Terminator));
}

fn vectors(body: Value) -> Vec<Vec<f32>> {
    let mut body = body;
    body["model"] = EMBEDDING_MODEL.into();
    let answer = answer(Endpoint::Embeddings, &body);
    let floats = |item: &Value| serde_json::from_value(item["embedding"].clone()).unwrap();
    answer["data"].as_array().unwrap().iter().map(floats).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn embeddings_are_unit_vectors_in_which_like_texts_are_near() {
    let vectors = vectors(
        json!({"input": ["the cat sat on the mat", "A cat sat on a mat.", "quarterly revenue rose sharply"]}),
    );
    for vector in &vectors {
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-4 && vector.len() == 256);
    }
    assert!(cosine(&vectors[0], &vectors[1]) > 0.3 + cosine(&vectors[0], &vectors[2]));
}

#[test]
fn embeddings_come_in_the_format_and_size_asked_for() {
    let floats = vectors(json!({"input": "a", "dimensions": 8}));
    let body = json!({"model": EMBEDDING_MODEL, "input": "a", "dimensions": 8, "encoding_format": "base64"});
    let encoded = answer(Endpoint::Embeddings, &body);
    let bytes = STANDARD.decode(encoded["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let decoded: Vec<f32> =
        bytes.chunks_exact(4).map(|float| f32::from_le_bytes(float.try_into().unwrap())).collect();
    assert_eq!(decoded, floats[0]);
    assert_eq!(encoded["usage"], json!({"prompt_tokens": 1, "total_tokens": 1}));
    assert_eq!(vectors(json!({"input": [5, 6]})).len(), 1);
    assert_eq!(vectors(json!({"input": [[5, 6], [7]]})).len(), 2);
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let chat = Endpoint::ChatCompletions;
    for (endpoint, body, code) in [
        (chat, r#"{"model":"gpt-x","messages":[]}"#, "model_not_found"),
        (chat, r#"{"model":"demo-embed","messages":[]}"#, "model_not_found"),
        (chat, r#"{"messages":[]}"#, "model_not_found"),
        (chat, "{", "invalid_request"),
        (Endpoint::Embeddings, r#"{"model":"demo-small","input":"a"}"#, "model_not_found"),
        (Endpoint::Embeddings, r#"{"model":"demo-embed","input":""}"#, "invalid_request"),
        (Endpoint::Embeddings, r#"{"model":"demo-embed","input":[]}"#, "invalid_request"),
        (Endpoint::Embeddings, r#"{"model":"demo-embed"}"#, "invalid_request"),
        (Endpoint::Embeddings, r#"{"model":"demo-embed","input":"a","dimensions":0}"#, "invalid_request"),
        (Endpoint::Passthrough, r#"{"model":"demo-small"}"#, "not_found"),
    ] {
        assert_eq!(refused(endpoint, body).as_deref(), Some(code), "{body}");
    }
    let many = json!({"model": "demo-embed", "input": "a ".repeat(200_000)}).to_string();
    assert_eq!(refused(Endpoint::Embeddings, &many).as_deref(), Some("invalid_request"));
    assert!(stream(Endpoint::Embeddings, br#"{"model":"demo-embed","input":"a"}"#, CREATED).is_err());
}

#[test]
fn bodies_of_any_shape_are_answered_without_panic() {
    for body in [
        json!({"model": "demo-small"}),
        json!({"model": "demo-small", "messages": null, "input": null, "prompt": null, "tools": null}),
        json!({"model": "demo-small", "messages": [1, null, {"role": 5}, {"content": {}}], "tools": [1, {}], "n": 99, "max_tokens": 0}),
        json!({"model": "demo-small", "input": [{"type": "function_call_output"}], "prompt": [[1], "a"], "text": 5}),
    ] {
        for endpoint in ENDPOINTS {
            answer(endpoint, &body);
            assert!(!stream(endpoint, body.to_string().as_bytes(), CREATED).unwrap().is_empty());
        }
    }
}
