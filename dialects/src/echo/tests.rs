//! Cases for [`super`]: what echo must and must not do.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sse::EventReader;

const PROMPT: &str = r#"{"id":"support/reply","version":"3","variables":{"name":"Ada"}}"#;

fn put(body: &str) -> Option<String> {
    whole(body.as_bytes(), PROMPT).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn read(raw: &str) -> Event {
    let mut reader = EventReader::new();
    reader.push(Bytes::copy_from_slice(raw.as_bytes()));
    reader.next_event().unwrap().unwrap()
}

fn put_in_event(raw: &str) -> Option<String> {
    event(&read(raw), PROMPT).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn the_prompt_replaces_null_in_its_place_or_is_added_at_the_end() {
    let cases = [
        (r#"{"id":"r", "prompt": null ,"big":1e-7}"#, r#"{"id":"r", "prompt": P ,"big":1e-7}"#),
        (r#"{"prompt":{"id":"old"}}"#, r#"{"prompt":P}"#),
        ("{\"id\":\"r\"\n}\n", "{\"id\":\"r\"\n,\"prompt\":P}\n"),
        ("{}", r#"{"prompt":P}"#),
        (
            r#"{"input":{"prompt":1},"x":"\"prompt\":null"}"#,
            r#"{"input":{"prompt":1},"x":"\"prompt\":null","prompt":P}"#,
        ),
        (r#"{"prompt":1,"prompt":2}"#, r#"{"prompt":1,"prompt":P}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(
            put(body),
            Some(expected.replace('P', PROMPT).replace(&format!("\"{PROMPT}"), "\"P")),
            "{body}"
        );
    }
}

#[test]
fn what_is_no_object_is_left_alone() {
    for body in ["", "[]", "null", "{\"a\":", "{} {}", "<html>"] {
        assert_eq!(put(body), None, "{body}");
    }
}

#[test]
fn events_that_hold_a_response_are_changed_within_it_only() {
    let raw = "event: response.created\nid: 7\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"prompt\":null},\"sequence_number\":0}\r\n\r\n";
    let expected = raw.replace("null", PROMPT);
    assert_eq!(put_in_event(raw), Some(expected));
}

#[test]
fn events_without_a_response_are_left_alone() {
    for raw in [
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n",
        "data: {\"type\":\"x\",\"delta\":\"\\\"response\\\":{}\"}\n\n",
        "data: {\"response\":null}\n\n",
        "data: {\"delta\":\"response\",\"item\":{\"response\":{}}}\n\n",
        "data: broken \"response\"\n\n",
        ": comment\n\n",
    ] {
        assert_eq!(put_in_event(raw), None, "{raw}");
    }
}

#[test]
fn data_over_several_lines_is_written_anew() {
    let changed = put_in_event("event: x\ndata: {\"response\":\ndata: {\"id\":1}}\n\n").unwrap();
    let event = read(&changed);
    let data: Value = serde_json::from_slice(event.data.as_deref().unwrap()).unwrap();
    let prompt: Value = serde_json::from_str(PROMPT).unwrap();
    assert_eq!(data, json!({"response": {"id": 1, "prompt": prompt}}));
    assert!(event.is_named("x"));
}

proptest! {
    #[test]
    fn the_result_is_the_object_with_its_prompt_set(keys in prop::collection::vec("[a-z]{1,3}|prompt", 0..6)) {
        let object: serde_json::Map<String, Value> = keys.into_iter().map(|key| (key, json!([null, "prompt"]))).collect();
        let mut expected = object.clone();
        expected.insert("prompt".into(), serde_json::from_str(PROMPT).unwrap());
        let put: Value = serde_json::from_str(&put(&Value::Object(object).to_string()).unwrap()).unwrap();
        prop_assert_eq!(put, Value::Object(expected));
    }
}
